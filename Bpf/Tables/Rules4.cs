using Couic.Native;

namespace Couic.Bpf.Tables;

/// <summary>
/// IPv4 rules by exact prefix, in buckets of one cache line. A rule never moves while it is there, so a reader finds it in one
/// pass; what does not fit is left to the trie, to which a bit in its bucket sends who looks for it.
/// </summary>
internal sealed class Rules4(MappedMemory lines, uint firstLine, uint buckets)
{
    private const int WordsPerLine = Layout.LineSize / sizeof(ulong);
    private const ulong KeyBits = Layout.Key4;
    private const ulong Elsewhere = 1ul << Layout.Elsewhere4Shift;
    private const ulong InTrie = 1ul << Layout.InTrie4Shift;

    /// <summary>By bucket: rules whose first choice it was and which are in another one.</summary>
    private readonly BitCounts _elsewhere = new();

    /// <summary>By bucket: those which are in none.</summary>
    private readonly BitCounts _inTrie = new();
    private readonly HashSet<ulong> _placeless = [];

    /// <summary>A prefix, a one, and zeros.</summary>
    public static ulong Key(uint address, int length)
    {
        ulong size = 1ul << (32 - length);
        return (((ulong)address << 1) & ~((size << 1) - 1)) | size;
    }

    /// <summary>Makes ready to be changed what every rule needs: its first bucket, which may have to say that the rule is elsewhere.</summary>
    public Errno EnsureMapped(ulong key) => EnsureBucketMapped(TableHash.Bucket(key, 0, buckets));

    /// <summary>Brings near where a rule is looked for first.</summary>
    public void Prefetch(ulong key)
    {
        uint bucket = TableHash.Bucket(key, 0, buckets);
        Native.Prefetch.Line(ref lines.As<ulong>()[Place(bucket)]);
    }

    /// <summary>Whether a new rule would find a place.</summary>
    public bool HasFreeSlot(ulong key) => FindFree(lines.As<ulong>(), key, out _) >= 0;

    /// <summary>Adds a rule, which was reached, or replaces one that is there.</summary>
    public void Set(ulong key, uint rule, bool isNew)
    {
        Span<ulong> words = lines.As<ulong>();
        int place = Find(words, key, out _);
        if (place < 0 && isNew)
        {
            // The bucket's bits come before the word: who does not find it in its first choice must know to go on.
            place = FindFree(words, key, out int choice);
            if (place < 0)
            {
                _placeless.Add(key);
                Count(words, key, _inTrie, InTrie, up: true);
                return;
            }

            if (choice > 0)
            {
                Count(words, key, _elsewhere, Elsewhere, up: true);
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
                Count(words, key, _elsewhere, Elsewhere, up: false);
            }
        }
        else if (_placeless.Remove(key))
        {
            Count(words, key, _inTrie, InTrie, up: false);
        }
    }

    /// <summary>Reads what the program has counted for a rule; false for one that has no place.</summary>
    public bool TryReadHit(ulong key, out ulong hit)
    {
        Span<ulong> words = lines.As<ulong>();
        int place = Find(words, key, out _);
        hit = place < 0 ? 0 : Volatile.Read(ref words[place + 1]);
        return place >= 0;
    }

    /// <summary>Writes a word and leaves the bucket's bits as they are.</summary>
    private static void Write(Span<ulong> words, int place, ulong word) =>
        Volatile.Write(ref words[place], (words[place] & (Elsewhere | InTrie)) | word);

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

    private Errno EnsureBucketMapped(uint bucket) => lines.EnsureMapped((firstLine + (long)bucket) * Layout.LineSize, Layout.LineSize);

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

            if (choice == 0 && (words[place] & Elsewhere) == 0)
            {
                break; // none of this bucket's has gone elsewhere
            }
        }

        return -1;
    }

    /// <summary>A bucket that the kernel has no memory to map is as good as full.</summary>
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
