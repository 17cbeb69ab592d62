using System.Globalization;
using System.Text.Json;
using Couic.Api.Contracts;
using Couic.Cli.Api;
using Couic.Cli.Output;
using Couic.Cli.Values;
using Couic.CommandLine;
using Couic.Store;

namespace Couic.Cli.Commands;

/// <summary><c>stats</c>.</summary>
internal static class StatsCommands
{
    public static readonly CommandSpec Spec = new()
    {
        Name = "stats",
        Summary = "Counters of packets and bytes: a summary, or those of one kind",
        Details = ["Counters start at zero with the daemon. Units are powers of 1000 for packets and of 1024 for bytes; JSON has the exact numbers."],
        Options =
        [
            new OptionSpec("limit", 'n', "N", "At most N tags of each policy") { Default = "10" },
        ],
        Commands = [StatsGlobal.Spec, StatsTags.Spec(Policy.Drop), StatsTags.Spec(Policy.Ignore)],
        Examples = ["couicctl stats", "couicctl stats drop --sort packets --limit 20"],
        Run = Run,
    };

    private const int DefaultTags = 10;

    private static int Run(Invocation invocation)
    {
        int limit = invocation.Option("limit") is null ? DefaultTags : TagSort.Limit(invocation);
        using ApiClient api = invocation.Connect();
        ApiAnswer answer = api.Get("/v1/metrics");
        MetricsRecord metrics = api.Parse(answer, WireJson.Default.MetricsRecord);
        if (invocation.IsJson)
        {
            IndentedJson.WriteResult(invocation, answer.Body);
            return ExitStatus.Success;
        }

        ulong packets = 0;
        foreach (CounterRecord counter in metrics.Xdp.Values)
        {
            packets += counter.RxPackets;
        }

        (string Name, CounterRecord Counter)[] verdicts = [.. metrics.Xdp
            .Where(action => action.Value.RxPackets > 0 || action.Key is "XDP_DROP" or "XDP_PASS")
            .OrderBy(action => action.Key, StringComparer.Ordinal)
            .Select(action => (Verdict(action.Key), action.Value))];
        if (invocation.Style.Format == OutputFormat.Tsv)
        {
            WriteTsv(invocation, verdicts, metrics, limit);
            return ExitStatus.Success;
        }

        CountTable.Write(invocation, "Verdict", verdicts, packets, []);
        foreach ((Policy policy, ulong entries, TagStatsRecord tags) in
            ((Policy, ulong, TagStatsRecord)[])[(Policy.Drop, metrics.DropCidrCount, metrics.DropTags), (Policy.Ignore, metrics.IgnoreCidrCount, metrics.IgnoreTags)])
        {
            invocation.Out.WriteLine($"\n{policy.Name()}: {Quantity.Grouped(entries)} {(entries == 1 ? "entry" : "entries")}");
            if (tags.Tags.Count > 0)
            {
                StatsTags.WriteSorted(invocation, tags, TagSort.Packets, reverse: false, limit);
            }
        }

        return ExitStatus.Success;
    }

    /// <summary>One table: a script would have to tell several apart.</summary>
    private static void WriteTsv(Invocation invocation, IEnumerable<(string Name, CounterRecord Counter)> verdicts, MetricsRecord metrics, int limit) => Table.Write(
        invocation,
        ((IEnumerable<(string Kind, string Name, CounterRecord Counter)>)[
            .. verdicts.Select(verdict => ("verdict", verdict.Name, verdict.Counter)),
            .. TagSort.Apply(metrics.DropTags, TagSort.Packets, reverse: false).Take(limit).Select(tag => ("drop", tag.Name, tag.Counter)),
            .. TagSort.Apply(metrics.IgnoreTags, TagSort.Packets, reverse: false).Take(limit).Select(tag => ("ignore", tag.Name, tag.Counter)),
        ]).ToList(),
        new Column<(string Kind, string Name, CounterRecord Counter)>("Kind", row => row.Kind),
        new("Name", row => Printable.Escape(row.Name)) { IsText = true },
        new("Packets", row => row.Counter.RxPackets.ToString(CultureInfo.InvariantCulture)) { IsNumber = true },
        new("Bytes", row => row.Counter.RxBytes.ToString(CultureInfo.InvariantCulture)) { IsNumber = true });

    private static string Verdict(string action) => action switch
    {
        "XDP_DROP" => "dropped",
        "XDP_PASS" => "passed",
        _ => Printable.Escape(action),
    };
}

/// <summary>A table of counters with units that a person reads, shares of a total, and last rows for what the table leaves out and for the sum.</summary>
internal static class CountTable
{
    /// <param name="total">Packets of which shares are shown.</param>
    /// <param name="last">Rows that have no share of their kind.</param>
    public static void Write(
        Invocation invocation, string header, IEnumerable<(string Name, CounterRecord Counter)> rows, ulong total, IEnumerable<(string Name, CounterRecord Counter)> last)
    {
        Table.Write(
            invocation,
            invocation.Style.Format == OutputFormat.Tsv ? rows : rows.Concat(last), // a script would count the sum twice
            new Column<(string Name, CounterRecord Counter)>(header, row => row.Name) { IsText = true },
            new("Packets", row => Quantity.Count(row.Counter.RxPackets)) { IsNumber = true, Exact = row => row.Counter.RxPackets.ToString(CultureInfo.InvariantCulture) },
            new("Share", row => Share(row.Counter.RxPackets, total)) { IsNumber = true, Drop = 1 },
            new("Bytes", row => Quantity.Bytes(row.Counter.RxBytes)) { IsNumber = true, Exact = row => row.Counter.RxBytes.ToString(CultureInfo.InvariantCulture) });
    }

    private static string Share(ulong part, ulong total) =>
        total == 0 ? "-" : string.Create(CultureInfo.InvariantCulture, $"{part * 100.0 / total:0.0} %");
}

/// <summary>The order of a table of tags, and how many of them are shown.</summary>
internal static class TagSort
{
    public const string Packets = "packets", Bytes = "bytes", Tag = "tag";

    public static readonly string[] Keys = [Packets, Bytes, Tag];

    public static IEnumerable<(string Name, CounterRecord Counter)> Apply(TagStatsRecord stats, string key, bool reverse)
    {
        IEnumerable<KeyValuePair<string, CounterRecord>> sorted = stats.Tags.OrderBy(tag => tag.Key, StringComparer.Ordinal);
        sorted = key switch
        {
            Packets => sorted.OrderByDescending(tag => tag.Value.RxPackets),
            Bytes => sorted.OrderByDescending(tag => tag.Value.RxBytes),
            _ => sorted,
        };
        return (reverse ? sorted.Reverse() : sorted).Select(tag => (tag.Key, tag.Value));
    }

    /// <summary>The value of <c>--limit</c>; everything without it.</summary>
    /// <exception cref="UsageException">It is not a positive number.</exception>
    public static int Limit(Invocation invocation) => invocation.Option("limit") is not { } limit ? int.MaxValue
        : int.TryParse(limit, NumberStyles.None, CultureInfo.InvariantCulture, out int number) && number > 0 ? number
        : throw new UsageException($"limit \"{Printable.Quote(limit)}\" is not a number from 1 to {int.MaxValue}");
}

/// <summary><c>stats global</c>.</summary>
internal static class StatsGlobal
{
    public static readonly CommandSpec Spec = new()
    {
        Name = "global",
        Summary = "Show table sizes and packet counters per action",
        Options =
        [
            new OptionSpec("live", 'l', null, "Draw rates and graphs every second until interrupted") { NotWith = "json" },
        ],
        Examples = ["couicctl stats global", "couicctl stats global --live"],
        Run = Run,
    };

    /// <summary>Reads the counters once.</summary>
    public static (ApiAnswer Answer, StatsRecord Stats) Fetch(ApiClient api)
    {
        ApiAnswer answer = api.Get("/v1/stats");
        return (answer, api.Parse(answer, WireJson.Default.StatsRecord));
    }

    private static int Run(Invocation invocation)
    {
        using ApiClient api = invocation.Connect();
        if (invocation.Has("live"))
        {
            LiveStats.Run(invocation.Context, () => Fetch(api).Stats);
            return ExitStatus.Success;
        }

        (ApiAnswer answer, StatsRecord stats) = Fetch(api);
        if (invocation.IsJson)
        {
            IndentedJson.WriteResult(invocation, answer.Body);
        }
        else
        {
            Print(invocation.Out, stats);
        }

        return ExitStatus.Success;
    }

    private static void Print(TextWriter output, StatsRecord stats)
    {
        output.WriteLine($"Drop CIDR Count: {stats.DropCidrCount}");
        output.WriteLine($"Ignore CIDR Count: {stats.IgnoreCidrCount}");
        output.WriteLine("XDP Stats:");
        foreach ((string action, CounterRecord counter) in stats.Xdp.OrderBy(x => x.Key, StringComparer.Ordinal))
        {
            output.WriteLine($"  Action: {Printable.Escape(action)}");
            output.WriteLine($"    RX Packets: {counter.RxPackets}");
            output.WriteLine($"    RX Bytes: {counter.RxBytes}");
        }
    }
}

/// <summary><c>stats drop</c>, <c>stats ignore</c>.</summary>
internal static class StatsTags
{
    public static CommandSpec Spec(Policy policy) => new()
    {
        Name = policy.Name(),
        Summary = $"Show the counters of each tag in {policy.Name()} since the start",
        Options =
        [
            new OptionSpec("sort", 's', "KEY", "Order by packets, bytes or tag, with units, shares and a total") { Kind = ValueKind.TagSort },
            new OptionSpec("reverse", 'r', null, "Reverse the order"),
            new OptionSpec("limit", 'n', "N", "At most N tags"),
        ],
        Examples = [$"couicctl stats {policy.Name()}", $"couicctl stats {policy.Name()} --sort bytes --limit 5"],
        Run = Run,
    };

    /// <summary>The first tags of an order, what the others counted, and the sum.</summary>
    public static void WriteSorted(Invocation invocation, TagStatsRecord stats, string key, bool reverse, int limit)
    {
        (string Name, CounterRecord Counter)[] tags = [.. TagSort.Apply(stats, key, reverse)];
        CounterRecord total = Sum(tags);
        (string, CounterRecord)[] last = tags.Length > limit
            ? [($"({tags.Length - limit} more)", Sum(tags.Skip(limit))), ("total", total)] : [("total", total)];
        CountTable.Write(invocation, "Tag", tags.Take(limit).Select(tag => (Printable.Escape(tag.Name), tag.Counter)), total.RxPackets, last);
    }

    private static CounterRecord Sum(IEnumerable<(string Name, CounterRecord Counter)> tags) =>
        tags.Aggregate(new CounterRecord(0, 0), (sum, tag) => new CounterRecord(sum.RxPackets + tag.Counter.RxPackets, sum.RxBytes + tag.Counter.RxBytes));

    private static int Run(Invocation invocation)
    {
        string policy = invocation.Parsed.Command.Name;
        bool isSorted = invocation.Option("sort") is not null || invocation.Has("reverse") || invocation.Option("limit") is not null;
        string key = invocation.Option("sort") ?? TagSort.Packets;
        int limit = TagSort.Limit(invocation);
        CommonOptions.ThrowIfAny(TagSort.Keys.Contains(key) ? null : $"\"{Printable.Quote(key)}\" is not an order; expected one of {string.Join(", ", TagSort.Keys)}");
        using ApiClient api = invocation.Connect();
        ApiAnswer answer = api.Get("/v1/stats/tags/" + policy);
        TagStatsRecord stats = api.Parse(answer, WireJson.Default.TagStatsRecord);
        if (invocation.IsJson)
        {
            var sorted = new Dictionary<string, CounterRecord>(TagSort.Apply(stats, key, invocation.Has("reverse")).Take(limit)
                .Select(tag => KeyValuePair.Create(tag.Name, tag.Counter)));
            IndentedJson.Write(invocation.Context.Output, isSorted
                ? JsonSerializer.SerializeToUtf8Bytes(new TagStatsRecord(sorted), WireJson.Default.TagStatsRecord) : answer.Body);
        }
        else if (stats.Tags.Count == 0)
        {
            invocation.Out.WriteLine("No tag statistics available.");
        }
        else if (isSorted)
        {
            WriteSorted(invocation, stats, key, invocation.Has("reverse"), limit);
        }
        else
        {
            Table.Write(
                invocation,
                stats.Tags.OrderBy(t => t.Key, StringComparer.Ordinal),
                new Column<KeyValuePair<string, CounterRecord>>("Tag", row => Printable.Escape(row.Key)) { IsText = true },
                new("Policy", _ => policy) { Drop = 1 },
                new("RX Packets", row => row.Value.RxPackets.ToString(CultureInfo.InvariantCulture)),
                new("RX Bytes", row => row.Value.RxBytes.ToString(CultureInfo.InvariantCulture)));
        }

        return ExitStatus.Success;
    }
}
