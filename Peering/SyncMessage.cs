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
/// <param name="Key">In a request: the key that the receiver needs for questions about the sender's rules; 0 for none.</param>
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

    /// <summary>Upper bound of an answer: all branch hashes take 512 KiB, records about 1 MiB.</summary>
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

    public static byte[] AskLeaves(ulong key, IReadOnlyList<LeafRange> ranges)
    {
        byte[] body = Question(SyncKind.Leaves, key, 4 * ranges.Count);
        WriteRuns(body.AsSpan(QuestionHead), ranges);
        return body;
    }

    public static byte[] AskPartHashes(ulong key, CrowdedLeaf leaf) => AskParts(SyncKind.PartHashes, key, leaf, []);

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
/// were read; with <see cref="Crowded"/> if that leaf must be fetched in parts) and the wall clock. Each record has flags (0–1
/// state, 2 IPv6, 3 tagged, 4 expires), length, address, version, node, and as flagged: tag with its length, expiration and
/// milliseconds left.
/// </summary>
internal static class SyncRecords
{
    private const int HeadSize = 2 + 4 + 8;
    private const int MaxRecordSize = 2 + 16 + 16 + 1 + TagRule.MaxBytes + 16;
    private const byte V6 = 4, Tagged = 8, Expires = 16;

    /// <summary>Flag in the number of a leaf with more than <see cref="SyncMessage.MaxLeafRecords"/> records.</summary>
    public const int Crowded = 1 << 20;

    public static void WriteHead(Span<byte> to, int nextLeaf, DateTimeOffset now, SyncKind kind = SyncKind.Leaves)
    {
        SyncMessage.WriteStart(to, kind);
        BinaryPrimitives.WriteInt32BigEndian(to[2..], nextLeaf);
        BinaryPrimitives.WriteInt64BigEndian(to[6..], now.ToUnixTimeMilliseconds());
    }

    public static int HeadBytes => HeadSize;

    public static void Write(IBufferWriter<byte> output, in OutgoingJob record)
    {
        Span<byte> to = output.GetSpan(MaxRecordSize);
        bool live = record.State == RegisterState.Live;
        ReadOnlySpan<byte> tag = live ? record.Tag.Span : default;
        bool expires = live && record.Expiration != 0;
        to[0] = (byte)((int)record.State | (record.Cidr.Family == IpFamily.V6 ? V6 : 0) | (tag.IsEmpty ? 0 : Tagged) | (expires ? Expires : 0));
        to[1] = record.Cidr.Length;
        int n = 2 + record.Cidr.WriteAddress(to[2..]);
        BinaryPrimitives.WriteUInt64BigEndian(to[n..], record.Version.Time);
        BinaryPrimitives.WriteUInt64BigEndian(to[(n + 8)..], record.Version.Node);
        n += 16;
        if (!tag.IsEmpty)
        {
            to[n++] = (byte)tag.Length;
            tag.CopyTo(to[n..]);
            n += tag.Length;
        }

        if (expires)
        {
            // Without a remaining time it expires after the last representable date; its expiration alone says so.
            long left = record.Left is { } span ? Math.Max(0, (long)span.TotalMilliseconds) : long.MaxValue;
            BinaryPrimitives.WriteUInt64BigEndian(to[n..], record.Expiration);
            BinaryPrimitives.WriteInt64BigEndian(to[(n + 8)..], left);
            n += 16;
        }

        output.Advance(n);
    }

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
            if (!TryReadRecord(ref rest, out RemoteChange? record))
            {
                return false;
            }

            records.Add(record);
        }

        return true;
    }

    private static bool TryReadRecord(ref ReadOnlySpan<byte> from, [System.Diagnostics.CodeAnalysis.NotNullWhen(true)] out RemoteChange? record)
    {
        record = null;
        byte flags = from[0];
        var state = (RegisterState)(flags & 3);
        bool isV6 = (flags & V6) != 0;
        int address = isV6 ? 16 : 4;
        if (flags > 31 || state > RegisterState.Expired || from.Length < 2 + address + 16 || from[1] > (isV6 ? 128 : 32))
        {
            return false;
        }

        Cidr cidr = isV6
            ? Cidr.FromV6(from[2..], from[1])
            : Cidr.FromV4(BinaryPrimitives.ReadUInt32BigEndian(from[2..]), from[1]);
        var version = new RuleVersion(
            BinaryPrimitives.ReadUInt64BigEndian(from[(2 + address)..]), BinaryPrimitives.ReadUInt64BigEndian(from[(10 + address)..]));
        from = from[(18 + address)..];
        if (!cidr.IsNetwork || version.Time > HybridClock.MaxTime || !TryReadTag(ref from, (flags & Tagged) != 0, out byte[] tag))
        {
            return false;
        }

        ulong expiration = 0;
        TimeSpan? left = null;
        if ((flags & Expires) != 0 && !TryReadExpiry(ref from, out expiration, out left))
        {
            return false;
        }

        record = new RemoteChange(cidr, version, state, tag, expiration, left);
        return true;
    }

    private static bool TryReadTag(ref ReadOnlySpan<byte> from, bool present, out byte[] tag)
    {
        tag = [];
        if (!present)
        {
            return true;
        }

        if (from.Length < 2 || from[0] == 0 || from.Length < 1 + from[0] || TagRule.Fault(from.Slice(1, from[0])) is not null)
        {
            return false;
        }

        tag = from.Slice(1, from[0]).ToArray();
        from = from[(1 + tag.Length)..];
        return true;
    }

    private static bool TryReadExpiry(ref ReadOnlySpan<byte> from, out ulong expiration, out TimeSpan? left)
    {
        expiration = 0;
        left = null;
        if (from.Length < 16)
        {
            return false;
        }

        expiration = BinaryPrimitives.ReadUInt64BigEndian(from);
        long milliseconds = BinaryPrimitives.ReadInt64BigEndian(from[8..]);
        left = milliseconds == long.MaxValue ? null : TimeSpan.FromMilliseconds(Math.Clamp(milliseconds, 0, 9_000_000_000_000));
        from = from[16..];
        return milliseconds >= 0 && expiration != 0;
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
