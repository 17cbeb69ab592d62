using Couic.Api;
using Couic.Store;
using Xunit;

namespace Couic.Tests.Api;

public sealed class AuditSampleTests
{
    [Fact]
    public void ToString_FewEntries_NamesThemAndATagWhereItChanges()
    {
        var sample = new AuditSample();
        sample.Add(Cidr.FromV4(0x0a000001), "a"u8);
        sample.Add(Cidr.FromV4(0x0a000002), "a"u8);
        sample.Add(Cidr.FromV4(0x0a000000, 8), ""u8);
        sample.Add(Cidr.FromV4(0x0b000000, 8), "b"u8, "drop");
        Assert.Equal("10.0.0.1/32 (a), 10.0.0.2/32, 10.0.0.0/8 (untagged), drop 11.0.0.0/8 (b)", sample.ToString());
    }

    [Fact]
    public void ToString_ManyEntries_IsBoundedAndCountsTheRest()
    {
        var sample = new AuditSample();
        for (int i = 0; i < 49_995; i++)
        {
            sample.Add(new Cidr(IpFamily.V6, ulong.MaxValue, ulong.MaxValue, 128), System.Text.Encoding.ASCII.GetBytes(new string((char)('a' + (i % 2)), 64)));
        }

        Assert.EndsWith(" more", sample.ToString(), StringComparison.Ordinal);
        Assert.InRange(sample.ToString().Length, AuditSample.MaxLength, 7_500);
        int named = sample.ToString().Split("/128").Length - 1;
        Assert.Contains($" and {49_995 - named:N0} more", sample.ToString(), StringComparison.Ordinal);
    }
}
