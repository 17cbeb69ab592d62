using System.Buffers;
using Couic.Names;
using Microsoft.Extensions.Logging;

namespace Couic.Reporting.Receiver;

/// <summary>
/// Delivers summaries to one notifier, in order, and retries each until it is accepted. An unreachable notifier delays only its own
/// summaries, and loses none while fewer than <see cref="MaxWaiting"/> wait.
/// </summary>
internal sealed partial class Delivery(INotifier notifier, IReportTransport transport, TimeProvider time, ILogger log, Random random)
{
    /// <summary>A day of intervals at the default length.</summary>
    public const int MaxWaiting = 96;

    /// <summary>The longest Retry-After that is followed.</summary>
    private static readonly TimeSpan MaxRetryAfter = TimeSpan.FromMinutes(10);

    private static readonly TimeSpan Idle = TimeSpan.FromMilliseconds(500);

    private readonly Lock _gate = new();
    private readonly Queue<Summary> _waiting = new();
    private readonly Backoff _backoff = new(TimeSpan.FromSeconds(1), TimeSpan.FromMinutes(5), random);
    private bool _failing;

    /// <summary>Waiting summaries.</summary>
    public int Waiting
    {
        get
        {
            lock (_gate)
            {
                return _waiting.Count;
            }
        }
    }

    public void Add(Summary summary)
    {
        lock (_gate)
        {
            if (_waiting.Count == MaxWaiting)
            {
                LogLost(log, notifier.Name, _waiting.Dequeue().Reports);
            }

            _waiting.Enqueue(summary);
        }
    }

    /// <summary>Sends until it is stopped.</summary>
    public async Task RunAsync(CancellationToken stop)
    {
        while (!stop.IsCancellationRequested)
        {
            TimeSpan wait = await StepAsync(stop).ConfigureAwait(false);
            await Task.Delay(wait, time, stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <summary>Sends the oldest summary, if one waits.</summary>
    /// <returns>How long to wait before the next step.</returns>
    internal async ValueTask<TimeSpan> StepAsync(CancellationToken stop)
    {
        Summary? summary;
        lock (_gate)
        {
            _waiting.TryPeek(out summary);
        }

        if (summary is null)
        {
            return Idle;
        }

        var body = new ArrayBufferWriter<byte>();
        notifier.Write(summary, body);
        PostAnswer answer = await transport.PostAsync(notifier.Target, body.WrittenMemory, stop).ConfigureAwait(false);
        return answer.IsSuccess ? Succeed(summary) : stop.IsCancellationRequested ? Idle : Fail(answer);
    }

    private TimeSpan Succeed(Summary summary)
    {
        lock (_gate)
        {
            if (_waiting.TryPeek(out Summary? first) && ReferenceEquals(first, summary))
            {
                _waiting.Dequeue();
            }
        }

        _backoff.Reset();
        LogSent(log, notifier.Name, summary.Reports);
        _failing = false;
        return TimeSpan.Zero;
    }

    private TimeSpan Fail(PostAnswer answer)
    {
        TimeSpan wait = _backoff.Next();
        if (answer.RetryAfter is { } asked && asked > wait)
        {
            wait = asked < MaxRetryAfter ? asked : MaxRetryAfter;
        }

        if (!_failing)
        {
            LogFailed(log, notifier.Name, WebhookName.Of(notifier.Target), answer.Cause);
        }

        _failing = true;
        return wait;
    }

    [LoggerMessage(EventName = "summary_sent", Level = LogLevel.Information, Message = "summary of {reports} reports sent to {notifier}")]
    private static partial void LogSent(ILogger log, string notifier, long reports);

    [LoggerMessage(EventName = "summary_failed", Level = LogLevel.Warning,
        Message = "summary to {notifier} at {target} failed: {cause}; retrying until it is accepted")]
    private static partial void LogFailed(ILogger log, string notifier, string target, string cause);

    [LoggerMessage(EventName = "summary_lost", Level = LogLevel.Error,
        Message = "too many summaries wait for {notifier}: the oldest, of {reports} reports, is lost")]
    private static partial void LogLost(ILogger log, string notifier, long reports);
}
