using System.Text;
using Couic.CommandLine;
using Xunit;

namespace Couic.Tests.Cli;

public sealed class EntryListTests : IDisposable
{
    private const string Three = """
        [{"creation":1,"cidr":"3.3.3.0/24","tag":"test","expiration":1772366459},
        {"creation":1,"cidr":"8.8.8.8/32","tag":null,"expiration":1772539199},
        {"creation":1,"cidr":"2001:db8::/32","tag":"blocklist.couic","expiration":0}]
        """;

    /// <summary>Noon of the stub's clock is second 1772366400.</summary>
    private const string Detailed = """
        [{"creation":1772366340,"cidr":"3.3.3.0/24","tag":"test","expiration":1772366459,"added_by":"couicctl","packets":1234567,"last_hit":1772366388},
        {"creation":1,"cidr":"2001:db8::/32","tag":null,"expiration":0,"added_by":null,"packets":0,"last_hit":0}]
        """;

    private readonly CliRig _rig = new();

    public void Dispose() => _rig.Dispose();

    [Fact]
    public void ListPrintsTheTable()
    {
        _rig.Answering(200, Three);
        const string Table = """
            ┌────────┬───────────────┬─────────────────┬──────────────┐
            │ Policy ┆ CIDR          ┆ Tag             ┆ Expiration   │
            ╞════════╪═══════════════╪═════════════════╪══════════════╡
            │ drop   ┆ 3.3.3.0/24    ┆ test            ┆ 59s          │
            ├╌╌╌╌╌╌╌╌┼╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌┼╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌┼╌╌╌╌╌╌╌╌╌╌╌╌╌╌┤
            │ drop   ┆ 8.8.8.8/32    ┆                 ┆ 1d 23h59m59s │
            ├╌╌╌╌╌╌╌╌┼╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌┼╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌┼╌╌╌╌╌╌╌╌╌╌╌╌╌╌┤
            │ drop   ┆ 2001:db8::/32 ┆ blocklist.couic ┆ never        │
            └────────┴───────────────┴─────────────────┴──────────────┘

            """;
        Assert.Equal(new CliResult(0, Table, ""), _rig.Run("drop list"));
        Assert.Equal("GET /v1/drop", _rig.Asked);
    }

    [Fact]
    public void AnEmptyListIsATableOfItsHeader()
    {
        _rig.Answering(200, "[]");
        const string Table = """
            ┌────────┬──────┬─────┬────────────┐
            │ Policy ┆ CIDR ┆ Tag ┆ Expiration │
            ╞════════╪══════╪═════╪════════════╡
            └────────┴──────┴─────┴────────────┘

            """;
        Assert.Equal(new CliResult(0, Table, "couicctl: note: ignore has no entries\n"), _rig.Run("ignore list"));
        Assert.Equal(
            "couicctl: note: no entry of ignore has a tag like \"nosuch\" (entries of a set have the tag NAME.couic)\n",
            _rig.Run("ignore list --tag nosuch").Error);
        Assert.Equal(new CliResult(0, "policy\tcidr\ttag\texpiration\treason\n", ""), _rig.Run("ignore list -o tsv"));
        Assert.Equal(new CliResult(0, "[]\n", ""), _rig.Run("ignore list --json"));
        Assert.Equal(new CliResult(0, "", ""), _rig.Run("ignore list -q"));
    }

    [Fact]
    public void QuietPrintsOneNetworkALine()
    {
        _rig.Answering(200, Three);
        Assert.Equal(new CliResult(0, "3.3.3.0/24\n8.8.8.8/32\n2001:db8::/32\n", ""), _rig.Run("drop list -q"));
    }

    [Theory]
    [InlineData("test", "3.3.3.0/24\n")]
    [InlineData("Test", "")]
    [InlineData("*est", "3.3.3.0/24\n")]
    [InlineData("te", "")]
    [InlineData("t*t", "")]
    [InlineData("*.couic", "2001:db8::/32\n")]
    [InlineData("nothing, test ,x", "3.3.3.0/24\n")]
    [InlineData("", "8.8.8.8/32\n")]
    [InlineData("test,", "3.3.3.0/24\n8.8.8.8/32\n")]
    [InlineData("*", "3.3.3.0/24\n8.8.8.8/32\n2001:db8::/32\n")]
    public void TagsChooseEntries(string patterns, string networks)
    {
        _rig.Answering(200, Three);
        Assert.Equal(new CliResult(0, networks, ""), _rig.RunWords("drop", "list", "-q", "-t", patterns));
    }

    [Fact]
    public void JsonKeepsTheChosenEntriesAsTheyCame()
    {
        _rig.Answering(200, """[{"creation":18446744073709551615,"cidr":"1.1.1.1/32","tag":"a","expiration":0,"new":{"ü":[1.50,true,null]}},{"creation":1,"cidr":"2.2.2.2/32","tag":"b","expiration":0}]""");
        const string Json = """
            [
              {
                "creation": 18446744073709551615,
                "cidr": "1.1.1.1/32",
                "tag": "a",
                "expiration": 0,
                "new": {
                  "ü": [
                    1.50,
                    true,
                    null
                  ]
                }
              }
            ]

            """;
        Assert.Equal(new CliResult(0, Json, ""), _rig.Run("drop list --json --tags a"));
    }

    [Fact]
    public void ALongListArrivesWhole()
    {
        var body = new StringBuilder("[");
        var networks = new StringBuilder();
        for (int i = 0; i < 20_000; i++)
        {
            body.Append(i == 0 ? "" : ",").Append($$"""{"creation":1,"cidr":"10.{{i >> 8}}.{{i & 255}}.0/24","tag":"t{{i % 7}}","expiration":0}""");
            networks.Append($"10.{i >> 8}.{i & 255}.0/24\n");
        }

        _rig.Answering(200, body.Append(']').ToString());
        Assert.Equal(networks.ToString(), _rig.Run("drop list -q").Out);
        Assert.Equal(20_000 * 2 + 3, _rig.Run("drop list").Out.Count(c => c == '\n'));
        Assert.Equal(20_000 * 6 + 2, _rig.Run("drop list --json").Out.Count(c => c == '\n'));
    }

    [Theory]
    [InlineData("--sort packets", "?sort=packets&details=true")]
    [InlineData("-s last-hit -r --limit 20", "?sort=last_hit&reverse=true&limit=20&details=true")]
    [InlineData("--sort created -n 5 -t a*,b", "?sort=creation&limit=5&details=true&tag=a%2A%2Cb")]
    [InlineData("--sort expiration -q", "?sort=expiration")]
    [InlineData("--reverse", "?sort=cidr&reverse=true")]
    [InlineData("--limit 3", "?limit=3")]
    [InlineData("--details", "?details=true")]
    [InlineData("-t a", "")]
    public void TheDaemonOrdersAndLimits(string options, string query)
    {
        Assert.Equal(0, _rig.Answering(200, "[]").Run("drop list " + options).Status);
        Assert.Equal("GET /v1/drop" + query, _rig.Asked);
    }

    [Fact]
    public void AListByPacketsShowsHits()
    {
        _rig.Answering(200, Detailed);
        const string Table = """
            ┌────────┬───────────────┬──────┬────────────┬───────────┬──────────┐
            │ Policy ┆ CIDR          ┆ Tag  ┆ Expiration ┆ Packets   ┆ Last hit │
            ╞════════╪═══════════════╪══════╪════════════╪═══════════╪══════════╡
            │ drop   ┆ 3.3.3.0/24    ┆ test ┆ 59s        ┆ 1,234,567 ┆ 12s ago  │
            ├╌╌╌╌╌╌╌╌┼╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌┼╌╌╌╌╌╌┼╌╌╌╌╌╌╌╌╌╌╌╌┼╌╌╌╌╌╌╌╌╌╌╌┼╌╌╌╌╌╌╌╌╌╌┤
            │ drop   ┆ 2001:db8::/32 ┆      ┆ never      ┆         0 ┆ never    │
            └────────┴───────────────┴──────┴────────────┴───────────┴──────────┘

            """;
        Assert.Equal(new CliResult(0, Table, ""), _rig.Run("drop list --sort packets"));
        Assert.Equal("3.3.3.0/24\n2001:db8::/32\n", _rig.Run("drop list --sort packets -q").Out);
        Assert.Contains("\"packets\": 1234567,\n", _rig.Run("drop list --sort packets --json").Out, StringComparison.Ordinal);
        string[] details = _rig.Run("drop list -d").Out.Split('\n');
        Assert.EndsWith("┆ Packets   ┆ Last hit ┆ Added                ┆ Added by │", details[1], StringComparison.Ordinal);
        Assert.EndsWith("┆ 1,234,567 ┆ 12s ago  ┆ 1m0s ago             ┆ couicctl │", details[3], StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("drop list --sort packets")]
    [InlineData("drop list --details")]
    [InlineData("drop inspect 3.3.3.0/24 --details")]
    public void HitsFitANarrowTerminal(string words)
    {
        foreach (int width in (int[])[60, 80])
        {
            _rig.Terminal = new Terminal(true, true, () => width);
            _rig.Answering(200, words.Contains("inspect", StringComparison.Ordinal) ? Detailed.Split("},")[0].Trim('[', ' ', '\n') + "}" : Detailed);
            CliResult result = _rig.Run(words);
            Assert.Equal((0, ""), (result.Status, result.Error));
            Assert.Contains("1,234,567", result.Out, StringComparison.Ordinal);
            Assert.All(result.Out.Split('\n'), line => Assert.True(line.Length <= width, line));
        }
    }

    [Fact]
    public void WhereEntriesAreNotCountedANoteSaysSo()
    {
        _rig.Answering(200, """[{"creation":1,"cidr":"3.3.3.0/24","tag":null,"expiration":0,"added_by":null,"packets":null,"last_hit":null}]""");
        CliResult result = _rig.Run("drop list --sort packets");
        Assert.Equal((0, "couicctl: note: packets of entries are not counted (per_entry_counters = false)\n"), (result.Status, result.Error));
        Assert.DoesNotContain("Packets", result.Out, StringComparison.Ordinal);
    }

    [Fact]
    public void AListThatTheDaemonCutShortIsSaidToBe()
    {
        _rig.Answering(200, "[" + string.Join(',', Enumerable.Range(0, 10_000).Select(i =>
            $$"""{"creation":1,"cidr":"10.0.{{i >> 8}}.{{i & 255}}/32","tag":null,"expiration":0,"packets":1,"last_hit":1}""")) + "]");
        Assert.Equal("couicctl: note: these are the first 10000 entries (a sorted list has no more; -t selects others)\n", _rig.Run("drop list --sort packets").Error);
        Assert.Equal("", _rig.Run("drop list --sort packets --limit 10000").Error);
    }

    [Theory]
    [InlineData("--sort size", "\"size\" is not an order; expected one of packets, last-hit, created, expiration, cidr")]
    [InlineData("--limit 0", "limit \"0\" is not a number from 1 to 2147483647")]
    [InlineData("--sort cidr --limit 10001", "limit \"10001\" is not a number from 1 to 10000")]
    public void WrongOrdersAndLimitsAreUsageErrors(string options, string message)
    {
        Assert.Equal(new CliResult(2, "", $"couicctl: {message}\n"), _rig.Run("drop list " + options));
        Assert.Equal("", _rig.Asked);
    }

    [Fact]
    public void InspectShowsDetails()
    {
        _rig.Answering(200, """{"creation":1772366340,"cidr":"3.3.3.0/24","tag":"test","expiration":0,"added_by":"couicctl","packets":7,"last_hit":0}""");
        CliResult result = _rig.Run("drop inspect 3.3.3.0/24 --details");
        Assert.Equal((0, ""), (result.Status, result.Error));
        Assert.Contains("│ drop   ┆ 3.3.3.0/24 ┆ test ┆ never      ┆       7 ┆ never    ┆ 1m0s ago ┆ couicctl │", result.Out, StringComparison.Ordinal);
        Assert.Equal("GET /v1/drop/3.3.3.0/24?details=true", _rig.Asked);
    }

    [Theory]
    [InlineData("""[{"creation":1,"cidr":"1.1.1.1/32","tag":"a","expira""")]
    [InlineData("""[{"creation":1,"cidr":"1.1.1.1/32","tag":"a","expiration":0},""")]
    [InlineData("{}")]
    [InlineData("")]
    public void AListThatBreaksOffIsAnError(string body)
    {
        _rig.Answering(200, body);
        Assert.Equal(
            new CliResult(1, "", $"couicctl: the answer of the daemon at \"{_rig.SocketPath}\" is incomplete or unreadable (see its log: journalctl -u couic)\n"),
            _rig.Run("drop list"));
    }

    [Fact]
    public void AConnectionThatBreaksInTheMiddleIsAnError()
    {
        _rig.Daemon.Answer = _ => new StubAnswer(200) { Raw = "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n[" };
        CliResult result = _rig.Run("drop list");
        Assert.Equal(1, result.Status);
        Assert.Equal($"couicctl: the answer of the daemon at \"{_rig.SocketPath}\" is incomplete or unreadable (see its log: journalctl -u couic)\n", result.Error);
    }
}
