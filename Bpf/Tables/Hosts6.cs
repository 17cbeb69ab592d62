using System.Runtime.InteropServices;
using Couic.Native;

namespace Couic.Bpf.Tables;

/// <summary>IPv6 hosts in buckets of two cache lines. What does not fit is left to the trie, which readers ask anyway.</summary>
internal sealed class Hosts6(MappedMemory lines, uint firstLine, uint buckets)
{
    private const int WordsPerLine = Layout.LineSize / sizeof(ulong);
    private const int NodesPerLine = Layout.LineSize / sizeof(uint);
    private const uint Elsewhere = 1 << 16;

    /// <summary>Whether a new host would find a place.</summary>
    public bool HasRoom(ulong high, ulong low)
    {
        uint hash = HostHash.Host6(high, low);
        for (int choice = 0; choice < Layout.Probes; choice++)
        {
            if (Bucket(hash, choice).Slice(NodesPerLine, Layout.Hosts6).Contains(0u))
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>Adds a host, or replaces the rule of one that is there.</summary>
    public void Set(ulong high, ulong low, uint rule, bool isNew)
    {
        uint hash = HostHash.Host6(high, low);
        if (TryFind(hash, high, low, out int choice, out int index))
        {
            Volatile.Write(ref Bucket(hash, choice)[NodesPerLine + index], rule);
            return;
        }

        for (choice = 0; isNew && choice < Layout.Probes; choice++)
        {
            Span<uint> bucket = Bucket(hash, choice);
            index = bucket.Slice(NodesPerLine, Layout.Hosts6).IndexOf(0u);
            if (index >= 0)
            {
                CountElsewhere(hash, choice, up: true);
                Write(bucket, index, high, low, rule);
                return;
            }
        }
    }

    public void Remove(ulong high, ulong low)
    {
        uint hash = HostHash.Host6(high, low);
        if (TryFind(hash, high, low, out int choice, out int index))
        {
            Volatile.Write(ref Bucket(hash, choice)[NodesPerLine + index], 0);
            CountElsewhere(hash, choice, up: false);
        }
    }

    /// <summary>What the program has counted for a host; 0 for one that is not there.</summary>
    public ulong ReadHit(ulong high, ulong low)
    {
        uint hash = HostHash.Host6(high, low);
        return TryFind(hash, high, low, out int choice, out int index)
            ? Volatile.Read(ref Words(Bucket(hash, choice))[WordsPerLine + Layout.Hosts6Hits + index])
            : 0;
    }

    /// <summary>An address is two words: readers that see the sequence change, or odd, ask the trie.</summary>
    private static void Write(Span<uint> bucket, int index, ulong high, ulong low, uint rule)
    {
        ref uint state = ref bucket[NodesPerLine + Layout.Hosts6State];
        Volatile.Write(ref state, NextSequence(state));
        Interlocked.MemoryBarrier();
        Span<ulong> words = Words(bucket);
        words[2 * index] = high;
        words[(2 * index) + 1] = low;
        words[WordsPerLine + Layout.Hosts6Hits + index] = 0;
        Volatile.Write(ref bucket[NodesPerLine + index], rule);
        Volatile.Write(ref state, NextSequence(state));
    }

    private static uint NextSequence(uint state) => (state & 0xffff_0000) | ((state + 1) & 0xffff);

    private static Span<ulong> Words(Span<uint> bucket) => MemoryMarshal.Cast<uint, ulong>(bucket);

    private void CountElsewhere(uint hash, int choice, bool up)
    {
        ref uint state = ref Bucket(hash, 0)[NodesPerLine + Layout.Hosts6State];
        if (choice > 0 && state >> 16 != ushort.MaxValue)
        {
            Volatile.Write(ref state, up ? state + Elsewhere : state - Elsewhere);
        }
    }

    private Span<uint> Bucket(uint hash, int choice)
    {
        long line = firstLine + (Layout.BucketLines * HostHash.Bucket(hash, choice, buckets));
        lines.Reach(line * Layout.LineSize, Layout.BucketLines * Layout.LineSize);
        return lines.As<uint>().Slice((int)line * NodesPerLine, Layout.BucketLines * NodesPerLine);
    }

    private bool TryFind(uint hash, ulong high, ulong low, out int choice, out int index)
    {
        index = 0;
        for (choice = 0; choice < Layout.Probes; choice++)
        {
            Span<uint> bucket = Bucket(hash, choice);
            Span<ulong> words = Words(bucket);
            for (index = 0; index < Layout.Hosts6; index++)
            {
                if (bucket[NodesPerLine + index] != 0 && words[2 * index] == high && words[(2 * index) + 1] == low)
                {
                    return true;
                }
            }

            if (choice == 0 && bucket[NodesPerLine + Layout.Hosts6State] >> 16 == 0)
            {
                break; // none of this bucket's has gone elsewhere
            }
        }

        return false;
    }
}
