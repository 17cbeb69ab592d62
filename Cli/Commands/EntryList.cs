using System.Text.Json;
using Couic.Cli.Api;
using Couic.Cli.Output;
using Couic.Cli.Values;
using Couic.CommandLine;
using Couic.Store;

namespace Couic.Cli.Commands;

/// <summary><c>drop list</c>, <c>ignore list</c>: streams the entries with constant memory.</summary>
internal static class EntryList
{
    /// <summary>Bytes of output per write.</summary>
    private const int FlushAt = 32 * 1024;

    public static CommandSpec Spec(Policy policy) => new()
    {
        Name = "list",
        Aliases = ["ls"],
        Summary = $"List the entries of {policy.Name()}",
        Details =
        [
            "PATTERNS are separated by commas, and any of them may match. \"*\" at the start or the end of a pattern stands for anything; "
            + "case counts; an empty pattern matches entries without a tag.",
            $"KEY is one of {string.Join(", ", EntrySort.Keys)}: most packets, latest hit, latest creation, soonest expiration or lowest address first. "
            + $"A sorted list has at most {EntrySort.MostShown} entries. The time of a hit is exact to about two seconds.",
        ],
        Options =
        [
            CommonOptions.Quiet("networks"),
            new OptionSpec("tags", 't', "PATTERNS", "Only entries whose tag matches") { Aliases = ["tag"], Kind = ValueKind.TagPatterns },
            new OptionSpec("sort", 's', "KEY", "Print the first entries in this order") { Kind = ValueKind.EntrySort },
            new OptionSpec("reverse", 'r', null, "Reverse the order"),
            new OptionSpec("limit", 'n', "N", "At most N entries"),
            new OptionSpec("details", 'd', null, "Also packets, last hit, when it was added, and by which client, set or peer"),
        ],
        Examples =
        [
            $"couicctl {policy.Name()} list", $"couicctl {policy.Name()} list --sort packets --limit 20",
            $"couicctl {policy.Name()} list -t 'ssh*,scanners'", $"couicctl {policy.Name()} list -q | wc -l",
        ],
        Run = Run,
    };

    private static int Run(Invocation invocation)
    {
        Policy policy = invocation.PolicyOfCommand();
        EntrySort sort = EntrySort.Of(invocation);
        TagPatterns? patterns = invocation.Option("tags") is { } text ? TagPatterns.Parse(text) : null;
        using ApiClient api = invocation.Connect();
        Action<Stream> read = invocation.IsJson ? stream => WriteJson(invocation, stream, patterns)
            : invocation.Has("quiet") ? stream => WriteQuiet(invocation, stream, patterns)
            : sort.Columns != EntryColumns.None ? stream => WriteDetails(invocation, policy, stream, sort)
            : stream => WriteTable(invocation, policy, stream, patterns);
        api.Stream(HttpMethod.Get, EntryPath.Of(policy) + sort.Query, null, read);
        return ExitStatus.Success;
    }

    private static void WriteDetails(Invocation invocation, Policy policy, Stream stream, EntrySort sort)
    {
        var rows = new DetailedRows(sort.Columns);
        JsonArrayReader.ForEach(stream, json => rows.Add(EntryLine.Parse(json)));
        rows.Write(invocation, policy, invocation.Context.Clock.GetUtcNow());
        NoteEmpty(invocation, policy, rows.Count);
        if (!rows.IsCounted && sort.Columns.HasFlag(EntryColumns.Hits))
        {
            invocation.Note("packets of entries are not counted (per_entry_counters = false)");
        }

        if (sort.IsCutShort(rows.Count))
        {
            invocation.Note($"these are the first {rows.Count} entries (a sorted list has no more; -t selects others)");
        }
    }

    private static void WriteTable(Invocation invocation, Policy policy, Stream stream, TagPatterns? patterns)
    {
        var rows = new EntryRows();
        JsonArrayReader.ForEach(stream, json =>
        {
            EntryLine entry = EntryLine.Parse(json);
            if (patterns?.Match(entry.Tag) ?? true)
            {
                rows.Add(entry);
            }
        });
        rows.Write(invocation, policy, invocation.Context.Clock.GetUtcNow());
        NoteEmpty(invocation, policy, rows.Count);
    }

    /// <summary>An empty table could also be an error.</summary>
    private static void NoteEmpty(Invocation invocation, Policy policy, int count)
    {
        if (count == 0 && invocation.Style.Format != OutputFormat.Tsv)
        {
            invocation.Context.Flush();
            invocation.Note(invocation.Option("tags") is { } tags
                ? $"no entry of {policy.Name()} has a tag like \"{Printable.Quote(tags)}\" (entries of a set have the tag NAME.couic)"
                : $"{policy.Name()} has no entries");
        }
    }

    private static void WriteQuiet(Invocation invocation, Stream stream, TagPatterns? patterns)
    {
        Stream output = invocation.Context.Output;
        JsonArrayReader.ForEach(stream, json =>
        {
            EntryLine entry = EntryLine.Parse(json);
            if (patterns?.Match(entry.Tag) ?? true)
            {
                Span<byte> line = stackalloc byte[Cidr.MaxTextLength + 1];
                int length = entry.Cidr.Format(line);
                line[length++] = (byte)'\n';
                output.Write(line[..length]);
            }
        });
    }

    private static void WriteJson(Invocation invocation, Stream stream, TagPatterns? patterns)
    {
        Stream output = invocation.Context.Output;
        using (var writer = new Utf8JsonWriter(output, IndentedJson.Options))
        {
            writer.WriteStartArray();
            JsonArrayReader.ForEach(stream, json =>
            {
                if (patterns?.Match(EntryLine.Parse(json).Tag) ?? true)
                {
                    IndentedJson.Copy(json, writer);
                }

                if (writer.BytesPending > FlushAt)
                {
                    writer.Flush();
                }
            });
            writer.WriteEndArray();
        }

        output.WriteByte((byte)'\n');
    }
}

/// <summary>The order of a list, and how much of it is shown.</summary>
internal sealed class EntrySort
{
    /// <summary>What the daemon ranks at most.</summary>
    public const int MostShown = 10_000;

    public static readonly string[] Keys = ["packets", "last-hit", "created", "expiration", "cidr"];

    private readonly string? _key;
    private readonly bool _isLimited;

    private EntrySort(Invocation invocation)
    {
        _key = invocation.Option("sort") ?? (invocation.Has("reverse") ? "cidr" : null);
        _isLimited = invocation.Option("limit") is not null;
        Columns = invocation.Has("details") ? EntryColumns.All
            : _key is "packets" or "last-hit" ? EntryColumns.Hits
            : _key is "created" ? EntryColumns.Added : EntryColumns.None;
        string?[] parameters =
        [
            _key is null ? null : "sort=" + _key.Replace("last-hit", "last_hit", StringComparison.Ordinal).Replace("created", "creation", StringComparison.Ordinal),
            invocation.Has("reverse") ? "reverse=true" : null,
            _isLimited ? "limit=" + invocation.Option("limit") : null,
            Columns != EntryColumns.None ? "details=true" : null,
        ];
        bool asks = parameters.Any(one => one is not null);
        string? tags = asks && invocation.Option("tags") is { } text
            ? "tag=" + Uri.EscapeDataString(string.Join(',', text.Split(',').Select(pattern => pattern.Trim()))) : null;
        Query = asks ? "?" + string.Join('&', parameters.Append(tags).OfType<string>()) : "";
    }

    public EntryColumns Columns { get; }

    /// <summary>Empty where the whole list is asked for, as from couic 1.x.</summary>
    public string Query { get; }

    /// <exception cref="UsageException">An option is invalid.</exception>
    public static EntrySort Of(Invocation invocation)
    {
        CommonOptions.ThrowIfAny(
            invocation.Option("sort") is { } key && !Keys.Contains(key)
                ? $"\"{Printable.Quote(key)}\" is not an order; expected one of {string.Join(", ", Keys)}" : null,
            invocation.Option("limit") is { } limit && LimitFault(limit, invocation.Has("sort") || invocation.Has("reverse")) is { } fault ? fault : null);
        return new EntrySort(invocation);
    }

    /// <summary>Whether there may be more entries than the daemon ranks.</summary>
    public bool IsCutShort(int shown) => _key is not null && !_isLimited && shown == MostShown;

    private static string? LimitFault(string limit, bool isSorted)
    {
        int most = isSorted ? MostShown : int.MaxValue;
        return int.TryParse(limit, System.Globalization.NumberStyles.None, System.Globalization.CultureInfo.InvariantCulture, out int number) && number > 0 && number <= most
            ? null
            : $"limit \"{Printable.Quote(limit)}\" is not a number from 1 to {most}";
    }
}
