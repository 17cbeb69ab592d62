using Couic.Api.Contracts;
using Couic.Bpf;
using Couic.Logging.Abstractions;
using Couic.Store;
using Microsoft.Extensions.Logging;

namespace Couic.Daemon;

/// <summary>Compares the kernel with the store every minute and at each reload, on its own thread; logs and counts what it repaired.</summary>
internal sealed partial class DriftTimer : IDisposable
{
    private static readonly TimeSpan Period = TimeSpan.FromMinutes(1);

    /// <summary>Between batches of a full table, so that other threads of a small machine run first.</summary>
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(2);

    private readonly Reconciler _reconciler;
    private readonly ILogger _log;
    private readonly TimeProvider _time;
    private readonly Thread _thread;
    private readonly ManualResetEventSlim _stop = new();
    private readonly AutoResetEvent _now = new(false);
    private ITimer? _timer;
    private ConsistencyStatus? _status;
    private string? _fault;

    public DriftTimer(RuleStore store, BpfDataPlane plane, TimeProvider time, ILogger log)
    {
        _time = time;
        _reconciler = new Reconciler(store, plane, WaitABit);
        _log = log;
        _thread = new Thread(Run) { IsBackground = true, Name = "drift" };
    }

    /// <summary>The result of the last comparison; null before the first.</summary>
    public ConsistencyStatus? Status => Volatile.Read(ref _status);

    /// <summary>The differences that the last comparison found, or why it failed; null when kernel and store agreed.</summary>
    public string? Fault => Volatile.Read(ref _fault);

    public void Start()
    {
        _thread.Start();
        _timer = _time.CreateTimer(_ => RunNow(), null, Period, Period);
    }

    /// <summary>Starts a comparison at once.</summary>
    public void RunNow() => _now.Set();

    /// <summary>Ends the thread. It waits a second for a running comparison: what that reads stays open until the process ends.</summary>
    public void Dispose()
    {
        _timer?.Dispose();
        _stop.Set();
        if (_thread.IsAlive)
        {
            _thread.Join(TimeSpan.FromSeconds(1));
        }
    }

    private void WaitABit()
    {
        if (_stop.Wait(Pause))
        {
            throw new OperationCanceledException();
        }
    }

    private void Run()
    {
        WaitHandle[] reasons = [_stop.WaitHandle, _now];
        while (WaitHandle.WaitAny(reasons) != 0)
        {
            InternalErrors.Run(Place.Drift, _log, Compare);
        }
    }

    private void Compare()
    {
        try
        {
            DriftReport report = _reconciler.Run();
            if (report.Total > 0)
            {
                Repaired(report.Restored, report.Removed);
            }

            Volatile.Write(ref _fault, report.Total == 0 ? null
                : $"{report.Total} rules in the kernel differed and were repaired at the last comparison (which program changes our maps? bpftool map)");
            ulong before = _status?.Drift ?? 0;
            Volatile.Write(ref _status, new ConsistencyStatus(true, (ulong)_time.GetUtcNow().ToUnixTimeSeconds(), before + (ulong)report.Total));
        }
        catch (OperationCanceledException) when (_stop.IsSet)
        {
            // The daemon ends.
        }
        catch (Exception e)
        {
            Volatile.Write(ref _fault, $"kernel and store cannot be compared: {e.Message}");
            throw;
        }
    }

    [LoggerMessage(EventName = "drift_repaired", Level = LogLevel.Warning, Message = "the kernel's rules differed from the store's: {Restored} restored, {Removed} removed (another program changes our maps)")]
    private partial void Repaired(int restored, int removed);
}
