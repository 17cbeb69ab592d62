using System.Buffers.Binary;
using System.Numerics;
using System.Runtime.InteropServices;
using Couic.Peering;
using Couic.Store;

namespace Couic.Journal;

/// <summary>
/// The journal's bytes, little-endian: a header, then frames of a checksum, a length and a payload. A payload starts with its kind. What
/// a later version adds to a value is a field with its length, which earlier versions skip; so are frames of unknown kinds.
/// </summary>
internal static class JournalFormat
{
    /// <summary>Of the layout that cannot be skipped. A journal of a later version is not read.</summary>
    public const ushort Version = 1;

    /// <summary>Magic, version, unused, salt, node, milliseconds since 1970, checksum.</summary>
    public const int HeaderBytes = 36;

    /// <summary>Checksum, length, and the length inverted: so a damaged length is not taken for an incomplete end.</summary>
    public const int FrameHead = 8;

    /// <summary>Bytes of a frame: a value with all claims that an entry can have fits.</summary>
    public const int MaxFrame = 32 * 1024;

    private const int ChecksumAt = HeaderBytes - 4;
    private const int FieldHead = 3;

    private static ReadOnlySpan<byte> Magic => "couicjnl"u8;

    private enum Kind : byte
    {
        Empty = 1,
        Value = 2,
        Time = 3,
    }

    private enum Field : byte
    {
        Tag = 1,
        Creator = 2,
        Creation = 3,

        /// <summary>What the client gave, and the moment by this machine's clock.</summary>
        Expiry = 4,
        Reason = 5,
        Claim = 6,

        /// <summary>Present where the entry came from a peer.</summary>
        Origin = 7,
    }

    public static void WriteHeader(Span<byte> to, in JournalHeader header)
    {
        to[..HeaderBytes].Clear();
        Magic.CopyTo(to);
        BinaryPrimitives.WriteUInt16LittleEndian(to[8..], header.Version);
        BinaryPrimitives.WriteUInt32LittleEndian(to[12..], header.Salt);
        BinaryPrimitives.WriteUInt64LittleEndian(to[16..], header.Node);
        BinaryPrimitives.WriteInt64LittleEndian(to[24..], header.Created);
        BinaryPrimitives.WriteUInt32LittleEndian(to[ChecksumAt..], Checksum(0, to[..ChecksumAt]));
    }

    /// <summary>False when these bytes are not a header of any version.</summary>
    public static bool TryReadHeader(ReadOnlySpan<byte> from, out JournalHeader header)
    {
        header = default;
        if (from.Length < HeaderBytes || !from.StartsWith(Magic) || BinaryPrimitives.ReadUInt32LittleEndian(from[ChecksumAt..]) != Checksum(0, from[..ChecksumAt]))
        {
            return false;
        }

        header = new JournalHeader(
            BinaryPrimitives.ReadUInt16LittleEndian(from[8..]), BinaryPrimitives.ReadUInt32LittleEndian(from[12..]),
            BinaryPrimitives.ReadUInt64LittleEndian(from[16..]), BinaryPrimitives.ReadInt64LittleEndian(from[24..]));
        return true;
    }

    /// <summary>Bytes of the frame that starts here; 0 when these are too few to say, -1 when they are damaged.</summary>
    public static int FrameLength(ReadOnlySpan<byte> from)
    {
        if (from.Length < FrameHead)
        {
            return 0;
        }

        ushort length = BinaryPrimitives.ReadUInt16LittleEndian(from[4..]), inverted = BinaryPrimitives.ReadUInt16LittleEndian(from[6..]);
        return length == (ushort)~inverted ? FrameHead + length : -1;
    }

    /// <param name="frame">A whole frame.</param>
    /// <param name="salt">The header's: a frame of a former file in a reused block of the disk has another one.</param>
    public static bool IsIntact(ReadOnlySpan<byte> frame, uint salt) =>
        BinaryPrimitives.ReadUInt32LittleEndian(frame) == Checksum(salt, frame[4..]);

    /// <summary>Writes the frame of a record, to be sealed.</summary>
    /// <param name="to">At least <see cref="MaxFrame"/>.</param>
    /// <returns>Bytes written.</returns>
    public static int Write(Span<byte> to, in JournalRecord record)
    {
        var payload = new Payload(to[FrameHead..]);
        payload.Byte((byte)(record.IsEmpty ? Kind.Empty : Kind.Value));
        payload.Byte(record.Slot.Table);
        payload.Number32((uint)record.Slot.Slot);
        if (!record.IsEmpty)
        {
            WriteValue(ref payload, record);
        }

        return Finish(to, payload.Length);
    }

    /// <inheritdoc cref="Write(Span{byte}, in JournalRecord, uint)"/>
    public static int Write(Span<byte> to, JournalTime time)
    {
        var payload = new Payload(to[FrameHead..]);
        payload.Byte((byte)Kind.Time);
        payload.Number64((ulong)time.Wall);
        payload.Number64(time.Logical);
        return Finish(to, payload.Length);
    }

    /// <summary>The slot of a record's frame. False for a frame of another kind.</summary>
    public static bool TryReadSlot(ReadOnlySpan<byte> payload, out SlotId slot)
    {
        slot = payload.Length < 6 || payload[0] is not ((byte)Kind.Empty or (byte)Kind.Value) ? default
            : new SlotId(payload[1], (int)BinaryPrimitives.ReadUInt32LittleEndian(payload[2..]));
        return payload.Length >= 6 && payload[0] is (byte)Kind.Empty or (byte)Kind.Value && slot.IsValid;
    }

    public static bool TryReadTime(ReadOnlySpan<byte> payload, out JournalTime time)
    {
        time = payload.Length < 17 || payload[0] != (byte)Kind.Time ? default : new JournalTime(
            BinaryPrimitives.ReadInt64LittleEndian(payload[1..]), BinaryPrimitives.ReadUInt64LittleEndian(payload[9..]));
        return payload.Length >= 17 && payload[0] == (byte)Kind.Time && time.Wall is >= 0 and <= MaxMilliseconds;
    }

    /// <summary>Reads a record. False when it is malformed, or of another kind.</summary>
    public static bool TryRead(ReadOnlyMemory<byte> payload, out JournalRecord record)
    {
        record = default;
        if (!TryReadSlot(payload.Span, out record.Slot))
        {
            return false;
        }

        record.IsEmpty = payload.Span[0] == (byte)Kind.Empty;
        return record.IsEmpty || TryReadValue(payload[6..], ref record);
    }

    /// <summary>The year 9999.</summary>
    private const long MaxMilliseconds = 253_402_300_799_999;

    private static void WriteValue(ref Payload payload, in JournalRecord record)
    {
        payload.Byte((byte)record.State);
        payload.Byte((byte)record.Cidr.Family);
        payload.Byte(record.Cidr.Length);
        payload.Address(record.Cidr);
        payload.Number64(record.Version.Time);
        payload.Number64(record.Version.Node);
        payload.Text(Field.Tag, record.Tag.Span);
        payload.Text(Field.Creator, record.Creator.Span);
        payload.Text(Field.Reason, record.Reason.Span);
        if (record.Creation != 0)
        {
            payload.Begin(Field.Creation, 8);
            payload.Number64(record.Creation);
        }

        if (record.Expiration != 0)
        {
            payload.Begin(Field.Expiry, 16);
            payload.Number64(record.Expiration);
            payload.Number64((ulong)record.Ends);
        }

        if (record.Origin == ChangeOrigin.Peer)
        {
            payload.Begin(Field.Origin, 1);
            payload.Byte((byte)record.Origin);
        }

        foreach (KeptClaim claim in CollectionsMarshal.AsSpan(record.Claims))
        {
            payload.Begin(Field.Claim, 17 + Size(claim.Tag) + Size(claim.Creator) + Size(claim.Reason));
            payload.Number64(claim.Expiration);
            payload.Number64((ulong)claim.Ends);
            payload.Byte((byte)claim.Origin);
            payload.Text(Field.Tag, claim.Tag.Span);
            payload.Text(Field.Creator, claim.Creator.Span);
            payload.Text(Field.Reason, claim.Reason.Span);
        }
    }

    private static int Size(ReadOnlyMemory<byte> text) => text.IsEmpty ? 0 : FieldHead + text.Length;

    private static bool TryReadValue(ReadOnlyMemory<byte> from, ref JournalRecord record)
    {
        ReadOnlySpan<byte> head = from.Span;
        bool isV6 = head.Length > 1 && head[1] == (byte)IpFamily.V6;
        int address = isV6 ? 16 : 4, fixedBytes = 3 + address + 16;
        if (head.Length < fixedBytes || head[0] > (byte)RegisterState.Expired || head[1] > (byte)IpFamily.V6 || head[2] > address * 8)
        {
            return false;
        }

        record.State = (RegisterState)head[0];
        record.Cidr = isV6 ? Cidr.FromV6(head[3..], head[2]) : Cidr.FromV4(BinaryPrimitives.ReadUInt32BigEndian(head[3..]), head[2]);
        record.Version = new RuleVersion(
            BinaryPrimitives.ReadUInt64LittleEndian(head[(3 + address)..]), BinaryPrimitives.ReadUInt64LittleEndian(head[(11 + address)..]));
        return record.Cidr.IsNetwork && record.Version.Time <= HybridClock.MaxTime && TryReadFields(from[fixedBytes..], ref record, isClaim: false);
    }

    private static bool TryReadFields(ReadOnlyMemory<byte> fields, ref JournalRecord record, bool isClaim)
    {
        while (TryReadField(ref fields, out Field field, out ReadOnlyMemory<byte> value))
        {
            bool isGood = field switch
            {
                Field.Tag => TryTake(value, TagRule.Fault(value.Span) is null, ref record.Tag),
                Field.Creator => TryTake(value, true, ref record.Creator),
                Field.Reason => TryTake(value, ReasonRule.Fault(value.Span) is null, ref record.Reason),
                Field.Creation => TryReadNumber(value.Span, 8, out record.Creation),
                Field.Expiry => TryReadExpiry(value.Span, out record.Expiration, out record.Ends),
                Field.Origin => TryReadOrigin(value.Span, out record.Origin),
                Field.Claim => !isClaim && TryReadClaim(value, record.Claims ??= []),
                _ => true,
            };
            if (!isGood)
            {
                return false;
            }
        }

        return fields.IsEmpty;
    }

    private static bool TryReadClaim(ReadOnlyMemory<byte> from, List<KeptClaim> claims)
    {
        if (from.Length < 17 || !TryReadExpiry(from.Span[..16], out ulong expiration, out long ends, mayBeNever: true)
            || !TryReadOrigin(from.Span.Slice(16, 1), out ChangeOrigin origin) || claims.Count == Claims.MaxPerEntry)
        {
            return false;
        }

        var texts = default(JournalRecord);
        bool isGood = TryReadFields(from[17..], ref texts, isClaim: true);
        claims.Add(new KeptClaim(texts.Tag, texts.Creator, texts.Reason, origin, expiration, ends));
        return isGood;
    }

    /// <summary>Takes the next field off the rest. False at the end, or when the rest is not a whole field.</summary>
    private static bool TryReadField(ref ReadOnlyMemory<byte> rest, out Field field, out ReadOnlyMemory<byte> value)
    {
        ReadOnlySpan<byte> head = rest.Span;
        int length = head.Length < FieldHead ? -1 : BinaryPrimitives.ReadUInt16LittleEndian(head[1..]);
        bool isWhole = length >= 0 && head.Length >= FieldHead + length;
        field = isWhole ? (Field)head[0] : default;
        value = isWhole ? rest.Slice(FieldHead, length) : default;
        rest = isWhole ? rest[(FieldHead + length)..] : rest;
        return isWhole;
    }

    private static bool TryTake(ReadOnlyMemory<byte> value, bool isGood, ref ReadOnlyMemory<byte> into)
    {
        into = value;
        return isGood;
    }

    private static bool TryReadNumber(ReadOnlySpan<byte> value, int bytes, out ulong number)
    {
        number = value.Length == bytes ? BinaryPrimitives.ReadUInt64LittleEndian(value) : 0;
        return value.Length == bytes;
    }

    private static bool TryReadExpiry(ReadOnlySpan<byte> value, out ulong expiration, out long ends, bool mayBeNever = false)
    {
        (expiration, ends) = value.Length == 16 ? (BinaryPrimitives.ReadUInt64LittleEndian(value), BinaryPrimitives.ReadInt64LittleEndian(value[8..])) : default;
        return value.Length == 16 && ends is >= 0 and <= MaxMilliseconds && (expiration != 0 || (mayBeNever && ends == 0));
    }

    private static bool TryReadOrigin(ReadOnlySpan<byte> value, out ChangeOrigin origin)
    {
        origin = value.Length == 1 ? (ChangeOrigin)value[0] : default;
        return value.Length == 1 && origin is ChangeOrigin.Api or ChangeOrigin.Peer;
    }

    /// <summary>Gives a frame the checksum of a file.</summary>
    /// <returns>The frame's length.</returns>
    public static int Seal(Span<byte> frame, uint salt)
    {
        int length = FrameLength(frame);
        BinaryPrimitives.WriteUInt32LittleEndian(frame, Checksum(salt, frame[4..length]));
        return length;
    }

    private static int Finish(Span<byte> frame, int payload)
    {
        BinaryPrimitives.WriteUInt16LittleEndian(frame[4..], (ushort)payload);
        BinaryPrimitives.WriteUInt16LittleEndian(frame[6..], (ushort)~payload);
        return FrameHead + payload;
    }

    /// <summary>CRC-32C, by the processor's instruction.</summary>
    private static uint Checksum(uint salt, ReadOnlySpan<byte> data)
    {
        uint crc = ~salt;
        for (; data.Length >= sizeof(ulong); data = data[sizeof(ulong)..])
        {
            crc = BitOperations.Crc32C(crc, BinaryPrimitives.ReadUInt64LittleEndian(data));
        }

        foreach (byte last in data)
        {
            crc = BitOperations.Crc32C(crc, last);
        }

        return ~crc;
    }

    /// <summary>A payload that is being written.</summary>
    private ref struct Payload(Span<byte> to)
    {
        private readonly Span<byte> _to = to;

        public int Length { get; private set; }

        public void Byte(byte value) => _to[Length++] = value;

        public void Number32(uint value)
        {
            BinaryPrimitives.WriteUInt32LittleEndian(_to[Length..], value);
            Length += 4;
        }

        public void Number64(ulong value)
        {
            BinaryPrimitives.WriteUInt64LittleEndian(_to[Length..], value);
            Length += 8;
        }

        public void Address(Cidr cidr) => Length += cidr.WriteAddress(_to[Length..]);

        public void Begin(Field field, int length)
        {
            Byte((byte)field);
            BinaryPrimitives.WriteUInt16LittleEndian(_to[Length..], (ushort)length);
            Length += 2;
        }

        /// <summary>Nothing for an empty text.</summary>
        public void Text(Field field, ReadOnlySpan<byte> text)
        {
            if (!text.IsEmpty)
            {
                Begin(field, text.Length);
                text.CopyTo(_to[Length..]);
                Length += text.Length;
            }
        }
    }
}

/// <summary>The start of a journal.</summary>
/// <param name="Salt">Drawn per file, part of each checksum.</param>
/// <param name="Node">Node of the versions that the journal itself gave.</param>
/// <param name="Created">Milliseconds since 1970.</param>
internal readonly record struct JournalHeader(ushort Version, uint Salt, ulong Node, long Created);
