using System.Globalization;
using Couic.Api.Contracts;
using Couic.Cli.Api;
using Couic.Cli.Output;
using Couic.Cli.Syntax;
using Couic.Cli.Values;
using Couic.Store;

namespace Couic.Cli.Commands;

/// <summary><c>stats</c>.</summary>
internal static class StatsCommands
{
    public static readonly CommandSpec Spec = new()
    {
        Name = "stats",
        Summary = "Counters of packets and bytes",
        Commands = [StatsGlobal.Spec, StatsTags.Spec(Policy.Drop), StatsTags.Spec(Policy.Ignore)],
    };
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
            new OptionSpec("live", 'l', null, "Draw rates and graphs every second until interrupted"),
            CommonOptions.Json with { NotWith = "live" },
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
        if (invocation.Has("json"))
        {
            IndentedJson.Write(invocation.Context.Output, answer.Body);
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
    private static readonly string[] Headers = ["Tag", "Policy", "RX Packets", "RX Bytes"];

    public static CommandSpec Spec(Policy policy) => new()
    {
        Name = policy.Name(),
        Summary = $"Show the counters of each tag in {policy.Name()} since the start",
        Options = [CommonOptions.Json],
        Run = Run,
    };

    private static int Run(Invocation invocation)
    {
        string policy = invocation.Parsed.Command.Name;
        using ApiClient api = invocation.Connect();
        ApiAnswer answer = api.Get("/v1/stats/tags/" + policy);
        TagStatsRecord stats = api.Parse(answer, WireJson.Default.TagStatsRecord);
        if (invocation.Has("json"))
        {
            IndentedJson.Write(invocation.Context.Output, answer.Body);
        }
        else if (stats.Tags.Count == 0)
        {
            invocation.Out.WriteLine("No tag statistics available.");
        }
        else
        {
            KeyValuePair<string, CounterRecord>[] rows = [.. stats.Tags.OrderBy(t => t.Key, StringComparer.Ordinal)];
            Table.Write(invocation.Out, Headers, rows, (row, column) => column switch
            {
                0 => Printable.Escape(row.Key),
                1 => policy,
                2 => row.Value.RxPackets.ToString(CultureInfo.InvariantCulture),
                _ => row.Value.RxBytes.ToString(CultureInfo.InvariantCulture),
            });
        }

        return ExitStatus.Success;
    }
}
