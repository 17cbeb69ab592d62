using System.Text;
using Couic.Cli;
using Couic.Cli.Values;
using Couic.CommandLine;
using Couic.Tests.Fakes;
using Xunit;

namespace Couic.Tests.Cli;

public sealed class NetworkListTests
{
    private static readonly ManualClock Clock = new();

    [Theory]
    [InlineData("# Spamhaus DROP\n1.10.16.0/20 ; SBL256894\n2001:db8::/32 ; SBL1", "1.10.16.0/20 2001:db8::/32")]
    [InlineData("9.9.9.0/24 # quad9\n8.8.8.8\t# google\n;comment\n//comment\n", "9.9.9.0/24 8.8.8.8/32")]
    [InlineData("cidr,country\n7.7.7.0/24,US\n\"7.7.8.0/24\",\"DE\"\n", "7.7.7.0/24 7.7.8.0/24")]
    [InlineData("7.7.7.0/24;US\n7.7.9.1 seen yesterday", "7.7.7.0/24 7.7.9.1/32")]
    [InlineData("1.2.3.0-1.2.3.255\n1.2.4.1 - 1.2.4.3, range", "1.2.3.0/24 1.2.4.1/32 1.2.4.2/31")]
    [InlineData("2001:db8::-2001:db8::1:2", "2001:db8::/112 2001:db8::1:0/127 2001:db8::1:2/128")]
    [InlineData("0.0.0.0-255.255.255.255", "0.0.0.0/0")]
    [InlineData("::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "::/0")]
    [InlineData("255.255.255.254-255.255.255.255", "255.255.255.254/31")]
    [InlineData("\uFEFF1.2.3.4\r\n5.6.7.8\r\n", "1.2.3.4/32 5.6.7.8/32")]
    [InlineData("\uFEFF", "")]
    [InlineData("{\"cidr\":\"1.10.16.0/20\",\"sblid\":\"SBL256894\",\"rir\":\"apnic\"}\n{\"type\":\"metadata\",\"timestamp\":1,\"records\":1}", "1.10.16.0/20")]
    [InlineData("[\n  {\n    \"creation\": 1,\n    \"cidr\": \"1.2.3.0/24\"\n  },\n  {\n    \"cidr\": \"5.6.7.8/32\"\n  }\n]\n", "1.2.3.0/24 5.6.7.8/32")]
    [InlineData("[{\"cidr\":\"1.2.3.0/24\"},{\"cidr\":\"5.6.7.8\"}]", "1.2.3.0/24 5.6.7.8/32")]
    [InlineData("create bad hash:net family inet hashsize 1024 maxelem 65536\nadd bad 1.2.3.0/24\nadd bad 5.6.7.8\n", "1.2.3.0/24 5.6.7.8/32")]
    [InlineData("table inet filter {\n\tset bad {\n\t\ttype ipv4_addr\n\t\tflags interval\n\t\telements = { 1.2.3.0/24, 5.6.7.8 counter packets 0 bytes 0,\n\t\t\t     10.0.0.0-10.0.0.3 }\n\t}\n}\n", "1.2.3.0/24 5.6.7.8/32 10.0.0.0/30")]
    [InlineData("add element inet filter bad { 1.2.3.0/24, 2001:db8::1 timeout 1h }", "1.2.3.0/24 2001:db8::1/128")]
    public void AList_InAnyUsualFormat_GivesItsNetworks(string text, string networks) =>
        Assert.Equal(networks, string.Join(' ', Read(text).Select(item => item.Fault ?? item.Cidr.ToString())));

    [Theory]
    [InlineData("1.2.3.4:80", "it has a port (write 1.2.3.4)")]
    [InlineData("[2001:db8::1]:443", "it has brackets, as in a URL (write 2001:db8::1)")]
    [InlineData("fe80::1%eth0", "it has a zone (write fe80::1)")]
    [InlineData("1.2.3.0/255.255.255.0", "it has a netmask (write 1.2.3.0/24)")]
    [InlineData("1.2.3.0/0.0.0.0", "it has a netmask (write 1.2.3.0/0)")]
    [InlineData("1.2.3.0/255.0.255.0", "its netmask is not contiguous")]
    [InlineData("01.2.3.4", "a number with leading zeros is ambiguous: decimal or octal?")]
    [InlineData("1.2.3.004/32", "a number with leading zeros is ambiguous: decimal or octal?")]
    [InlineData("AS15169", "it is an autonomous system (couicctl sets create POLICY NAME --from-asn AS15169)")]
    [InlineData("www.example.com", "it is a host name (write its addresses)")]
    [InlineData("00:11:22:33:44:55", "it is a hardware address; couic matches IP addresses")]
    [InlineData("bad", "not an IPv4 or IPv6 address; expected ADDRESS/LENGTH such as 192.0.2.0/24")]
    public void ALineThatIsNotANetwork_IsReportedWithItsParticularReason(string text, string reason) =>
        Assert.Equal($"\"{text}\" is not a CIDR: {reason}", Assert.Single(Read(text)).Fault);

    [Theory]
    [InlineData("add bad 1.2.3.4,tcp:80", "\"1.2.3.4,tcp:80\" is more than a network: couic matches the source address alone (write 1.2.3.4)")]
    [InlineData("add bad 1.2.3.4 nomatch", "\"1.2.3.4\" is an exception (nomatch): add it to ignore instead")]
    [InlineData("203.0.113.0/2", "\"203.0.113.0/2\": ")]
    [InlineData("1.2.3.9-1.2.3.1", "\"1.2.3.9-1.2.3.1\" is not a range: its end is before its start")]
    [InlineData("1.2.3.9-::1", "\"1.2.3.9-::1\" is not a range: its end is of the other address family")]
    [InlineData("{\"cidr\":", "\"{\"cidr\":\" is not an entry")]
    [InlineData("{\"cidr\":\"1.2.3.0/24\",\"tag\":\"a b\"}", "tag \"a b\"")]
    [InlineData(",1.2.3.4", "\",1.2.3.4\" has no network in its first field")]
    public void AFaultyLine_IsReported(string text, string start) => Assert.StartsWith(start, Assert.Single(Read(text)).Fault, StringComparison.Ordinal);

    [Fact]
    public void AnEntry_KeepsItsTagAndExpiration_AndAnIpsetTimeoutCountsFromNow()
    {
        ulong now = (ulong)Clock.GetUtcNow().ToUnixTimeSeconds();
        List<ListItem> items = Read("{\"cidr\":\"1.2.3.4/32\",\"tag\":\"a\",\"expiration\":9}\n{\"cidr\":\"1.2.3.5/32\",\"tag\":null}\n1.2.3.6\nadd bad 1.2.3.7 timeout 60\nadd bad 1.2.3.8 timeout 0");
        Assert.Equal([("a", 9UL), ("", null), (null, null), (null, now + 60), (null, null)], items.Select(item => (item.Tag, item.Expiration)));
        Assert.Equal([1, 2, 3, 4, 5], items.Select(item => item.Line));
    }

    [Fact]
    public void AListInUtf16_IsRefusedWithTheCommandThatConvertsIt()
    {
        using var list = new NetworkList(new MemoryStream(Encoding.Unicode.GetPreamble().Concat(Encoding.Unicode.GetBytes("1.2.3.4\n")).ToArray()), Clock);
        Assert.Contains("iconv -f UTF-16 -t UTF-8", Assert.Throws<CliException>(() => list.TryNext(out _)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void ALineOfAnyLength_IsReadOrRefused()
    {
        string elements = string.Join(", ", Enumerable.Range(0, 20_000).Select(i => $"10.{i / 250 % 250}.{i % 250}.0/24"));
        Assert.Equal(20_000, Read($"elements = {{ {elements} }}").Count(item => item.Fault is null));
        Assert.Equal("the line is longer than 16 MiB", Read(new string('x', (16 * 1024 * 1024) + 1) + "\n1.2.3.4")[0].Fault);
    }

    [Fact]
    public void AnEntryOfManyLines_IsAFault_AndTheNextNetworkIsRead()
    {
        string members = string.Concat(Enumerable.Repeat("\n\"a\": 1,", 62));
        Assert.Equal("1.2.3.0/24", Assert.Single(Read($"{{{members}\n\"cidr\": \"1.2.3.0/24\" }}")).Cidr.ToString());
        List<ListItem> items = Read($"{{{members}{members}\n\"cidr\": \"1.2.3.0/24\" }}\n5.6.7.8");
        Assert.Equal(("5.6.7.8/32", null), (items[^1].Cidr.ToString(), items[^1].Fault));
        Assert.Contains("is not an entry", items[0].Fault, StringComparison.Ordinal);
    }

    [Fact]
    public void EveryTruncationOfEveryFormat_EndsWithoutAnException()
    {
        const string All = "\uFEFF# c\n1.2.3.0-1.2.3.9\n\"a\",b\n{\"cidr\":\"1.2.3.4/32\",\"tag\":\"a\"}\n[\n{\n\"cidr\": \"1.2.3.0/24\"\n},\n]\n[{\"cidr\":\"1.1.1.1\"}]\ncreate x hash:net\nadd x 1.2.3.4 timeout 5\ntable ip t {\nset s {\nelements = { 1.2.3.4,\n 5.6.7.8 timeout 1h }\n}\n}\n[::1]:5\nfe80::%\n-\n1-2\n/\n";
        byte[] bytes = Encoding.UTF8.GetBytes(All);
        for (int length = 0; length <= bytes.Length; length++)
        {
            Assert.All(Read(bytes.AsSpan(0, length).ToArray()), item => Assert.True(item.Fault is null || item.Fault.Length > 0));
        }
    }

    [Fact]
    public void RangesOfEverySizeAndAlignment_AreCoveredExactly()
    {
        var random = new Random(7);
        for (int i = 0; i < 2_000; i++)
        {
            uint first = (uint)random.Next(0, 4_000), last = first + (uint)random.Next(0, 4_000);
            var covered = new HashSet<uint>();
            foreach (ListItem item in Read($"{Address(first)}-{Address(last)}"))
            {
                for (uint host = 0; host < 1u << (32 - item.Cidr.Length); host++)
                {
                    Assert.True(covered.Add(item.Cidr.V4 + host));
                }
            }

            Assert.Equal(last - first + 1, (uint)covered.Count);
            Assert.Equal((first, last), (covered.Min(), covered.Max()));
        }

        static string Address(uint value) => $"0.0.{value >> 8}.{value & 255}";
    }

    private static List<ListItem> Read(string text) => Read(Encoding.UTF8.GetBytes(text));

    private static List<ListItem> Read(byte[] text)
    {
        using var list = new NetworkList(new MemoryStream(text), Clock);
        var items = new List<ListItem>();
        while (list.TryNext(out ListItem item))
        {
            items.Add(item);
        }

        return items;
    }
}
