using System.Buffers;
using System.Globalization;
using System.Text;
using Couic.Bus;
using Couic.Store;

namespace Couic.Peering;

/// <summary>
/// A register as a value on the bus. The key is <c>POLICY.FAMILY.ADDRESS_HEX.LENGTH</c>, such as <c>drop.4.0a000000.8</c>; the value is an
/// answer to a question about leaves with this record alone (<see cref="SyncRecords"/>), written by the log's clock.
/// </summary>
internal static class BusRegister
{
    private const int MaxKeyChars = 64;

    public static BusValue Write(Policy policy, in OutgoingJob register, DateTimeOffset now)
    {
        var body = new ArrayBufferWriter<byte>(96);
        SyncRecords.WriteHead(body.GetSpan(SyncRecords.HeadBytes), DigestTree.Leaves, now);
        body.Advance(SyncRecords.HeadBytes);
        RegisterCodec.Write(body, register, withReason: true);
        Span<char> key = stackalloc char[MaxKeyChars];
        return new BusValue(key[..WriteKey(key, policy, register.Cidr)].ToString(), body.WrittenMemory);
    }

    public static BusReading Read(in BusMessage message, List<RemoteChange> records, out Policy policy, out RemoteChange change, out DateTimeOffset writtenAt)
    {
        records.Clear();
        change = null!;
        policy = default;
        writtenAt = default;
        if (message.Value is not { } value)
        {
            return BusReading.Malformed;
        }

        if (value.Length > 0 && value.Span[0] > SyncMessage.Version)
        {
            return BusReading.LaterVersion;
        }

        if (!SyncRecords.TryRead(value.Span, out _, out writtenAt, records) || records.Count != 1)
        {
            return BusReading.Malformed;
        }

        change = records[0];
        policy = message.Key.StartsWith("ignore.", StringComparison.Ordinal) ? Policy.Ignore : Policy.Drop;
        Span<char> key = stackalloc char[MaxKeyChars];
        return message.Key.AsSpan().SequenceEqual(key[..WriteKey(key, policy, change.Cidr)]) ? BusReading.Good : BusReading.Malformed;
    }

    private static int WriteKey(Span<char> to, Policy policy, Cidr cidr)
    {
        Span<byte> address = stackalloc byte[16];
        int bytes = cidr.WriteAddress(address);
        Span<char> hex = stackalloc char[32];
        Convert.TryToHexStringLower(address[..bytes], hex, out int digits);
        to.TryWrite(
            CultureInfo.InvariantCulture, $"{policy.Name()}.{(cidr.Family == IpFamily.V4 ? '4' : '6')}.{hex[..digits]}.{cidr.Length}", out int written);
        return written;
    }
}

internal enum BusReading
{
    Good,

    /// <summary>Not a register, too large, or stored under another key than its own.</summary>
    Malformed,

    /// <summary>A later version of couic wrote it.</summary>
    LaterVersion,
}
