using System.Globalization;
using Couic.Bus;
using Couic.Store;
using Microsoft.Extensions.Logging;

namespace Couic.Peering;

/// <summary>
/// Replicates the dynamic rules between this node and its peers. It has no thread and no socket: a timer calls <see
/// cref="Tick"/>, the transport calls back with answers, the server passes in what peers send. Lock order: session, store,
/// register table. All members are thread-safe.
/// </summary>
internal sealed partial class PeeringEngine : IChangeListener
{
    /// <summary>Interval between flushes of the queues, whatever the rate of changes.</summary>
    public static readonly TimeSpan FlushInterval = TimeSpan.FromMilliseconds(250);

    /// <summary>Time limit of a request.</summary>
    public static readonly TimeSpan RequestLimit = TimeSpan.FromSeconds(5);

    private readonly RuleStore _store;
    private readonly IPeerTransport _transport;
    private readonly RegisterTable?[] _indexes = new RegisterTable?[2];
    private readonly StabilityTracker[] _stability;
    private readonly bool[] _joined = new bool[2];
    private readonly Lock _settingsGate = new();
    private PeerSession[] _sessions = [];
    private readonly Func<BusSettings, IBus>? _buses;
    private BusSession? _bus;
    private readonly List<PeerSession> _bulk = [];
    private long _lastActivity;
    private long _pushUntil;

    /// <param name="node">Number of this node: a fresh random number per start.</param>
    /// <param name="key">A secret: a fresh random number per start.</param>
    /// <param name="buses">Opens a bus; null where there is none.</param>
    public PeeringEngine(
        RuleStore store, IPeerTransport transport, TimeProvider time, Random random, ILogger log, ulong node, ulong key, Func<BusSettings, IBus>? buses = null)
    {
        _buses = buses;
        _store = store;
        _transport = transport;
        Time = time;
        Jitter = random;
        Log = log;
        Node = node;
        Keys = new PeerKeys(key);
        long gap = (long)(RequestLimit.TotalSeconds * time.TimestampFrequency);
        _stability = [new(gap), new(gap)];
        Settings = PeeringSettings.Off;
        _lastActivity = time.GetTimestamp();
        store.Subscribe(this);
    }

    public ulong Node { get; }

    public PeerKeys Keys { get; }

    public PeeringSettings Settings { get; private set; }

    public TimeProvider Time { get; }

    public ILogger Log { get; }

    public Random Jitter { get; }

    public IReadOnlyList<PeerSession> Sessions => _sessions;

    /// <summary>
    /// Up to which timestamp a journal has all changes of the registers; null without a journal. Set before the first settings.
    /// </summary>
    public Func<long>? SyncedUpTo { get; set; }

    /// <summary>Null without a bus.</summary>
    public BusSession? Bus => Volatile.Read(ref _bus);

    /// <summary>Whether a rule changed in the last seconds; then peers are compared at each tick.</summary>
    public bool IsActive => Time.GetElapsedTime(Volatile.Read(ref _lastActivity)) < TimeSpan.FromSeconds(5);

    /// <summary>Null when the policy is not replicated.</summary>
    public RegisterTable? IndexOf(Policy policy) => Volatile.Read(ref _indexes[(int)policy]);

    void IChangeListener.OnChange(in RuleEvent change)
    {
        if (IndexOf(change.Policy) is { } index)
        {
            index.OnChange(change);
            Touch();
        }
    }

    /// <summary>
    /// Called every <see cref="FlushInterval"/>: flushes queues, sends hellos, drops tombstones. A fault at one peer or policy
    /// does not affect the others.
    /// </summary>
    public void Tick()
    {
        foreach (PeerSession session in Volatile.Read(ref _sessions))
        {
            try
            {
                session.Tick();
            }
            catch (Exception fault)
            {
                if (MayLog(ref _nextFaultLog))
                {
                    PeeringLog.SessionFault(Log, session.Settings.ToString(), fault);
                }
            }
        }

        try
        {
            Bus?.Tick();
        }
        catch (Exception fault)
        {
            if (MayLog(ref _nextFaultLog))
            {
                PeeringLog.SessionFault(Log, "bus", fault);
            }
        }

        foreach (RegisterTable? index in _indexes)
        {
            try
            {
                Maintain(index);
            }
            catch (Exception fault)
            {
                if (MayLog(ref _nextFaultLog))
                {
                    PeeringLog.UpkeepFailed(Log, index!.Policy.Name(), fault);
                }
            }
        }
    }

    private void Maintain(RegisterTable? index)
    {
        if (index is not null)
        {
            RenewVersions(index);
            RetryUnapplied(index);
            RemoveLapsed(index);
            long stable = StableBefore(index.Policy);
            index.Collect(index.HasBus ? Math.Min(stable, Time.GetTimestamp() - Units(BusSession.KeepTombstones)) : stable, budget: 8_192);
        }
    }

    /// <summary>
    /// Applies new settings; peers that stay the same keep their queues and connections. Peers beyond the first <see
    /// cref="PeeringSettings.MaxPeers"/> are skipped; the configuration reader refuses them.
    /// </summary>
    public void Reconfigure(PeeringSettings settings)
    {
        lock (_settingsGate)
        {
            int most = settings.Bus is null ? PeeringSettings.MaxPeers : PeeringSettings.MaxPeersWithBus;
            PeerSettings[] wanted = [.. settings.Peers.Distinct().Take(most)];
            Settings = settings with { Peers = wanted };
            bool isSameBus = settings.Bus?.IsSame(_bus?.Plan) ?? _bus is null;
            BusSession? former = isSameBus ? null : Interlocked.Exchange(ref _bus, null);
            former?.Dispose();
            foreach (Policy policy in Policies.All)
            {
                if (former is not null)
                {
                    IndexOf(policy)?.CloseBus();
                }

                SwitchIndex(policy, (settings.Enabled && settings.Policies.Contains(policy)) || settings.Bus?.Policies.Contains(policy) == true);
            }

            wanted = settings.Enabled ? wanted : [];
            var kept = new List<PeerSession>();
            foreach (PeerSession session in _sessions)
            {
                if (wanted.Contains(session.Settings) && session.Number < most)
                {
                    kept.Add(session);
                }
                else
                {
                    Close(session);
                }
            }

            var sessions = new List<PeerSession>();
            foreach (PeerSettings peer in wanted)
            {
                PeerSession? session = kept.Find(session => session.Settings == peer);
                if (session is null)
                {
                    session = Open(peer, kept);
                    kept.Add(session);
                }

                sessions.Add(session);
            }

            Volatile.Write(ref _sessions, [.. sessions]);
            OpenBus(settings.Bus);
        }

        Touch();
    }

    /// <summary>Marks the cluster as active.</summary>
    public void Touch() => Volatile.Write(ref _lastActivity, Time.GetTimestamp());

    /// <summary>Whether this node has completed a comparison since its start.</summary>
    public bool HasJoined(Policy policy) => Volatile.Read(ref _joined[(int)policy]);

    public void Joined(Policy policy) => Volatile.Write(ref _joined[(int)policy], true);

    /// <summary>
    /// Acquires the right to fetch in bulk. One session holds it, so that a node that joins fetches the rules once; a session
    /// with a slow peer does not block the others.
    /// </summary>
    public bool TryTakeBulk(PeerSession session)
    {
        lock (_bulk)
        {
            if (_bulk.Contains(session))
            {
                return true;
            }

            bool isFree = _bulk.TrueForAll(other => other.IsSlow);
            if (isFree)
            {
                _bulk.Add(session);
            }

            return isFree;
        }
    }

    public void ReleaseBulk(PeerSession session)
    {
        lock (_bulk)
        {
            _bulk.Remove(session);
        }
    }

    /// <summary>
    /// A peer has announced many queued changes; fetching them from another peer as well would transfer them twice.
    /// </summary>
    public bool ExpectsPush
    {
        get => Volatile.Read(ref _pushUntil) > Time.GetTimestamp();
        set => Volatile.Write(ref _pushUntil, value ? Time.GetTimestamp() + (Time.TimestampFrequency / 2) : 0);
    }

    private PeerSession Open(PeerSettings peer, List<PeerSession> sessions)
    {
        int number = Enumerable.Range(0, PeeringSettings.MaxPeers).First(n => !sessions.Exists(session => session.Number == n));
        foreach (RegisterTable? index in _indexes)
        {
            index?.OpenQueue(number);
        }

        return new PeerSession(this, _transport, peer, number);
    }

    /// <summary>Marks and session; the tables exist, and no session of a peer has their numbers.</summary>
    private void OpenBus(BusPlan? plan)
    {
        if (plan is null || _buses is null)
        {
            return;
        }

        foreach (RegisterTable index in plan.Policies.Select(IndexOf).OfType<RegisterTable>().Where(index => !index.HasBus))
        {
            index.OpenBus();
        }

        if (_bus is null)
        {
            Volatile.Write(ref _bus, new BusSession(this, plan, _buses(plan.Settings)));
        }
    }

    private void Close(PeerSession session)
    {
        session.Close();
        _transport.Forget(session.Settings);
        foreach (RegisterTable? index in _indexes)
        {
            index?.CloseQueue(session.Number);
        }
    }

    private void SwitchIndex(Policy policy, bool on)
    {
        if (!on)
        {
            Volatile.Write(ref _indexes[(int)policy], null);
            _joined[(int)policy] = false;
        }
        else if (IndexOf(policy) is null)
        {
            var index = new RegisterTable(policy, Node, _store.Limits.Entries(policy) + RegisterTable.MaxWaiting(_store.Limits.Entries(policy)), Time);
            if (SyncedUpTo is not null)
            {
                index.NoteChanges();
            }

            foreach (PeerSession session in _sessions)
            {
                index.OpenQueue(session.Number);
            }

            Volatile.Write(ref _indexes[(int)policy], index);
            Seed(index);
            index.IsSeeded = true;
        }
    }

    /// <summary>Adds the rules that the store holds already; changes made during this arrive through the listener.</summary>
    private void Seed(RegisterTable index)
    {
        var entries = new Entry[256];
        foreach (Cidr[] some in _store.SortedNetworks(index.Policy).Chunk(entries.Length))
        {
            using (_store.Hold())
            {
                int count = _store.Read(index.Policy, some, entries);
                foreach (Entry entry in entries.AsSpan(0, count))
                {
                    if (!entry.IsOfSet && !index.TryGet(entry.Cidr, out _, out _))
                    {
                        index.Record(
                            entry.Cidr, index.NewVersion(), RegisterState.Live, RegisterFlags.Applied, entry.Tag.Span, entry.Expiration, null, entry.Reason.Span);
                    }
                }
            }
        }
    }

    private long Units(TimeSpan span) => (long)(span.TotalSeconds * Time.TimestampFrequency);

    /// <summary>Tombstones from before this timestamp can be dropped.</summary>
    private long StableBefore(Policy policy)
    {
        long earliest = long.MaxValue;
        int peers = 0;
        foreach (PeerSession session in Volatile.Read(ref _sessions))
        {
            long comparedAt = session.ComparedAt(policy);
            earliest = Math.Min(earliest, comparedAt);
            peers += comparedAt == long.MaxValue ? 0 : 1;
        }

        StabilityTracker rounds = _stability[(int)policy];
        rounds.Update(Time.GetTimestamp(), earliest, peers);
        return rounds.StableBefore;
    }

    private static readonly TimeSpan LogInterval = TimeSpan.FromMinutes(1);

    private readonly Lock _logGate = new();
    private long _nextRefusalLog = long.MinValue;
    private long _nextFaultLog = long.MinValue;
    private long _clockRefusals;

    /// <summary>Batches, hellos and records refused because their versions were too far ahead.</summary>
    public long ClockRefusals => Volatile.Read(ref _clockRefusals);

    /// <summary>The sum of a time and an offset, clamped to the range of dates.</summary>
    public static DateTimeOffset Shifted(DateTimeOffset moment, TimeSpan by) =>
        by < DateTimeOffset.MinValue - moment ? DateTimeOffset.MinValue
        : by > DateTimeOffset.MaxValue - moment ? DateTimeOffset.MaxValue
        : moment + by;

    /// <summary>A duration in hours or days.</summary>
    public static string InWords(TimeSpan span) => span.TotalDays >= 2
        ? string.Create(CultureInfo.InvariantCulture, $"{span.TotalDays:F1} days")
        : string.Create(CultureInfo.InvariantCulture, $"{span.TotalHours:F1} h");

    /// <summary>Why a batch is refused; null where its versions are acceptable.</summary>
    public string? ClockObjection(Policy policy, IncomingBatch batch)
    {
        if (IndexOf(policy) is not { } index)
        {
            return null; // versions have no meaning here
        }

        for (int i = 0; i < batch.Jobs.Count; i++)
        {
            if (batch.Jobs[i].Version is { } version && !index.Accepts(version.Time))
            {
                return $"job {i}: \"stamp\" is {TooFar(index.LeadOf(version.Time))}";
            }
        }

        return null;
    }

    /// <summary>Why the answer to a hello is refused; null where its clocks are acceptable.</summary>
    public string? ClockObjection(RegisterTable index, in SyncHead head)
    {
        TimeSpan offset = DateTimeOffset.FromUnixTimeMilliseconds(head.WallClock) - Time.GetUtcNow();
        return offset.Duration() > HybridClock.MaxDrift
            ? $"they are {InWords(offset.Duration())} apart, {(offset > TimeSpan.Zero ? "its own ahead" : "its own behind")} (at most 24 h)"
            : TimeObjection(index, head);
    }

    /// <summary>Why the logical time of a hello is refused.</summary>
    private static string? TimeObjection(RegisterTable index, in SyncHead head) =>
        index.Accepts(head.Time) ? null : $"the logical time is {TooFar(index.LeadOf(head.Time))}";

    /// <summary>Counts a refused message of a client; logs at most one per minute.</summary>
    public void Refused(string client, string objection)
    {
        Interlocked.Increment(ref _clockRefusals);
        if (MayLog(ref _nextRefusalLog))
        {
            PeeringLog.ClockRefused(Log, client, objection);
        }
    }

    private static string TooFar(TimeSpan lead) => $"{InWords(lead)} ahead of this node's clock (at most 24 h)";

    private bool MayLog(ref long next)
    {
        lock (_logGate)
        {
            long now = Time.GetTimestamp();
            bool may = now >= next;
            next = may ? now + (long)(LogInterval.TotalSeconds * Time.TimestampFrequency) : next;
            return may;
        }
    }

    /// <summary>Renews versions that are too far ahead, a few thousand at a time.</summary>
    private void RenewVersions(RegisterTable index)
    {
        int renewed = 0;
        for (int slices = 0; slices < 16 && index.NeedsRenewal; slices++)
        {
            using (_store.Hold())
            {
                renewed += index.RenewVersions(budget: 1_024);
            }
        }

        if (renewed > 0)
        {
            PeeringLog.VersionsRenewed(Log, index.Policy.Name(), renewed);
            Touch();
        }
    }
}
