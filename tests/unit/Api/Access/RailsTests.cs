using System.Text;
using Couic.Api.Access;
using Couic.Api.Contracts;
using Couic.Config;
using Couic.Store;
using Couic.Tests.Fakes;
using Xunit;

namespace Couic.Tests.Api.Access;

/// <summary>Rails: which values are accepted, what breaks them, and how client files hold them.</summary>
public sealed class RailsTests
{
    private const ulong Now = 1_800_000_000;
    private const string Token = "token = \"0b1ee59c-5b0c-4a8a-9a39-0d3ec9ccf2e4\"\n";

    public static TheoryData<RailsRecord, string> Broken => new()
    {
        { new RailsRecord { MinPrefixV4 = 0 }, "min_prefix_v4" },
        { new RailsRecord { MinPrefixV4 = 33 }, "min_prefix_v4" },
        { new RailsRecord { MinPrefixV6 = 129 }, "min_prefix_v6" },
        { new RailsRecord { MaxTtl = 0 }, "max_ttl" },
        { new RailsRecord { MaxTtl = Rails.MaxTtlLimit + 1 }, "max_ttl" },
        { new RailsRecord { MaxEntries = -1 }, "max_entries" },
        { new RailsRecord { MaxEntries = 1L << 40 }, "max_entries" },
        { new RailsRecord { Rate = 0 }, "rate" },
        { new RailsRecord { Burst = 5 }, "burst" },
        { new RailsRecord { Policies = [] }, "policies" },
        { new RailsRecord { Policies = ["Drop"] }, "policies" },
        { new RailsRecord { Tags = ["a*b"] }, "tags" },
        { new RailsRecord { Tags = ["a b"] }, "tags" },
        { new RailsRecord { From = ["host"] }, "from" },
        { new RailsRecord { From = [.. Enumerable.Repeat("192.0.2.1/32", Rails.MaxItems + 1)] }, "from" },
    };

    [Theory]
    [MemberData(nameof(Broken))]
    public void AValueOutOfRange_IsNamed(RailsRecord record, string key)
    {
        List<(string Key, string Message)> faults = [];
        Assert.Null(Rails.Create(record, Group.ClientRw, faults));
        Assert.Equal(key, Assert.Single(faults).Key);
    }

    [Fact]
    public void AnAdmin_CannotBeLimited_ExceptInWhereItComesFrom()
    {
        List<(string Key, string Message)> faults = [];
        Assert.Null(Rails.Create(new RailsRecord { Rate = 5 }, Group.Admin, faults));
        Assert.Equal("group", Assert.Single(faults).Key);
        faults.Clear();
        Assert.NotNull(Rails.Create(new RailsRecord { From = ["192.0.2.0/24"] }, Group.Admin, faults));
        Assert.Empty(faults);
    }

    [Theory]
    [InlineData("192.0.2.7", true)]
    [InlineData("::ffff:192.0.2.7", true)]
    [InlineData("192.0.3.7", false)]
    [InlineData("2001:db8::7", true)]
    [InlineData("2001:db9::7", false)]
    public void From_DecidesByTheAddress(string address, bool isAllowed) =>
        Assert.Equal(isAllowed, Create(new RailsRecord { From = ["192.0.2.0/24", "2001:db8::/32"] }).AllowsFrom(System.Net.IPAddress.Parse(address)));

    [Theory]
    [InlineData("192.0.2.0/24", "ids-a", Now + 3600, null)]
    [InlineData("192.0.0.0/23", "ids-a", Now + 3600, "cidr")]
    [InlineData("2001:db8::/48", "ids-a", Now + 3600, null)]
    [InlineData("2001:db8::/47", "ids-a", Now + 3600, "cidr")]
    [InlineData("192.0.2.0/24", "web", Now + 3600, "tag")]
    [InlineData("192.0.2.0/24", "", Now + 3600, "tag")]
    [InlineData("192.0.2.0/24", "ids-a", 0UL, "expiration")]
    [InlineData("192.0.2.0/24", "ids-a", Now + 3600 + Rails.ClockTolerance, null)]
    [InlineData("192.0.2.0/24", "ids-a", Now + 3601 + Rails.ClockTolerance, "expiration")]
    public void AnAddition_IsHeldAgainstEachRail(string network, string tag, ulong expiration, string? field)
    {
        Rails rails = Create(new RailsRecord { MinPrefixV4 = 24, MinPrefixV6 = 48, Tags = ["ids-*"], MaxTtl = 3600 });
        Assert.Equal(CidrFault.None, Cidr.TryParse(Encoding.UTF8.GetBytes(network), out Cidr cidr));
        Assert.Equal(field, rails.Fault(cidr, Encoding.UTF8.GetBytes(tag), expiration, Now)?.Field);
    }

    [Fact]
    public void TheRate_AdmitsABurst_ThenSoManyPerSecond()
    {
        var time = new ManualClock();
        Rails rails = Create(new RailsRecord { Rate = 10, Burst = 3 });
        Assert.Equal([true, true, true, false], Enumerable.Range(0, 4).Select(_ => rails.TryTake(1, time, out TimeSpan _)));
        Assert.False(rails.TryTake(1, time, out TimeSpan wait));
        Assert.InRange(wait, TimeSpan.FromMilliseconds(99), TimeSpan.FromMilliseconds(101));
        time.Advance(wait);
        Assert.True(rails.TryTake(1, time, out _));
        time.Advance(TimeSpan.FromHours(1));
        Assert.True(rails.TryTake(13, time, out _));
        time.Advance(TimeSpan.FromSeconds(1));
        Assert.False(rails.TryTake(1, time, out _), "a batch of 13 of 3 leaves a debt of 10, paid after a second, and one more is needed");
        time.Advance(TimeSpan.FromMilliseconds(101));
        Assert.True(rails.TryTake(1, time, out _));
    }

    [Fact]
    public void AClientFile_HoldsItsRails()
    {
        var record = new RailsRecord { Policies = ["drop"], MinPrefixV4 = 24, MaxTtl = 86_400, Rate = 5, Burst = 50, Tags = ["ids-*", "web"], From = ["192.0.2.0/24"] };
        List<(string Key, string Message)> broken = [];
        var client = new Client("ids", Group.ClientRw, Guid.NewGuid(), Rails.Create(record, Group.ClientRw, broken));
        List<Fault> faults = [];
        Client? read = ClientFile.Parse("ids.toml", "ids", ClientFile.Format(client), faults);
        Assert.Empty(faults);
        Assert.Equal(client.Rails!.Summary, read!.Rails!.Summary);
        Assert.Equal("policies=drop min_prefix_v4=24 max_ttl=86400 rate=5 burst=50 tags=ids-*,web from=192.0.2.0/24", read.Rails.Summary);
    }

    [Theory]
    [InlineData("comment = \"of 1.x\"\n", null)]
    [InlineData("min_prefix_v4 = 24\n", null)]
    [InlineData("min_prefixv4 = 24\n", "min_prefix_v4")]
    [InlineData("max_entires = 5\n", "max_entries")]
    [InlineData("rate = 5\nbrust = 50\n", "burst")]
    [InlineData("rate = 5\ncomment = \"x\"\n", "comment")]
    [InlineData("rate = \"5\"\n", "rate")]
    [InlineData("rate = -5\n", "rate")]
    [InlineData("max_entries = 99999999999\n", "max_entries")]
    [InlineData("tags = [1]\n", "tags")]
    [InlineData("policies = [\"allow\"]\n", "policies")]
    public void AClientFile_NeverLosesARailUnnoticed(string keys, string? named)
    {
        List<Fault> faults = [];
        Client? client = ClientFile.Parse("ids.toml", "ids", Encoding.UTF8.GetBytes(Token + "group = \"clientrw\"\n" + keys), faults);
        Assert.Equal(named is null, client is not null);
        if (named is not null)
        {
            Fault fault = Assert.Single(faults);
            Assert.Contains(named, fault.Message, StringComparison.Ordinal);
            Assert.True(fault.Line >= 3);
        }
    }

    private static Rails Create(RailsRecord record)
    {
        List<(string Key, string Message)> faults = [];
        Rails? rails = Rails.Create(record, Group.ClientRw, faults);
        Assert.Empty(faults);
        return rails!;
    }
}
