using Couic.Logging.Abstractions;
using Couic.Peering;
using Couic.Store;
using Microsoft.Extensions.Logging;

namespace Couic.Journal;

/// <summary>
/// Keeps the rules of the API and of peers over a restart: restores them at the start, then writes what changes from its own thread. No
/// fault of the disk ends the start, or delays a request. Create it before the first change of the store. All members are thread-safe.
/// </summary>
internal sealed partial class RuleJournal : IDisposable
{
    /// <summary>Longer without a write: the disk does not answer.</summary>
    private static readonly TimeSpan MaxSilence = TimeSpan.FromSeconds(10);

    private readonly RuleStore _store;
    private readonly IJournalPlace _place;
    private readonly PeeringEngine? _peering;
    private readonly TimeProvider _time;
    private readonly ILogger _log;
    private readonly JournalWriter _writer;
    private readonly ManualResetEventSlim _stop = new();
    private Thread? _thread;
    private string? _damage;
    private bool _isWritten;

    /// <param name="peering">Null without registers.</param>
    /// <param name="node">Node of the versions that the journal gives.</param>
    public RuleJournal(RuleStore store, IJournalPlace place, PeeringEngine? peering, TimeProvider time, ILogger log, ulong node)
    {
        _store = store;
        _place = place;
        _peering = peering;
        _time = time;
        _log = log;
        _writer = new JournalWriter(store, place, policy => peering?.IndexOf(policy), time, log, node);
        if (peering is not null)
        {
            peering.SyncedUpTo = () => _writer.SyncedUpTo;
        }
    }

    /// <summary>What the start took over.</summary>
    public RestoreCounts Restored { get; private set; } = new();

    /// <summary>
    /// What of the journal could not be read at the start, until the file that is kept for that is removed; null when all could, or only the
    /// end was incomplete.
    /// </summary>
    public string? Damage => _damage is not null && (_writer.SetsAside || Path.Exists(_writer.Aside)) ? _damage : null;

    public JournalWriter Writer => _writer;

    /// <summary>Age of the oldest change that may not be on the disk.</summary>
    public TimeSpan SyncAge => _time.GetElapsedTime(_writer.SyncedUpTo);

    /// <summary>Why changes are not kept now; null when they are.</summary>
    public string? Fault => _writer.Fault
        ?? (_thread is not null && SyncAge > MaxSilence ? $"nothing was written for {SyncAge.TotalSeconds:F0} s: the disk does not answer" : null);

    /// <summary>Restores what the journal holds. Sets and peering must be configured before; nothing else may change rules.</summary>
    public void Restore()
    {
        long start = _time.GetTimestamp();
        bool isTorn = false;
        string? fault;
        try
        {
            using Stream? file = _place.Open(out fault);
            if (file is not null)
            {
                var restore = new JournalRestore(_store, _peering, _writer, _time, _log);
                Restored = restore.Run(file, out fault, out isTorn);
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            fault = e.Message;
        }

        if (fault is not null)
        {
            _writer.SetsAside = true;
            _damage = isTorn ? null : fault;
            Damaged(fault, Restored.Rules);
        }

        int lost = Restored.OwnedBySet + Restored.Refused;
        if (Restored.Rules + Restored.Expired + lost > 0)
        {
            AllRestored(Restored.Rules, (long)_time.GetElapsedTime(start).TotalMilliseconds, Restored.Expired, Restored.OwnedBySet, Restored.Refused);
        }
    }

    /// <summary>Starts to write.</summary>
    public void Start()
    {
        _thread = new Thread(Run) { IsBackground = true, Name = "journal" };
        _thread.Start();
    }

    /// <summary>Writes what is left, if the disk takes it within the time limit.</summary>
    /// <returns>Whether every rule is kept.</returns>
    public bool Stop(TimeSpan limit)
    {
        _stop.Set();
        return _thread?.Join(limit) == true && Volatile.Read(ref _isWritten);
    }

    public void Dispose() => _stop.Set();

    private void Run()
    {
        do
        {
            InternalErrors.Run(Place.Journal, _log, _writer.Tick);
        }
        while (!_stop.Wait(JournalWriter.Interval));

        InternalErrors.Run(Place.Journal, _log, () => Volatile.Write(ref _isWritten, _writer.Close()));
    }

    [LoggerMessage(EventName = "journal_damaged", Level = LogLevel.Error,
        Message = "the journal of rules was not read to its end: {Fault} ({Restored} rules before that are restored)")]
    private partial void Damaged(string fault, int restored);

    [LoggerMessage(EventName = "journal_restored", Level = LogLevel.Information,
        Message = "{Rules} rules restored from the journal in {Milliseconds} ms ({Expired} have expired, {Sets} belong to sets now, {Refused} were refused)")]
    private partial void AllRestored(int rules, long milliseconds, int expired, int sets, int refused);
}
