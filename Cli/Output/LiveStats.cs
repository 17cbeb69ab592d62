using Couic.Cli.Values;
using Couic.Http.Wire;

namespace Couic.Cli.Output;

/// <summary>The live view of the packet counters: rates and a small graph for each action.</summary>
internal sealed class LiveStats
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);

    /// <summary>Rates that are kept for the graphs; wider terminals show no more.</summary>
    private const int History = 300;

    /// <summary>Columns in front of the graph.</summary>
    private const int GraphColumn = 15 + 13 + 13 + 20 + 2;

    private readonly SortedDictionary<string, List<double>> _rates = new(StringComparer.Ordinal);
    private StatsRecord? _last;
    private long _lastAt;

    /// <summary>Draws until the context is interrupted.</summary>
    public static void Run(CliContext context, Func<StatsRecord> fetch)
    {
        var view = new LiveStats();
        using Interrupts interrupts = context.CatchInterrupts();
        using var screen = new LiveScreen(context);
        do
        {
            StatsRecord stats = fetch();
            screen.Draw(view.Lines(stats, context));
        }
        while (!interrupts.Wait(Interval));
    }

    /// <summary>The picture for new counters. Rates are over the time since those before, by the monotonic clock.</summary>
    public IReadOnlyList<string> Lines(StatsRecord stats, CliContext context)
    {
        long now = context.Clock.GetTimestamp();
        double seconds = _last is null ? 0 : context.Clock.GetElapsedTime(_lastAt, now).TotalSeconds;
        int graph = Math.Max(0, Math.Min(context.Terminal.Width() - GraphColumn, History));
        var lines = new List<string>
        {
            $"couic {context.Clock.GetLocalNow():yyyy-MM-dd HH:mm:ss}   drop: {Quantity.Grouped(stats.DropCidrCount)} CIDRs   ignore: {Quantity.Grouped(stats.IgnoreCidrCount)} CIDRs",
            "",
            $"{"Action",-15}{"packets/s",13}{"bytes/s",13}{"packets",20}",
        };
        foreach ((string action, CounterRecord counter) in stats.Xdp.OrderBy(x => x.Key, StringComparer.Ordinal))
        {
            CounterRecord? before = _last?.Xdp.GetValueOrDefault(action);
            double packets = Rate(before?.RxPackets, counter.RxPackets, seconds), bytes = Rate(before?.RxBytes, counter.RxBytes, seconds);
            List<double> rates = Remember(action, packets, before is not null);
            lines.Add($"{Printable.Escape(action),-15}{Quantity.Short(packets),13}{Quantity.Short(bytes),13}{Quantity.Grouped(counter.RxPackets),20}  {Sparkline.Draw(rates, graph)}".TrimEnd());
        }

        (_last, _lastAt) = (stats, now);
        return lines;
    }

    private List<double> Remember(string action, double rate, bool isRate)
    {
        if (!_rates.TryGetValue(action, out List<double>? rates))
        {
            _rates.Add(action, rates = []);
        }

        if (isRate)
        {
            rates.Add(rate);
        }

        if (rates.Count > History)
        {
            rates.RemoveAt(0);
        }

        return rates;
    }

    /// <summary>Zero when there is nothing to compare with, or when the daemon started again in between.</summary>
    private static double Rate(ulong? before, ulong after, double seconds) =>
        before is { } first && after >= first && seconds > 0 ? (after - first) / seconds : 0;
}
