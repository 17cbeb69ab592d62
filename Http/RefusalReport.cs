using Microsoft.Extensions.Logging;

namespace Couic.Http;

/// <summary>Logs refused requests, at most so many a second for each cause, and says how many it left out. Thread-safe.</summary>
internal sealed class RefusalReport(ILogger log, TimeProvider time)
{
    /// <summary>Lines a second and cause: enough to see what is wrong, too few to fill a disk.</summary>
    private const int MaxPerSecond = 5;

    private readonly Share[] _shares = [.. Enum.GetValues<Refusal>().Select(_ => new Share())];

    public void Report(Exchange exchange)
    {
        if (_shares[(int)exchange.Cause].TryTake(time, MaxPerSecond, out long suppressed))
        {
            HttpLog.RequestRefused(
                log, exchange.Cause.Word(), exchange.Status, exchange.Route?.Pattern ?? "-", exchange.Principal?.Name ?? "-", exchange.Message, HttpLog.More(suppressed));
        }
    }

    /// <summary>How much of a second's share is left.</summary>
    internal sealed class Share
    {
        private readonly Lock _gate = new();
        private long _second;
        private int _taken;
        private long _suppressed;

        public bool TryTake(TimeProvider time, int max, out long suppressed)
        {
            long second = time.GetTimestamp() / time.TimestampFrequency;
            lock (_gate)
            {
                _taken = second == _second ? _taken : 0;
                _second = second;
                suppressed = _suppressed;
                if (_taken >= max)
                {
                    _suppressed++;
                    return false;
                }

                _taken++;
                _suppressed = 0;
                return true;
            }
        }
    }
}
