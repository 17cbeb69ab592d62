using System.Buffers.Binary;
using System.Net;
using Couic.Store;
using CsCheck;
using Xunit;

namespace Couic.Tests.Store;

public class CidrTests
{
    /// <summary>Numbers with groups of 16 zero bits, which the short form of IPv6 addresses leaves out.</summary>
    private static readonly Gen<ulong> Sparse = Gen.Select(Gen.ULong, Gen.Bool.Array[4], (bits, isZero) => Enumerable.Range(0, 4).Aggregate(bits, (b, i) => isZero[i] ? b & ~(0xffffUL << (16 * i)) : b));

    [Theory]
    [InlineData("0.0.0.0/0", "0.0.0.0/0")]
    [InlineData("192.168.1.200/24", "192.168.1.200/24")]
    [InlineData("255.255.255.255/32", "255.255.255.255/32")]
    [InlineData("::/0", "::/0")]
    [InlineData("::1/128", "::1/128")]
    [InlineData("2001:DB8::1/32", "2001:db8::1/32")]
    [InlineData("1:2:3:4:5:6:7::/112", "1:2:3:4:5:6:7:0/112")]
    [InlineData("::2:3:4:5:6:7:8/128", "0:2:3:4:5:6:7:8/128")]
    [InlineData("1:0:0:2:0:0:3:4/128", "1::2:0:0:3:4/128")]
    [InlineData("1:0:0:2:0:0:0:4/128", "1:0:0:2::4/128")]
    [InlineData("::ffff:1.2.3.4/128", "::ffff:1.2.3.4/128")]
    [InlineData("::ffff:0:0/96", "::ffff:0.0.0.0/96")]
    [InlineData("::1.2.3.4/128", "::102:304/128")]
    [InlineData("64:ff9b::1.2.3.4/128", "64:ff9b::102:304/128")]
    [InlineData("::ffff:0:1.2.3.4/128", "::ffff:0:102:304/128")]
    [InlineData("fe80::5efe:192.168.1.1/128", "fe80::5efe:c0a8:101/128")]
    [InlineData("1:2:3:4:5:6:1.2.3.4/128", "1:2:3:4:5:6:102:304/128")]
    public void ValidText_IsReadAndWrittenCanonically(string text, string canonical)
    {
        Assert.Equal(CidrFault.None, Cidr.TryParse(text, out Cidr cidr));
        Assert.Equal(canonical, cidr.ToString());
        Assert.Equal(CidrFault.None, Cidr.TryParse(canonical, out Cidr again));
        Assert.Equal(cidr, again);
    }

    [Theory]
    [InlineData("", CidrFault.Empty)]
    [InlineData("1.2.3.4", CidrFault.NoLength)]
    [InlineData("::1", CidrFault.NoLength)]
    [InlineData("1.2.3.4/", CidrFault.BadLength)]
    [InlineData("1.2.3.4//32", CidrFault.BadLength)]
    [InlineData("1.2.3.4/32/", CidrFault.BadLength)]
    [InlineData("1.2.3.4/032", CidrFault.BadLength)]
    [InlineData("1.2.3.4/+32", CidrFault.BadLength)]
    [InlineData("1.2.3.4/-1", CidrFault.BadLength)]
    [InlineData("1.2.3.4/33", CidrFault.LengthTooLarge)]
    [InlineData("1.2.3.4/4294967328", CidrFault.LengthTooLarge)]
    [InlineData("::/129", CidrFault.LengthTooLarge)]
    [InlineData(" 1.2.3.4/32", CidrFault.BadAddress)]
    [InlineData("1.2.3.4/32 ", CidrFault.BadLength)]
    [InlineData("1.2.3/24", CidrFault.BadAddress)]
    [InlineData("1.2.3.4.5/24", CidrFault.BadAddress)]
    [InlineData("01.2.3.4/24", CidrFault.BadAddress)]
    [InlineData("256.2.3.4/24", CidrFault.BadAddress)]
    [InlineData("0x1.2.3.4/24", CidrFault.BadAddress)]
    [InlineData("1.2.3.4a/24", CidrFault.BadAddress)]
    [InlineData("١.2.3.4/24", CidrFault.BadAddress)]
    [InlineData("fe80::1%eth0/64", CidrFault.BadAddress)]
    [InlineData("[::1]/64", CidrFault.BadAddress)]
    [InlineData(":::/64", CidrFault.BadAddress)]
    [InlineData("1::2::3/64", CidrFault.BadAddress)]
    [InlineData("1:2:3:4:5:6:7/64", CidrFault.BadAddress)]
    [InlineData("1:2:3:4:5:6:7:8:9/64", CidrFault.BadAddress)]
    [InlineData("1:2:3:4:5:6:7:8::/64", CidrFault.BadAddress)]
    [InlineData(":1:2:3:4:5:6:7/64", CidrFault.BadAddress)]
    [InlineData("1:2:3:4:5:6:7:/64", CidrFault.BadAddress)]
    [InlineData("12345::/64", CidrFault.BadAddress)]
    [InlineData("1:2:3:4:5:6:7:1.2.3.4/64", CidrFault.BadAddress)]
    [InlineData("1.2.3.4::/64", CidrFault.BadAddress)]
    [InlineData("::1.2.3/64", CidrFault.BadAddress)]
    public void InvalidText_HasItsFault(string text, CidrFault fault) => Assert.Equal(fault, Cidr.TryParse(text, out _));

    [Fact]
    public void ANetwork_WrittenAndReadAgain_IsTheSame_AndHasTheAddressThatTheRuntimeReads() =>
        Gen.Select(Gen.Bool, Sparse, Sparse, Gen.Int[0, 128]).Sample(
            (isV4, high, low, length) =>
            {
                Cidr cidr = isV4 ? Cidr.FromV4((uint)high, length % 33) : new Cidr(IpFamily.V6, high, low, length);
                Assert.Equal(CidrFault.None, Cidr.TryParse(cidr.ToString(), out Cidr again));
                Assert.Equal(cidr, again);
                byte[] address = IPAddress.Parse(cidr.AddressText()).GetAddressBytes();
                Assert.Equal(isV4 ? Cidr.FromV4((uint)high) : new Cidr(IpFamily.V6, high, low, 128), isV4 ? Cidr.FromV4(BinaryPrimitives.ReadUInt32BigEndian(address)) : Cidr.FromV6(address));
            },
            iter: 20_000);

    [Theory]
    [InlineData("192.168.1.200/24", "192.168.1.0/24")]
    [InlineData("1.2.3.4/0", "0.0.0.0/0")]
    [InlineData("1.2.3.4/32", "1.2.3.4/32")]
    [InlineData("2001:db8:ffff:ffff:ffff::1/65", "2001:db8:ffff:ffff:8000::/65")]
    [InlineData("2001:db8:ffff:ffff:ffff::1/64", "2001:db8:ffff:ffff::/64")]
    [InlineData("ffff::1/0", "::/0")]
    public void NetworkClearsHostBits(string text, string network)
    {
        Cidr.TryParse(text, out Cidr cidr);
        Assert.Equal(network, cidr.Network.ToString());
    }
}
