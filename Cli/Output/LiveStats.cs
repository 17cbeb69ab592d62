using Couic.Api.Contracts;
using Couic.Cli.Values;
using Couic.CommandLine;

namespace Couic.Cli.Output;

/// <summary>The live view of the packet counters: a rate and a sparkline per action.</summary>
internal sealed class LiveStats
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);

    /// <summary>Samples kept for the graphs; a wider terminal shows no more.</summary>
    private const int History = 300;

    /// <summary>Columns before the graph.</summary>
    private const int GraphColumn = 15 + 13 + 13 + 20 + 2;

    private readonly SortedDictionary<string, List<double>> _rates = new(StringComparer.Ordinal);
    private StatsRecord? _last;
    private long _lastAt;

    /// <summary>Draws until interrupted.</summary>
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

    /// <summary>The lines for new counters. Rates are over the time since the previous counters, by the monotonic clock.</summary>
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

    /// <summary>Zero without a previous sample, or after a restart of the daemon.</summary>
    private static double Rate(ulong? before, ulong after, double seconds) =>
        before is { } first && after >= first && seconds > 0 ? (after - first) / seconds : 0;
}

/// <summary>Redraws in place on a terminal, and appends elsewhere. Disposing restores the terminal.</summary>
internal sealed class LiveScreen : IDisposable
{
    // ECMA-48 and xterm: alternate screen on and off, cursor off and on, home, clear to end of line and screen.
    private const string Enter = "\e[?1049h\e[?25l", Leave = "\e[?25h\e[?1049l", Home = "\e[H", ClearLine = "\e[K", ClearRest = "\e[J";

    private readonly CliContext _context;
    private readonly bool _decorate;
    private bool _entered;

    public LiveScreen(CliContext context)
    {
        _context = context;
        _decorate = context.Decorates;
    }

    public void Draw(IEnumerable<string> lines)
    {
        if (_decorate)
        {
            _context.Out.Write(_entered ? Home : Enter + Home);
            _entered = true;
        }

        foreach (string line in lines)
        {
            _context.Out.WriteLine(_decorate ? line + ClearLine : line);
        }

        _context.Out.Write(_decorate ? ClearRest : "\n");
        _context.Flush();
    }

    public void Dispose()
    {
        if (_entered)
        {
            _context.Out.Write(Leave);
            _context.Flush();
        }
    }
}

/// <summary>A sparkline: a graph one line high.</summary>
internal static class Sparkline
{
    private const string Bars = "▁▂▃▄▅▆▇█";

    /// <summary>The latest values, newest on the right, scaled to the maximum; zero is blank.</summary>
    public static string Draw(IReadOnlyList<double> values, int width)
    {
        int count = Math.Clamp(values.Count, 0, Math.Max(width, 0));
        double highest = 0;
        for (int i = values.Count - count; i < values.Count; i++)
        {
            highest = Math.Max(highest, values[i]);
        }

        return string.Create(count, (values, highest), static (text, state) =>
        {
            for (int i = 0; i < text.Length; i++)
            {
                double value = state.values[state.values.Count - text.Length + i];
                text[i] = value <= 0 ? ' ' : Bars[Math.Min((int)(value / state.highest * Bars.Length), Bars.Length - 1)];
            }
        });
    }
}
