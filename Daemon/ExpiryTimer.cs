using Couic.Api;
using Couic.Logging.Abstractions;
using Couic.Store;
using Microsoft.Extensions.Logging;

namespace Couic.Daemon;

/// <summary>Removes expired entries from the store, on its own thread, so that requests cannot delay it.</summary>
internal sealed partial class ExpiryTimer : IDisposable
{
    /// <summary>An entry must leave the kernel within 1 s of its expiration; this leaves a margin for a busy machine.</summary>
    private static readonly TimeSpan Period = TimeSpan.FromMilliseconds(250);

    private readonly RuleStore _store;
    private readonly ILogger _log;
    private readonly Thread _thread;
    private readonly ManualResetEventSlim _stop = new();
    private long _lastRun = Environment.TickCount64;

    public ExpiryTimer(RuleStore store, ILogger log)
    {
        _store = store;
        _log = log;
        _thread = new Thread(Run) { IsBackground = true, Name = "expiry" };
        _thread.Start();
    }

    /// <summary>Time since the last run; the watchdog checks it.</summary>
    public TimeSpan SinceLastRun => TimeSpan.FromMilliseconds(Environment.TickCount64 - Interlocked.Read(ref _lastRun));

    public void Dispose()
    {
        _stop.Set();
        _thread.Join(TimeSpan.FromSeconds(1));
    }

    private void Run()
    {
        while (!_stop.Wait(Period))
        {
            Interlocked.Exchange(ref _lastRun, Environment.TickCount64);
            InternalErrors.Run(Place.Expiry, _log, Expire);
        }
    }

    private void Expire()
    {
        var gone = new AuditSample();
        int count = _store.Expire((policy, entry) => gone.Add(entry.Cidr, entry.Tag.Span, policy.Name()));
        if (count > 0)
        {
            Expired(count, gone.ToString());
        }
    }

    [LoggerMessage(EventName = "entries_expired", Level = LogLevel.Information, Message = "{Count} entries expired: {Networks}")]
    private partial void Expired(int count, string networks);
}
