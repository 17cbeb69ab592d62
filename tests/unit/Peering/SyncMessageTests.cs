using System.Buffers;
using Couic.Peering;
using Couic.Store;
using CsCheck;
using Xunit;

namespace Couic.Tests.Peering;

public class SyncMessageTests
{
    private static readonly SyncHead Head = new(1, 1_700_000_000_000, 3, 4, 5, 6, -7, 8, 9);

    [Fact]
    public void AHelloIsReadAsItWasWritten()
    {
        byte[] body = SyncMessage.Hello(Head);
        Assert.True(SyncMessage.TryReadHello(body, out SyncHead read));
        Assert.Equal(Head, read);
        AssertTruncationsFail(body, text => SyncMessage.TryReadHello(text, out _));
    }

    [Fact]
    public void AnAnswerToAHelloHasAllSumsOrNone()
    {
        var hashes = new ulong[DigestTree.Branches];
        hashes[7] = 77;
        foreach (ulong[] written in (ulong[][])[[], hashes])
        {
            var output = new ArrayBufferWriter<byte>();
            SyncMessage.WriteHelloAnswer(output, Head, written);
            var read = new ulong[DigestTree.Branches];
            Assert.True(SyncMessage.TryReadHelloAnswer(output.WrittenSpan, out SyncHead head, read, out bool hasHashes));
            Assert.Equal(Head, head);
            Assert.Equal(written.Length > 0, hasHashes);
            Assert.Equal(hasHashes ? 77UL : 0, read[7]);
        }

        var whole = new ArrayBufferWriter<byte>();
        SyncMessage.WriteHelloAnswer(whole, Head, hashes);
        byte[] body = whole.WrittenSpan.ToArray();
        AssertTruncationsFail(body, text => text.Length != 2 + SyncHead.Size && SyncMessage.TryReadHelloAnswer(text, out _, new ulong[512], out _));
    }

    [Fact]
    public void RunsOfLeavesMustAscendAndFit()
    {
        var ranges = new List<LeafRange>();
        Assert.True(SyncMessage.TryReadRanges(SyncMessage.AskLeaves(9, [new(0, 2), new(5, 1), new(65_535, 1)]), ranges));
        Assert.Equal([new(0, 2), new(5, 1), new(65_535, 1)], ranges);
        Assert.True(SyncMessage.TryReadRanges(SyncMessage.AskLeaves(9, [new(0, 65_536)]), []));
        Assert.False(SyncMessage.TryReadRanges(SyncMessage.AskLeaves(9, [new(1, 65_536)]), []));
        Assert.False(SyncMessage.TryReadRanges(SyncMessage.AskLeaves(9, [new(0, 2), new(1, 1)]), []));
        Assert.False(SyncMessage.TryReadRanges(SyncMessage.AskLeaves(9, []), []));
        Assert.False(SyncMessage.TryReadBranchIds(SyncMessage.AskBranches(9, [512]), []));
        Assert.False(SyncMessage.TryReadBranchIds(SyncMessage.AskBranches(9, []), []));
    }

    [Theory]
    [InlineData("10.0.0.0/8", "", 0UL, 0, 0)]
    [InlineData("10.0.0.0/8", "tag", 1_800_000_000UL, 1, 1)]
    [InlineData("2001:db8::/32", "tag", 1_800_000_000UL, 0, 256)]
    [InlineData("2001:db8::/32", "", 0UL, 0, 1)]
    [InlineData("2001:db8::1/128", "", 0UL, 2, 0)]
    public void RecordsAreReadAsTheyWereWritten(string cidr, string tag, ulong expiration, int state, int reasonLength)
    {
        Cidr.TryParse(cidr, out Cidr network);
        TimeSpan? left = expiration == 0 ? null : TimeSpan.FromMilliseconds(1_234);
        var job = new OutgoingJob(
            network, new RuleVersion(11, 12), (RegisterState)state, System.Text.Encoding.ASCII.GetBytes(tag), expiration, left, false, default)
        {
            Reason = System.Text.Encoding.ASCII.GetBytes(new string('r', reasonLength)),
        };
        byte[] body = Records(job, job);

        var records = new List<RemoteChange>();
        Assert.True(SyncRecords.TryRead(body, out int next, out _, records));
        Assert.Equal(DigestTree.Leaves, next);
        Assert.Equal(2, records.Count);
        bool live = state == 0;
        Assert.Equal((network, new RuleVersion(11, 12), (RegisterState)state), (records[1].Cidr, records[1].Version!.Value, records[1].State));
        Assert.Equal(live ? tag : "", System.Text.Encoding.ASCII.GetString(records[1].Tag.Span));
        Assert.Equal(live ? reasonLength : 0, records[1].Reason.Length);
        Assert.Equal(live ? (expiration, left) : (0, null), (records[1].Expiration, records[1].Left));

        int one = (body.Length - SyncRecords.HeadBytes) / 2;
        AssertTruncationsFail(body, text =>
            text.Length != SyncRecords.HeadBytes && text.Length != SyncRecords.HeadBytes + one && SyncRecords.TryRead(text, out _, out _, []));
    }

    [Fact]
    public void RandomDamageNeverThrowsAndNeverMakesABadRecord()
    {
        Cidr.TryParse("10.1.0.0/16", out Cidr cidr);
        byte[] good = Records(
            new OutgoingJob(cidr, new RuleVersion(1, 2), RegisterState.Live, "tag"u8.ToArray(), 1_800_000_000, TimeSpan.FromSeconds(5), false, default) { Reason = "é✓"u8.ToArray() },
            new OutgoingJob(cidr, new RuleVersion(3, 4), RegisterState.Removed, default, 0, null, false, default));
        Gen.Select(Gen.Int[0, good.Length - 1], Gen.Byte, Gen.Int[good.Length / 2, good.Length]).Sample(
            (at, value, length) =>
            {
                byte[] damaged = [.. good];
                damaged[at] = value;
                var records = new List<RemoteChange>();
                SyncRecords.TryRead(damaged.AsSpan(0, length), out _, out _, records);
                Assert.All(records, record => Assert.True(record.Cidr.IsNetwork && TagRule.Fault(record.Tag.Span) is null && ReasonRule.Fault(record.Reason.Span) is null));
            },
            iter: 50_000);
    }

    private static byte[] Records(params OutgoingJob[] jobs)
    {
        var output = new ArrayBufferWriter<byte>();
        SyncRecords.WriteHead(output.GetSpan(SyncRecords.HeadBytes), DigestTree.Leaves, DateTimeOffset.UnixEpoch.AddDays(20_000));
        output.Advance(SyncRecords.HeadBytes);
        foreach (OutgoingJob job in jobs)
        {
            RegisterCodec.Write(output, job, withReason: true);
        }

        return output.WrittenSpan.ToArray();
    }

    private static void AssertTruncationsFail(byte[] body, Func<byte[], bool> read)
    {
        for (int length = 0; length < body.Length; length++)
        {
            Assert.False(read(body[..length]), $"{length} of {body.Length} bytes");
        }
    }
}
