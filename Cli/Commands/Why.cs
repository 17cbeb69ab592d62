using System.Text.Json;
using Couic.Api.Contracts;
using Couic.Cli.Api;
using Couic.Cli.Output;
using Couic.Cli.Values;
using Couic.CommandLine;
using Couic.Store;

namespace Couic.Cli.Commands;

/// <summary><c>why</c>: the entries that cover an address, and the verdict.</summary>
internal static class Why
{
    public static readonly CommandSpec Spec = new()
    {
        Name = "why",
        Summary = "Explain what happens to the packets of an address",
        Details =
        [
            "Lists every entry that covers the address. An entry in ignore passes it, even if drop covers it; otherwise an entry in drop drops it; "
            + "within a policy the longest prefix decides which entry counts the packets.",
        ],
        Arguments = [new ArgumentSpec("ADDRESS", "IPv4 or IPv6 address")],
        Options = [CommonOptions.Json],
        Examples = ["couicctl why 192.0.2.7"],
        Run = Run,
    };

    private static int Run(Invocation invocation)
    {
        Cidr address = Address(invocation.Argument(0));
        using ApiClient api = invocation.Connect();
        var entries = new List<CoveringEntry>();
        foreach (Policy policy in (ReadOnlySpan<Policy>)[Policy.Ignore, Policy.Drop])
        {
            entries.AddRange(Covering(api, policy, address));
        }

        if (invocation.Has("json"))
        {
            WriteJson(invocation.Context.Output, address, entries);
            return ExitStatus.Success;
        }

        invocation.Out.WriteLine(Verdict(address, entries));
        if (entries.Count > 0)
        {
            invocation.Out.WriteLine();
            CoveringTable.Write(invocation.Out, entries, invocation.Context.Clock.GetUtcNow());
        }

        return ExitStatus.Success;
    }

    private static Cidr Address(string text)
    {
        string? fault = NetworkText.TryParse(text, out Cidr cidr);
        if (fault is null && cidr.Length < cidr.MaxLength)
        {
            throw new UsageException($"\"{text}\" is a network; why explains one address, such as {cidr.AddressText()}");
        }

        return fault is null ? cidr : throw new UsageException($"\"{Printable.Quote(text)}\" is not an address; expected one such as 192.0.2.7 or 2001:db8::7");
    }

    /// <summary>
    /// Longest prefix first. A daemon of 1.x ignores the query and returns all entries, so they are filtered here.
    /// </summary>
    private static List<CoveringEntry> Covering(ApiClient api, Policy policy, Cidr address)
    {
        var found = new List<CoveringEntry>();
        api.Stream(HttpMethod.Get, $"{EntryPath.Of(policy)}?match={address.AddressText()}&details=true", null, stream =>
            JsonArrayReader.ForEach(stream, json =>
            {
                Cidr cidr = EntryLine.Parse(json).Cidr.Network;
                if (cidr.Contains(address))
                {
                    EntryRecord entry = JsonSerializer.Deserialize(json, WireJson.Default.EntryRecord)!;
                    found.Add(new CoveringEntry(policy, cidr, entry, json.ToArray()));
                }
            }));
        found.Sort(static (a, b) => b.Cidr.Length.CompareTo(a.Cidr.Length));
        return found;
    }

    /// <param name="entries">Entries of ignore first; the first one decides.</param>
    private static string Verdict(Cidr address, List<CoveringEntry> entries)
    {
        string subject = address.AddressText();
        if (entries.Count == 0)
        {
            return $"{subject} passes: no entry covers it";
        }

        CoveringEntry first = entries[0];
        return first.Policy == Policy.Drop
            ? $"{subject} is dropped: {first.Cidr} is in drop"
            : $"{subject} passes: {first.Cidr} is in ignore{(entries[^1].Policy == Policy.Drop ? ", which wins over drop" : "")}";
    }

    private static void WriteJson(Stream output, Cidr address, List<CoveringEntry> entries)
    {
        using (var writer = new Utf8JsonWriter(output, IndentedJson.Options))
        {
            writer.WriteStartObject();
            writer.WriteString("address"u8, address.AddressText());
            writer.WriteString("verdict"u8, entries is [{ Policy: Policy.Drop }, ..] ? "drop"u8 : "pass"u8);
            writer.WritePropertyName("decided_by"u8);
            if (entries.Count == 0)
            {
                writer.WriteNullValue();
            }
            else
            {
                writer.WriteStartObject();
                writer.WriteString("policy"u8, entries[0].Policy.Utf8Name());
                writer.WriteString("cidr"u8, entries[0].Cidr.ToString());
                writer.WriteEndObject();
            }

            foreach (Policy policy in Policies.All)
            {
                writer.WriteStartArray(policy.Utf8Name());
                foreach (CoveringEntry entry in entries.Where(e => e.Policy == policy))
                {
                    IndentedJson.Copy(entry.Json, writer);
                }

                writer.WriteEndArray();
            }

            writer.WriteEndObject();
        }

        output.WriteByte((byte)'\n');
    }
}
