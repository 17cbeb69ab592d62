using System.Globalization;
using System.Security.Cryptography;
using Couic.Native;
using Couic.Peering;
using Couic.Store;
using Microsoft.Extensions.Logging;

namespace Couic.Journal;

/// <summary>
/// Writes the rules of the API and of peers to the journal. A change only marks its slot, under the store's lock; <see cref="Tick"/> writes
/// what the marked slots then hold. So a slow or full disk costs neither memory nor time of a change. Changes are marked by any thread; one
/// thread calls <see cref="Tick"/>.
/// </summary>
internal sealed partial class JournalWriter : IChangeListener
{
    /// <summary>Between two writes, whatever the rate of changes.</summary>
    public static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(250);

    /// <summary>Slots that are read under one acquisition of the store's lock: some 50 µs.</summary>
    private const int Slice = 128;

    private const int BufferBytes = 256 * 1024;

    /// <summary>A smaller journal is not compacted.</summary>
    private const int SmallBytes = 64 * 1024;

    /// <summary>A compaction syncs after so many bytes, so that its last sync is short.</summary>
    private const int SyncBytes = 1024 * 1024;

    /// <summary>After a failure: doubled up to the last one.</summary>
    private static readonly TimeSpan FirstRetry = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan LastRetry = TimeSpan.FromSeconds(5);

    /// <summary>Between two records of the time while nothing changes.</summary>
    private static readonly TimeSpan TimeInterval = TimeSpan.FromMinutes(10);

    /// <summary>A larger step of the wall clock changes when all rules end by it, so they are written again.</summary>
    private static readonly TimeSpan ClockStep = TimeSpan.FromSeconds(1);

    /// <summary>Between two log lines about failures.</summary>
    private static readonly TimeSpan LogInterval = TimeSpan.FromMinutes(1);

    private readonly RuleStore _store;
    private readonly IJournalPlace _place;
    private readonly Func<Policy, RegisterTable?> _registersOf;
    private readonly TimeProvider _time;
    private readonly ILogger _log;
    private readonly ulong _node;
    private readonly HybridClock _clock;
    private readonly EntrySource[] _entries;
    private readonly byte[] _buffer = new byte[BufferBytes];
    private JournalSource[] _sources = [];
    private int _buffered;

    /// <summary>The journal; null before the first one is in its place.</summary>
    private OpenJournal? _current;

    /// <summary>What is to replace it, while a compaction runs.</summary>
    private OpenJournal? _next;

    /// <summary>Whether the journal must be replaced before anything can be written.</summary>
    private bool _isUnusable = true;
    private bool _wantsReplacement;
    private string? _replacementFault;
    private long _replaceFrom = long.MinValue;
    private long _writtenAt;
    private long _timeWrittenAt;
    private TimeSpan _clockOffset;
    private TimeSpan _backoff = FirstRetry;
    private long _retryAt = long.MinValue;
    private long _nextLog = long.MinValue;
    private volatile string? _fault;
    private volatile bool _setsAside;
    private volatile string? _aside;
    private long _syncedUpTo;
    private long _errors;
    private long _compactions;
    private long _bytes;
    private long _records;

    /// <param name="registersOf">The registers of a policy; null while it is not replicated.</param>
    /// <param name="node">Node of the versions that the journal gives to rules that are not replicated.</param>
    public JournalWriter(RuleStore store, IJournalPlace place, Func<Policy, RegisterTable?> registersOf, TimeProvider time, ILogger log, ulong node)
    {
        _store = store;
        _place = place;
        _registersOf = registersOf;
        _time = time;
        _log = log;
        _node = node;
        _clock = new HybridClock(time);
        _entries = [.. store.Tables.All.Select(table => new EntrySource(store, table.Policy, table.Family, _clock, node, time))];
        _writtenAt = _syncedUpTo = time.GetTimestamp();
        store.Subscribe(this);
    }

    /// <summary>Why the last write failed; null when it succeeded.</summary>
    public string? Fault => _fault;

    /// <summary>Monotonic timestamp: each change made before it is on the disk.</summary>
    public long SyncedUpTo => Volatile.Read(ref _syncedUpTo);

    public long Errors => Volatile.Read(ref _errors);

    public long Compactions => Volatile.Read(ref _compactions);

    /// <summary>Bytes of the journal.</summary>
    public long Bytes => Volatile.Read(ref _bytes);

    /// <summary>Values in the journal: rules, and with peers tombstones.</summary>
    public long Records => Volatile.Read(ref _records);

    /// <summary>Whether the journal that is in place was not read to its end, and is kept under another name once it is replaced.</summary>
    public bool SetsAside
    {
        get => _setsAside;
        set => _setsAside = value;
    }

    /// <summary>The name under which that journal is kept; null when there is none.</summary>
    public string? Aside
    {
        get => _aside;
        private set => _aside = value;
    }

    /// <summary>A rule was restored; called before the first <see cref="Tick"/>.</summary>
    public void OnRestored(Policy policy, in Entry entry, RuleVersion version)
    {
        _clock.Observe(version.Time);
        EntriesOf(policy, entry.Cidr.Family).OnRestored(entry.Slot, version.Time);
    }

    /// <summary>Follows the logical clock of the journal that was read.</summary>
    public void Observe(ulong time) => _clock.Observe(time);

    void IChangeListener.OnChange(in RuleEvent change) => EntriesOf(change.Policy, change.Entry.Cidr.Family).OnChange(change.Entry.Slot);

    void IChangeListener.OnClaimsChange(Policy policy, Cidr cidr, int slot)
    {
        EntriesOf(policy, cidr.Family).Mark(slot);
        _registersOf(policy)?.MarkChange(cidr);
    }

    /// <summary>Writes what changed. Failures are counted and retried later.</summary>
    public void Tick()
    {
        long now = _time.GetTimestamp();
        FollowSources();
        FollowClock();
        if (now < _retryAt)
        {
            return;
        }

        if (_current is { } current && !_isUnusable && !_place.IsInPlace(current.Output))
        {
            Moved();
            _isUnusable = true;
        }

        if (_isUnusable || ((_wantsReplacement || IsTooLong) && now >= _replaceFrom))
        {
            _replacementFault = Replace();
            _replaceFrom = _replacementFault is null ? long.MinValue : now + Ticks(LastRetry);
        }

        // A compaction that fails keeps the journal growing, and keeps no change from being written.
        string? fault = _isUnusable ? _replacementFault : Flush();
        _retryAt = fault is null ? long.MinValue : now + Ticks(_backoff);
        _backoff = fault is null ? FirstRetry : _backoff * 2 < LastRetry ? _backoff * 2 : LastRetry;
        Report(fault ?? _replacementFault, now);
    }

    /// <summary>Writes what is left, and closes the journal.</summary>
    /// <returns>Whether everything is on the disk.</returns>
    public bool Close()
    {
        _retryAt = long.MinValue;
        Tick();
        _current?.Output.Dispose();
        _current = null;
        _isUnusable = true;
        return _fault is null;
    }

    /// <summary>Whether it has twice the bytes that it needs.</summary>
    private bool IsTooLong => _current is { } current && current.Length > SmallBytes
        && current.Length > 2 * (JournalFormat.HeaderBytes + _sources.Sum(source => source.Bytes));

    private EntrySource EntriesOf(Policy policy, IpFamily family) => _entries[SlotId.OfEntries(policy, family)];

    /// <summary>Follows what a reload switches: registers where a policy is replicated, else entries.</summary>
    private void FollowSources()
    {
        var sources = new List<JournalSource>();
        foreach (Policy policy in Policies.All)
        {
            if (_registersOf(policy) is { IsSeeded: true } index)
            {
                sources.Add(_sources.OfType<RegisterSource>().FirstOrDefault(known => known.Index == index) ?? new RegisterSource(_store, index, _time));
            }
            else
            {
                sources.AddRange([EntriesOf(policy, IpFamily.V4), EntriesOf(policy, IpFamily.V6)]);
            }
        }

        if (!sources.SequenceEqual(_sources))
        {
            _sources = [.. sources];
            _isUnusable = true; // its slots are those of other tables
            Array.ForEach(_sources, source => source.Reset());
        }
    }

    private void FollowClock()
    {
        TimeSpan offset = _time.GetUtcNow() - DateTimeOffset.UnixEpoch - _time.GetElapsedTime(0, _time.GetTimestamp());
        if ((offset - _clockOffset).Duration() > ClockStep)
        {
            _clockOffset = offset;
            _wantsReplacement = true;
        }
    }

    /// <summary>Appends the marked slots, and syncs.</summary>
    /// <returns>What failed; null after success.</returns>
    private string? Flush()
    {
        long now = _time.GetTimestamp();
        _writtenAt = now;
        bool isDirty = false;
        foreach (JournalSource source in _sources)
        {
            if (!source.HasMarks)
            {
                continue;
            }

            isDirty = true;
            for (int from = 0; from >= 0;)
            {
                from = Encode(source, from, isMarked: true);
                if ((from < 0 || IsBufferFull) && AppendBuffer(isMarked: true) is { } fault)
                {
                    return fault;
                }
            }
        }

        if (isDirty || _time.GetElapsedTime(_timeWrittenAt) > TimeInterval)
        {
            _timeWrittenAt = now;
            _buffered = JournalFormat.Write(_buffer, Now());
            if ((AppendBuffer(isMarked: true) ?? Sync(_current)) is { } fault)
            {
                return fault;
            }
        }

        if (_current is not null && !_isUnusable)
        {
            Volatile.Write(ref _syncedUpTo, now);
        }

        return null;
    }

    /// <summary>
    /// Writes all values into another file, which then takes the journal's place. Changes that are made during this are written to both,
    /// as often as usual.
    /// </summary>
    private string? Replace()
    {
        Errno error = _place.TryCreate(out IJournalOutput? output, out string fault);
        if (error != Errno.None)
        {
            return fault;
        }

        _next = new OpenJournal(output!, (uint)RandomNumberGenerator.GetInt32(int.MaxValue));
        _wantsReplacement = false;
        try
        {
            JournalFormat.WriteHeader(_buffer, new JournalHeader(JournalFormat.Version, _next.Salt, _node, Now().Wall));
            string? failure = _next.Append(_buffer.AsSpan(0, JournalFormat.HeaderBytes)) ?? WriteAll();

            // The last changes, in both files. The next ones find the new file in its place.
            failure ??= Flush() ?? Sync(_next) ?? Publish(_next);
            if (failure is not null)
            {
                return failure;
            }

            _current?.Output.Dispose();
            (_current, _next) = (_next, null);
            _isUnusable = false;
            Interlocked.Increment(ref _compactions);
            Volatile.Write(ref _syncedUpTo, _writtenAt);
            return null;
        }
        finally
        {
            _buffered = 0;
            if (_next is not null)
            {
                _place.Discard(_next.Output);
                _next = null;
                _wantsReplacement = true;
            }
        }
    }

    private string? Publish(OpenJournal next)
    {
        if (SetsAside)
        {
            Aside = _place.SetAside(_time.GetUtcNow());
            SetsAside = false;
            if (Aside is { } name)
            {
                IsAside(name);
            }
        }

        Errno error = _place.TryPublish(next.Output);
        return error == Errno.None ? null : Text("replace the journal", error);
    }

    private string? WriteAll()
    {
        long synced = 0;
        foreach (JournalSource source in _sources)
        {
            for (int from = 0; from >= 0;)
            {
                from = Encode(source, from, isMarked: false);
                if (from < 0 || IsBufferFull)
                {
                    string? fault = AppendBuffer(isMarked: false);
                    if (fault is null && _next!.Length - synced > SyncBytes)
                    {
                        synced = _next.Length;
                        fault = Sync(_next);
                    }

                    if (fault is null && _time.GetElapsedTime(_writtenAt) > Interval)
                    {
                        fault = Flush();
                    }

                    if (fault is not null)
                    {
                        return fault;
                    }
                }
            }
        }

        return null;
    }

    private bool IsBufferFull => _buffered > BufferBytes / 2;

    /// <summary>Encodes some slots from one on into the buffer, under one acquisition of the store's lock.</summary>
    /// <param name="isMarked">Only those that are marked, whose marks are taken.</param>
    /// <returns>The slot to continue from; -1 at the end.</returns>
    private int Encode(JournalSource source, int from, bool isMarked)
    {
        JournalRecord record = default;
        using (_store.Enter())
        {
            int used = source.Used;
            for (int n = 0; n < Slice && _buffered + JournalFormat.MaxFrame <= BufferBytes; n++, from++)
            {
                from = isMarked ? source.Take(from) : from < used ? from : -1;
                if (from < 0)
                {
                    return -1;
                }

                source.Read(from, ref record);
                if (!record.IsEmpty)
                {
                    int length = JournalFormat.Write(_buffer.AsSpan(_buffered), record);
                    source.OnWritten(from, length);
                    _buffered += length;
                }
                else if (isMarked && source.WasWritten(from))
                {
                    source.OnWritten(from, 0);
                    _buffered += JournalFormat.Write(_buffer.AsSpan(_buffered), record);
                }
            }
        }

        // A write that takes long yields no more: what was acknowledged a second ago must be on the disk.
        if (_time.GetElapsedTime(_writtenAt) < Interval)
        {
            _store.YieldToWaiters();
        }

        return from;
    }

    /// <summary>Appends the buffer to the journal, and to the file that is to replace it; values that are not marked only to that.</summary>
    private string? AppendBuffer(bool isMarked)
    {
        string? fault = null;
        if (isMarked && _current is { } current && !_isUnusable)
        {
            fault = current.Append(Sealed(current.Salt));
            if (fault is not null)
            {
                _isUnusable |= current.IsTorn;
                MarkAgain();
            }
        }

        fault ??= _next?.Append(Sealed(_next.Salt));
        _buffered = 0;
        return fault;
    }

    /// <summary>The frames in the buffer with the checksums of a file.</summary>
    private ReadOnlySpan<byte> Sealed(uint salt)
    {
        for (int at = 0; at < _buffered;)
        {
            at += JournalFormat.Seal(_buffer.AsSpan(at, _buffered - at), salt);
        }

        return _buffer.AsSpan(0, _buffered);
    }

    /// <summary>Marks the slots of the buffer, which were not written.</summary>
    private void MarkAgain()
    {
        using (_store.Enter())
        {
            for (int at = 0, length; at < _buffered; at += length)
            {
                length = JournalFormat.FrameLength(_buffer.AsSpan(at, _buffered - at));
                if (JournalFormat.TryReadSlot(_buffer.AsSpan(at + JournalFormat.FrameHead, length - JournalFormat.FrameHead), out SlotId slot))
                {
                    JournalSource source = _sources.First(one => one.Number == slot.Table);
                    source.Mark(slot.Slot);
                }
            }
        }
    }

    /// <summary>After a failed sync the kernel may have dropped what it could not write, so the file is not used any more.</summary>
    private string? Sync(OpenJournal? journal)
    {
        if (journal is null || (journal == _current && _isUnusable))
        {
            return null;
        }

        Errno error = journal.Output.TrySync();
        _isUnusable |= error != Errno.None && journal == _current;
        return error == Errno.None ? null : Text("sync the journal", error);
    }

    private JournalTime Now() => new(Math.Max(0, _time.GetUtcNow().ToUnixTimeMilliseconds()), Math.Max(
        _clock.Next(), _sources.OfType<RegisterSource>().Select(source => source.Index.Time).DefaultIfEmpty().Max()));

    private void Report(string? fault, long now)
    {
        Volatile.Write(ref _bytes, _current?.Length ?? 0);
        Volatile.Write(ref _records, _sources.Sum(source => source.Values));
        if (fault is not null)
        {
            Interlocked.Increment(ref _errors);
            if (now >= _nextLog)
            {
                _nextLog = now + Ticks(LogInterval);
                NotWritten(fault);
            }
        }
        else if (_fault is not null)
        {
            _nextLog = long.MinValue;
            WrittenAgain();
        }

        _fault = fault;
    }

    private long Ticks(TimeSpan span) => (long)(span.TotalSeconds * _time.TimestampFrequency);

    private static string Text(string action, Errno error) => $"{action}: {error.Text()}";

    [LoggerMessage(EventName = "journal_not_written", Level = LogLevel.Error,
        Message = "{Fault} (rules stay in force, and a restart forgets what changed since; it is tried again)")]
    private partial void NotWritten(string fault);

    [LoggerMessage(EventName = "journal_written_again", Level = LogLevel.Information, Message = "the journal is written again, and complete")]
    private partial void WrittenAgain();

    [LoggerMessage(EventName = "journal_set_aside", Level = LogLevel.Warning, Message = "the journal that was not read to its end is kept as \"{Name}\"")]
    private partial void IsAside(string name);

    [LoggerMessage(EventName = "journal_moved", Level = LogLevel.Warning, Message = "the journal was removed or replaced by another program: it is written anew")]
    private partial void Moved();

    /// <summary>A journal that is being written.</summary>
    private sealed class OpenJournal(IJournalOutput output, uint salt)
    {
        public IJournalOutput Output => output;

        public uint Salt => salt;

        /// <summary>Bytes up to the end of the last whole frame.</summary>
        public long Length { get; private set; }

        /// <summary>Whether a part of a frame could not be removed after a failure: what follows it could not be read.</summary>
        public bool IsTorn { get; private set; }

        public string? Append(ReadOnlySpan<byte> data)
        {
            Errno error = output.TryAppend(data);
            if (error == Errno.None)
            {
                Length += data.Length;
                return null;
            }

            IsTorn = output.TryTruncate(Length) != Errno.None;
            return string.Create(CultureInfo.InvariantCulture, $"append {data.Length} bytes to the journal: {error.Text()}");
        }
    }
}
