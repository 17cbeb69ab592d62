using System.Runtime.InteropServices;
using Couic.Native;

namespace Couic.Bpf.Tables;

/// <summary>IPv6 rules by exact prefix, in buckets of two cache lines; otherwise as <see cref="Rules4"/>.</summary>
internal sealed class Rules6(MappedMemory lines, uint firstLine, uint buckets)
{
    private const int WordsPerLine = Layout.LineSize / sizeof(ulong);
    private const int HalvesPerLine = Layout.LineSize / sizeof(uint);
    private const uint Flags = Layout.Elsewhere6 | Layout.InTrie6;

    private readonly BitCounts _elsewhere = new();
    private readonly BitCounts _inTrie = new();

    /// <summary>As <see cref="Rules4.EnsureMapped"/>.</summary>
    public Errno EnsureMapped(in Key6 key) => EnsureBucketMapped(key, 0);

    /// <summary>As <see cref="Rules4.Prefetch"/>.</summary>
    public void Prefetch(in Key6 key)
    {
        Span<uint> bucket = Bucket(key, 0);
        Native.Prefetch.Line(ref bucket[0]);
        Native.Prefetch.Line(ref bucket[HalvesPerLine]);
    }

    /// <summary>Whether a new rule would find a place.</summary>
    public bool HasFreeSlot(in Key6 key) => TryFindFree(key, out _, out _);

    /// <summary>Adds a rule, which was reached, or replaces one that is there.</summary>
    public void Set(in Key6 key, uint rule, bool isNew)
    {
        if (TryFind(key, out int choice, out int slot))
        {
            Volatile.Write(ref Bucket(key, choice)[HalvesPerLine + slot], key.Kind | rule);
        }
        else if (isNew && TryFindFree(key, out choice, out slot))
        {
            if (choice > 0)
            {
                Count(key, _elsewhere, Layout.Elsewhere6, up: true);
            }

            Write(Bucket(key, choice), slot, key, rule);
        }
        else if (isNew)
        {
            Count(key, _inTrie, Layout.InTrie6, up: true);
        }
    }

    /// <summary>Removes a rule that was set.</summary>
    public void Remove(in Key6 key)
    {
        if (!TryFind(key, out int choice, out int slot))
        {
            Count(key, _inTrie, Layout.InTrie6, up: false);
            return;
        }

        Volatile.Write(ref Bucket(key, choice)[HalvesPerLine + slot], 0);
        if (choice > 0)
        {
            Count(key, _elsewhere, Layout.Elsewhere6, up: false);
        }
    }

    /// <summary>Reads what the program has counted for a rule; false for one that has no place.</summary>
    public bool TryReadHit(in Key6 key, out ulong hit)
    {
        bool found = TryFind(key, out int choice, out int slot);
        hit = found ? Volatile.Read(ref Words(Bucket(key, choice))[WordsPerLine + Layout.Bucket6Hits + slot]) : 0;
        return found;
    }

    /// <summary>An address is two words: readers that see the sequence change, or odd, ask the trie.</summary>
    private static void Write(Span<uint> bucket, int slot, in Key6 key, uint rule)
    {
        ref uint state = ref bucket[HalvesPerLine + Layout.Bucket6State];
        Volatile.Write(ref state, NextSequence(state));
        Interlocked.MemoryBarrier();
        Span<ulong> words = Words(bucket);
        words[2 * slot] = key.High;
        words[(2 * slot) + 1] = key.Low;
        words[WordsPerLine + Layout.Bucket6Hits + slot] = 0;
        Volatile.Write(ref bucket[HalvesPerLine + slot], key.Kind | rule);
        Volatile.Write(ref state, NextSequence(state));
    }

    private static uint NextSequence(uint state) => (state & Flags) | ((state + 1) & ~Flags);

    private static Span<ulong> Words(Span<uint> bucket) => MemoryMarshal.Cast<uint, ulong>(bucket);

    private void Count(in Key6 key, BitCounts counts, uint bit, bool up)
    {
        uint bucket = TableHash.Bucket(key.Hash, 0, buckets);
        ref uint state = ref Bucket(key, 0)[HalvesPerLine + Layout.Bucket6State];
        if (up && counts.Increment(bucket) == 1)
        {
            Volatile.Write(ref state, state | bit);
        }
        else if (!up && counts.Decrement(bucket) == 0)
        {
            Volatile.Write(ref state, state & ~bit);
        }
    }

    private long Line(in Key6 key, int choice) => firstLine + ((long)Layout.Bucket6Lines * TableHash.Bucket(key.Hash, choice, buckets));

    private Errno EnsureBucketMapped(in Key6 key, int choice) => lines.EnsureMapped(Line(key, choice) * Layout.LineSize, Layout.Bucket6Lines * Layout.LineSize);

    private Span<uint> Bucket(in Key6 key, int choice) =>
        lines.As<uint>().Slice((int)Line(key, choice) * HalvesPerLine, Layout.Bucket6Lines * HalvesPerLine);

    private bool TryFind(in Key6 key, out int choice, out int slot)
    {
        slot = 0;
        for (choice = 0; choice < Layout.Probes; choice++)
        {
            Span<uint> bucket = Bucket(key, choice);
            Span<ulong> words = Words(bucket);
            for (slot = 0; slot < Layout.Slots; slot++)
            {
                if ((bucket[HalvesPerLine + slot] & ~Layout.Rule) == key.Kind && words[2 * slot] == key.High && words[(2 * slot) + 1] == key.Low)
                {
                    return true;
                }
            }

            if (choice == 0 && (bucket[HalvesPerLine + Layout.Bucket6State] & Layout.Elsewhere6) == 0)
            {
                break; // none of this bucket's has gone elsewhere
            }
        }

        return false;
    }

    private bool TryFindFree(in Key6 key, out int choice, out int slot)
    {
        slot = -1;
        for (choice = 0; choice < Layout.Probes && slot < 0; choice++)
        {
            int free = Bucket(key, choice).Slice(HalvesPerLine, Layout.Slots).IndexOf(0u);
            slot = free >= 0 && EnsureBucketMapped(key, choice) == Errno.None ? free : -1;
        }

        choice--;
        return slot >= 0;
    }
}
