using System.Buffers;
using System.Buffers.Binary;
using Couic.Store;

namespace Couic.Peering;

internal enum SyncKind : byte
{
    /// <summary>Exchanges node numbers and root hashes. The answer has the branch hashes when the roots differ.</summary>
    Hello = 1,

    /// <summary>The hashes of the leaves of some branches.</summary>
    Branches = 2,

    /// <summary>The records of some leaves.</summary>
    Leaves = 3,

    /// <summary>The hashes of the parts of one crowded leaf (<see cref="KeyedParts"/>).</summary>
    PartHashes = 4,

    /// <summary>The records of some parts of one leaf.</summary>
    Parts = 5,
}

/// <summary>
/// The head of a hello and of its answer. All numbers are big-endian.
/// </summary>
/// <param name="WallClock">Milliseconds since 1970 by the sender's clock.</param>
/// <param name="Queued">Changes that the sender has queued for the receiver.</param>
/// <param name="Mark">
/// In an answer: a timestamp of the answering node. In a request: the mark of the last completed comparison.
/// </param>
/// <param name="MarkNode">In a request: the node that issued the mark.</param>
/// <param name="Key">
/// In a request: the key that the receiver needs for questions about the sender's rules; 0 for none. In an answer: <see cref="SyncFeatures"/>.
/// </param>
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

/// <summary>What a node knows beyond the wire format of couic 2.0. Nodes of 2.0 write 0 and do not read it.</summary>
[Flags]
internal enum SyncFeatures : ulong
{
    None = 0,

    /// <summary>It can be asked for records with reasons.</summary>
    Reasons = 1,
}

/// <summary>A range of leaves, or of parts of a leaf.</summary>
internal readonly record struct LeafRange(int First, int Count);

/// <summary>A leaf with too many records for one answer, and the key that divides it.</summary>
internal readonly record struct CrowdedLeaf(int Leaf, ulong PartKey);

/// <summary>
/// The bodies of <c>POST /v1/{policy}/peer/sync</c>: two bytes (version, kind), then the content of the kind. A question about
/// rules starts with the key from the receiver's hello. Readers return false for anything that is not exactly such a message.
/// </summary>
internal static class SyncMessage
{
    public const byte Version = 1;

    /// <summary>Version of a question whose answer may have reasons; only for a node with <see cref="SyncFeatures.Reasons"/>.</summary>
    private const byte ReasonsVersion = 2;

    /// <summary>Version, kind, key.</summary>
    private const int QuestionHead = 2 + 8;

    /// <summary>After the head of a question: a leaf and the key of its parts.</summary>
    private const int PartsHead = QuestionHead + 2 + 8;

    /// <summary>
    /// Target size of an answer with records: it ends after the leaf or part that exceeds it; the requester asks for the rest.
    /// </summary>
    public const int TargetBytes = 512 * 1024;

    /// <summary>
    /// A leaf with more records is fetched in parts, so that a peer that fills one leaf cannot inflate an answer.
    /// </summary>
    public const int MaxLeafRecords = 4_096;

    /// <summary>Upper bound of an answer: all branch hashes take 512 KiB, records about 2 MiB.</summary>
    public const int MaxAnswerBytes = 4 * 1024 * 1024;

    /// <summary>Upper bound of a request: all leaves as single ranges.</summary>
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

    /// <param name="features">Those of the node that is asked.</param>
    public static byte[] AskLeaves(ulong key, IReadOnlyList<LeafRange> ranges, SyncFeatures features = SyncFeatures.None)
    {
        byte[] body = Question(SyncKind.Leaves, key, 4 * ranges.Count, features);
        WriteRuns(body.AsSpan(QuestionHead), ranges);
        return body;
    }

    public static byte[] AskPartHashes(ulong key, CrowdedLeaf leaf) => AskParts(SyncKind.PartHashes, key, leaf, []);

    /// <inheritdoc cref="AskLeaves"/>
    public static byte[] AskParts(ulong key, CrowdedLeaf leaf, IReadOnlyList<LeafRange> parts, SyncFeatures features = SyncFeatures.None) =>
        AskParts(SyncKind.Parts, key, leaf, parts, features);

    /// <param name="body">Its key was read.</param>
    public static bool TryReadCrowdedLeaf(ReadOnlySpan<byte> body, out CrowdedLeaf leaf)
    {
        leaf = body.Length < PartsHead ? default : new CrowdedLeaf(
            BinaryPrimitives.ReadUInt16BigEndian(body[QuestionHead..]), BinaryPrimitives.ReadUInt64BigEndian(body[(QuestionHead + 2)..]));
        return body.Length >= PartsHead;
    }

    /// <param name="body">Its leaf was read.</param>
    public static bool TryReadParts(ReadOnlySpan<byte> body, List<LeafRange> parts) => TryReadRuns(body[PartsHead..], KeyedParts.Count, parts);

    public static void WritePartHashes(IBufferWriter<byte> output, ReadOnlySpan<ulong> hashes)
    {
        WriteStart(output.GetSpan(2), SyncKind.PartHashes);
        output.Advance(2);
        WriteLeafHashes(output, hashes);
    }

    public static bool TryReadPartHashes(ReadOnlySpan<byte> body, Span<ulong> hashes)
    {
        bool good = TryReadKind(body, out SyncKind kind) && kind == SyncKind.PartHashes && body.Length == 2 + (8 * KeyedParts.Count);
        if (good)
        {
            ReadHashes(body[2..], hashes);
        }

        return good;
    }

    private static byte[] AskParts(SyncKind kind, ulong key, CrowdedLeaf leaf, IReadOnlyList<LeafRange> parts, SyncFeatures features = SyncFeatures.None)
    {
        byte[] body = Question(kind, key, PartsHead - QuestionHead + (4 * parts.Count), features);
        BinaryPrimitives.WriteUInt16BigEndian(body.AsSpan(QuestionHead), (ushort)leaf.Leaf);
        BinaryPrimitives.WriteUInt64BigEndian(body.AsSpan(QuestionHead + 2), leaf.PartKey);
        WriteRuns(body.AsSpan(PartsHead), parts);
        return body;
    }

    public static bool TryReadKind(ReadOnlySpan<byte> body, out SyncKind kind)
    {
        kind = body.Length >= 2 ? (SyncKind)body[1] : default;
        return body.Length >= 2 && kind is >= SyncKind.Hello and <= SyncKind.Parts && (body[0] == Version || WantsReasons(body));
    }

    /// <summary>Whether the answer to a question may have reasons.</summary>
    /// <param name="body">Two bytes or more.</param>
    public static bool WantsReasons(ReadOnlySpan<byte> body) => body[0] == ReasonsVersion && (SyncKind)body[1] is SyncKind.Leaves or SyncKind.Parts;

    public static bool TryReadHello(ReadOnlySpan<byte> body, out SyncHead head)
    {
        bool good = body.Length == 2 + SyncHead.Size && IsSane(SyncHead.Read(body[2..]));
        head = good ? SyncHead.Read(body[2..]) : default;
        return good;
    }

    /// <summary>Reads the key of a question about rules.</summary>
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

    /// <param name="end">One past the last valid number.</param>
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

    /// <summary>Writes the answer to a hello: the head, and the branch hashes if the roots differ.</summary>
    public static void WriteHelloAnswer(IBufferWriter<byte> output, in SyncHead head, ReadOnlySpan<ulong> branchHashes)
    {
        Span<byte> body = output.GetSpan(2 + SyncHead.Size + (8 * branchHashes.Length));
        WriteStart(body, SyncKind.Hello);
        head.Write(body[2..]);
        WriteHashes(body[(2 + SyncHead.Size)..], branchHashes);
        output.Advance(2 + SyncHead.Size + (8 * branchHashes.Length));
    }

    /// <param name="hashes">Receives the branch hashes when the answer has them.</param>
    public static bool TryReadHelloAnswer(ReadOnlySpan<byte> body, out SyncHead head, Span<ulong> hashes, out bool hasHashes)
    {
        const int Short = 2 + SyncHead.Size;
        head = default;
        hasHashes = body.Length == Short + (8 * DigestTree.Branches);
        if (!TryReadKind(body, out SyncKind kind) || kind != SyncKind.Hello || (body.Length != Short && !hasHashes))
        {
            return false;
        }

        head = SyncHead.Read(body[2..]);
        if (hasHashes)
        {
            ReadHashes(body[Short..], hashes);
        }

        return IsSane(head);
    }

    public static void WriteBranchAnswerStart(IBufferWriter<byte> output)
    {
        WriteStart(output.GetSpan(2), SyncKind.Branches);
        output.Advance(2);
    }

    public static void WriteLeafHashes(IBufferWriter<byte> output, ReadOnlySpan<ulong> hashes)
    {
        WriteHashes(output.GetSpan(8 * hashes.Length), hashes);
        output.Advance(8 * hashes.Length);
    }

    /// <param name="asked">Number of requested branches.</param>
    public static bool TryReadBranchAnswer(ReadOnlySpan<byte> body, int asked, out ulong[] hashes)
    {
        hashes = [];
        if (!TryReadKind(body, out SyncKind kind) || kind != SyncKind.Branches
            || body.Length != 2 + (8 * asked * DigestTree.LeavesPerBranch))
        {
            return false;
        }

        hashes = new ulong[asked * DigestTree.LeavesPerBranch];
        ReadHashes(body[2..], hashes);
        return true;
    }

    private static byte[] Question(SyncKind kind, ulong key, int bytes, SyncFeatures features = SyncFeatures.None)
    {
        var body = new byte[QuestionHead + bytes];
        WriteStart(body, kind);
        body[0] = (features & SyncFeatures.Reasons) != 0 ? ReasonsVersion : Version;
        BinaryPrimitives.WriteUInt64BigEndian(body.AsSpan(2), key);
        return body;
    }

    public static void WriteStart(Span<byte> body, SyncKind kind)
    {
        body[0] = Version;
        body[1] = (byte)kind;
    }

    private static bool IsSane(in SyncHead head) => head.Time <= HybridClock.MaxTime && head.WallClock is >= 0 and < 253_402_300_800_000;

    private static void WriteHashes(Span<byte> to, ReadOnlySpan<ulong> hashes)
    {
        for (int i = 0; i < hashes.Length; i++)
        {
            BinaryPrimitives.WriteUInt64BigEndian(to[(8 * i)..], hashes[i]);
        }
    }

    private static void ReadHashes(ReadOnlySpan<byte> from, Span<ulong> hashes)
    {
        for (int i = 0; i < hashes.Length; i++)
        {
            hashes[i] = BinaryPrimitives.ReadUInt64BigEndian(from[(8 * i)..]);
        }
    }
}

/// <summary>
/// An answer with the records of leaves or parts. It has the version, the kind, the next leaf or part (one past the last if all
/// were read; with <see cref="Crowded"/> if that leaf must be fetched in parts), the wall clock, and records as <see
/// cref="RegisterCodec"/> writes them.
/// </summary>
internal static class SyncRecords
{
    private const int HeadSize = 2 + 4 + 8;

    /// <summary>Flag in the number of a leaf with more than <see cref="SyncMessage.MaxLeafRecords"/> records.</summary>
    public const int Crowded = 1 << 20;

    public static void WriteHead(Span<byte> to, int nextLeaf, DateTimeOffset now, SyncKind kind = SyncKind.Leaves)
    {
        SyncMessage.WriteStart(to, kind);
        BinaryPrimitives.WriteInt32BigEndian(to[2..], nextLeaf);
        BinaryPrimitives.WriteInt64BigEndian(to[6..], now.ToUnixTimeMilliseconds());
    }

    public static int HeadBytes => HeadSize;

    /// <param name="nextLeaf">65,536 when the answer is complete.</param>
    public static bool TryRead(ReadOnlySpan<byte> body, out int nextLeaf, out DateTimeOffset writtenAt, List<RemoteChange> records) =>
        TryRead(body, SyncKind.Leaves, out nextLeaf, out _, out writtenAt, records);

    /// <param name="next">Leaf or part to continue from.</param>
    /// <param name="isCrowded">Whether that leaf has to be fetched in parts.</param>
    public static bool TryRead(
        ReadOnlySpan<byte> body, SyncKind wanted, out int next, out bool isCrowded, out DateTimeOffset writtenAt, List<RemoteChange> records)
    {
        next = 0;
        isCrowded = false;
        writtenAt = default;
        if (body.Length < HeadSize || !SyncMessage.TryReadKind(body, out SyncKind kind) || kind != wanted)
        {
            return false;
        }

        next = BinaryPrimitives.ReadInt32BigEndian(body[2..]);
        isCrowded = kind == SyncKind.Leaves && (next & Crowded) != 0;
        next &= isCrowded ? ~Crowded : ~0;
        long wall = BinaryPrimitives.ReadInt64BigEndian(body[6..]);
        if (next < 0 || next > (kind == SyncKind.Parts ? KeyedParts.Count : DigestTree.Leaves) - (isCrowded ? 1 : 0) || wall is < 0 or >= 253_402_300_800_000)
        {
            return false;
        }

        writtenAt = DateTimeOffset.FromUnixTimeMilliseconds(wall);
        for (ReadOnlySpan<byte> rest = body[HeadSize..]; !rest.IsEmpty;)
        {
            if (!RegisterCodec.TryRead(ref rest, out RemoteChange? record))
            {
                return false;
            }

            records.Add(record);
        }

        return true;
    }
}

/// <summary>The outcome of a sync message.</summary>
public enum SyncOutcome
{
    Answered,

    /// <summary>The body is not such a message, or the policy is not replicated here.</summary>
    Malformed,

    /// <summary>A question about rules without this node's key.</summary>
    Forbidden,

    /// <summary>The wall clock or the logical time of the sender is too far from the local one.</summary>
    ClockOff,
}
