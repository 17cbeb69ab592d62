using System.Buffers.Binary;
using Couic.Journal;
using Couic.Peering;
using Couic.Store;
using CsCheck;
using Xunit;

namespace Couic.Tests.Journal;

public sealed class JournalFormatTests
{
    private const uint Salt = 77;

    private static readonly Gen<ReadOnlyMemory<byte>> Texts = Gen.Char['a', 'z'].Array[0, 40].Select(text => (ReadOnlyMemory<byte>)System.Text.Encoding.ASCII.GetBytes(text));

    private static readonly Gen<Cidr> Cidrs = Gen.Select(Gen.Bool, Gen.ULong, Gen.ULong, Gen.Int[0, 128]).Select(
        (isV6, high, low, length) => isV6 ? new Cidr(IpFamily.V6, high, low, length).Network : Cidr.FromV4((uint)high, length / 4).Network);

    private static readonly Gen<(ulong Expiration, long Ends)> Expiries =
        Gen.OneOf(Gen.Const((0UL, 0L)), Gen.Select(Gen.ULong[1, 9_000_000_000], Gen.Long[0, 253_402_300_799_999]));

    private static readonly Gen<ChangeOrigin> Origins = Gen.Bool.Select(isPeer => isPeer ? ChangeOrigin.Peer : ChangeOrigin.Api);

    private static readonly Gen<KeptClaim> Claims = Gen.Select(Texts, Texts, Texts, Origins, Expiries).Select(
        (tag, creator, reason, origin, expiry) => new KeptClaim(tag, creator, reason, origin, expiry.Expiration, expiry.Ends));

    private static readonly Gen<JournalRecord> Records =
        from slot in Gen.Select(Gen.Byte[0, 5], Gen.Int[0, SlotId.MaxSlots - 1])
        from isEmpty in Gen.Bool
        from head in Gen.Select(Gen.Byte[0, 2], Cidrs, Gen.ULong[0, HybridClock.MaxTime], Gen.ULong)
        from texts in Gen.Select(Texts, Texts, Texts)
        from expiry in Expiries
        from rest in Gen.Select(Gen.ULong, Origins, Claims.List[0, Couic.Store.Claims.MaxPerEntry])
        select isEmpty ? new JournalRecord { Slot = new SlotId(slot.Item1, slot.Item2), IsEmpty = true } : new JournalRecord
        {
            Slot = new SlotId(slot.Item1, slot.Item2),
            State = (RegisterState)head.Item1,
            Cidr = head.Item2,
            Version = new RuleVersion(head.Item3, head.Item4),
            Tag = texts.Item1,
            Creator = texts.Item2,
            Reason = texts.Item3,
            Expiration = expiry.Expiration,
            Ends = expiry.Ends,
            Creation = rest.Item1,
            Origin = rest.Item2,
            Claims = rest.Item3,
        };

    [Fact]
    public void Record_ReadAgain_IsTheSame() => Records.Sample(record =>
    {
        Assert.True(JournalFormat.TryRead(PayloadOf(record), out JournalRecord read));
        Assert.Equal(Describe(record), Describe(read));
    });

    [Fact]
    public void RecordWithUnknownFields_IsReadWithoutThem() => Gen.Select(Records.Where(record => !record.IsEmpty), Gen.Byte[100, 255], Gen.Byte.Array[0, 50]).Sample(
        (record, field, value) =>
        {
            byte[] later = [.. PayloadOf(record), field, (byte)value.Length, 0, .. value];
            Assert.True(JournalFormat.TryRead(later, out JournalRecord read));
            Assert.Equal(Describe(record), Describe(read));
        });

    [Fact]
    public void TruncatedRecord_IsRefusedOrHasFewerFields() => Records.Sample(record =>
    {
        byte[] payload = PayloadOf(record);
        for (int length = 0; length < payload.Length; length++)
        {
            if (JournalFormat.TryRead(payload.AsMemory(0, length), out JournalRecord read))
            {
                Assert.Equal(record.Version, read.Version);
                Assert.True(PayloadOf(read).Length <= length);
            }
        }
    }, iter: 200);

    [Fact]
    public void FlippedBit_IsSeenInAHeaderAndInAFrame()
    {
        var header = new byte[JournalFormat.HeaderBytes];
        JournalFormat.WriteHeader(header, new JournalHeader(JournalFormat.Version, Salt, 5, 6));
        byte[] frame = FrameOf(new JournalRecord { Cidr = Cidr.FromV4(0x0a000001), Tag = "scan"u8.ToArray(), Creator = "web"u8.ToArray(), Creation = 5 });
        Assert.True(JournalFormat.TryReadHeader(header, out _));
        Assert.True(JournalFormat.IsIntact(frame, Salt));
        Assert.False(JournalFormat.IsIntact(frame, Salt + 1));
        for (int bit = 0; bit < header.Length * 8; bit++)
        {
            header[bit / 8] ^= (byte)(1 << (bit % 8));
            Assert.False(JournalFormat.TryReadHeader(header, out _));
            header[bit / 8] ^= (byte)(1 << (bit % 8));
        }

        for (int bit = 0; bit < frame.Length * 8; bit++)
        {
            frame[bit / 8] ^= (byte)(1 << (bit % 8));
            Assert.False(JournalFormat.FrameLength(frame) == frame.Length && JournalFormat.IsIntact(frame, Salt));
            frame[bit / 8] ^= (byte)(1 << (bit % 8));
        }
    }

    [Fact]
    public void LargestValue_FitsAFrame()
    {
        byte[] name = [.. Enumerable.Repeat((byte)'a', 255)];
        var claim = new KeptClaim(name.AsMemory(0, TagRule.MaxBytes), name, name, ChangeOrigin.Api, 1, 1);
        var record = new JournalRecord
        {
            Cidr = new Cidr(IpFamily.V6, 1, 1, 128),
            Tag = claim.Tag,
            Creator = name,
            Reason = name,
            Expiration = 1,
            Ends = 1,
            Creation = 1,
            Origin = ChangeOrigin.Peer,
            Claims = [.. Enumerable.Repeat(claim, Couic.Store.Claims.MaxPerEntry)],
        };
        Assert.InRange(FrameOf(record).Length, 1, JournalFormat.MaxFrame);
    }

    internal static byte[] FrameOf(in JournalRecord record)
    {
        var frame = new byte[JournalFormat.MaxFrame];
        int length = JournalFormat.Write(frame, record);
        Assert.Equal(length, JournalFormat.Seal(frame, Salt));
        return frame[..length];
    }

    private static byte[] PayloadOf(in JournalRecord record)
    {
        byte[] frame = FrameOf(record);
        Assert.Equal(frame.Length - JournalFormat.FrameHead, BinaryPrimitives.ReadUInt16LittleEndian(frame.AsSpan(4)));
        return frame[JournalFormat.FrameHead..];
    }

    private static string Describe(in JournalRecord record) =>
        $"{record.Slot} {record.IsEmpty} {record.State} {record.Cidr} {record.Version} {Text(record.Tag)} {Text(record.Creator)} {Text(record.Reason)} "
        + $"{record.Expiration} {record.Ends} {record.Creation} {record.Origin} "
        + string.Join(';', (record.Claims ?? []).Select(c => $"{Text(c.Tag)} {Text(c.Creator)} {Text(c.Reason)} {c.Origin} {c.Expiration} {c.Ends}"));

    private static string Text(ReadOnlyMemory<byte> text) => System.Text.Encoding.UTF8.GetString(text.Span);
}
