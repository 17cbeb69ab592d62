using Couic.Cli.Output;
using Couic.Cli.Values;
using Couic.Tests.Fakes;
using CsCheck;
using Xunit;

namespace Couic.Tests.Cli;

public class ValueTests
{
    [Theory]
    [InlineData("0", 0)]
    [InlineData("1", 60)]
    [InlineData("90", 5_400)]
    [InlineData("1.5", 90)]
    [InlineData("90s", 90)]
    [InlineData("10m", 600)]
    [InlineData("1h30m", 5_400)]
    [InlineData("1h 30m", 5_400)]
    [InlineData("2d", 172_800)]
    [InlineData("1w", 604_800)]
    [InlineData("1.5h", 5_400)]
    [InlineData("0.1h", 360)]
    [InlineData("1.9s", 1)]
    [InlineData("1w2d3h4m5s", 788_645)]
    [InlineData("2 days", 172_800)]
    [InlineData("1 hour 1 minute 1 second", 3_661)]
    [InlineData("1hr2mins3secs", 3_723)]
    [InlineData("3weeks", 1_814_400)]
    [InlineData(" 5m ", 300)]
    public void ATimeIsRead(string text, ulong seconds)
    {
        Assert.Null(TimeArgument.TryParse(text, out ulong read));
        Assert.Equal(seconds, read);
    }

    [Theory]
    [InlineData("")]
    [InlineData(" ")]
    [InlineData("m")]
    [InlineData("-1")]
    [InlineData("+1")]
    [InlineData("1h30")]
    [InlineData("5M")]
    [InlineData("5x")]
    [InlineData("1.")]
    [InlineData(".5h")]
    [InlineData("1..5h")]
    [InlineData("1,5h")]
    [InlineData("1e3")]
    [InlineData("0x10")]
    [InlineData("٣m")]
    [InlineData("1h-5m")]
    [InlineData("never")]
    [InlineData("00s")]
    [InlineData("0.5s")]
    [InlineData("99999999999999999999w")]
    [InlineData("999999999999999w")]
    public void WhatIsNoTimeIsExplained(string text) => Assert.NotNull(TimeArgument.TryParse(text, out _));

    [Theory]
    [InlineData("never", 0)]
    [InlineData("0", 0)]
    [InlineData("90s", 1_772_366_490)]
    [InlineData("2026-12-31", 1_798_671_600)]
    [InlineData("2026-12-31T23:00", 1_798_754_400)]
    [InlineData("2026-12-31 23:00:05", 1_798_754_405)]
    [InlineData("2026-12-31T23:00:00Z", 1_798_758_000)]
    [InlineData("2026-12-31t23:00:00.5z", 1_798_758_000)]
    [InlineData("2026-12-31T23:00:00-02:30", 1_798_767_000)]
    public void AnExpirationMayBeADate_InTheLocalTimeZoneOrWithAnOffset(string text, ulong seconds)
    {
        Assert.Null(ExpirationArgument.TryParse(text, Paris, out ulong read));
        Assert.Equal(seconds, read);
    }

    [Theory]
    [InlineData("2026-02-28", "is in the past")]
    [InlineData("2026-03-01T12:00:00Z", "is in the past")]
    [InlineData("2026-13-01", "or a date such as 2026-12-31")]
    [InlineData("2026-12-31T25:00", "or a date such as 2026-12-31")]
    [InlineData("0001-01-01", "or a date such as 2026-12-31")]
    [InlineData("31.12.2026", "or a date such as 2026-12-31")]
    [InlineData("Never", "or a date such as 2026-12-31")]
    public void WhatIsNoExpirationIsExplained(string text, string fault)
    {
        Assert.Contains(fault, ExpirationArgument.TryParse(text, Paris, out ulong read), StringComparison.Ordinal);
        Assert.Equal(0UL, read);
    }

    private static readonly ManualClock Paris = new() { Zone = TimeZoneInfo.CreateCustomTimeZone("+1", TimeSpan.FromHours(1), "+1", "+1") };

    [Fact]
    public void NoTextMakesTheTimeReaderThrow() =>
        Gen.String[Gen.Char["0123456789.smhdw minutes-+e"], 0, 23].Sample(
            text =>
            {
                string? fault = TimeArgument.TryParse(text, out ulong seconds);
                Assert.True(fault is null ? seconds > 0 || text == "0" : seconds == 0);
            },
            iter: 20_000);

    [Theory]
    [InlineData(0, "never")]
    [InlineData(1, "expired")]
    [InlineData(1_000_000, "expired")]
    [InlineData(1_000_001, "0s")]
    [InlineData(1_000_013, "12s")]
    [InlineData(1_000_060, "59s")]
    [InlineData(1_000_061, "1m0s")]
    [InlineData(1_000_185, "3m4s")]
    [InlineData(1_003_601, "1h0m0s")]
    [InlineData(1_007_385, "2h3m4s")]
    [InlineData(1_086_401, "1d 0h0m0s")]
    [InlineData(1_439_385, "5d 2h3m4s")]
    [InlineData(ulong.MaxValue, "213503982334601d 7h0m14s")]
    public void TheTimeThatIsLeftIsShown(ulong expiration, string cell)
    {
        DateTimeOffset now = DateTimeOffset.FromUnixTimeSeconds(1_000_000).AddMilliseconds(250);
        ulong expected = expiration == ulong.MaxValue ? ulong.MaxValue - 1_000_001 : 0;
        Assert.Equal(expected == 0 ? cell : ExpirationCell.Left(expected), ExpirationCell.Format(expiration, now));
    }

    [Fact]
    public void OnTheSecondNothingIsTakenOff() =>
        Assert.Equal("1m0s", ExpirationCell.Format(1_000_060, DateTimeOffset.FromUnixTimeSeconds(1_000_000)));

    [Theory]
    [InlineData("fail2ban", null)]
    [InlineData("a-b_C9", null)]
    [InlineData("", "client name \"\" is empty")]
    [InlineData("a.b", "client name \"a.b\" may hold only ASCII letters, digits, \"-\" and \"_\"")]
    [InlineData("ü", "client name \"ü\" may hold only ASCII letters, digits, \"-\" and \"_\"")]
    [InlineData("a\nb", "client name \"a\\x0ab\" may hold only ASCII letters, digits, \"-\" and \"_\"")]
    [InlineData("1234567890123456789012345678901234567890123456789", "client name \"1234567890123456789012345678901234567890123456789\" is longer than 48 bytes")]
    public void NamesAreCheckedByTheRulesOfTheApi(string name, string? fault) => Assert.Equal(fault, NameArgument.Fault("client name", name));
}
