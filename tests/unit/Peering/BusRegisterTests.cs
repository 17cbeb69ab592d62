using Couic.Bus;
using Couic.Peering;
using Couic.Store;
using Xunit;

namespace Couic.Tests.Peering;

/// <summary>A register as a value on the bus.</summary>
public class BusRegisterTests
{
    private static readonly DateTimeOffset Now = DateTimeOffset.UnixEpoch.AddDays(20_000);

    [Theory]
    [InlineData("10.0.0.0/8", "drop.4.0a000000.8")]
    [InlineData("198.51.100.7/32", "drop.4.c6336407.32")]
    [InlineData("2001:db8::/32", "drop.6.20010db8000000000000000000000000.32")]
    public void AKeyNamesPolicyFamilyAddressAndLength(string cidr, string key) => Assert.Equal(key, Written(cidr).Key);

    [Fact]
    public void AValueIsReadAsItWasWritten()
    {
        BusValue value = Written("2001:db8::/32");
        Assert.Equal(BusReading.Good, Read(value.Key, value.Value.ToArray(), out Policy policy, out RemoteChange change, out DateTimeOffset writtenAt));
        Assert.Equal((Policy.Drop, Now), (policy, writtenAt));
        Assert.Equal((new RuleVersion(5, 6), RegisterState.Live, 99UL, TimeSpan.FromSeconds(7)), (change.Version!.Value, change.State, change.Expiration, change.Left!.Value));
        Assert.Equal("ssh", System.Text.Encoding.UTF8.GetString(change.Tag.Span));
    }

    /// <summary>A producer that may write one subject cannot write a rule of another network with it.</summary>
    [Theory]
    [InlineData("drop.4.c6336408.32")]
    [InlineData("drop.4.C6336407.32")]
    [InlineData("drop.4.c6336407.31")]
    [InlineData("drop.4.c6336407.32.x")]
    [InlineData("drop")]
    [InlineData("")]
    public void AValueUnderAnotherKeyIsMalformed(string key) =>
        Assert.Equal(BusReading.Malformed, Read(key, Written("198.51.100.7/32").Value.ToArray(), out _, out _, out _));

    [Fact]
    public void EveryTruncationAndExtensionIsMalformed()
    {
        BusValue value = Written("2001:db8::/32");
        for (int length = 0; length < value.Value.Length; length++)
        {
            Assert.Equal(BusReading.Malformed, Read(value.Key, value.Value[..length].ToArray(), out _, out _, out _));
        }

        Assert.Equal(BusReading.Malformed, Read(value.Key, [.. value.Value.Span, 0], out _, out _, out _));
        Assert.Equal(BusReading.Malformed, Read(value.Key, [.. value.Value.Span, .. value.Value.Span[14..]], out _, out _, out _));
    }

    [Fact]
    public void AValueThatIsTooLargeIsMalformed() =>
        Assert.Equal(BusReading.Malformed, BusRegister.Read(new BusMessage("drop.4.c6336407.32", null, 1, Now), [], out _, out _, out _));

    [Fact]
    public void AValueOfALaterVersionIsNotJudged() => Assert.Equal(BusReading.LaterVersion, Read("drop.4.c6336407.32", [2, 9, 9], out _, out _, out _));

    private static BusValue Written(string cidr)
    {
        Assert.Equal(CidrFault.None, Cidr.TryParse(cidr, out Cidr parsed));
        return BusRegister.Write(
            Policy.Drop, new OutgoingJob(parsed, new RuleVersion(5, 6), RegisterState.Live, "ssh"u8.ToArray(), 99, TimeSpan.FromSeconds(7), false, default), Now);
    }

    private static BusReading Read(string key, byte[] value, out Policy policy, out RemoteChange change, out DateTimeOffset writtenAt) =>
        BusRegister.Read(new BusMessage(key, value, 1, Now), [], out policy, out change, out writtenAt);
}
