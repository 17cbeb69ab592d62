using Couic.Store;
using Microsoft.Extensions.Logging;

namespace Couic.Peering;

/// <summary>
/// Keeps the dynamic rules of this node and its peers the same. It has no thread and no socket of its own: a timer calls
/// <see cref="Tick"/>, the transport calls back with answers, the server hands it what peers send. Locks are taken in the
/// order link, store, index. All members are thread-safe.
/// </summary>
internal sealed partial class PeeringEngine : IRuleFeed
{
    /// <summary>How often queues are flushed, however many rules change.</summary>
    public static readonly TimeSpan FlushInterval = TimeSpan.FromMilliseconds(250);

    /// <summary>An answer that has not come by then is not waited for.</summary>
    public static readonly TimeSpan RequestLimit = TimeSpan.FromSeconds(5);

    private readonly RuleStore _store;
    private readonly IPeerTransport _transport;
    private readonly ReplicaIndex?[] _indexes = new ReplicaIndex?[2];
    private readonly Rounds[] _rounds;
    private readonly bool[] _joined = new bool[2];
    private readonly Lock _settingsGate = new();
    private PeerLink[] _links = [];
    private readonly List<PeerLink> _bulk = [];
    private long _lastActivity;
    private long _inflowUntil;

    /// <param name="node">Number of this node, never used before by any: drawn anew at each start.</param>
    /// <param name="key">A secret, drawn anew at each start.</param>
    public PeeringEngine(RuleStore store, IPeerTransport transport, TimeProvider time, Random random, ILogger log, ulong node, ulong key)
    {
        _store = store;
        _transport = transport;
        Time = time;
        Jitter = random;
        Log = log;
        Node = node;
        Keys = new PeerKeys(key);
        long gap = (long)(RequestLimit.TotalSeconds * time.TimestampFrequency);
        _rounds = [new(gap), new(gap)];
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

    public IReadOnlyList<PeerLink> Links => _links;

    /// <summary>Whether something happened in the last seconds, so that peers are compared at each tick.</summary>
    public bool IsActive => Time.GetElapsedTime(Volatile.Read(ref _lastActivity)) < TimeSpan.FromSeconds(5);

    /// <summary>Null where the policy does not travel.</summary>
    public ReplicaIndex? IndexOf(Policy policy) => Volatile.Read(ref _indexes[(int)policy]);

    void IRuleFeed.OnChange(in RuleEvent change)
    {
        if (IndexOf(change.Policy) is { } index)
        {
            index.OnChange(change);
            Touch();
        }
    }

    /// <summary>
    /// Every <see cref="FlushInterval"/>: flushes the queues, greets peers, forgets dead records. A fault at one peer or
    /// policy stops no other.
    /// </summary>
    public void Tick()
    {
        foreach (PeerLink link in Volatile.Read(ref _links))
        {
            try
            {
                link.Tick();
            }
            catch (Exception fault)
            {
                if (MayLog(ref _nextFaultLog))
                {
                    PeeringLog.LinkFault(Log, link.Settings.ToString(), fault);
                }
            }
        }

        foreach (ReplicaIndex? index in _indexes)
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

    private void Maintain(ReplicaIndex? index)
    {
        if (index is not null)
        {
            Restamp(index);
            RetryUnapplied(index);
            index.Collect(SafeBefore(index.Policy), budget: 8_192);
        }
    }

    /// <summary>
    /// Takes new settings in: peers that stay as they are keep their queues and connections. Peers beyond the first
    /// <see cref="PeeringSettings.MaxPeers"/> are left out; the reader of the configuration refuses them.
    /// </summary>
    public void Reconfigure(PeeringSettings settings)
    {
        lock (_settingsGate)
        {
            PeerSettings[] wanted = [.. settings.Peers.Distinct().Take(PeeringSettings.MaxPeers)];
            Settings = settings with { Peers = wanted };
            foreach (Policy policy in Policies.All)
            {
                SwitchIndex(policy, settings.Enabled && settings.Policies.Contains(policy));
            }

            wanted = settings.Enabled ? wanted : [];
            var kept = new List<PeerLink>();
            foreach (PeerLink link in _links)
            {
                if (wanted.Contains(link.Settings))
                {
                    kept.Add(link);
                }
                else
                {
                    Close(link);
                }
            }

            var links = new List<PeerLink>();
            foreach (PeerSettings peer in wanted)
            {
                PeerLink? link = kept.Find(link => link.Settings == peer);
                if (link is null)
                {
                    link = Open(peer, kept);
                    kept.Add(link);
                }

                links.Add(link);
            }

            Volatile.Write(ref _links, [.. links]);
        }

        Touch();
    }

    /// <summary>Notes that something happened.</summary>
    public void Touch() => Volatile.Write(ref _lastActivity, Time.GetTimestamp());

    /// <summary>Whether this node has compared its rules with any other since its start.</summary>
    public bool HasJoined(Policy policy) => Volatile.Read(ref _joined[(int)policy]);

    public void Joined(Policy policy) => Volatile.Write(ref _joined[(int)policy], true);

    /// <summary>
    /// The right to fetch many records: one link has it at a time, so that a newcomer gets them once; but others do not wait
    /// for one whose peer is slow to answer.
    /// </summary>
    public bool TryTakeBulk(PeerLink link)
    {
        lock (_bulk)
        {
            if (_bulk.Contains(link))
            {
                return true;
            }

            bool isFree = _bulk.TrueForAll(other => other.WaitsLong);
            if (isFree)
            {
                _bulk.Add(link);
            }

            return isFree;
        }
    }

    public void ReleaseBulk(PeerLink link)
    {
        lock (_bulk)
        {
            _bulk.Remove(link);
        }
    }

    /// <summary>A peer says that many records are on their way here; fetching them from others meanwhile would double them.</summary>
    public bool ExpectsInflow
    {
        get => Volatile.Read(ref _inflowUntil) > Time.GetTimestamp();
        set => Volatile.Write(ref _inflowUntil, value ? Time.GetTimestamp() + (Time.TimestampFrequency / 2) : 0);
    }

    private PeerLink Open(PeerSettings peer, List<PeerLink> links)
    {
        int number = Enumerable.Range(0, PeeringSettings.MaxPeers).First(n => !links.Exists(link => link.Number == n));
        foreach (ReplicaIndex? index in _indexes)
        {
            index?.OpenQueue(number);
        }

        return new PeerLink(this, _transport, peer, number);
    }

    private void Close(PeerLink link)
    {
        link.Close();
        _transport.Forget(link.Settings);
        foreach (ReplicaIndex? index in _indexes)
        {
            index?.CloseQueue(link.Number);
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
            var index = new ReplicaIndex(policy, Node, _store.Limits.Entries(policy) + ReplicaIndex.MaxWaiting(_store.Limits.Entries(policy)), Time);
            foreach (PeerLink link in _links)
            {
                index.OpenQueue(link.Number);
            }

            Volatile.Write(ref _indexes[(int)policy], index);
            Seed(index);
        }
    }

    /// <summary>Takes in what the store held before; changes that are made meanwhile come by the feed.</summary>
    private void Seed(ReplicaIndex index)
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
                            entry.Cidr, index.NewStamp(), ReplicaState.Live, ReplicaFlags.Applied, entry.Tag.Span, entry.Expiration, null);
                    }
                }
            }
        }
    }

    /// <summary>Dead records from before this moment cannot be missed by anybody.</summary>
    private long SafeBefore(Policy policy)
    {
        long earliest = long.MaxValue;
        int peers = 0;
        foreach (PeerLink link in Volatile.Read(ref _links))
        {
            long comparedAt = link.ComparedAt(policy);
            earliest = Math.Min(earliest, comparedAt);
            peers += comparedAt == long.MaxValue ? 0 : 1;
        }

        Rounds rounds = _rounds[(int)policy];
        rounds.Update(Time.GetTimestamp(), earliest, peers);
        return rounds.SafeBefore;
    }
}
