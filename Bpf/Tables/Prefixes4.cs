using Couic.Native;

namespace Couic.Bpf.Tables;

/// <summary>
/// IPv4 prefixes up to /31: a root of one node a block, below it lines of 16 nodes, four address bits a step. A node says the
/// longest prefix that covers all of its block, or leads to a line; so a reader sees each change in one word. Where lines
/// run out, a node sends its readers to the trie.
/// </summary>
/// <param name="covering">The node of the longest prefix up to a length that covers an address, by the trie; 0 for none.</param>
internal sealed class Prefixes4(MappedMemory lines, Region4 region, Func<uint, int, uint> covering)
{
    private const int NodesPerLine = 16;
    private const int StepBits = 4;

    private readonly LinePool _pool = new(region.InnerLines);
    private readonly Dictionary<int, int> _behindTrieNodes = [];
    private readonly int _topBits = (int)region.TopBits;

    private Span<uint> Nodes => lines.As<uint>();

    /// <summary>Adds a prefix, or replaces the rule of one that is there.</summary>
    public void Set(uint address, int length, uint rule, bool isNew)
    {
        Span<uint> nodes = Nodes;
        uint leaf = TrieEntry.Value4(rule, length);
        int at = Top(address);
        int line = -1;
        int depth = _topBits;
        while (length > depth)
        {
            if (nodes[at] == Layout.NodeTrie || !TryOpen(nodes, at, line))
            {
                if (isNew)
                {
                    _behindTrieNodes[at] = _behindTrieNodes.GetValueOrDefault(at) + 1;
                }

                return;
            }

            line = (int)(nodes[at] & ~Layout.NodeLine);
            depth += StepBits;
            at = Inner(line, address, depth);
        }

        if (line >= 0 && isNew)
        {
            _pool.Enter(line);
        }

        for (int i = 0; i < 1 << (depth - length); i++)
        {
            Paint(nodes, at + i, length, leaf);
        }
    }

    /// <summary>Removes a prefix that the trie has already forgotten.</summary>
    /// <returns>Whether a shorter one still covers its block.</returns>
    public bool Remove(uint address, int length)
    {
        Span<uint> nodes = Nodes;
        uint below = length == 0 ? 0 : covering(address, length - 1);
        Span<int> path = stackalloc int[5];
        int steps = 0;
        int at = Top(address);
        int depth = _topBits;
        while (length > depth)
        {
            if (nodes[at] == Layout.NodeTrie)
            {
                LeaveTrieNode(nodes, at, address, depth, path[..steps]);
                return below != 0;
            }

            path[steps++] = at;
            depth += StepBits;
            at = Inner((int)(nodes[at] & ~Layout.NodeLine), address, depth);
        }

        for (int i = 0; i < 1 << (depth - length); i++)
        {
            Unpaint(nodes, at + i, length, below);
        }

        Leave(nodes, path[..steps]);
        return below != 0;
    }

    /// <summary>Whether any prefix up to /24 covers the block, as far as nodes can say.</summary>
    public bool Covers24(uint block)
    {
        Span<uint> nodes = Nodes;
        uint node = nodes[Top(block << 8)];
        for (int depth = _topBits + StepBits; (node & Layout.NodeLine) != 0 && depth <= 24; depth += StepBits)
        {
            node = nodes[Inner((int)(node & ~Layout.NodeLine), block << 8, depth)];
        }

        return node != 0;
    }

    private int Top(uint address) => (int)((region.Top * NodesPerLine) + (address >> (32 - _topBits)));

    private int Inner(int line, uint address, int depth) =>
        (int)((region.Inner + (uint)line) * NodesPerLine) + (int)((address >> (32 - depth)) & (NodesPerLine - 1));

    private int InnerStart(int line) => (int)((region.Inner + (uint)line) * NodesPerLine);

    /// <summary>Makes a node lead to a line. All of the line says what the node said before it is published.</summary>
    private bool TryOpen(Span<uint> nodes, int at, int parent)
    {
        if ((nodes[at] & Layout.NodeLine) != 0)
        {
            return true;
        }

        if (!_pool.TryTake(out int line))
        {
            Write(nodes, at, Layout.NodeTrie);
        }
        else
        {
            lines.Reach((long)InnerStart(line) * sizeof(uint), Layout.LineSize);
            nodes.Slice(InnerStart(line), NodesPerLine).Fill(nodes[at]);
            Write(nodes, at, Layout.NodeLine | (uint)line);
        }

        if (parent >= 0)
        {
            _pool.Enter(parent);
        }

        return line >= 0;
    }

    private void Paint(Span<uint> nodes, int at, int length, uint leaf)
    {
        uint node = nodes[at];
        if (node == Layout.NodeTrie)
        {
            return;
        }

        if ((node & Layout.NodeLine) != 0)
        {
            int start = InnerStart((int)(node & ~Layout.NodeLine));
            for (int i = 0; i < NodesPerLine; i++)
            {
                Paint(nodes, start + i, length, leaf);
            }
        }
        else if (node == 0 || LengthOf(node) <= length)
        {
            Write(nodes, at, leaf);
        }
    }

    private void Unpaint(Span<uint> nodes, int at, int length, uint below)
    {
        uint node = nodes[at];
        if (node is 0 or Layout.NodeTrie)
        {
            return;
        }

        if ((node & Layout.NodeLine) != 0)
        {
            int start = InnerStart((int)(node & ~Layout.NodeLine));
            for (int i = 0; i < NodesPerLine; i++)
            {
                Unpaint(nodes, start + i, length, below);
            }
        }
        else if (LengthOf(node) == length)
        {
            Write(nodes, at, below);
        }
    }

    /// <summary>A node whose last prefix has left the trie answers by itself again.</summary>
    private void LeaveTrieNode(Span<uint> nodes, int at, uint address, int depth, ReadOnlySpan<int> path)
    {
        if (--_behindTrieNodes[at] == 0)
        {
            _behindTrieNodes.Remove(at);
            Write(nodes, at, covering(address, depth));
            Leave(nodes, path);
        }
    }

    /// <summary>Counts down along a path; lines that hold nothing of their own go back to the pool, the deepest first.</summary>
    private void Leave(Span<uint> nodes, ReadOnlySpan<int> path)
    {
        for (int i = path.Length - 1; i >= 0; i--)
        {
            int line = (int)(nodes[path[i]] & ~Layout.NodeLine);
            if (!_pool.Leave(line))
            {
                return;
            }

            Write(nodes, path[i], nodes[InnerStart(line)]);
            _pool.Return(line);
        }
    }

    private void Write(Span<uint> nodes, int at, uint node)
    {
        lines.Reach((long)at * sizeof(uint), sizeof(uint));
        Volatile.Write(ref nodes[at], node);
    }

    private static int LengthOf(uint node) => (int)(node >> Layout.NodeLengthShift);
}
