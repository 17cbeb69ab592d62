using System.Buffers;
using Couic.Api.Access;
using Couic.Api.Json;
using Couic.Http;
using Couic.Logging.Abstractions;
using Couic.Names;
using Couic.Store;
using Microsoft.Extensions.Logging;

namespace Couic.Reporting;

/// <summary>
/// Posts changes of rules to a webhook, every 500 ms if there are any, in slices, oldest first. Failed posts are retried within a bounded
/// queue. The store's thread (<see cref="OnChange"/>) copies one struct and never waits for the network.
/// </summary>
public sealed partial class ReportSender : IChangeListener, IAsyncDisposable
{
    /// <summary>Reports in one post.</summary>
    public const int MaxSlice = 500;

    /// <summary>How often it checks for reports.</summary>
    public static readonly TimeSpan Period = TimeSpan.FromMilliseconds(500);

    private static readonly TimeSpan PostTimeout = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan WarningInterval = TimeSpan.FromMinutes(1);

    /// <summary>Memory of a slice's text that is kept between posts.</summary>
    private const int KeptBytes = 256 * 1024;

    private readonly ReportQueue _queue = new();
    private readonly Report[] _slice = new Report[MaxSlice];
    private readonly Backoff _backoff;
    private readonly IReportTransport _transport;
    private readonly TimeProvider _time;
    private readonly ILogger _log;
    private readonly CancellationTokenSource _stop = new();
    private readonly CancellationTokenSource _abort;
    private ArrayBufferWriter<byte> _text = new();
    private Task? _loop;
    private Uri? _webhook;
    private int _sliceSize = MaxSlice;
    private long _first;
    private bool _failing;
    private long _sent;
    private long _failures;
    private long _warnedDrops;
    private long? _lastDropWarning;
    private long? _lastFailureWarning;

    /// <param name="version">Of this program, for the <c>User-Agent</c>.</param>
    /// <param name="names">Resolves the webhook's name.</param>
    public ReportSender(string version, TimeProvider time, ILogger log, HostResolver names)
        : this(new HttpTransport($"couic/{version}", PostTimeout, names), time, log, Random.Shared)
    {
    }

    internal ReportSender(IReportTransport transport, TimeProvider time, ILogger log, Random random)
    {
        _transport = transport;
        _time = time;
        _log = log;
        _abort = new CancellationTokenSource(Timeout.InfiniteTimeSpan, time);
        _backoff = new Backoff(TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(60), random);
    }

    /// <summary>Waiting reports.</summary>
    public int Queued => _queue.Count;

    /// <summary>Reports that the webhook accepted, since the start.</summary>
    public long Sent => Interlocked.Read(ref _sent);

    /// <summary>Reports lost since the start: the queue was full, or the webhook rejected them.</summary>
    public long Dropped => _queue.Dropped;

    /// <summary>Failed posts since the start.</summary>
    public long Failures => Interlocked.Read(ref _failures);

    /// <summary>Whether a webhook is configured.</summary>
    public bool IsEnabled => Volatile.Read(ref _webhook) is not null;

    /// <summary>Sets the webhook, also while it runs; null turns reporting off and discards waiting reports.</summary>
    public void Configure(Uri? webhook)
    {
        Volatile.Write(ref _webhook, webhook);
        if (webhook is null)
        {
            _queue.Clear();
        }
    }

    public void OnChange(in RuleEvent change)
    {
        if (_webhook is not null && Report.TryFrom(change, out Report report))
        {
            _queue.Add(report);
        }
    }

    /// <summary>Starts sending, on pool threads.</summary>
    public void Start() => _loop ??= Task.Run(RunAsync);

    /// <summary>Stops the timer and sends waiting reports while the webhook accepts them, for at most <paramref name="limit"/>.</summary>
    public async Task StopAsync(TimeSpan limit)
    {
        _abort.CancelAfter(limit);
        await _stop.CancelAsync().ConfigureAwait(false);
        if (_loop is not null)
        {
            await _loop.ConfigureAwait(false);
        }

        bool progress = true;
        while (progress && !_abort.IsCancellationRequested && _queue.Count > 0 && IsEnabled)
        {
            long done = Sent + Dropped;
            progress = await StepAsync(_abort.Token).ConfigureAwait(false) == TimeSpan.Zero || Sent + Dropped > done;
        }

        if (IsEnabled && _queue.Count is > 0 and int left)
        {
            LogLeft(_log, left);
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (!_stop.IsCancellationRequested)
        {
            await StopAsync(TimeSpan.Zero).ConfigureAwait(false);
        }

        (_transport as IDisposable)?.Dispose();
        _stop.Dispose();
        _abort.Dispose();
    }

    /// <summary>Sends one slice, if reports wait.</summary>
    /// <returns>How long to wait before the next step; zero when there may be more to send.</returns>
    internal async ValueTask<TimeSpan> StepAsync(CancellationToken cancel)
    {
        WarnOfDrops();
        Uri? webhook = Volatile.Read(ref _webhook);
        int count = webhook is null ? 0 : _queue.Peek(_slice.AsSpan(0, _sliceSize), out _first);
        if (count == 0)
        {
            return Period;
        }

        WriteSlice(count);
        PostAnswer answer = await _transport.PostAsync(webhook!, _text.WrittenMemory, cancel).ConfigureAwait(false);
        return answer.Status switch
        {
            >= 200 and < 300 => Succeed(webhook!, count),
            413 when count > 1 => Halve(count),
            400 or 413 or 422 => GiveUp(webhook!, count, answer),
            _ => cancel.IsCancellationRequested ? Period : Fail(webhook!, answer),
        };
    }

    private async Task RunAsync()
    {
        while (!_stop.IsCancellationRequested)
        {
            TimeSpan wait = Period;
            try
            {
                InternalErrors.Enter(Place.Reports);
                wait = await StepAsync(_abort.Token).ConfigureAwait(false);
            }
            catch (Exception e)
            {
                InternalErrors.Caught(Place.Reports, _log, e);
            }

            if (wait > TimeSpan.Zero)
            {
                await Task.Delay(wait, _time, _stop.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }

    private void WriteSlice(int count)
    {
        if (_text.Capacity > KeptBytes)
        {
            _text = new ArrayBufferWriter<byte>();
        }

        _text.ResetWrittenCount();
        _text.Write("["u8);
        for (int i = 0; i < count; i++)
        {
            _text.Write(i > 0 ? ","u8 : default);
            _slice[i].Write(_text);
        }

        _text.Write("]"u8);
        Array.Clear(_slice, 0, count);
    }

    private TimeSpan Succeed(Uri webhook, int count)
    {
        _queue.Confirm(_first, count);
        Interlocked.Add(ref _sent, count);
        _backoff.Reset();
        _sliceSize = Math.Min(_sliceSize * 2, MaxSlice);
        if (_failing)
        {
            _failing = false;
            LogRecovered(_log, WebhookName.Of(webhook), _queue.Count);
        }

        // Reports that arrived during the post wait for the timer, unless they fill a slice.
        return _queue.Count >= _sliceSize || count == MaxSlice ? TimeSpan.Zero : Period;
    }

    private TimeSpan Halve(int count)
    {
        Interlocked.Increment(ref _failures);
        _sliceSize = Math.Max(1, count / 2);
        return TimeSpan.Zero;
    }

    private TimeSpan GiveUp(Uri webhook, int count, PostAnswer answer)
    {
        Interlocked.Increment(ref _failures);
        _queue.Confirm(_first, count, lost: true);
        LogRefused(_log, WebhookName.Of(webhook), answer.Cause, count);
        return TimeSpan.Zero;
    }

    private TimeSpan Fail(Uri webhook, PostAnswer answer)
    {
        Interlocked.Increment(ref _failures);
        TimeSpan wait = _backoff.Next();
        if (!_failing || IsDue(_lastFailureWarning))
        {
            _lastFailureWarning = _time.GetTimestamp();
            LogFailed(_log, WebhookName.Of(webhook), answer.Cause, _queue.Count, Math.Round(wait.TotalSeconds, 1));
        }

        _failing = true;
        return wait;
    }

    private bool IsDue(long? last) => last is null || _time.GetElapsedTime(last.Value) >= WarningInterval;

    private void WarnOfDrops()
    {
        long dropped = _queue.Dropped;
        if (dropped > _warnedDrops && IsDue(_lastDropWarning))
        {
            LogDropped(_log, dropped - _warnedDrops, dropped);
            _warnedDrops = dropped;
            _lastDropWarning = _time.GetTimestamp();
        }
    }

    [LoggerMessage(EventName = "reports_failed", Level = LogLevel.Warning,
        Message = "reports to {webhook} failed: {cause}; {queued} wait, next try in {seconds} s")]
    private static partial void LogFailed(ILogger log, string webhook, string cause, int queued, double seconds);

    [LoggerMessage(EventName = "reports_recovered", Level = LogLevel.Information, Message = "reports to {webhook} are taken again; {queued} wait")]
    private static partial void LogRecovered(ILogger log, string webhook, int queued);

    [LoggerMessage(EventName = "reports_refused", Level = LogLevel.Error,
        Message = "reports to {webhook} are refused for good: {cause}; {count} are given up")]
    private static partial void LogRefused(ILogger log, string webhook, string cause, int count);

    [LoggerMessage(EventName = "reports_dropped", Level = LogLevel.Warning, Message = "{count} reports were lost since the last such line, {total} since the start")]
    private static partial void LogDropped(ILogger log, long count, long total);

    [LoggerMessage(EventName = "reports_left", Level = LogLevel.Warning, Message = "{count} reports could not be sent before the end")]
    private static partial void LogLeft(ILogger log, int count);
}

/// <summary>
/// Waiting reports, oldest first, in a ring buffer. When it is full, or its metadata take too much memory, the oldest are dropped and
/// counted. Adding allocates nothing and waits at most for a copy of one slice. Thread-safe.
/// </summary>
internal sealed class ReportQueue
{
    /// <summary>Reports.</summary>
    public const int Capacity = 16_384;

    /// <summary>Metadata of all of them, in bytes: a kilobyte for each. A request's body could hold megabytes.</summary>
    public const long MaxMetadataBytes = 16 * 1024 * 1024;

    private readonly Lock _gate = new();
    private readonly Report[] _ring = new Report[Capacity];
    private long _head;
    private long _tail;
    private long _metadataBytes;
    private long _dropped;

    /// <summary>Waiting reports.</summary>
    public int Count
    {
        get
        {
            lock (_gate)
            {
                return (int)(_tail - _head);
            }
        }
    }

    /// <summary>Reports lost since the start.</summary>
    public long Dropped
    {
        get
        {
            lock (_gate)
            {
                return _dropped;
            }
        }
    }

    public void Add(in Report report)
    {
        int bytes = report.Metadata?.Length ?? 0;
        lock (_gate)
        {
            while (_tail > _head && (_tail - _head == Capacity || _metadataBytes + bytes > MaxMetadataBytes))
            {
                Forget();
                _dropped++;
            }

            _ring[_tail++ % Capacity] = report;
            _metadataBytes += bytes;
        }
    }

    /// <summary>Copies the oldest reports and leaves them in the queue until <see cref="Confirm"/>.</summary>
    /// <param name="first">The number of the first one.</param>
    /// <returns>How many there are, at most what the slice holds.</returns>
    public int Peek(Span<Report> slice, out long first)
    {
        lock (_gate)
        {
            first = _head;
            int count = (int)Math.Min(_tail - _head, slice.Length);
            for (int i = 0; i < count; i++)
            {
                slice[i] = _ring[(_head + i) % Capacity];
            }

            return count;
        }
    }

    /// <summary>Removes a slice that was sent or rejected.</summary>
    /// <param name="lost">Whether its reports count as dropped.</param>
    public void Confirm(long first, int count, bool lost = false)
    {
        lock (_gate)
        {
            // Reports that were dropped since then were sent nevertheless.
            long gone = Math.Min(Math.Max(_head - first, 0), count);
            _dropped += lost ? count - gone : -gone;
            while (_head < first + count)
            {
                Forget();
            }
        }
    }

    public void Clear()
    {
        lock (_gate)
        {
            while (_head < _tail)
            {
                Forget();
            }
        }
    }

    private void Forget()
    {
        ref Report oldest = ref _ring[_head++ % Capacity];
        _metadataBytes -= oldest.Metadata?.Length ?? 0;
        oldest = default;
    }
}

/// <summary>One reported change.</summary>
/// <param name="IsRemoval">Else an addition or an update.</param>
/// <param name="Metadata">The request's <c>metadata</c> as JSON; null for none.</param>
internal readonly record struct Report(bool IsRemoval, Policy Policy, Entry Entry, byte[]? Metadata)
{
    private static readonly byte[] Expired = "{\"kind\":\"expired\",\"detail\":\"\",\"extra\":null}"u8.ToArray();

    /// <summary>
    /// Whether a change is reported: changes through this node's API, and the expiry of entries from there. Other nodes report their own
    /// changes, and changes by sets are not reported.
    /// </summary>
    public static bool TryFrom(in RuleEvent change, out Report report)
    {
        bool expired = change.Origin == ChangeOrigin.Expiry;
        bool isRemoval = change.Kind is RuleEventKind.Deleted or RuleEventKind.Expired;
        report = new Report(isRemoval, change.Policy, change.Entry, expired ? Expired : change.Metadata);
        return change.Origin == ChangeOrigin.Api || (expired && change.Entry.Origin == ChangeOrigin.Api);
    }

    public void Write(IBufferWriter<byte> writer)
    {
        writer.Raw(IsRemoval ? "{\"action\":\"remove\",\"policy\":\""u8 : "{\"action\":\"add\",\"policy\":\""u8);
        writer.Raw(Policy.Utf8Name());
        writer.Raw("\",\"entry\":"u8);
        EntryJson.Write(writer, Entry);
        writer.Raw(",\"metadata\":"u8);
        writer.Raw(Metadata is null ? "null"u8 : Metadata);
        writer.Raw("}"u8);
    }
}
