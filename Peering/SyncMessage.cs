using System.Buffers;
using System.Buffers.Binary;
using Couic.Store;

namespace Couic.Peering;

internal enum SyncKind : byte
{
    /// <summary>Who are you, and do we hold the same? Answered with the sums of the branches when not.</summary>
    Hello = 1,

    /// <summary>The sums of the leaves of some branches.</summary>
    Branches = 2,

    /// <summary>The records of some leaves.</summary>
    Leaves = 3,

    /// <summary>The sums of the parts of one crowded leaf (<see cref="KeyedParts"/>).</summary>
    PartSums = 4,

    /// <summary>The records of some parts of one leaf.</summary>
    Parts = 5,
}

/// <summary>
/// The head of a hello and of its answer. All numbers are big-endian.
/// </summary>
/// <param name="WallClock">Milliseconds since 1970 by the sender's clock.</param>
/// <param name="Queued">Records that the sender has yet to send to the other.</param>
/// <param name="Mark">In an answer: names this moment. In a request: the mark of the last comparison that was completed.</param>
/// <param name="MarkNode">In a request: whose mark it is.</param>
/// <param name="Key">In a request: what the receiver has to show to be told of the sender's rules. 0 for nothing.</param>
internal readonly record struct SyncHead(
    ulong Node, long WallClock, ulong Time, ulong Root, uint Live, uint Queued, long Mark, ulong MarkNode, ulong Key = 0)
{
    public const int Size = 64;

    public void Write(Span<byte> to)
    {
        BinaryPrimitives.WriteUInt64BigEndian(to, Node);
        BinaryPrimitives.WriteInt64BigEndian(to[8..], WallClock);
        BinaryPrimitives.WriteUInt64BigEndian(to[16..], Time);
        BinaryPrimitives.WriteUInt64BigEndian(to[24..], Root);
        BinaryPrimitives.WriteUInt32BigEndian(to[32..], Live);
        BinaryPrimitives.WriteUInt32BigEndian(to[36..], Queued);
        BinaryPrimitives.WriteInt64BigEndian(to[40..], Mark);
        BinaryPrimitives.WriteUInt64BigEndian(to[48..], MarkNode);
        BinaryPrimitives.WriteUInt64BigEndian(to[56..], Key);
    }

    public static SyncHead Read(ReadOnlySpan<byte> from) => new(
        BinaryPrimitives.ReadUInt64BigEndian(from),
        BinaryPrimitives.ReadInt64BigEndian(from[8..]),
        BinaryPrimitives.ReadUInt64BigEndian(from[16..]),
        BinaryPrimitives.ReadUInt64BigEndian(from[24..]),
        BinaryPrimitives.ReadUInt32BigEndian(from[32..]),
        BinaryPrimitives.ReadUInt32BigEndian(from[36..]),
        BinaryPrimitives.ReadInt64BigEndian(from[40..]),
        BinaryPrimitives.ReadUInt64BigEndian(from[48..]),
        BinaryPrimitives.ReadUInt64BigEndian(from[56..]));
}

/// <summary>A run of leaves, or of parts of a leaf.</summary>
internal readonly record struct LeafRange(int First, int Count);

/// <summary>A leaf that has too many records for one answer, and the key by which it is divided.</summary>
internal readonly record struct CrowdedLeaf(int Leaf, ulong PartKey);

/// <summary>
/// The bodies of <c>POST /v1/{policy}/peer/sync</c>: two bytes (version, kind), then what the kind needs; a question about
/// rules shows the key first that the other side has told in its greetings. Reading returns false for anything that is not
/// exactly such a message.
/// </summary>
internal static class SyncMessage
{
    public const byte Version = 1;

    /// <summary>Version, kind, key.</summary>
    private const int QuestionHead = 2 + 8;

    /// <summary>Behind the head of a question: a leaf and the key of its parts.</summary>
    private const int PartsHead = QuestionHead + 2 + 8;

    /// <summary>An answer with records ends after the leaf or part that takes it past this many bytes; the rest is asked for again.</summary>
    public const int TargetBytes = 512 * 1024;

    /// <summary>A leaf with more records is asked for in parts, so that no answer grows with what a peer has put into one leaf.</summary>
    public const int MaxLeafRecords = 4_096;

    /// <summary>No answer is larger: the sums of all branches take 512 KiB, records about a megabyte.</summary>
    public const int MaxAnswerBytes = 4 * 1024 * 1024;

    /// <summary>The most that a request can hold: all leaves as single runs.</summary>
    public const int MaxRequestBytes = 16 + (4 * DigestTree.Leaves);

    public static byte[] Hello(in SyncHead head)
    {
        var body = new byte[2 + SyncHead.Size];
        WriteStart(body, SyncKind.Hello);
        head.Write(body.AsSpan(2));
        return body;
    }

    public static byte[] AskBranches(ulong key, IReadOnlyList<int> branches)
    {
        byte[] body = Question(SyncKind.Branches, key, 2 * branches.Count);
        for (int i = 0; i < branches.Count; i++)
        {
            BinaryPrimitives.WriteUInt16BigEndian(body.AsSpan(QuestionHead + (2 * i)), (ushort)branches[i]);
        }

        return body;
    }

    public static byte[] AskLeaves(ulong key, IReadOnlyList<LeafRange> ranges)
    {
        byte[] body = Question(SyncKind.Leaves, key, 4 * ranges.Count);
        WriteRuns(body.AsSpan(QuestionHead), ranges);
        return body;
    }

    public static byte[] AskPartSums(ulong key, CrowdedLeaf leaf) => AskParts(SyncKind.PartSums, key, leaf, []);

    public static byte[] AskParts(ulong key, CrowdedLeaf leaf, IReadOnlyList<LeafRange> parts) => AskParts(SyncKind.Parts, key, leaf, parts);

    /// <param name="body">Its key was read.</param>
    public static bool TryReadCrowdedLeaf(ReadOnlySpan<byte> body, out CrowdedLeaf leaf)
    {
        leaf = body.Length < PartsHead ? default : new CrowdedLeaf(
            BinaryPrimitives.ReadUInt16BigEndian(body[QuestionHead..]), BinaryPrimitives.ReadUInt64BigEndian(body[(QuestionHead + 2)..]));
        return body.Length >= PartsHead;
    }

    /// <param name="body">Its leaf was read.</param>
    public static bool TryReadParts(ReadOnlySpan<byte> body, List<LeafRange> parts) => TryReadRuns(body[PartsHead..], KeyedParts.Count, parts);

    public static void WritePartSums(IBufferWriter<byte> output, ReadOnlySpan<ulong> sums)
    {
        WriteStart(output.GetSpan(2), SyncKind.PartSums);
        output.Advance(2);
        WriteLeafSums(output, sums);
    }

    public static bool TryReadPartSums(ReadOnlySpan<byte> body, Span<ulong> sums)
    {
        bool good = TryReadKind(body, out SyncKind kind) && kind == SyncKind.PartSums && body.Length == 2 + (8 * KeyedParts.Count);
        if (good)
        {
            ReadSums(body[2..], sums);
        }

        return good;
    }

    private static byte[] AskParts(SyncKind kind, ulong key, CrowdedLeaf leaf, IReadOnlyList<LeafRange> parts)
    {
        byte[] body = Question(kind, key, PartsHead - QuestionHead + (4 * parts.Count));
        BinaryPrimitives.WriteUInt16BigEndian(body.AsSpan(QuestionHead), (ushort)leaf.Leaf);
        BinaryPrimitives.WriteUInt64BigEndian(body.AsSpan(QuestionHead + 2), leaf.PartKey);
        WriteRuns(body.AsSpan(PartsHead), parts);
        return body;
    }

    public static bool TryReadKind(ReadOnlySpan<byte> body, out SyncKind kind)
    {
        kind = body.Length >= 2 ? (SyncKind)body[1] : default;
        return body.Length >= 2 && body[0] == Version && kind is >= SyncKind.Hello and <= SyncKind.Parts;
    }

    public static bool TryReadHello(ReadOnlySpan<byte> body, out SyncHead head)
    {
        bool good = body.Length == 2 + SyncHead.Size && IsSane(SyncHead.Read(body[2..]));
        head = good ? SyncHead.Read(body[2..]) : default;
        return good;
    }

    /// <summary>The key of a question about rules.</summary>
    public static bool TryReadKey(ReadOnlySpan<byte> body, out ulong key)
    {
        bool good = body.Length >= QuestionHead;
        key = good ? BinaryPrimitives.ReadUInt64BigEndian(body[2..]) : 0;
        return good;
    }

    /// <param name="body">Its key was read.</param>
    public static bool TryReadBranchIds(ReadOnlySpan<byte> body, List<int> branches)
    {
        ReadOnlySpan<byte> ids = body[QuestionHead..];
        for (int i = 0; i + 2 <= ids.Length; i += 2)
        {
            branches.Add(BinaryPrimitives.ReadUInt16BigEndian(ids[i..]));
        }

        return ids.Length % 2 == 0 && branches.Count is > 0 and <= DigestTree.Branches && branches.TrueForAll(b => b < DigestTree.Branches);
    }

    /// <param name="body">Its key was read.</param>
    public static bool TryReadRanges(ReadOnlySpan<byte> body, List<LeafRange> ranges) => TryReadRuns(body[QuestionHead..], DigestTree.Leaves, ranges);

    /// <param name="end">One past the last number there is.</param>
    private static bool TryReadRuns(ReadOnlySpan<byte> items, int end, List<LeafRange> ranges)
    {
        int last = -1;
        for (int i = 0; i + 4 <= items.Length; i += 4)
        {
            var range = new LeafRange(
                BinaryPrimitives.ReadUInt16BigEndian(items[i..]), BinaryPrimitives.ReadUInt16BigEndian(items[(i + 2)..]) + 1);
            if (range.First <= last || range.First + range.Count > end)
            {
                return false; // ascending, so that each leaf is read once at most
            }

            last = range.First + range.Count - 1;
            ranges.Add(range);
        }

        return items.Length % 4 == 0 && ranges.Count > 0;
    }

    private static void WriteRuns(Span<byte> to, IReadOnlyList<LeafRange> ranges)
    {
        for (int i = 0; i < ranges.Count; i++)
        {
            BinaryPrimitives.WriteUInt16BigEndian(to[(4 * i)..], (ushort)ranges[i].First);
            BinaryPrimitives.WriteUInt16BigEndian(to[((4 * i) + 2)..], (ushort)(ranges[i].Count - 1));
        }
    }

    /// <summary>An answer to a hello: the head, and the branches' sums if the roots differ.</summary>
    public static void WriteHelloAnswer(IBufferWriter<byte> output, in SyncHead head, ReadOnlySpan<ulong> branchSums)
    {
        Span<byte> body = output.GetSpan(2 + SyncHead.Size + (8 * branchSums.Length));
        WriteStart(body, SyncKind.Hello);
        head.Write(body[2..]);
        WriteSums(body[(2 + SyncHead.Size)..], branchSums);
        output.Advance(2 + SyncHead.Size + (8 * branchSums.Length));
    }

    /// <param name="sums">Filled with the branches' sums when the answer has them.</param>
    public static bool TryReadHelloAnswer(ReadOnlySpan<byte> body, out SyncHead head, Span<ulong> sums, out bool hasSums)
    {
        const int Short = 2 + SyncHead.Size;
        head = default;
        hasSums = body.Length == Short + (8 * DigestTree.Branches);
        if (!TryReadKind(body, out SyncKind kind) || kind != SyncKind.Hello || (body.Length != Short && !hasSums))
        {
            return false;
        }

        head = SyncHead.Read(body[2..]);
        if (hasSums)
        {
            ReadSums(body[Short..], sums);
        }

        return IsSane(head);
    }

    public static void WriteBranchAnswerStart(IBufferWriter<byte> output)
    {
        WriteStart(output.GetSpan(2), SyncKind.Branches);
        output.Advance(2);
    }

    public static void WriteLeafSums(IBufferWriter<byte> output, ReadOnlySpan<ulong> sums)
    {
        WriteSums(output.GetSpan(8 * sums.Length), sums);
        output.Advance(8 * sums.Length);
    }

    /// <param name="asked">How many branches were asked for.</param>
    public static bool TryReadBranchAnswer(ReadOnlySpan<byte> body, int asked, out ulong[] sums)
    {
        sums = [];
        if (!TryReadKind(body, out SyncKind kind) || kind != SyncKind.Branches
            || body.Length != 2 + (8 * asked * DigestTree.LeavesPerBranch))
        {
            return false;
        }

        sums = new ulong[asked * DigestTree.LeavesPerBranch];
        ReadSums(body[2..], sums);
        return true;
    }

    private static byte[] Question(SyncKind kind, ulong key, int bytes)
    {
        var body = new byte[QuestionHead + bytes];
        WriteStart(body, kind);
        BinaryPrimitives.WriteUInt64BigEndian(body.AsSpan(2), key);
        return body;
    }

    public static void WriteStart(Span<byte> body, SyncKind kind)
    {
        body[0] = Version;
        body[1] = (byte)kind;
    }

    private static bool IsSane(in SyncHead head) => head.Time <= HybridClock.MaxTime && head.WallClock is >= 0 and < 253_402_300_800_000;

    private static void WriteSums(Span<byte> to, ReadOnlySpan<ulong> sums)
    {
        for (int i = 0; i < sums.Length; i++)
        {
            BinaryPrimitives.WriteUInt64BigEndian(to[(8 * i)..], sums[i]);
        }
    }

    private static void ReadSums(ReadOnlySpan<byte> from, Span<ulong> sums)
    {
        for (int i = 0; i < sums.Length; i++)
        {
            sums[i] = BinaryPrimitives.ReadUInt64BigEndian(from[(8 * i)..]);
        }
    }
}
