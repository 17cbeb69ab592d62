using System.Runtime.InteropServices;
using Couic.Native;

namespace Couic.Bpf.Tables;

/// <summary>IPv6 hosts in buckets of one cache line. What does not fit is left to the trie, which readers ask anyway.</summary>
internal sealed class Hosts6(MappedMemory lines, uint firstLine, uint buckets)
{
    private const int NodesPerLine = Layout.LineSize / sizeof(uint);
    private const uint Elsewhere = 1 << 16;

    /// <summary>Adds a host, or replaces the rule of one that is there.</summary>
    public void Set(ulong high, ulong low, uint rule, bool isNew)
    {
        uint hash = HostHash.Host6(high, low);
        if (TryFind(hash, high, low, out int choice, out int index))
        {
            Volatile.Write(ref Nodes(hash, choice)[Layout.Hosts6Rules + index], rule);
            return;
        }

        for (choice = 0; isNew && choice < Layout.Probes; choice++)
        {
            Span<uint> nodes = Nodes(hash, choice);
            index = nodes.Slice(Layout.Hosts6Rules, Layout.Hosts6).IndexOf(0u);
            if (index >= 0)
            {
                CountElsewhere(hash, choice, up: true);
                Write(nodes, index, high, low, rule);
                return;
            }
        }
    }

    public void Remove(ulong high, ulong low)
    {
        uint hash = HostHash.Host6(high, low);
        if (TryFind(hash, high, low, out int choice, out int index))
        {
            Volatile.Write(ref Nodes(hash, choice)[Layout.Hosts6Rules + index], 0);
            CountElsewhere(hash, choice, up: false);
        }
    }

    /// <summary>An address is two words: readers that see the sequence change, or odd, ask the trie.</summary>
    private static void Write(Span<uint> nodes, int index, ulong high, ulong low, uint rule)
    {
        ref uint state = ref nodes[Layout.Hosts6State];
        Volatile.Write(ref state, NextSequence(state));
        Interlocked.MemoryBarrier();
        Span<ulong> words = MemoryMarshal.Cast<uint, ulong>(nodes);
        words[2 * index] = high;
        words[(2 * index) + 1] = low;
        Volatile.Write(ref nodes[Layout.Hosts6Rules + index], rule);
        Volatile.Write(ref state, NextSequence(state));
    }

    private static uint NextSequence(uint state) => (state & 0xffff_0000) | ((state + 1) & 0xffff);

    private void CountElsewhere(uint hash, int choice, bool up)
    {
        ref uint state = ref Nodes(hash, 0)[Layout.Hosts6State];
        if (choice > 0 && state >> 16 != ushort.MaxValue)
        {
            Volatile.Write(ref state, up ? state + Elsewhere : state - Elsewhere);
        }
    }

    private Span<uint> Nodes(uint hash, int choice) =>
        lines.As<uint>().Slice((int)(firstLine + HostHash.Bucket(hash, choice, buckets)) * NodesPerLine, NodesPerLine);

    private bool TryFind(uint hash, ulong high, ulong low, out int choice, out int index)
    {
        index = 0;
        for (choice = 0; choice < Layout.Probes; choice++)
        {
            Span<uint> nodes = Nodes(hash, choice);
            Span<ulong> words = MemoryMarshal.Cast<uint, ulong>(nodes);
            for (index = 0; index < Layout.Hosts6; index++)
            {
                if (nodes[Layout.Hosts6Rules + index] != 0 && words[2 * index] == high && words[(2 * index) + 1] == low)
                {
                    return true;
                }
            }
        }

        return false;
    }
}
