using Couic.Native;

namespace Couic.Bpf.Tables;

/// <summary>
/// IPv4 rules by exact prefix, in buckets of one cache line. A rule never moves, so a reader finds it in one pass. A rule that finds no
/// free slot is only in the trie, and a bit in its first bucket sends readers there.
/// </summary>
internal sealed class Rules4(MappedMemory lines, uint firstLine, uint buckets)
{
    private const int WordsPerLine = Layout.CacheLineSize / sizeof(ulong);
    private const ulong KeyBits = Layout.Key4;
    private const ulong Displaced = 1ul << Layout.Displaced4Shift;
    private const ulong Overflow = 1ul << Layout.Overflow4Shift;

    /// <summary>By first bucket: rules that are in another one.</summary>
    private readonly BitCounts _displaced = new();

    /// <summary>By first bucket: rules that are in none.</summary>
    private readonly BitCounts _overflow = new();
    private readonly HashSet<ulong> _overflowed = [];

    /// <summary>A prefix, a one, and zeros.</summary>
    public static ulong Key(uint address, int length)
    {
        ulong size = 1ul << (32 - length);
        return (((ulong)address << 1) & ~((size << 1) - 1)) | size;
    }

    /// <summary>Maps the first bucket of a rule, whose bits may have to change wherever the rule is.</summary>
    public Errno EnsureMapped(ulong key) => EnsureBucketMapped(TableHash.Bucket(key, 0, buckets));

    /// <summary>Prefetches the first bucket of a rule.</summary>
    public void Prefetch(ulong key)
    {
        uint bucket = TableHash.Bucket(key, 0, buckets);
        Native.Prefetch.Line(ref lines.As<ulong>()[Place(bucket)]);
    }

    /// <summary>Whether a new rule would find a free slot.</summary>
    public bool HasFreeSlot(ulong key) => FindFree(lines.As<ulong>(), key, out _) >= 0;

    /// <summary>Adds a rule, whose bucket is mapped, or replaces an existing one.</summary>
    public void Set(ulong key, uint rule, bool isNew)
    {
        Span<ulong> words = lines.As<ulong>();
        int place = Find(words, key, out _);
        if (place < 0 && isNew)
        {
            // The bucket's bits are set before the word: a reader that misses in the first bucket must know to try the next.
            place = FindFree(words, key, out int choice);
            if (place < 0)
            {
                _overflowed.Add(key);
                Count(words, key, _overflow, Overflow, up: true);
                return;
            }

            if (choice > 0)
            {
                Count(words, key, _displaced, Displaced, up: true);
            }

            words[place + 1] = 0;
        }

        if (place >= 0)
        {
            Write(words, place, ((ulong)rule << Layout.Rule4Shift) | key);
        }
    }

    public void Remove(ulong key)
    {
        Span<ulong> words = lines.As<ulong>();
        int place = Find(words, key, out int choice);
        if (place >= 0)
        {
            Write(words, place, 0);
            if (choice > 0)
            {
                Count(words, key, _displaced, Displaced, up: false);
            }
        }
        else if (_overflowed.Remove(key))
        {
            Count(words, key, _overflow, Overflow, up: false);
        }
    }

    /// <summary>Reads the hits of a rule; false for one without a slot.</summary>
    public bool TryReadHit(ulong key, out ulong hit)
    {
        Span<ulong> words = lines.As<ulong>();
        int place = Find(words, key, out _);
        hit = place < 0 ? 0 : Volatile.Read(ref words[place + 1]);
        return place >= 0;
    }

    /// <summary>Writes a word and keeps the bits of the bucket.</summary>
    private static void Write(Span<ulong> words, int place, ulong word) =>
        Volatile.Write(ref words[place], (words[place] & (Displaced | Overflow)) | word);

    private void Count(Span<ulong> words, ulong key, BitCounts counts, ulong bit, bool up)
    {
        uint bucket = TableHash.Bucket(key, 0, buckets);
        ref ulong first = ref words[Place(bucket)];
        if (up && counts.Increment(bucket) == 1)
        {
            Volatile.Write(ref first, first | bit);
        }
        else if (!up && counts.Decrement(bucket) == 0)
        {
            Volatile.Write(ref first, first & ~bit);
        }
    }

    private Errno EnsureBucketMapped(uint bucket) => lines.EnsureMapped((firstLine + (long)bucket) * Layout.CacheLineSize, Layout.CacheLineSize);

    /// <summary>The first word of a bucket.</summary>
    private int Place(uint bucket) => (int)(firstLine + bucket) * WordsPerLine;

    private int Find(Span<ulong> words, ulong key, out int choice)
    {
        for (choice = 0; choice < Layout.Probes; choice++)
        {
            int place = Place(TableHash.Bucket(key, choice, buckets));
            for (int i = 0; i < Layout.Slots; i++)
            {
                if ((words[place + (2 * i)] & KeyBits) == key)
                {
                    return place + (2 * i);
                }
            }

            if (choice == 0 && (words[place] & Displaced) == 0)
            {
                break; // no rule of this bucket is displaced
            }
        }

        return -1;
    }

    /// <summary>A bucket that the kernel cannot map counts as full.</summary>
    private int FindFree(Span<ulong> words, ulong key, out int choice)
    {
        for (choice = 0; choice < Layout.Probes; choice++)
        {
            uint bucket = TableHash.Bucket(key, choice, buckets);
            int place = Place(bucket);
            for (int i = 0; i < Layout.Slots; i++)
            {
                if ((words[place + (2 * i)] & KeyBits) == 0 && EnsureBucketMapped(bucket) == Errno.None)
                {
                    return place + (2 * i);
                }
            }
        }

        return -1;
    }
}
