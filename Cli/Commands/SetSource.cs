using Couic.Cli.Api;
using Couic.Cli.Values;
using Couic.CommandLine;
using Couic.Store;

namespace Couic.Cli.Commands;

/// <summary>
/// Sources of the entries of a set: the command line, a file, or the prefixes that an autonomous system announces.
/// </summary>
internal static class SetSource
{
    public static readonly ArgumentSpec Entries = new("ENTRY", "Networks; a bare address means its /32 or /128", Occurs: Occurs.AnyNumber);

    public static readonly OptionSpec FromFile =
        new("from-file", '\0', "FILE", "Read the networks from a file, one per line; \"#\" lines and blank lines are skipped") { Kind = ValueKind.File };

    public static readonly OptionSpec FromAsn = new("from-asn", '\0', "ASN", "Use the prefixes that this autonomous system announces, according to RIPEstat");

    public static readonly OptionSpec Empty = new("empty", '\0', null, "Remove all entries of the set");

    /// <summary>All faults in the choice of sources and in the entries on the command line.</summary>
    public static IEnumerable<string> Faults(Invocation invocation)
    {
        string[] sources = Given(invocation);
        if (sources.Length != 1)
        {
            bool mayBeEmpty = invocation.Parsed.Command.Options.Contains(Empty);
            string expected = "ENTRY..., --from-file FILE" + (mayBeEmpty ? ", --from-asn ASN or --empty" : " or --from-asn ASN");
            yield return sources.Length == 0
                ? $"no entries: exactly one of {expected} is needed; see \"{invocation.Parsed.PathText} --help\""
                : $"{string.Join(" and ", sources)} exclude each other: exactly one of {expected} is needed";
        }

        foreach (string entry in invocation.Parsed.Arguments.Skip(2))
        {
            if (NetworkText.TryParse(entry, out _) is { } fault)
            {
                yield return fault;
            }
        }

        if (invocation.Option(FromAsn.Long) is { } asn && RipeStat.TryAsn(asn, out _) is { } asnFault)
        {
            yield return asnFault;
        }
    }

    /// <exception cref="CliException">The source has no entry or is invalid.</exception>
    public static string[] Read(Invocation invocation, Endpoint endpoint)
    {
        if (invocation.Option(FromFile.Long) is { } file)
        {
            return ReadFile(invocation, file);
        }

        if (invocation.Option(FromAsn.Long) is { } asn)
        {
            _ = RipeStat.TryAsn(asn, out uint number);
            return RipeStat.Announced(invocation, endpoint, number);
        }

        return [.. invocation.Parsed.Arguments.Skip(2).Select(text =>
        {
            _ = NetworkText.TryParse(text, out Cidr cidr);
            return cidr.ToString();
        })];
    }

    private static string[] Given(Invocation invocation)
    {
        var sources = new List<string>();
        if (invocation.Parsed.Arguments.Count > 2)
        {
            sources.Add("ENTRY...");
        }

        sources.AddRange(new[] { FromFile, FromAsn, Empty }.Where(o => invocation.Has(o.Long)).Select(o => "--" + o.Long));
        return [.. sources];
    }

    private static string[] ReadFile(Invocation invocation, string file)
    {
        var entries = new List<string>();
        var faults = new ImportRejections(file);
        using (NetworkList list = NetworkList.Open(invocation.Context, file, out _))
        {
            invocation.Out.Write(invocation.IsJson ? "" : $"Reading CIDRs from file: {file}\n");
            while (list.TryNext(out ListItem item))
            {
                if (item.Fault is null)
                {
                    entries.Add(item.Cidr.ToString());
                }
                else
                {
                    faults.Add(item.Line, item.Fault);
                }
            }
        }

        if (faults.Count > 0)
        {
            throw new CliException([.. faults.Lines()]);
        }

        invocation.Out.Write(invocation.IsJson ? "" : $"Loaded {entries.Count} CIDRs from file\n");
        return entries.Count > 0 ? [.. entries] : throw new CliException($"{file}: it does not contain a CIDR (expected one per line, such as 192.0.2.0/24)");
    }
}
