namespace Couic.Store;

/// <summary>What a ranked list is ordered by. The names are those of the API.</summary>
public enum EntryOrder : byte
{
    /// <summary>IPv4 first, by address, then length.</summary>
    Cidr,

    /// <summary>The latest first.</summary>
    Creation,

    /// <summary>The soonest first; those that never expire last.</summary>
    Expiration,

    /// <summary>The most packets first.</summary>
    Packets,

    /// <summary>The latest first.</summary>
    LastHit,

    /// <summary>The most packets per second first; of one rate, the most packets.</summary>
    Rate,
}

/// <param name="Hits">Null where entries are not counted.</param>
/// <param name="Rate">Packets per second; null where it was not asked for, or is not known yet.</param>
public readonly record struct RankedEntry(Entry Entry, EntryHits? Hits, double? Rate);

public sealed partial class RuleStore
{
    private readonly HitSamples[] _hitSamples = [new(), new()];

    /// <summary>The first live entries of one policy in an order, at the cost of one pass over its table and memory for what is listed.</summary>
    /// <param name="reverse">The last ones, last first.</param>
    /// <param name="limit">Entries at most.</param>
    /// <param name="wanted">Which tags; null for all.</param>
    public RankedEntry[] ListRanked(Policy policy, EntryOrder order, bool reverse, int limit, Predicate<byte[]>? wanted)
    {
        var ranking = new Ranking(order, reverse, limit);
        if (order != EntryOrder.Rate)
        {
            Rank(policy, ranking, wanted, null);
            return ranking.Take();
        }

        HitSamples samples = _hitSamples[(int)policy];
        lock (samples)
        {
            samples.Begin(_time);
            Rank(policy, ranking, wanted, samples);
            samples.End();
        }

        return ranking.Take();
    }

    private void Rank(Policy policy, Ranking ranking, Predicate<byte[]>? wanted, HitSamples? samples)
    {
        bool readsHits = ranking.Order >= EntryOrder.Packets;
        foreach (RuleTable table in (ReadOnlySpan<RuleTable>)[Tables[policy, IpFamily.V4], Tables[policy, IpFamily.V6]])
        {
            NameTable tags = Tables.Tags(policy);
            VisitSlots(table, readsHits ? PageSlice : ListingSlice, (in EntrySlot held, int slot) =>
            {
                if (Tables.IsExpired(held))
                {
                    return;
                }

                EntryHits? hits = readsHits ? ReadHits(policy, held.Cidr, slot) : null;
                ulong? grown = samples?.Take(held.Cidr.Family, slot, held.Creation, hits);
                if (wanted is null || wanted(tags[held.Tag]))
                {
                    ulong key = ranking.KeyOf(held, hits, grown ?? 0);
                    if (ranking.Admits(key, held.Cidr))
                    {
                        EntryHits? shown = readsHits ? hits : ReadHits(policy, held.Cidr, slot);
                        ranking.Add(key, new RankedEntry(Tables.Read(table, slot), shown, grown / samples?.Seconds));
                    }
                }
            });
        }
    }

    private EntryHits? ReadHits(Policy policy, Cidr cidr, int slot) => Plane.TryReadHits(policy, cidr, slot, out EntryHits hits) ? hits : null;
}

/// <summary>The first entries of an order, in a heap with the last of them on top.</summary>
internal sealed class Ranking(EntryOrder order, bool reverse, int limit)
{
    private readonly PriorityQueue<RankedEntry, (ulong Key, Cidr Cidr)> _heap = new(Comparer<(ulong Key, Cidr Cidr)>.Create(
        (a, b) => a.Key != b.Key ? a.Key.CompareTo(b.Key) : reverse && order == EntryOrder.Cidr ? a.Cidr.CompareTo(b.Cidr) : b.Cidr.CompareTo(a.Cidr)));

    public EntryOrder Order => order;

    /// <summary>The position of an entry: the highest key comes first. Entries with one key are ordered by network.</summary>
    public ulong KeyOf(in EntrySlot held, in EntryHits? hits, ulong grown)
    {
        ulong key = order switch
        {
            EntryOrder.Creation => held.Creation,
            EntryOrder.Expiration => held.Expiration == 0 ? 0 : ~held.Expiration,
            EntryOrder.Packets => hits?.Packets ?? 0,
            EntryOrder.LastHit => (ulong)(hits?.LastHit?.ToUnixTimeSeconds() ?? 0),
            EntryOrder.Rate => (Math.Min(grown, int.MaxValue) << 33) | Math.Min(hits?.Packets ?? 0, (1ul << 33) - 1),
            _ => 0,
        };
        return reverse ? ~key : key;
    }

    /// <summary>Whether an entry belongs to the first ones so far.</summary>
    public bool Admits(ulong key, in Cidr cidr) => limit > 0
        && (_heap.Count < limit || (_heap.TryPeek(out _, out (ulong Key, Cidr Cidr) last) && _heap.Comparer.Compare((key, cidr), last) > 0));

    public void Add(ulong key, in RankedEntry entry)
    {
        if (_heap.Count < limit)
        {
            _heap.Enqueue(entry, (key, entry.Entry.Cidr));
        }
        else
        {
            _heap.DequeueEnqueue(entry, (key, entry.Entry.Cidr));
        }
    }

    /// <summary>Empties it, in order. An entry that was removed and added again during the pass may be in it twice; one is kept.</summary>
    public RankedEntry[] Take()
    {
        var entries = new RankedEntry[_heap.Count];
        for (int i = entries.Length - 1; i >= 0; i--)
        {
            entries[i] = _heap.Dequeue();
        }

        return [.. entries.DistinctBy(one => one.Entry.Cidr)];
    }
}

/// <summary>
/// What the entries of a policy had counted at two earlier moments, so that packets per second can be computed from counts. Two, because
/// several clients may ask within one second, and a rate needs some time between its counts. Taken only when a client asks.
/// </summary>
internal sealed class HitSamples
{
    /// <summary>A rate is over at least this time.</summary>
    private static readonly TimeSpan Shortest = TimeSpan.FromMilliseconds(500);

    /// <summary>Over a longer time it would not be what a client takes for the present rate.</summary>
    private static readonly TimeSpan Longest = TimeSpan.FromSeconds(30);

    private Sample? _older;
    private Sample? _newer;
    private Sample? _next;
    private Sample? _base;

    /// <summary>Time since the earlier counts; null when there are none.</summary>
    public double? Seconds { get; private set; }

    public void Begin(TimeProvider time)
    {
        long now = time.GetTimestamp();
        TimeSpan age = _newer is null ? TimeSpan.MaxValue : time.GetElapsedTime(_newer.At, now);
        if (age > Longest)
        {
            (_older, _newer) = (null, null);
        }

        bool isDue = age >= Shortest;
        _base = isDue ? _newer : _older;
        Seconds = _base is null ? null : time.GetElapsedTime(_base.At, now).TotalSeconds;
        _next = isDue ? new Sample(now, (ulong)time.GetUtcNow().ToUnixTimeSeconds()) : null;
    }

    /// <summary>Records a count. Returns the packets since the earlier one; null when there is none, or entries are not counted.</summary>
    public ulong? Take(IpFamily family, int slot, ulong creation, in EntryHits? hits)
    {
        if (hits is not { } counted)
        {
            return null;
        }

        _next?.Set(family, slot, (uint)counted.Packets);
        if (_base is null)
        {
            return null;
        }

        // An entry that was created since, or whose slot had another one, started from zero.
        uint grown = (uint)counted.Packets - _base.Get(family, slot);
        return creation > _base.Second || grown > int.MaxValue ? counted.Packets : grown;
    }

    public void End()
    {
        if (_next is not null)
        {
            (_older, _newer, _next) = (_newer, _next, null);
        }
    }

    /// <param name="second">Seconds since 1970.</param>
    private sealed class Sample(long at, ulong second)
    {
        private readonly uint[][] _counts = [[], []];

        public long At => at;

        public ulong Second => second;

        public uint Get(IpFamily family, int slot) => slot < _counts[(int)family].Length ? _counts[(int)family][slot] : 0;

        public void Set(IpFamily family, int slot, uint count)
        {
            ref uint[] counts = ref _counts[(int)family];
            if (slot >= counts.Length)
            {
                Array.Resize(ref counts, Math.Max(1024, slot + 1 + (slot / 4)));
            }

            counts[slot] = count;
        }
    }
}
