using System.Text.Json;
using Couic.Cli.Api;
using Couic.Cli.Top;
using Couic.CommandLine;
using Xunit;

namespace Couic.Tests.Cli.Top;

/// <summary><c>top</c> without a terminal, in front of a stub of the daemon.</summary>
public sealed class TopCommandTests : IDisposable
{
    private readonly CliRig _rig = new();
    private int _round;

    public TopCommandTests()
    {
        _rig.Daemon.Answer = Answer;
        _rig.Wait = time =>
        {
            _rig.Clock.Advance(time);
            _round++;
            return false;
        };
    }

    public void Dispose() => _rig.Dispose();

    [Fact]
    public void LinesHaveRatesAndTheBusiestTag()
    {
        const string Text = """
            time       dropped/s     bytes/s  passed/s     bytes/s    drop  ignore  busiest tag
            12:00:02         500    29.3 KiB        50     4.9 KiB 200.0 k       3  botnet
            12:00:04         500    29.3 KiB        50     4.9 KiB 200.0 k       3  botnet

            """;
        Assert.Equal(new CliResult(0, Text, ""), _rig.Run("top --interval 2 --count 2"));
        Assert.All(Text.Split('\n').Skip(1), line => Assert.True(line.Length <= 80, line));
    }

    [Fact]
    public void ADaemonThatIsStartedAgainIsWaitedFor()
    {
        _rig.Daemon.Answer = request => _round is 2 ? new StubAnswer(500, """{"code":"internal","errors":{},"message":"gone"}""") : Answer(request);
        string[] lines = _rig.Run("top --count 4").Out.Split('\n');
        Assert.Equal("12:00:02 gone", lines[2]);
        Assert.StartsWith("12:00:03       1.0 k ", lines[3], StringComparison.Ordinal);
        Assert.StartsWith("12:00:04       1.0 k ", lines[4], StringComparison.Ordinal);
        _round = 0;
        _rig.Daemon.Answer = request => _round is 1 ? new StubAnswer(500, """{"code":"internal","errors":{},"message":"gone"}""") : Answer(request);
        Assert.Equal(3, _rig.Run("top --count 1").Status);
    }

    [Fact]
    public void JsonHasOneObjectPerLine()
    {
        CliResult result = _rig.Run("top --json --count 2");
        Assert.Equal((0, ""), (result.Status, result.Error));
        string[] lines = result.Out.TrimEnd('\n').Split('\n');
        Assert.Equal(2, lines.Length);
        Assert.Equal(
            """{"time":1772366401,"interval":1,"dropped":{"packets_per_second":1000,"bytes_per_second":60000,"packets":2000,"bytes":120000},"""
            + """ "passed":{"packets_per_second":100,"bytes_per_second":10000,"packets":200,"bytes":20000},"drop_entries":200001,"ignore_entries":3,""".TrimStart()
            + """ "tags":[{"policy":"drop","tag":"botnet","packets_per_second":1000,"bytes_per_second":60000,"packets":2000,"bytes":120000},""".TrimStart()
            + """ {"policy":"ignore","tag":"office","packets_per_second":0,"bytes_per_second":0,"packets":0,"bytes":0}],""".TrimStart()
            + """ "entries":[{"policy":"drop","cidr":"203.0.113.0/24","tag":"botnet","packets_per_second":1000.5,"packets":2000,"last_hit":7}]}""".TrimStart(),
            lines[0]);
        _rig.Daemon.Answer = request => _round is 3 ? new StubAnswer(500, """{"code":"internal","errors":{},"message":"gone"}""") : Answer(request);
        result = _rig.Run("top --json --count 1");
        Assert.Equal((3, """{"time":1772366403,"error":"gone"}""" + "\n"), (result.Status, result.Out));
    }

    [Fact]
    public void TsvHasExactValues()
    {
        _rig.Daemon.Answer = request => _round is 2 ? new StubAnswer(500, """{"code":"internal","errors":{},"message":"gone"}""") : Answer(request);
        const string Text = """
            time	dropped_packets_per_second	dropped_bytes_per_second	passed_packets_per_second	passed_bytes_per_second	drop_entries	ignore_entries
            2026-03-01T12:00:01Z	1000	60000	100	10000	200001	3
            2026-03-01T12:00:02Z						

            """;
        Assert.Equal(new CliResult(3, Text, ""), _rig.Run("top -o tsv --count 2"));
    }

    [Fact]
    public void ClientsThatMayReadNoEntriesSeeTheRest()
    {
        _rig.Daemon.Answer = request => request.Target.Contains("sort", StringComparison.Ordinal)
            ? new StubAnswer(403, """{"code":"forbidden","errors":{},"message":"no"}""") : Answer(request);
        CliResult result = _rig.Run("top --json --count 1");
        Assert.Equal(0, result.Status);
        Assert.Equal("[]", JsonDocument.Parse(result.Out).RootElement.GetProperty("entries").GetRawText());
    }

    [Fact]
    public void ADaemonOf1xIsNotAskedForEntries()
    {
        _rig.Daemon.Answer = request => request.Target == "/v1/status"
            ? new StubAnswer(404, """{"code":"not_found","errors":{},"message":"no"}""") : Answer(request);
        Assert.Equal(0, _rig.Run("top --count 1").Status);
        Assert.DoesNotContain("sort", _rig.Asked, StringComparison.Ordinal);
    }

    [Fact]
    public void ItEndsWhenItIsInterrupted()
    {
        _rig.Wait = _ => true;
        Assert.Equal(0, _rig.Run("top").Status);
    }

    [Fact]
    public void ADaemonThatIsNotThereIsAnError()
    {
        _rig.Daemon.Answer = _ => new StubAnswer(500, """{"code":"internal","errors":{},"message":"gone"}""");
        Assert.Equal(new CliResult(ExitStatus.Failure, "", "couicctl: gone\n"), _rig.Run("top"));
    }

    /// <summary>The daemon knows tags; what is a part of a network is searched in more entries.</summary>
    [Theory]
    [InlineData("", "limit=200")]
    [InlineData("scan", "limit=200&tag=%2Ascan%2A")]
    [InlineData("bad", "limit=200&tag=%2Abad%2A limit=1000")]
    [InlineData("192.0", "limit=1000")]
    [InlineData("2001:db8", "limit=1000")]
    [InlineData("a b", "")]
    public void AFilterIsThatOfTheDaemonWhereItCanBe(string filter, string parameters)
    {
        _rig.Daemon.Answer = request => request.Target.Contains("sort", StringComparison.Ordinal) ? new StubAnswer(200, "[]") : Answer(request);
        using var source = new TopSource(() => new ApiClient(EndpointReader.Read(_rig.ConfigFile)), _rig.Clock);
        source.Take(new TopQuery("packets", filter));
        Assert.Equal(parameters, string.Join(' ', _rig.Daemon.Requests.Select(request => request.Target)
            .Where(target => target.StartsWith("/v1/drop?sort=packets&details=true&", StringComparison.Ordinal)).Select(target => target.Split("details=true&")[1])));
    }

    [Theory]
    [InlineData("--interval 0", "interval \"0\" is not a number of seconds from 0.1 to 3600")]
    [InlineData("--interval NaN", "interval \"NaN\" is not a number of seconds from 0.1 to 3600")]
    [InlineData("-i 3601", "interval \"3601\" is not a number of seconds from 0.1 to 3600")]
    [InlineData("--count 0", "count \"0\" is not a number from 1 to 2147483647")]
    public void WrongValuesAreUsageErrors(string options, string message)
    {
        Assert.Equal(new CliResult(2, "", $"couicctl: {message}\n"), _rig.Run("top " + options));
        Assert.Equal("", _rig.Asked);
    }

    /// <summary>In each round 1,000 packets more are dropped, and 100 passed.</summary>
    private StubAnswer Answer(StubRequest request)
    {
        int dropped = 1000 * (_round + 1), passed = 100 * (_round + 1);
        return new StubAnswer(200, request.Target switch
        {
            "/v1/metrics" => $$$"""
                {"drop_cidr_count":200001,"ignore_cidr_count":3,
                "xdp":{"XDP_DROP":{"rx_packets":{{{dropped}}},"rx_bytes":{{{dropped * 60}}} },"XDP_PASS":{"rx_packets":{{{passed}}},"rx_bytes":{{{passed * 100}}} } },
                "drop_tags":{"tags":{"botnet":{"rx_packets":{{{dropped}}},"rx_bytes":{{{dropped * 60}}} } } },"ignore_tags":{"tags":{"office":{"rx_packets":0,"rx_bytes":0} } } }
                """,
            "/v1/status" => """{"version":"2.0.0","uptime_secs":5,"started_at":1772366000}""",
            "/v1/ignore?sort=rate&details=true&limit=200" => "[]",
            "/v1/drop?sort=rate&details=true&limit=200" =>
                $$"""[{"creation":1,"cidr":"203.0.113.0/24","tag":"botnet","expiration":0,"added_by":"a","packets":{{dropped}},"last_hit":7,"rate":1000.5}]""",
            _ => throw new InvalidOperationException(request.Target),
        });
    }
}
