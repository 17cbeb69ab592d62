using Couic.Journal;
using Couic.Store;
using Couic.Tests.Journal;

namespace Couic.Tests.Fuzz;

/// <summary>
/// The payload of a journal's frame, whose checksum is made right: never an exception, what is read is sound and is written again as it
/// was read, and a journal of it and a good record restores the good one.
/// </summary>
internal sealed class JournalTarget : FuzzTarget
{
    private const uint Salt = 3;

    public override string Name => "journal";

    public override int Rounds => 3_000;

    public override byte[][] Pieces { get; } =
    [
        [1, 0, 0, 0, 0, 0], [2, 0, 1, 0, 0, 0], [2, 4, 0, 0, 0, 4], [3], [0, 0, 32, 10, 0, 0, 1], [0, 1, 128], [1, 3, 0, (byte)'t', (byte)'a', (byte)'g'],
        [2, 3, 0, (byte)'w', (byte)'e', (byte)'b'], [3, 8, 0], [4, 16, 0], [5, 0, 0], [6, 17, 0], [7, 1, 0, 1], [0xff, 0xff], [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f], [0, 0, 0, 0, 0, 0, 0, 0],
    ];

    public override IEnumerable<byte[]> Seeds
    {
        get
        {
            var record = new JournalRecord { Cidr = Cidr.FromV4(0x0a000001), Tag = "tag"u8.ToArray(), Creator = "web"u8.ToArray(), Creation = 5 };
            yield return PayloadOf(record);
            yield return PayloadOf(record with { Expiration = 2_000_000_000, Ends = 2_000_000_000_000, Origin = ChangeOrigin.Peer });
            yield return PayloadOf(record with { Claims = [new KeptClaim("a"u8.ToArray(), "b"u8.ToArray(), "c"u8.ToArray(), ChangeOrigin.Api, 5, 6)] });
            yield return PayloadOf(record with { IsEmpty = true });
        }
    }

    public override string Check(byte[] input)
    {
        bool isRecord = JournalFormat.TryRead(input, out JournalRecord record);
        bool isTime = JournalFormat.TryReadTime(input, out _);
        if (isRecord && !record.IsEmpty)
        {
            Require(record.Cidr.IsNetwork && TagRule.Fault(record.Tag.Span) is null && record.Slot.IsValid, "a bad record");
            Require(JournalFormat.TryRead(PayloadOf(record), out JournalRecord again) && PayloadOf(again).SequenceEqual(PayloadOf(record)), "another one when it is written");
        }

        if (JournalFormat.TryReadSlot(input, out SlotId slot) && slot.Slot > 100_000)
        {
            return "a high slot"; // costs memory in proportion, and each round as much
        }

        var rig = new JournalRig(new MemoryPlace(JournalOf(input, PayloadOf(new JournalRecord { Slot = new SlotId(1, 7), Cidr = Cidr.FromV4(0x0b000001) }))));
        rig.Journal.Restore();
        Require(rig.Journal.Damage is null, $"a fault: {rig.Journal.Damage}");
        Require(rig.Has("11.0.0.1/32"), "the good record is lost");
        return $"{isRecord} {isTime} {record.State} {record.IsEmpty} {rig.Journal.Restored}";
    }

    private static byte[] PayloadOf(in JournalRecord record)
    {
        var frame = new byte[JournalFormat.MaxFrame];
        return frame[JournalFormat.FrameHead..JournalFormat.Write(frame, record)];
    }

    private static byte[] JournalOf(params byte[][] payloads)
    {
        var journal = new List<byte>();
        var head = new byte[JournalFormat.HeaderBytes];
        JournalFormat.WriteHeader(head, new JournalHeader(JournalFormat.Version, Salt, 1, 1));
        journal.AddRange(head);
        foreach (byte[] payload in payloads)
        {
            byte[] frame = [0, 0, 0, 0, (byte)payload.Length, (byte)(payload.Length >> 8), (byte)~payload.Length, (byte)(~payload.Length >> 8), .. payload];
            JournalFormat.Seal(frame, Salt);
            journal.AddRange(frame);
        }

        return [.. journal];
    }
}
