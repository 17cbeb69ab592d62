using Xunit;

namespace Couic.Tests.Cli;

public sealed class HistoryCommandTests : IDisposable
{
    private readonly CliRig _rig = new();

    public void Dispose() => _rig.Dispose();

    [Fact]
    public void EachChange_IsOneLine_OldestFirst()
    {
        _rig.Answering(200, """
            {"changes":[
            {"time":"2026-02-27T10:00:00.123456Z","event":"entry_created","client":"fail2ban","policy":"drop","cidr":"192.0.2.7/32","tag":"sshd","expiration":1772190000,"message":"entry created"},
            {"time":"2026-02-27T10:00:01Z","event":"entry_updated","client":"fail2ban","policy":"drop","cidr":"192.0.2.7/32","tag":null,"expiration":0,"message":"entry updated"},
            {"time":"2026-02-27T10:00:02Z","event":"bulk_applied","client":"x","policy":"drop","cidr":null,"tag":null,"expiration":null,"message":"bulk \u001b[2J add"},
            {"time":"2026-02-27T10:00:03Z","event":"entry_deleted","client":"couicctl","policy":"drop","cidr":"192.0.2.7/32","tag":"sshd","expiration":0,"message":"entry deleted"}],
            "complete":false}
            """);
        CliResult result = _rig.Run("history -o plain");
        Assert.Equal((0, "couicctl: note: there are older changes (--limit, --since)\n"), (result.Status, result.Error));
        Assert.Equal(
            [
                "Time Policy CIDR Tag Client Change",
                "2026-02-27 10:00:00 drop 192.0.2.7/32 sshd fail2ban added until 2026-02-27 11:00:00",
                "2026-02-27 10:00:01 drop 192.0.2.7/32 - fail2ban updated",
                "2026-02-27 10:00:02 drop - - x bulk \\x1b[2J add",
                "2026-02-27 10:00:03 drop 192.0.2.7/32 sshd couicctl deleted",
            ],
            result.Out.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => string.Join(' ', line.Split(' ', StringSplitOptions.RemoveEmptyEntries))));
        Assert.Equal("GET /v1/history?limit=100", _rig.Asked);
    }

    [Fact]
    public void TheQuestion_HasNetworkTimeAndLimit()
    {
        _rig.Answering(200, """{"changes":[],"complete":true}""");
        Assert.Equal(new CliResult(0, "", "couicctl: note: no changes\n"), _rig.Run("history 192.0.2.7 --since 2h -n 5"));
        Assert.Equal($"GET /v1/history?limit=5&cidr=192.0.2.7/32&since={_rig.Clock.Seconds - 7200}", _rig.Asked);
        Assert.Equal("{\n  \"changes\": [],\n  \"complete\": true\n}\n", _rig.Run("history --json").Out);
    }

    [Theory]
    [InlineData("history host")]
    [InlineData("history --since soon")]
    [InlineData("history -n 0")]
    [InlineData("history -n 10001")]
    public void ABadQuestion_IsNotSent(string words)
    {
        Assert.Equal(2, _rig.Run(words).Status);
        Assert.Empty(_rig.Daemon.Requests);
    }
}
