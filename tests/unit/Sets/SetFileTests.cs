using System.Text;
using Couic.Sets;
using Couic.Store;
using CsCheck;
using Xunit;

namespace Couic.Tests.Sets;

public class SetFileTests
{
    [Theory]
    [InlineData("", "")]
    [InlineData("\n\n\n", "")]
    [InlineData("# nothing but a comment", "")]
    [InlineData("192.0.2.0/24", "192.0.2.0/24")]
    [InlineData("192.0.2.0/24\n", "192.0.2.0/24")]
    [InlineData("192.0.2.0/24\r\n2001:DB8::1/32\r\n", "192.0.2.0/24 2001:db8::1/32")]
    [InlineData("  192.0.2.7/24\t\n\t\n \t# note\n#\n\n10.0.0.1/32 ", "192.0.2.7/24 10.0.0.1/32")]
    [InlineData("10.0.0.1/32\n10.0.0.1/32\n10.0.0.0/8", "10.0.0.1/32 10.0.0.1/32 10.0.0.0/8")]
    public void GoodFilesAreReadInOrderWithHostBitsAndDuplicates(string text, string entries)
    {
        List<Cidr> read = SetFile.Read(Encoding.UTF8.GetBytes(text), out List<SetFault> faults);
        Assert.Empty(faults);
        Assert.Equal(entries, string.Join(' ', read));
        Assert.Equal(read.Count, SetFile.CountLines(Encoding.UTF8.GetBytes(text)));
    }

    [Theory]
    [InlineData("10.0.0.1", 1, "10.0.0.1", "no prefix length; expected ADDRESS/LENGTH such as 192.0.2.0/24")]
    [InlineData("\n# c\nfoo\n", 3, "foo", "not an IPv4 or IPv6 address; expected ADDRESS/LENGTH such as 192.0.2.0/24")]
    [InlineData("10.0.0.1/32 # home", 1, "10.0.0.1/32 # home", "prefix length is not a plain decimal number")]
    [InlineData("10.0.0.1/33\r\n", 1, "10.0.0.1/33", "prefix length out of range; 0 to 32 for IPv4, 0 to 128 for IPv6")]
    [InlineData("10.0.0.1/32\r10.0.0.2/32", 1, "10.0.0.1/32\\u{d}10.0.0.2/32", "prefix length is not a plain decimal number")]
    [InlineData("\u001b[2Jx", 1, "\\u{1b}[2Jx", "not an IPv4 or IPv6 address; expected ADDRESS/LENGTH such as 192.0.2.0/24")]
    public void BadLinesAreToldWithNumberTextAndReason(string text, int line, string shown, string message)
    {
        SetFile.Read(Encoding.UTF8.GetBytes(text), out List<SetFault> faults);
        SetFault fault = Assert.Single(faults);
        Assert.Equal((line, shown, message), (fault.Line, fault.Text, fault.Message));
    }

    [Fact]
    public void AByteOrderMarkIsExplained()
    {
        SetFile.Read([0xef, 0xbb, 0xbf, .. "10.0.0.1/32\n"u8], out List<SetFault> faults);
        Assert.EndsWith("(the file starts with a byte order mark; save it without)", Assert.Single(faults).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void LongLinesAreCutShortAndManyFaultsAreBounded()
    {
        SetFile.Read(Encoding.UTF8.GetBytes(new string('x', 100_000)), out List<SetFault> one);
        Assert.Equal(new string('x', 80) + "…", Assert.Single(one).Text);
        SetFile.Read(Encoding.UTF8.GetBytes(string.Concat(Enumerable.Repeat("x\n", 20_000))), out List<SetFault> many);
        Assert.Equal(SetFile.MaxFaults, many.Count);
    }

    [Fact]
    public void TheLineThatIsNotTextIsFound()
    {
        byte[] content = [.. "10.0.0.1/32\n# caf"u8, 0xe9, .. "\n10.0.0.2/32\n"u8];
        Assert.False(SetFile.IsText(content));
        Assert.Equal(2, SetFile.FindBadText(content));
        Assert.Equal(0, SetFile.FindBadText("é\n"u8));
    }

    [Fact]
    public void WrittenTextEndsItsLastLineAndReadsBack()
    {
        Cidr[] entries = [.. SetFile.Read("10.0.0.7/8\n2001:DB8:0:0::/32\n::ffff:1.2.3.4/128"u8, out _)];
        byte[] text = SetFile.Format(entries);
        Assert.Equal("10.0.0.7/8\n2001:db8::/32\n::ffff:1.2.3.4/128\n", Encoding.UTF8.GetString(text));
        Assert.Equal(entries, SetFile.Read(text, out _));
        Assert.Empty(SetFile.Format([]));
    }

    /// <summary>A table full of the networks with the longest text fits into one file.</summary>
    [Fact]
    public void Format_FullTableOfIPv6Hosts_FitsIntoOneFile()
    {
        Cidr[] entries = [.. Enumerable.Range(0, 262_144).Select(i => new Cidr(IpFamily.V6, 0x2001_0db8_1111_2222, 0x3333_4444_5555_0000 + (ulong)i, 128))];
        Assert.InRange(SetFile.Format(entries).Length, 262_144 * 40, SetLimits.Default.MaxFileBytes);
    }

    [Fact]
    public void EveryTruncationIsReadWithoutAnException()
    {
        byte[] content = Encoding.UTF8.GetBytes("# é comment\r\n192.0.2.0/24\n\n 2001:db8::/32 \n::ffff:1.2.3.4/128\nbad\n10.0.0.1/32");
        for (int length = 0; length <= content.Length; length++)
        {
            ReadOnlySpan<byte> part = content.AsSpan(0, length);
            List<Cidr> entries = SetFile.Read(part, out List<SetFault> faults);
            Assert.Equal(SetFile.CountLines(part), entries.Count + faults.Count);
        }
    }

    [Fact]
    public void RandomBytesAreReadWithoutAnException()
    {
        byte[] alphabet = "0123456789abcdef.:/# \t\r\n\n\0\u00e9"u8.ToArray();
        Gen.OneOf(Gen.Byte.Array[0, 200], Gen.OneOf(alphabet).Array[0, 200]).Sample(
            content =>
            {
                List<Cidr> entries = SetFile.Read(content, out List<SetFault> faults);
                Assert.Equal(SetFile.CountLines(content), entries.Count + faults.Count);
                Assert.Equal(SetFile.IsText(content), SetFile.FindBadText(content) == 0);
                Assert.All(faults, fault => Assert.DoesNotContain(fault.Text, char.IsControl));
            },
            iter: 5_000);
    }

    [Theory]
    [InlineData("blocklist.couic", "blocklist")]
    [InlineData("A-b_9.couic", "A-b_9")]
    [InlineData("123456789012345678901234567890123456789012345678.couic", "123456789012345678901234567890123456789012345678")]
    [InlineData("1234567890123456789012345678901234567890123456789.couic", null)]
    [InlineData(".couic", null)]
    [InlineData("a.b.couic", null)]
    [InlineData("a.COUIC", null)]
    [InlineData("a", null)]
    [InlineData(".a.couic.0123456789abcdef.tmp", null)]
    [InlineData("é.couic", null)]
    public void OnlyFilesWithGoodNamesAreSets(string file, string? name)
    {
        Assert.Equal(name is not null, SetName.TryFromFile(file, out string found));
        Assert.True(name is null || name == found);
    }

    [Fact]
    public void ReasonLine_HoldsUntilTheNextOne_AndAnInvalidOneEndsIt()
    {
        string text = "10.0.0.1/32\n# reason:  brute force \n10.0.0.2/32\n# note\n10.0.0.3/32\n#reason: other\r\n10.0.0.4/32\n# reason: "
            + new string('x', 257) + "\n10.0.0.5/32\n# reason: again\n10.0.0.6/32\n# reason:\n10.0.0.7/32\n";
        var reasons = new List<string>();
        var reader = new SetReader(Encoding.UTF8.GetBytes(text));
        while (reader.Next())
        {
            reasons.Add(Encoding.UTF8.GetString(reader.Reason));
        }

        Assert.Equal(["", "brute force", "brute force", "other", "", "again", ""], reasons);
    }
}
