using Couic.Store;
using Xunit;
using static Couic.Tests.Store.StoreRig;

namespace Couic.Tests.Store;

/// <summary>What the guard objects to, whoever asks.</summary>
public class LockoutGuardTests
{
    private readonly StoreRig _rig = new();

    public LockoutGuardTests() => Guard.Protect(
    [
        new ProtectedAddress(Net("192.0.2.1/32"), "the default gateway"), new ProtectedAddress(Net("192.0.2.9/32"), "a resolver"),
        new ProtectedAddress(Net("192.0.2.1/32"), "a resolver"), new ProtectedAddress(Net("2001:db8::1/128"), "a peer"),
    ]);

    private LockoutGuard Guard => _rig.Store.Guard;

    [Theory]
    [InlineData("192.0.2.1/32", "covers 192.0.2.1 (the default gateway)")]
    [InlineData("192.0.2.8/29", "covers 192.0.2.9 (a resolver)")]
    [InlineData("128.0.0.0/1", "covers 192.0.2.1 (the default gateway)")]
    [InlineData("2001:db8::/32", "covers 2001:db8::1 (a peer)")]
    [InlineData("192.0.2.2/31", null)]
    [InlineData("203.0.113.0/24", null)]
    [InlineData("0.0.0.0/1", "covers half of all IPv4 addresses")]
    [InlineData("64.0.0.0/2", "covers a quarter of all IPv4 addresses")]
    [InlineData("224.0.0.0/3", null)]
    [InlineData("8000::/1", null)]
    [InlineData("::/8", null)]
    [InlineData("0.0.0.0/0", "drops every IPv4 address")]
    [InlineData("::/0", "drops every IPv6 address")]
    public void ADrop_IsObjectedToForWhatItCovers(string network, string? reason) => Assert.Equal(reason, Guard.ObjectionToDrop(Net(network))?.Reason);

    [Fact]
    public void AnAddressInIgnore_IsInNoDanger_TheNextOneStillIs()
    {
        _rig.Add("192.0.2.0/29", policy: Policy.Ignore);
        Assert.Equal("covers 192.0.2.9 (a resolver)", Guard.ObjectionToDrop(Net("192.0.2.0/24"))?.Reason);
        _rig.Add("192.0.2.9/32", policy: Policy.Ignore);
        Assert.Null(Guard.ObjectionToDrop(Net("192.0.2.0/24")));
    }

    [Theory]
    [InlineData(LockoutMode.Warn, LockoutStance.Default, false, true)]
    [InlineData(LockoutMode.Warn, LockoutStance.Refuse, true, true)]
    [InlineData(LockoutMode.Refuse, LockoutStance.Default, true, true)]
    [InlineData(LockoutMode.Refuse, LockoutStance.Force, false, false)]
    public void ModeAndStance_DecideWhatIsRefused(LockoutMode mode, LockoutStance stance, bool refusesOne, bool refusesAll)
    {
        Guard.Mode = mode;
        Assert.Equal(refusesOne, Guard.Refuses(Guard.ObjectionToDrop(Net("192.0.2.0/24"))!, stance));
        Assert.Equal(refusesAll, Guard.Refuses(Guard.ObjectionToDrop(Net("0.0.0.0/0"))!, stance));
    }

    [Fact]
    public void TurnedOff_ItSaysNothing()
    {
        Guard.Mode = LockoutMode.Off;
        _rig.Add("192.0.2.0/24");
        Assert.Null(Guard.ObjectionToDrop(Net("0.0.0.0/0")));
        Assert.Empty(Guard.FindLockouts());
    }

    [Fact]
    public void Lockout_IsFound_HoweverItCameAbout()
    {
        _rig.Add("192.0.2.0/24", expiration: 0);
        _rig.Add("192.0.2.0/25", policy: Policy.Ignore, expiration: _rig.Clock.Seconds + 10);
        Assert.Empty(Guard.FindLockouts());
        _rig.Clock.Advance(TimeSpan.FromSeconds(11));
        _rig.Store.Expire();
        Assert.Equal(["192.0.2.1", "192.0.2.9"], Guard.FindLockouts().Select(lockout => lockout.Address.Host.AddressText()));
    }

    [Fact]
    public void WithheldChanges_AreBoundedAndForgottenInTime()
    {
        var withheld = new WithheldChanges(_rig.Clock);
        for (uint i = 0; i < 5_000; i++)
        {
            withheld.Add(Cidr.FromV4(i), "x", i == 0 ? 0 : _rig.Clock.Seconds + 10);
        }

        Assert.Equal(1_000, withheld.Texts.Count);
        _rig.Clock.Advance(TimeSpan.FromSeconds(11));
        Assert.Single(withheld.Texts);
    }
}
