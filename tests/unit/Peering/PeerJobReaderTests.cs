using System.Buffers;
using System.Text;
using Couic.Peering;
using Couic.Store;
using CsCheck;
using Xunit;

namespace Couic.Tests.Peering;

public class PeerJobReaderTests
{
    private const string Add = """{"action":"add","entry":{"cidr":"1.2.3.4/32","tag":"t","expiration":7,"metadata":null}}""";

    [Theory]
    [InlineData("[]", "[]")]
    [InlineData(" [ ] ", "[]")]
    [InlineData("[" + Add + "]", "[" + Add + "]")]
    [InlineData("""[{"entry":{"expiration":0,"cidr":"1.2.3.4/24"},"action":"remove"}]""",
        """[{"action":"remove","entry":{"cidr":"1.2.3.0/24","tag":null,"expiration":0,"metadata":null}}]""")]
    [InlineData("""[{"action":"add","entry":{"cidr":"2001:DB8::/32","tag":"","expiration":0,"new":[{}],"new":1},"x":{"y":[1,{"z":null}]}}]""",
        """[{"action":"add","entry":{"cidr":"2001:db8::/32","tag":null,"expiration":0,"metadata":null}}]""")]
    [InlineData("""[{"\u0061ction":"\u0061dd","entry":{"cidr":"1.2.3.4\/32","tag":"\u0041","expiration":18446744073709551615}}]""",
        """[{"action":"add","entry":{"cidr":"1.2.3.4/32","tag":"A","expiration":18446744073709551615,"metadata":null}}]""")]
    [InlineData("""[{"action":"add","entry":{"cidr":"1.2.3.4/32","expiration":1,"metadata":{"kind":"k","detail":"é","extra":{"a":[1,{}]}}}}]""",
        """[{"action":"add","entry":{"cidr":"1.2.3.4/32","tag":null,"expiration":1,"metadata":{"kind":"k","detail":"é","extra":{"a":[1,{}]}}}}]""")]
    [InlineData("""[{"action":"add","entry":{"cidr":"1.2.3.4/32","expiration":1,"metadata":{"kind":"","detail":"","extra":null}},"stamp":5,"node":6,"ttl":7,"sent":8}]""",
        """[{"action":"add","entry":{"cidr":"1.2.3.4/32","tag":null,"expiration":1,"metadata":{"kind":"","detail":"","extra":null}}}]""")]
    public void GoodBatchesAreReadAndEchoedNormalised(string body, string echo)
    {
        Assert.Equal(PeerBodyFault.None, Read(body, out IncomingBatch batch, out _));
        var output = new ArrayBufferWriter<byte>();
        PeerJobWriter.WriteEcho(batch, output);
        Assert.Equal(echo, Encoding.UTF8.GetString(output.WrittenSpan));
    }

    [Fact]
    public void WhatOurNodesAddIsRead()
    {
        Read("""[{"action":"add","entry":{"cidr":"1.2.3.4/32","expiration":1},"stamp":5,"node":6,"ttl":1500,"sent":1700000000000}]""", out IncomingBatch batch, out _);
        IncomingJob job = Assert.Single(batch.Jobs);
        Assert.Equal(new RuleVersion(5, 6), job.Version);
        Assert.Equal(TimeSpan.FromSeconds(1.5), job.TimeToLive);
        Assert.Equal(DateTimeOffset.FromUnixTimeMilliseconds(1_700_000_000_000), batch.SentAt);
    }

    [Theory]
    [InlineData("")]
    [InlineData(" ")]
    [InlineData("[")]
    [InlineData("[],")]
    [InlineData("[]]")]
    [InlineData("[1,]")]
    [InlineData("nonsense")]
    [InlineData("[{'action':'add'}]")]
    [InlineData("[{\"action\":\"\u0001\"}]")]
    [InlineData("""[{"x":"\ud800"}]""")]
    [InlineData("""[{"\udc00":1}]""")]
    [InlineData("""[{"action":"bad"}, nope]""")]
    public void WhatIsNoJsonIsCalledSo(string body) => Assert.Equal(PeerBodyFault.NotJson, Read(body, out _, out _));

    [Theory]
    [InlineData("null", "the body is not an array of jobs")]
    [InlineData("{}", "the body is not an array of jobs")]
    [InlineData("[1]", "job 0: not an object")]
    [InlineData("[" + Add + ",[]]", "job 1: not an object")]
    [InlineData("[{}]", "job 0: \"action\" and \"entry\" are required")]
    [InlineData("""[{"action":"Add","entry":{"cidr":"1.2.3.4/32","expiration":0}}]""", "job 0: \"action\" is neither \"add\" nor \"remove\"")]
    [InlineData("""[{"action":1,"entry":{}}]""", "job 0: \"action\" is neither \"add\" nor \"remove\"")]
    [InlineData("""[{"action":"add","entry":["1.2.3.4/32",null,0]}]""", "job 0: \"entry\" is not an object")]
    [InlineData("""[{"action":"add","entry":{"cidr":"1.2.3.4/32"}}]""", "job 0: \"cidr\" and \"expiration\" are required")]
    [InlineData("""[{"action":"add","entry":{"cidr":"1.2.3.4","expiration":0}}]""", "job 0: \"cidr\": no prefix length; expected ADDRESS/LENGTH such as 192.0.2.0/24")]
    [InlineData("""[{"action":"add","entry":{"cidr":"1.2.3.4/32","expiration":-1}}]""", "job 0: \"expiration\" is not an integer from 0 to 18446744073709551615")]
    [InlineData("""[{"action":"add","entry":{"cidr":"1.2.3.4/32","expiration":1e3}}]""", "job 0: \"expiration\" is not an integer from 0 to 18446744073709551615")]
    [InlineData("""[{"action":"add","entry":{"cidr":"1.2.3.4/32","expiration":"1"}}]""", "job 0: \"expiration\" is not an integer from 0 to 18446744073709551615")]
    [InlineData("""[{"action":"add","entry":{"cidr":"1.2.3.4/32","tag":1,"expiration":0}}]""", "job 0: \"tag\" is neither a string nor null")]
    [InlineData("""[{"action":"add","entry":{"cidr":"1.2.3.4/32","tag":"x.couic","expiration":0}}]""", "job 0: \"tag\": must not end in \".couic\" (kept for the entries of sets)")]
    [InlineData("""[{"action":"add","entry":{"cidr":"1.2.3.4/32","cidr":"1.2.3.4/32","expiration":0}}]""", "job 0: a member of \"entry\" appears twice")]
    [InlineData("""[{"action":"add","action":"add","entry":{"cidr":"1.2.3.4/32","expiration":0}}]""", "job 0: a member appears twice")]
    [InlineData("""[{"action":"add","entry":{"cidr":"1.2.3.4/32","expiration":0,"metadata":{"kind":"k"}}}]""", "job 0: \"metadata\" needs \"kind\" and \"detail\"")]
    [InlineData("""[{"action":"add","entry":{"cidr":"1.2.3.4/32","expiration":0,"metadata":[]}}]""", "job 0: \"metadata\" is neither an object nor null")]
    [InlineData("""[{"action":"add","entry":{"cidr":"1.2.3.4/32","expiration":0},"stamp":1}]""", "job 0: \"stamp\" and \"node\" need each other")]
    [InlineData("""[{"action":"add","entry":{"cidr":"1.2.3.4/32","expiration":0},"stamp":18446744073709551615,"node":1}]""", "job 0: \"stamp\" is too large")]
    public void AWrongShapeIsNamedWithItsPlace(string body, string message)
    {
        Assert.Equal(PeerBodyFault.Invalid, Read(body, out IncomingBatch batch, out string said));
        Assert.Equal(message, said);
        Assert.True(batch.Jobs.Count <= 1);
    }

    [Fact]
    public void ATagOfTooManyBytesIsRefusedHoweverItIsWritten()
    {
        string body = """[{"action":"add","entry":{"cidr":"1.2.3.4/32","tag":"T","expiration":0}}]""".Replace("T", new string('x', 65), StringComparison.Ordinal);
        Assert.Equal(PeerBodyFault.Invalid, Read(body, out _, out _));
        Assert.Equal(PeerBodyFault.Invalid, Read(body.Replace(new string('x', 65), new string('x', 5_000), StringComparison.Ordinal), out _, out _));
    }

    [Fact]
    public void EveryTruncationIsNoJson()
    {
        string body = "[" + Add + "," + Add + "]";
        for (int length = 0; length < body.Length; length++)
        {
            Assert.Equal(PeerBodyFault.NotJson, Read(body[..length], out _, out _));
        }
    }

    [Fact]
    public void BytesThatAreNotUtf8AreNoJson() => Assert.Equal(
        PeerBodyFault.NotJson, PeerJobReader.TryRead(Encoding.Latin1.GetBytes("""[{"action":"add","x":"é"}]"""), out _, out _));

    [Fact]
    public void RandomDamageNeverThrows()
    {
        byte[] good = Encoding.UTF8.GetBytes("""[{"action":"add","entry":{"cidr":"1.2.3.4/32","tag":"\u0041","expiration":7,"metadata":{"kind":"k","detail":"d","extra":{"a":1}}},"stamp":1,"node":2,"ttl":3,"sent":4}]""");
        Gen.Select(Gen.Int[0, good.Length - 1], Gen.Frequency((1, Gen.Byte), (2, Gen.OneOf(good)))).Array[1, 3].Sample(
            edits =>
            {
                byte[] damaged = [.. good];
                foreach ((int at, byte value) in edits)
                {
                    damaged[at] = value;
                }

                PeerJobReader.TryRead(damaged, out _, out _);
            },
            iter: 50_000);
    }

    private static PeerBodyFault Read(string body, out IncomingBatch batch, out string message) =>
        PeerJobReader.TryRead(Encoding.UTF8.GetBytes(body), out batch, out message);
}
