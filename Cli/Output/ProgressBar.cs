using Couic.CommandLine;
namespace Couic.Cli.Output;

/// <summary>Progress of a transfer on one line of standard error, redrawn in place; silent when that is not a terminal.</summary>
internal sealed class ProgressBar : IDisposable
{
    private const int BarWidth = 30;

    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(100);

    private readonly CliContext _context;
    private readonly string _title;
    private readonly long _start;
    private long _lastDrawn;
    private bool _drawn;

    public ProgressBar(CliContext context, string title)
    {
        _context = context;
        _title = title;
        _start = _lastDrawn = context.Clock.GetTimestamp();
        IsShown = context.Terminal.DecoratesError(context.Environment);
    }

    public bool IsShown { get; }

    /// <summary>Total bytes, when known.</summary>
    public long? Total { get; set; }

    public void Show(long items, long bytes)
    {
        long now = _context.Clock.GetTimestamp();
        if (IsShown && _context.Clock.GetElapsedTime(_lastDrawn, now) >= Interval)
        {
            _lastDrawn = now;
            _drawn = true;
            _context.Error.Write($"\r{Text(items, bytes, _context.Clock.GetElapsedTime(_start, now))}\e[K");
            _context.Error.Flush();
        }
    }

    /// <summary>Erases the line.</summary>
    public void Dispose()
    {
        if (_drawn)
        {
            _context.Error.Write("\r\e[K");
            _context.Error.Flush();
            _drawn = false;
        }
    }

    private string Text(long items, long bytes, TimeSpan elapsed)
    {
        string rate = $"{Quantity.Grouped((ulong)items)} lines, {Quantity.Short(items / Math.Max(elapsed.TotalSeconds, 0.001))}/s";
        if (Total is not > 0)
        {
            return $"{_title}: {rate}";
        }

        double share = Math.Min(1, (double)bytes / Total.Value);
        int filled = (int)(share * BarWidth);
        return $"{_title}: [{new string('#', filled)}{new string('.', BarWidth - filled)}] {share * 100,3:0} %  {rate}";
    }
}
