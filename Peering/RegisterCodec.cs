using System.Buffers;
using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using Couic.Store;

namespace Couic.Peering;

/// <summary>
/// The binary form of a register, live or a tombstone. It has flags (0–1 state, 2 IPv6, 3 tagged, 4 expires, 5 reason), length,
/// address, version, node, and as flagged: tag with its length; expiration and milliseconds left; reason with its length less one.
/// All numbers are big-endian.
/// </summary>
internal static class RegisterCodec
{
    /// <summary>Of one record.</summary>
    public const int MaxBytes = 2 + 16 + 16 + 1 + TagRule.MaxBytes + 16 + 1 + ReasonRule.MaxBytes;

    private const byte V6 = 4, Tagged = 8, Expires = 16, Reasoned = 32;

    /// <param name="withReason">Whether the reader knows reasons.</param>
    public static void Write(IBufferWriter<byte> output, in OutgoingJob record, bool withReason)
    {
        Span<byte> to = output.GetSpan(MaxBytes);
        bool live = record.State == RegisterState.Live;
        ReadOnlySpan<byte> tag = live ? record.Tag.Span : default;
        bool expires = live && record.Expiration != 0;
        ReadOnlySpan<byte> reason = live && withReason ? record.Reason.Span : default;
        to[0] = (byte)((int)record.State | (record.Cidr.Family == IpFamily.V6 ? V6 : 0) | (tag.IsEmpty ? 0 : Tagged) | (expires ? Expires : 0)
            | (reason.IsEmpty ? 0 : Reasoned));
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

        if (!reason.IsEmpty)
        {
            to[n++] = (byte)(reason.Length - 1);
            reason.CopyTo(to[n..]);
            n += reason.Length;
        }

        output.Advance(n);
    }

    /// <summary>Reads one record and advances past it. False for anything that is not exactly one.</summary>
    public static bool TryRead(ref ReadOnlySpan<byte> from, [NotNullWhen(true)] out RemoteChange? record)
    {
        record = null;
        if (from.Length < 2)
        {
            return false;
        }

        byte flags = from[0];
        var state = (RegisterState)(flags & 3);
        bool isV6 = (flags & V6) != 0;
        int address = isV6 ? 16 : 4;
        if (flags > 63 || state > RegisterState.Expired || from.Length < 2 + address + 16 || from[1] > (isV6 ? 128 : 32))
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

        if (!TryReadReason(ref from, (flags & Reasoned) != 0, out byte[] reason))
        {
            return false;
        }

        record = new RemoteChange(cidr, version, state, tag, expiration, left) { Reason = reason };
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

    private static bool TryReadReason(ref ReadOnlySpan<byte> from, bool present, out byte[] reason)
    {
        reason = [];
        if (!present)
        {
            return true;
        }

        if (from.Length < 2 || from.Length < 2 + from[0] || ReasonRule.Fault(from.Slice(1, from[0] + 1)) is not null)
        {
            return false;
        }

        reason = from.Slice(1, from[0] + 1).ToArray();
        from = from[(1 + reason.Length)..];
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
