using Couic.Cli.Output;
using Couic.CommandLine;
using Xunit;

namespace Couic.Tests.Cli;

public sealed class StatsCommandTests : IDisposable
{
    private readonly CliRig _rig = new();

    public void Dispose() => _rig.Dispose();

    [Fact]
    public void GlobalShowsCountsAndActionsByName()
    {
        _rig.Answering(200, Stats(1, 5));
        const string Text = """
            Drop CIDR Count: 12
            Ignore CIDR Count: 3
            XDP Stats:
              Action: XDP_ABORTED
                RX Packets: 0
                RX Bytes: 0
              Action: XDP_DROP
                RX Packets: 1
                RX Bytes: 60
              Action: XDP_PASS
                RX Packets: 5
                RX Bytes: 300

            """;
        Assert.Equal(new CliResult(0, Text, ""), _rig.Run("stats global"));
        Assert.Equal("GET /v1/stats", _rig.Asked);
        Assert.StartsWith("{\n  \"drop_cidr_count\": 12,\n", _rig.Run("stats global --json").Out, StringComparison.Ordinal);
    }

    [Fact]
    public void TagsAreATableSortedByName()
    {
        _rig.Answering(200, """{"tags":{"ssh":{"rx_packets":10,"rx_bytes":600},"untagged":{"rx_packets":0,"rx_bytes":0},"Big":{"rx_packets":18446744073709551615,"rx_bytes":1}}}""");
        const string Table = """
            ┌──────────┬────────┬──────────────────────┬──────────┐
            │ Tag      ┆ Policy ┆ RX Packets           ┆ RX Bytes │
            ╞══════════╪════════╪══════════════════════╪══════════╡
            │ Big      ┆ ignore ┆ 18446744073709551615 ┆ 1        │
            ├╌╌╌╌╌╌╌╌╌╌┼╌╌╌╌╌╌╌╌┼╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌┼╌╌╌╌╌╌╌╌╌╌┤
            │ ssh      ┆ ignore ┆ 10                   ┆ 600      │
            ├╌╌╌╌╌╌╌╌╌╌┼╌╌╌╌╌╌╌╌┼╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌┼╌╌╌╌╌╌╌╌╌╌┤
            │ untagged ┆ ignore ┆ 0                    ┆ 0        │
            └──────────┴────────┴──────────────────────┴──────────┘

            """;
        Assert.Equal(new CliResult(0, Table, ""), _rig.Run("stats ignore"));
        Assert.Equal("GET /v1/stats/tags/ignore", _rig.Asked);
        Assert.StartsWith("{\n  \"tags\": {\n    \"ssh\": {\n", _rig.Run("stats drop --json").Out, StringComparison.Ordinal);
    }

    [Fact]
    public void SortedTagsHaveUnitsSharesAndASum()
    {
        _rig.Answering(200, Tags);
        const string Table = """
            ┌──────────┬─────────┬─────────┬──────────┐
            │ Tag      ┆ Packets ┆ Share   ┆ Bytes    │
            ╞══════════╪═════════╪═════════╪══════════╡
            │ ssh      ┆   1.5 M ┆  75.0 % ┆ 85.8 MiB │
            ├╌╌╌╌╌╌╌╌╌╌┼╌╌╌╌╌╌╌╌╌┼╌╌╌╌╌╌╌╌╌┼╌╌╌╌╌╌╌╌╌╌┤
            │ big      ┆ 499.0 k ┆  25.0 % ┆  3.4 GiB │
            ├╌╌╌╌╌╌╌╌╌╌┼╌╌╌╌╌╌╌╌╌┼╌╌╌╌╌╌╌╌╌┼╌╌╌╌╌╌╌╌╌╌┤
            │ (2 more) ┆   1.0 k ┆   0.1 % ┆  2.0 KiB │
            ├╌╌╌╌╌╌╌╌╌╌┼╌╌╌╌╌╌╌╌╌┼╌╌╌╌╌╌╌╌╌┼╌╌╌╌╌╌╌╌╌╌┤
            │ total    ┆   2.0 M ┆ 100.0 % ┆  3.5 GiB │
            └──────────┴─────────┴─────────┴──────────┘

            """;
        Assert.Equal(new CliResult(0, Table, ""), _rig.Run("stats drop --sort packets --limit 2"));
        Assert.Equal(["big", "ssh", "idle", "untagged", "total"], FirstColumn(_rig.Run("stats drop -s bytes").Out));
        Assert.Equal(["untagged", "idle", "total"], FirstColumn(_rig.Run("stats drop -s packets -r -n 2").Out).Where(tag => tag[0] != '('));
        Assert.Equal(["big", "idle", "ssh", "untagged", "total"], FirstColumn(_rig.Run("stats drop --sort tag").Out));
        Assert.Equal(
            "{\n  \"tags\": {\n    \"big\": {\n      \"rx_packets\": 499000,\n      \"rx_bytes\": 3650722201\n    }\n  }\n}\n",
            _rig.Run("stats drop --sort bytes --limit 1 --json").Out);
    }

    [Fact]
    public void TsvIsOneTableWithoutSums()
    {
        _rig.Answering(200, $$"""
            {"drop_cidr_count":2,"ignore_cidr_count":1,"xdp":{"XDP_DROP":{"rx_packets":5,"rx_bytes":300},"XDP_PASS":{"rx_packets":6,"rx_bytes":512} },
            "drop_tags":{{Tags}},"ignore_tags":{"tags":{"office":{"rx_packets":1,"rx_bytes":2} } } }
            """);
        Assert.Equal(
            "kind\tname\tpackets\tbytes\nverdict\tdropped\t5\t300\nverdict\tpassed\t6\t512\ndrop\tssh\t1500000\t90000000\nignore\toffice\t1\t2\n",
            _rig.Run("stats --limit 1 -o tsv").Out);
        _rig.Answering(200, Tags);
        Assert.Equal(5, _rig.Run("stats drop --sort packets -o tsv").Out.Count(c => c == '\n'));
    }

    [Theory]
    [InlineData("stats drop --sort size", "\"size\" is not an order; expected one of packets, bytes, tag")]
    [InlineData("stats drop --limit 0", "limit \"0\" is not a number from 1 to 2147483647")]
    [InlineData("stats --limit x", "limit \"x\" is not a number from 1 to 2147483647")]
    public void WrongOrdersAndLimitsAreUsageErrors(string words, string message) =>
        Assert.Equal(new CliResult(2, "", $"couicctl: {message}\n"), _rig.Run(words));

    [Fact]
    public void TheSummaryHasVerdictsAndTheBusiestTags()
    {
        _rig.Answering(200, $$"""
            {"drop_cidr_count":12345,"ignore_cidr_count":1,"xdp":{
            "XDP_ABORTED":{"rx_packets":0,"rx_bytes":0},"XDP_TX":{"rx_packets":0,"rx_bytes":0},
            "XDP_DROP":{"rx_packets":2000000,"rx_bytes":3650722201},"XDP_PASS":{"rx_packets":6000000,"rx_bytes":512} },
            "drop_tags":{{Tags}},"ignore_tags":{"tags":{} } }
            """);
        CliResult result = _rig.Run("stats --limit 1");
        Assert.Equal((0, ""), (result.Status, result.Error));
        const string Text = """
            ┌─────────┬─────────┬────────┬─────────┐
            │ Verdict ┆ Packets ┆ Share  ┆ Bytes   │
            ╞═════════╪═════════╪════════╪═════════╡
            │ dropped ┆   2.0 M ┆ 25.0 % ┆ 3.4 GiB │
            ├╌╌╌╌╌╌╌╌╌┼╌╌╌╌╌╌╌╌╌┼╌╌╌╌╌╌╌╌┼╌╌╌╌╌╌╌╌╌┤
            │ passed  ┆   6.0 M ┆ 75.0 % ┆   512 B │
            └─────────┴─────────┴────────┴─────────┘

            drop: 12,345 entries
            """;
        Assert.Equal(Text, result.Out[..Math.Min(Text.Length, result.Out.Length)]);
        Assert.Equal(["dropped", "passed", "ssh", "(3 more)", "total"], FirstColumn(result.Out));
        Assert.EndsWith("┘\n\nignore: 1 entry\n", result.Out, StringComparison.Ordinal);
        Assert.Equal("GET /v1/metrics", _rig.Asked);
        Assert.StartsWith("{\n  \"drop_cidr_count\": 12345,\n", _rig.Run("stats --json").Out, StringComparison.Ordinal);
        Assert.All(result.Out.Split('\n'), line => Assert.True(line.Length <= 60, line));
    }

    [Theory]
    [InlineData(0, "0")]
    [InlineData(999, "999")]
    [InlineData(999.5, "1.0 k")]
    [InlineData(1_249, "1.2 k")]
    [InlineData(999_949, "999.9 k")]
    [InlineData(999_951, "1.0 M")]
    [InlineData(1.8446744073709552e19, "18.4 E")]
    public void CountsHaveAUnit(double value, string text) => Assert.Equal(text, Quantity.Count(value));

    [Fact]
    public void NoTagsAreSaidToBeNone() =>
        Assert.Equal(new CliResult(0, "No tag statistics available.\n", ""), _rig.Answering(200, """{"tags":{}}""").Run("stats drop"));

    [Fact]
    public void LiveWithoutATerminalPrintsOnePictureAfterTheOther()
    {
        Live(terminal: false);
        CliResult result = _rig.Run("stats global --live");
        Assert.Equal((0, ""), (result.Status, result.Error));
        Assert.DoesNotContain('\e', result.Out);
        string[] lines = result.Out.Split('\n');
        Assert.Contains("XDP_DROP                   0            0                   0", lines);
        Assert.Contains("XDP_DROP               1.00k        60.0k               1,000  █", lines);
        Assert.Contains("XDP_DROP               2.00k         120k               3,000  ▅█", lines);
    }

    [Fact]
    public void LiveRestoresTheTerminalWhenItIsInterrupted()
    {
        Live(terminal: true);
        CliResult result = _rig.Run("stats global -l");
        Assert.Equal(0, result.Status);
        Assert.StartsWith("\e[?1049h\e[?25l\e[H", result.Out, StringComparison.Ordinal);
        Assert.EndsWith("\e[?25h\e[?1049l", result.Out, StringComparison.Ordinal);
    }

    [Fact]
    public void LiveRestoresTheTerminalWhenTheDaemonGoes()
    {
        Live(terminal: true);
        _rig.Wait = _ =>
        {
            _rig.Answering(500, """{"code":"internal","errors":{},"message":"gone"}""");
            return false;
        };
        CliResult result = _rig.Run("stats global -l");
        Assert.Equal((1, "\e[31mcouicctl:\e[0m gone\n"), (result.Status, result.Error));
        Assert.EndsWith("\e[?25h\e[?1049l", result.Out, StringComparison.Ordinal);
    }

    [Fact]
    public void LiveMovesNoCursorWithNoColor()
    {
        Live(terminal: true);
        _rig.Environment["NO_COLOR"] = "1";
        Assert.DoesNotContain('\e', _rig.Run("stats global -l").Out);
    }

    [Fact]
    public void LiveExcludesJson()
    {
        CliResult result = _rig.Run("stats global --live --json");
        Assert.Equal(2, result.Status);
        Assert.Contains("exclude each other", result.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0, "0")]
    [InlineData(999, "999")]
    [InlineData(999.5, "1.00k")]
    [InlineData(1_234, "1.23k")]
    [InlineData(12_345, "12.3k")]
    [InlineData(123_456, "123k")]
    [InlineData(999_999, "1.00M")]
    [InlineData(1.8446744073709552e19, "18.4E")]
    public void RatesAreShort(double value, string text) => Assert.Equal(text, Quantity.Short(value));

    [Fact]
    public void AGraphIsScaledToItsHighestValueAndShowsTheLatest()
    {
        Assert.Equal(" ▁▄█", Sparkline.Draw([99, 0, 1, 4.5, 9], 4).Replace('▅', '▄'));
        Assert.Equal("", Sparkline.Draw([1], 0));
        Assert.Equal("  ", Sparkline.Draw([0, 0], 5));
    }

    private const string Tags = """
        {"tags":{"untagged":{"rx_packets":0,"rx_bytes":0},"idle":{"rx_packets":1000,"rx_bytes":2048},
        "big":{"rx_packets":499000,"rx_bytes":3650722201},"ssh":{"rx_packets":1500000,"rx_bytes":90000000}}}
        """;

    private static IEnumerable<string> FirstColumn(string table) =>
        table.Split('\n').Where(line => line.StartsWith('│')).Select(line => line.Split('┆')[0].Trim('│', ' ')).Where(cell => cell is not ("Tag" or "Verdict"));

    private static string Stats(ulong drop, ulong pass) =>
        $$"""
        {"drop_cidr_count":12,"ignore_cidr_count":3,"xdp":{
        "XDP_PASS":{"rx_packets":{{pass}},"rx_bytes":{{pass * 60}} },
        "XDP_ABORTED":{"rx_packets":0,"rx_bytes":0},
        "XDP_DROP":{"rx_packets":{{drop}},"rx_bytes":{{drop * 60}} } } }
        """;

    /// <summary>Three pictures, a second apart: 0, 1,000 and 3,000 packets dropped.</summary>
    private void Live(bool terminal)
    {
        _rig.Terminal = new Terminal(terminal, terminal, static () => 100);
        _rig.Environment.Remove("NO_COLOR");
        int round = 0;
        ulong[] dropped = [0, 1000, 3000];
        _rig.Daemon.Answer = _ => new StubAnswer(200, Stats(dropped[round], 0));
        _rig.Wait = time =>
        {
            _rig.Clock.Advance(time);
            return ++round == dropped.Length;
        };
    }
}
