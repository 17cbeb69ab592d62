using Couic.CommandLine;
using Xunit;

namespace Couic.Tests.Cli;

public sealed class MonitorTests : IDisposable
{
    private const string Connected = """{"id":"a-0","type":"connected","version":"2.0.0","types":["rule"]}""" + "\n";

    private const string Created =
        """{"id":"a-1","time":1764466000.123,"type":"rule","action":"created","cause":"bulk","by":"fail2ban","policy":"drop","cidr":"192.0.2.7/32","tag":"ssh","expiration":1764469600}""" + "\n";

    private readonly CliRig _rig = new();

    public void Dispose() => _rig.Dispose();

    [Fact]
    public void EachEvent_IsALine()
    {
        _rig.Answering(200, Connected + Created + "\n" + """
            {"id":"a-2","time":1764466001.5,"type":"rule","action":"expired","cause":"expiry","by":null,"policy":"ignore","cidr":"2001:db8::/32","tag":null,"expiration":1764466001}
            {"id":"a-3","time":1764466002,"type":"set","action":"updated","cause":"api","by":"couicctl","policy":"drop","name":"bad","entries":1200}
            {"id":"a-4","time":1764466002,"type":"set","action":"reloaded","cause":"reload","by":"SIGHUP","policy":"drop","added":3,"removed":4}
            {"id":"a-5","time":1764466002,"type":"client","action":"created","cause":"api","by":"couicctl","name":"web","group":"clientro"}
            {"id":"a-6","time":1764466002,"type":"interface","action":"changed","cause":"system","by":null,"name":"eth0","state":"missing","error":"no such interface"}
            {"id":"a-206","type":"lost","lost":1200}

            """);
        const string Text = """
            2025-11-30 01:26:40  created   drop        192.0.2.7/32        tag ssh, until 2025-11-30 02:26:40, by fail2ban (bulk)
            2025-11-30 01:26:41  expired   ignore      2001:db8::/32
            2025-11-30 01:26:42  updated   set drop    bad                 1,200 networks, by couicctl
            2025-11-30 01:26:42  reloaded  set drop                        3 added, 4 removed, by SIGHUP (reload)
            2025-11-30 01:26:42  created   client      web                 group clientro, by couicctl
            2025-11-30 01:26:42  missing   interface   eth0                no such interface
            -- 1,200 events are lost --

            """;
        CliResult result = _rig.Run("monitor");
        Assert.Equal((0, Text), (result.Status, result.Out));
        Assert.Equal("application/x-ndjson", _rig.Daemon.Requests[0].Headers["Accept"]);
        Assert.Equal("GET /v1/events", _rig.Asked);
    }

    [Fact]
    public void ANarrowTerminal_CutsTheLine()
    {
        _rig.Terminal = new Terminal(true, true, () => 60);
        _rig.Answering(200, Connected + Created);
        Assert.Equal("01:26:40  created   drop        192.0.2.7/32        tag ssh…\n", _rig.Run("monitor").Out);
    }

    [Fact]
    public void Json_IsWhatTheDaemonSends_WithoutEmptyLines()
    {
        _rig.Answering(200, Connected + "\n" + Created);
        Assert.Equal(Connected + Created, _rig.Run("monitor --json").Out);
    }

    [Fact]
    public void Filters_AreThoseOfTheApi()
    {
        _rig.Answering(200, Connected);
        Assert.Equal(0, _rig.Run("monitor -p ignore -t ssh* --type rule,set").Status);
        Assert.Equal("GET /v1/events?policy=ignore&tag=ssh%2A&type=rule%2Cset", _rig.Asked);
        CliResult wrong = _rig.Run("monitor -p x");
        Assert.Equal((2, "couicctl: policy \"x\": drop or ignore is expected\n"), (wrong.Status, wrong.Error));
    }

    [Fact]
    public void AfterTheEndOfTheStream_ItResumes_AndSaysWhatIsLost()
    {
        int asked = 0;
        _rig.Daemon.Answer = _ => ++asked switch
        {
            1 => new StubAnswer(200, Connected + Created),
            _ => new StubAnswer(200, """{"id":"b-0","type":"connected","version":"2.0.0","types":[]}""" + "\n" + """{"id":"b-0","type":"lost","lost":null}""" + "\n"),
        };
        _rig.Wait = _ => asked == 2;
        CliResult result = _rig.Run("monitor");
        Assert.Equal(0, result.Status);
        Assert.EndsWith("\n-- the daemon has restarted: events in between are lost --\n", result.Out, StringComparison.Ordinal);
        Assert.Contains("connecting again", result.Error, StringComparison.Ordinal);
        Assert.Contains("connected again", result.Error, StringComparison.Ordinal);
        Assert.Equal("a-1", _rig.Daemon.Requests[1].Headers["Last-Event-ID"]);
        Assert.False(_rig.Daemon.Requests[0].Headers.ContainsKey("Last-Event-ID"));
    }

    [Fact]
    public void ItEndsWhenItsReaderIsGone_EvenWhileNothingHappens()
    {
        _rig.Daemon.Answer = _ => new StubAnswer(200) { Raw = $"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n{Connected}{Created}", StaysOpen = true };
        int looks = 0;
        _rig.IsReaderGone = () => ++looks > 2;
        _rig.Wait = _ => throw new InvalidOperationException("it connects again");
        CliResult result = _rig.Run("monitor -o json");
        Assert.Equal((0, Connected + Created, ""), (result.Status, result.Out, result.Error));
    }

    [Fact]
    public void ARefusalOrNonsense_EndsIt()
    {
        _rig.Answering(401, """{"code":"unauthorized","errors":{},"message":"a valid token is needed"}""");
        Assert.Equal(4, _rig.Run("monitor").Status);
        _rig.Answering(200, "nonsense\n");
        Assert.Equal(1, _rig.Run("monitor").Status);
        _rig.Answering(200, new string('x', 70_000));
        Assert.Equal(1, _rig.Run("monitor").Status);
        _rig.Daemon.Dispose();
        File.Delete(_rig.SocketPath);
        Assert.Equal(3, _rig.Run("monitor").Status);
    }

    [Fact]
    public void TextOfTheDaemon_CannotMoveTheCursor()
    {
        _rig.Answering(200, Connected + Created.Replace("fail2ban", "\\u001b[2J\\u202eevil", StringComparison.Ordinal));
        Assert.DoesNotContain('\e', _rig.Run("monitor").Out);
    }
}
