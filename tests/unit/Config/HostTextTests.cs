using System.Text;
using Couic.Config;
using Couic.Reporting.Receiver;
using Xunit;

namespace Couic.Tests.Config;

public class HostTextTests
{
    public static TheoryData<string> NumbersThatAreNotAddresses => [
        "010.1.2.3", "10.077.0.2", "10.0.0.010", "00.0.0.1", "0x0a.1.2.3", "0X0A000001", "10.1.2.0x3", "1", "0", "10.1", "10.1.2", "167772161",
        "10.0.0.256", "10.0.0.1.", "10.0.0.1.5", "1.2.3.08", "4294967296", "0x", "host.0x1f", "host.17", "10.0.0.1.0", "0012.0.0.1", "127.1",
    ];

    public static TheoryData<string> NeitherNamesNorAddresses => [
        "", " ", "a b", "::1/64", "[::1]:80", "::ffff:010.0.0.1", "::ffff:10.1", "::10.0.0.0x1", "[10.0.0.1]", "[name]", "[", "[]", "::1]", "fe80::1%",
        "fe80::1%eth0/64", "name/path", "name:80", "http://name", "a..b", "-\u00df-", "\uff11.\uff11.\uff11.\uff11", "1\u0660.0.0.1", "::\uff11", "a,b", "10.0.0.1%1",
    ];

    public static TheoryData<string, string> Hosts => new()
    {
        { "10.77.0.2", "10.77.0.2" }, { "0.0.0.0", "0.0.0.0" }, { "255.255.255.255", "255.255.255.255" }, { "::1", "::1" }, { "[2001:db8::1]", "2001:db8::1" },
        { "2001:0DB8::0001", "2001:0DB8::0001" }, { "::ffff:192.0.2.1", "::ffff:192.0.2.1" }, { "fe80::1%1", "fe80::1%1" }, { "node2", "node2" },
        { "node-2.example", "node-2.example" }, { "7.example", "7.example" }, { "10.0.0.1.example", "10.0.0.1.example" }, { "0x1f.example", "0x1f.example" },
        { "a_b", "a_b" }, { "0xg", "0xg" }, { "1a", "1a" },
    };

    [Theory]
    [MemberData(nameof(Hosts))]
    public void AHostIsTakenAsItIsWritten(string text, string host) => Assert.Equal(host, HostText.Read(text));

    [Theory]
    [MemberData(nameof(NumbersThatAreNotAddresses))]
    public void ANumberThatOthersReadAsAnAddressIsRefused(string text)
    {
        Assert.Null(HostText.Read(text));
        Assert.Contains("four decimal numbers without leading zeros", HostText.FaultOf(text), StringComparison.Ordinal);
        Assert.False(WebAddress.TryParse($"https://{text}/x", out _));
        Assert.False(WebAddress.TryParse($"http://user:secret@{text}:8080/x", out _));
    }

    [Theory]
    [MemberData(nameof(NeitherNamesNorAddresses))]
    public void Host_NeitherANameNorAnAddress_IsRefused(string text) => Assert.Null(HostText.Read(text));

    [Theory]
    [InlineData("https://10.0.0.1/hook")]
    [InlineData("https://[2001:db8::1]:8443/hook")]
    [InlineData("HTTPS://Hooks.Example:443/a?b#c")]
    [InlineData("http://user:010.1@hooks.example")]
    [InlineData("https://hooks.example/010.1/@1")]
    [InlineData("https://b\u00fccher.example/")]
    public void AnAddressOfTheWebIsTaken(string text) => Assert.True(WebAddress.TryParse(text, out _));

    [Theory]
    [InlineData("https://%31%30.1/")]
    [InlineData("https://\uff11\uff10.1/")]
    [InlineData("https://\uff11\uff10.\uff10.\uff10.1/")]
    [InlineData("https:\\\\010.1\\")]
    [InlineData("https:///010.1/")]
    [InlineData("https://user@010.1\\@hooks.example/")]
    [InlineData("https://[::ffff:010.0.0.1]/")]
    [InlineData("https://")]
    [InlineData("ftp://hooks.example/")]
    public void AnAddressOfTheWebWhoseHostIsNotWhatItShowsIsRefused(string text) => Assert.False(WebAddress.TryParse(text, out _));

    [Theory]
    [MemberData(nameof(NumbersThatAreNotAddresses))]
    public void EverySettingThatNamesAHostRefusesIt(string text)
    {
        var faults = new List<Fault>();
        string peer = $"[[peering.peers]]\nhost = \"{text}\"\nport = 1\ntoken = \"11111111-1111-1111-1111-111111111111\"\n";
        string hook = $"[reporting]\nenabled = true\nwebhook = \"https://{text}/x\"\n";
        SettingsReader.Read("couic.toml", Encoding.UTF8.GetBytes(hook + peer), faults, checkHost: false);
        Assert.Contains(faults, fault => fault.Message.Contains($"host = \"{text}\" is not an address", StringComparison.Ordinal));
        Assert.Contains(faults, fault => fault.Message.Contains("reporting.webhook is not a web address", StringComparison.Ordinal));

        faults.Clear();
        ReceiverSettingsReader.Read("r.toml", Encoding.UTF8.GetBytes($"[webhook]\nurl = \"https://{text}/x\"\n"), faults);
        Assert.Contains(faults, fault => fault.Message.Contains("url is not a URL", StringComparison.Ordinal));
    }
}
