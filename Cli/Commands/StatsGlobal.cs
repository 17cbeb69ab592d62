using Couic.Cli.Api;
using Couic.Cli.Output;
using Couic.Cli.Syntax;
using Couic.Cli.Values;
using Couic.Http.Wire;

namespace Couic.Cli.Commands;

/// <summary><c>stats global</c>.</summary>
internal static class StatsGlobal
{
    public static readonly CommandSpec Spec = new()
    {
        Name = "global",
        Summary = "Show the sizes of the tables and the packets by what was done with them",
        Options =
        [
            new OptionSpec("live", 'l', null, "Draw rates and graphs every second until interrupted"),
            CommonOptions.Json with { NotWith = "live" },
        ],
        Examples = ["couicctl stats global", "couicctl stats global --live"],
        Run = Run,
    };

    /// <summary>Asks for the counters once.</summary>
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
