using System.Buffers;
using System.Buffers.Binary;
using Couic.Store;

namespace Couic.Peering;

/// <summary>
/// The answer to a request for leaves, or for parts of a leaf: version, kind, the leaf or part to go on from (one past the
/// last when all were read; with <see cref="Crowded"/> where that leaf has to be asked for in parts), the answerer's wall clock, then records: a byte of flags (0–1 state, 2 IPv6, 3 tagged, 4 expires), length, address, stamp, node,
/// and as flagged a tag with its length before it, expiration and milliseconds left.
/// </summary>
internal static class SyncRecords
{
    private const int HeadSize = 2 + 4 + 8;
    private const int MaxRecordSize = 2 + 16 + 16 + 1 + TagRule.MaxBytes + 16;
    private const byte V6 = 4, Tagged = 8, Expires = 16;

    /// <summary>Set in the number of a leaf that has more than <see cref="SyncMessage.MaxLeafRecords"/> records.</summary>
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
        bool live = record.State == ReplicaState.Live;
        ReadOnlySpan<byte> tag = live ? record.Tag.Span : default;
        bool expires = live && record.Expiration != 0;
        to[0] = (byte)((int)record.State | (record.Cidr.Family == IpFamily.V6 ? V6 : 0) | (tag.IsEmpty ? 0 : Tagged) | (expires ? Expires : 0));
        to[1] = record.Cidr.Length;
        int n = 2 + record.Cidr.WriteAddress(to[2..]);
        BinaryPrimitives.WriteUInt64BigEndian(to[n..], record.Stamp.Time);
        BinaryPrimitives.WriteUInt64BigEndian(to[(n + 8)..], record.Stamp.Node);
        n += 16;
        if (!tag.IsEmpty)
        {
            to[n++] = (byte)tag.Length;
            tag.CopyTo(to[n..]);
            n += tag.Length;
        }

        if (expires)
        {
            // Without a time left it expires beyond all time, and its expiration alone says so.
            long left = record.Left is { } span ? Math.Max(0, (long)span.TotalMilliseconds) : long.MaxValue;
            BinaryPrimitives.WriteUInt64BigEndian(to[n..], record.Expiration);
            BinaryPrimitives.WriteInt64BigEndian(to[(n + 8)..], left);
            n += 16;
        }

        output.Advance(n);
    }

    /// <param name="nextLeaf">65,536 when all that was asked for is here.</param>
    public static bool TryRead(ReadOnlySpan<byte> body, out int nextLeaf, out DateTimeOffset writtenAt, List<RemoteChange> records) =>
        TryRead(body, SyncKind.Leaves, out nextLeaf, out _, out writtenAt, records);

    /// <param name="next">Leaf or part to go on from.</param>
    /// <param name="isCrowded">That leaf is to be asked for in parts.</param>
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
        var state = (ReplicaState)(flags & 3);
        bool isV6 = (flags & V6) != 0;
        int address = isV6 ? 16 : 4;
        if (flags > 31 || state > ReplicaState.Expired || from.Length < 2 + address + 16 || from[1] > (isV6 ? 128 : 32))
        {
            return false;
        }

        Cidr cidr = isV6
            ? Cidr.FromV6(from[2..], from[1])
            : Cidr.FromV4(BinaryPrimitives.ReadUInt32BigEndian(from[2..]), from[1]);
        var stamp = new Stamp(
            BinaryPrimitives.ReadUInt64BigEndian(from[(2 + address)..]), BinaryPrimitives.ReadUInt64BigEndian(from[(10 + address)..]));
        from = from[(18 + address)..];
        if (!cidr.IsNetwork || stamp.Time > HybridClock.MaxTime || !TryReadTag(ref from, (flags & Tagged) != 0, out byte[] tag))
        {
            return false;
        }

        ulong expiration = 0;
        TimeSpan? left = null;
        if ((flags & Expires) != 0 && !TryReadExpiry(ref from, out expiration, out left))
        {
            return false;
        }

        record = new RemoteChange(cidr, stamp, state, tag, expiration, left);
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
