using System.Net;
using System.Text;
using Couic.Config;
using Couic.Reporting.Receiver;
using Xunit;

namespace Couic.Tests.Reporting.Receiver;

public class ReceiverSettingsTests
{
    private const string Least = "[server]\nsecret = \"7f0c3b0e-5a0e-4f6e-9d53-0d1f1fd4a3c1\"\n";

    [Fact]
    public void Secret_IsTheOnlyRequiredKey()
    {
        ReceiverSettings settings = Read(Least)!;
        Assert.Equal(TimeSpan.FromSeconds(900), settings.Interval);
        Assert.Equal((IPAddress.Loopback, 8000), (settings.Address, settings.Port));
        Assert.Equal(new Thresholds(10, 100, Colour.Green), settings.Thresholds);
        Assert.Equal(Environment.MachineName, settings.Name);
        Assert.Null(settings.Discord ?? settings.Slack ?? settings.Webhook);
    }

    [Fact]
    public void EveryKey_IsRead()
    {
        ReceiverSettings settings = Read(
            "batch_interval_secs = 60\n[server]\nname = \"web1\"\naddr = \"::1\"\nport = 8001\nsecret = \"7F0C3B0E-5a0e-4f6e-9d53-0d1f1fd4a3c1\"\n"
            + "[thresholds]\norange = 5\nred = 6\nthreshold_min = \"orange\"\n[discord]\nwebhook_url = \"https://discord.com/api/webhooks/1/x\"\n"
            + "[slack]\nwebhook_url = \"https://hooks.slack.com/x\"\n[webhook]\nurl = \"http://127.0.0.1:9/x\"\n")!;
        Assert.Equal((TimeSpan.FromSeconds(60), "web1", IPAddress.IPv6Loopback, 8001), (settings.Interval, settings.Name, settings.Address, settings.Port));
        Assert.Equal(new Thresholds(5, 6, Colour.Orange), settings.Thresholds);
        Assert.Equal("https://discord.com/api/webhooks/1/x", settings.Discord!.OriginalString);
        Assert.Equal("https://hooks.slack.com/x", settings.Slack!.OriginalString);
        Assert.Equal("http://127.0.0.1:9/x", settings.Webhook!.OriginalString);
    }

    [Theory]
    [InlineData("", "f: key \"server.secret\" is missing")]
    [InlineData("[server]\nsecret = \"7f0c3b0e\"", "f:2:10: server.secret is not a UUID (make one: cat /proc/sys/kernel/random/uuid)")]
    [InlineData("[server]\nsecret = \"00000000-0000-0000-0000-000000000000\"", "f:2:10: server.secret must not be all zeros (make one: cat /proc/sys/kernel/random/uuid)")]
    [InlineData(Least + "addr = \"0.0.0.0\"", "f:3:8: server.addr = \"0.0.0.0\" is not allowed (one of: 127.0.0.1, ::1, localhost)")]
    [InlineData(Least + "port = 0", "f:3:8: server.port = 0 is out of range (1 to 65535)")]
    [InlineData(Least + "[thresholds]\norange = 100", null)]
    [InlineData(Least + "[thresholds]\norange = 10\nred = 10", "f:5:7: thresholds.red = 10 must be larger than thresholds.orange = 10")]
    [InlineData(Least + "[discord]\nwebhook_url = \"discord.com/secret\"", "f:4:15: webhook_url is not a URL that starts with https:// or http://")]
    [InlineData(Least + "[discord]\n", "f:3:2: key \"discord.webhook_url\" is missing")]
    [InlineData(Least + "[slack]\nurl = \"https://x/\"", "f:3:2: key \"slack.webhook_url\" is missing")]
    public void Faults_HaveTheirPlace_AndNoSecret(string text, string? first)
    {
        List<Fault> faults = [];
        ReceiverSettings? settings = ReceiverSettingsReader.Read("f", Encoding.UTF8.GetBytes(text), faults);
        Assert.Equal(first, faults.FirstOrDefault()?.ToString());
        Assert.Equal(first is null, settings is not null);
    }

    private static ReceiverSettings? Read(string text)
    {
        List<Fault> faults = [];
        ReceiverSettings? settings = ReceiverSettingsReader.Read("f", Encoding.UTF8.GetBytes(text), faults);
        Assert.Empty(faults);
        return settings;
    }
}
