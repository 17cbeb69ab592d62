using Couic.Native;

namespace Couic.Bpf.Tables;

/// <summary>IPv4 hosts in buckets of two cache lines. A host never moves while it is there, so a reader finds it in one pass.</summary>
internal sealed class Hosts4(MappedMemory lines, uint firstLine, uint buckets)
{
    private const int WordsPerLine = Layout.LineSize / sizeof(ulong);
    private const ulong Elsewhere = 1;
    private const ulong InTrie = 1ul << 32;

    /// <summary>Whether a new host would find a place.</summary>
    public bool HasRoom(uint address) => FindFree(lines.As<ulong>(), address, out _) >= 0;

    /// <summary>Adds a host, or replaces the rule of one that is there.</summary>
    public void Set(uint address, uint rule, bool isNew)
    {
        Span<ulong> words = lines.As<ulong>();
        ulong word = ((ulong)rule << 32) | address;
        int place = Find(words, address, out _);
        if (place >= 0)
        {
            Volatile.Write(ref words[place], word);
            return;
        }

        if (!isNew)
        {
            // It is among those that only the trie holds.
            return;
        }

        // The state comes before the word: a reader that does not find the host in its first choice must know to go on.
        ref ulong state = ref words[Place(address, 0) + Layout.Hosts4];
        place = FindFree(words, address, out int choice);
        if (place < 0 || choice > 0)
        {
            Volatile.Write(ref state, state + (place < 0 ? InTrie : Elsewhere));
        }

        if (place >= 0)
        {
            words[place + WordsPerLine] = 0;
            Volatile.Write(ref words[place], word);
        }
    }

    public void Remove(uint address)
    {
        Span<ulong> words = lines.As<ulong>();
        ref ulong state = ref words[Place(address, 0) + Layout.Hosts4];
        int place = Find(words, address, out int choice);
        if (place >= 0)
        {
            Volatile.Write(ref words[place], 0);
        }

        if (place < 0 || choice > 0)
        {
            Volatile.Write(ref state, state - (place < 0 ? InTrie : Elsewhere));
        }
    }

    /// <summary>What the program has counted for a host; 0 for one that is not there.</summary>
    public ulong ReadHit(uint address)
    {
        Span<ulong> words = lines.As<ulong>();
        int place = Find(words, address, out _);
        return place < 0 ? 0 : Volatile.Read(ref words[place + WordsPerLine]);
    }

    /// <summary>The first word of a bucket, which may be written from here on.</summary>
    private int Place(uint address, int choice)
    {
        long line = firstLine + (Layout.BucketLines * HostHash.Bucket(address, choice, buckets));
        lines.Reach(line * Layout.LineSize, Layout.BucketLines * Layout.LineSize);
        return (int)line * WordsPerLine;
    }

    private int Find(Span<ulong> words, uint address, out int choice)
    {
        for (choice = 0; choice < Layout.Probes; choice++)
        {
            int place = Place(address, choice);
            for (int i = 0; i < Layout.Hosts4; i++)
            {
                if ((uint)words[place + i] == address && words[place + i] >> 32 != 0)
                {
                    return place + i;
                }
            }

            if (choice == 0 && (uint)words[place + Layout.Hosts4] == 0)
            {
                break; // none of this bucket's has gone elsewhere
            }
        }

        return -1;
    }

    private int FindFree(Span<ulong> words, uint address, out int choice)
    {
        for (choice = 0; choice < Layout.Probes; choice++)
        {
            int place = Place(address, choice);
            int free = words.Slice(place, Layout.Hosts4).IndexOf(0ul);
            if (free >= 0)
            {
                return place + free;
            }
        }

        return -1;
    }
}
