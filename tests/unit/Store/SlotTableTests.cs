using Couic.Store;
using CsCheck;
using Xunit;

namespace Couic.Tests.Store;

public class SlotTableTests
{
    /// <summary>Block lists consist of many networks whose low bits are all zero.</summary>
    [Theory]
    [InlineData(32)]
    [InlineData(24)]
    [InlineData(16)]
    public void Ipv4NetworksOfOneLength_SpreadOverTheBuckets(int length)
    {
        var seen = new HashSet<int>();
        for (uint i = 0; i < 65_536; i++)
        {
            seen.Add(Cidr.FromV4(i << (32 - length), length).GetHashCode() & 0xffff);
        }

        Assert.True(seen.Count > 38_000, $"{seen.Count} buckets of 65,536 for as many networks"); // 41,427 by chance
    }

    [Theory]
    [InlineData(128)]
    [InlineData(64)]
    [InlineData(32)]
    public void Ipv6NetworksOfOneLength_SpreadOverTheBuckets(int length)
    {
        var seen = new HashSet<int>();
        for (uint i = 0; i < 65_536; i++)
        {
            ulong high = length == 128 ? 0x20010db8_00000000 : (ulong)i << (64 - length);
            seen.Add(new Cidr(IpFamily.V6, high, length == 128 ? i : 0UL, length).GetHashCode() & 0xffff);
        }

        Assert.True(seen.Count > 38_000, $"{seen.Count} buckets of 65,536 for as many networks");
    }

    [Fact]
    public void RandomOperations_AgreeWithADictionary() =>
        Gen.Select(Gen.UInt[0, 400], Gen.Int[24, 32], Gen.Int[0, 2]).Array[0, 8_000].Sample(
            operations =>
            {
                var table = new SlotTable<EntrySlot>();
                var model = new Dictionary<Cidr, int>();
                foreach ((uint address, int length, int removes) in operations)
                {
                    Cidr cidr = Cidr.FromV4(address << 8, length).Network;
                    int slot = table.Find(cidr);
                    Assert.Equal(model.GetValueOrDefault(cidr, -1), slot);
                    if (slot < 0)
                    {
                        model[cidr] = table.Insert(cidr);
                    }
                    else if (removes > 0)
                    {
                        table.Remove(slot);
                        model.Remove(cidr);
                    }

                    Assert.Equal(model.Count, table.Count);
                }

                Assert.All(model, m => Assert.Equal(m.Key, table[m.Value].Cidr));
            },
            iter: 50);
}
