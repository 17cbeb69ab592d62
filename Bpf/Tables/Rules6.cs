using System.Runtime.InteropServices;
using Couic.Native;
using Couic.Store;

namespace Couic.Bpf.Tables;

/// <summary>IPv6 rules by exact prefix, in buckets of two cache lines; otherwise as <see cref="Rules4"/>.</summary>
internal sealed class Rules6(MappedMemory lines, uint firstLine, uint buckets)
{
    private const int WordsPerLine = Layout.CacheLineSize / sizeof(ulong);
    private const int HalvesPerLine = Layout.CacheLineSize / sizeof(uint);
    private const uint Flags = Layout.Displaced6 | Layout.Overflow6;

    private readonly BitCounts _displaced = new();
    private readonly BitCounts _overflow = new();

    /// <summary>As <see cref="Rules4.EnsureMapped"/>.</summary>
    public Errno EnsureMapped(in Key6 key) => EnsureBucketMapped(key, 0);

    /// <summary>As <see cref="Rules4.Prefetch"/>.</summary>
    public void Prefetch(in Key6 key)
    {
        Span<uint> bucket = Bucket(key, 0);
        Native.Prefetch.Line(ref bucket[0]);
        Native.Prefetch.Line(ref bucket[HalvesPerLine]);
    }

    /// <summary>Whether a new rule would find a free slot.</summary>
    public bool HasFreeSlot(in Key6 key) => TryFindFree(key, out _, out _);

    /// <summary>Adds a rule, whose bucket is mapped, or replaces an existing one.</summary>
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
                Count(key, _displaced, Layout.Displaced6, up: true);
            }

            Write(Bucket(key, choice), slot, key, rule);
        }
        else if (isNew)
        {
            Count(key, _overflow, Layout.Overflow6, up: true);
        }
    }

    /// <summary>Removes a rule that was set.</summary>
    public void Remove(in Key6 key)
    {
        if (!TryFind(key, out int choice, out int slot))
        {
            Count(key, _overflow, Layout.Overflow6, up: false);
            return;
        }

        Volatile.Write(ref Bucket(key, choice)[HalvesPerLine + slot], 0);
        if (choice > 0)
        {
            Count(key, _displaced, Layout.Displaced6, up: false);
        }
    }

    /// <summary>Reads the hits of a rule; false for one without a slot.</summary>
    public bool TryReadHit(in Key6 key, out ulong hit)
    {
        bool found = TryFind(key, out int choice, out int slot);
        hit = found ? Volatile.Read(ref Words(Bucket(key, choice))[WordsPerLine + Layout.Bucket6Hits + slot]) : 0;
        return found;
    }

    /// <summary>An address is two words: a reader that sees the sequence number change, or odd, falls back to the trie.</summary>
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

    private Errno EnsureBucketMapped(in Key6 key, int choice) => lines.EnsureMapped(Line(key, choice) * Layout.CacheLineSize, Layout.Bucket6Lines * Layout.CacheLineSize);

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

            if (choice == 0 && (bucket[HalvesPerLine + Layout.Bucket6State] & Layout.Displaced6) == 0)
            {
                break; // no rule of this bucket is displaced
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

/// <summary>The key of an IPv6 prefix longer than /28; couic.h defines it.</summary>
/// <param name="Kind">Already shifted into place, above a rule.</param>
internal readonly record struct Key6(ulong High, ulong Low, uint Kind)
{
    /// <summary>Spread over buckets by its upper bits.</summary>
    public ulong Hash => High ^ unchecked(Low * 0xff51afd7ed558ccdul) ^ (Low >> 29);

    public static Key6 Of(Cidr cidr)
    {
        if (cidr.Length <= 64)
        {
            return new Key6(cidr.High, 1ul << (64 - cidr.Length), Layout.KindShort << Layout.KindShift);
        }

        return cidr.Length == 128
            ? new Key6(cidr.High, cidr.Low, Layout.KindHost << Layout.KindShift)
            : new Key6(cidr.High, cidr.Low | (1ul << (127 - cidr.Length)), Layout.KindLong << Layout.KindShift);
    }
}
