using Xunit;

namespace Couic.Tests.Cli;

public sealed class WhyTests : IDisposable
{
    private readonly CliRig _rig = new();

    public void Dispose() => _rig.Dispose();

    [Fact]
    public void IgnoreWinsOverDrop()
    {
        Entries(
            """[{"creation":1772366338,"cidr":"192.168.0.0/25","tag":"ssh","expiration":1772366460,"added_by":"fail2ban","packets":12,"last_hit":1772366398}]""",
            """[{"creation":1772366400,"cidr":"192.168.0.0/16","tag":"office.couic","expiration":0,"added_by":"office","packets":0,"last_hit":0}]""");
        const string Text = """
            192.168.0.10 passes: 192.168.0.0/16 is in ignore, which wins over drop

            ┌────────┬────────────────┬─────────┬──────────────┬────────────┬──────────┬──────────┬─────────┬──────────┐
            │ Policy ┆ CIDR           ┆ Decides ┆ Tag          ┆ Expiration ┆ Added    ┆ Added by ┆ Packets ┆ Last hit │
            ╞════════╪════════════════╪═════════╪══════════════╪════════════╪══════════╪══════════╪═════════╪══════════╡
            │ ignore ┆ 192.168.0.0/16 ┆ yes     ┆ office.couic ┆ never      ┆ now      ┆ office   ┆ 0       ┆ never    │
            ├╌╌╌╌╌╌╌╌┼╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌┼╌╌╌╌╌╌╌╌╌┼╌╌╌╌╌╌╌╌╌╌╌╌╌╌┼╌╌╌╌╌╌╌╌╌╌╌╌┼╌╌╌╌╌╌╌╌╌╌┼╌╌╌╌╌╌╌╌╌╌┼╌╌╌╌╌╌╌╌╌┼╌╌╌╌╌╌╌╌╌╌┤
            │ drop   ┆ 192.168.0.0/25 ┆ no      ┆ ssh          ┆ 1m0s       ┆ 1m2s ago ┆ fail2ban ┆ 12      ┆ 2s ago   │
            └────────┴────────────────┴─────────┴──────────────┴────────────┴──────────┴──────────┴─────────┴──────────┘

            """;
        Assert.Equal(new CliResult(0, Text, ""), _rig.Run("why 192.168.0.10"));
        Assert.Equal("GET /v1/ignore?match=192.168.0.10&details=true\nGET /v1/drop?match=192.168.0.10&details=true", _rig.Asked);
    }

    [Fact]
    public void OfADaemonThatAnswersEverythingOnlyWhatCoversCounts()
    {
        Entries(
            """
            [{"creation":1772366400,"cidr":"10.0.0.0/8","tag":null,"expiration":0},{"creation":1772366400,"cidr":"192.168.0.0/24","tag":null,"expiration":0},
            {"creation":1772366400,"cidr":"192.168.0.0/25","tag":null,"expiration":0},{"creation":1772366400,"cidr":"::/0","tag":null,"expiration":0}]
            """,
            "[]");
        const string Text = """
            192.168.0.10 is dropped: 192.168.0.0/25 is in drop

            ┌────────┬────────────────┬─────────┬─────┬────────────┬───────┐
            │ Policy ┆ CIDR           ┆ Decides ┆ Tag ┆ Expiration ┆ Added │
            ╞════════╪════════════════╪═════════╪═════╪════════════╪═══════╡
            │ drop   ┆ 192.168.0.0/25 ┆ yes     ┆     ┆ never      ┆ now   │
            ├╌╌╌╌╌╌╌╌┼╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌┼╌╌╌╌╌╌╌╌╌┼╌╌╌╌╌┼╌╌╌╌╌╌╌╌╌╌╌╌┼╌╌╌╌╌╌╌┤
            │ drop   ┆ 192.168.0.0/24 ┆ no      ┆     ┆ never      ┆ now   │
            └────────┴────────────────┴─────────┴─────┴────────────┴───────┘

            """;
        Assert.Equal(new CliResult(0, Text, ""), _rig.Run("why 192.168.0.10"));
    }

    [Fact]
    public void WhatNothingCoversPasses()
    {
        _rig.Answering(200, "[]");
        Assert.Equal(new CliResult(0, "2001:db8::7 passes: no entry covers it\n", ""), _rig.Run("why 2001:DB8::7"));
        Assert.Equal(
            new CliResult(0, "{\n  \"address\": \"10.0.0.1\",\n  \"verdict\": \"pass\",\n  \"decided_by\": null,\n  \"drop\": [],\n  \"ignore\": []\n}\n", ""),
            _rig.Run("why 10.0.0.1 --json"));
    }

    [Fact]
    public void JsonHoldsTheEntriesAndTheVerdict()
    {
        Entries("""[{"creation":1,"cidr":"10.0.0.0/8","tag":null,"expiration":0,"packets":7}]""", "[]");
        const string Json = """
            {
              "address": "10.0.0.1",
              "verdict": "drop",
              "decided_by": {
                "policy": "drop",
                "cidr": "10.0.0.0/8"
              },
              "drop": [
                {
                  "creation": 1,
                  "cidr": "10.0.0.0/8",
                  "tag": null,
                  "expiration": 0,
                  "packets": 7
                }
              ],
              "ignore": []
            }

            """;
        Assert.Equal(new CliResult(0, Json, ""), _rig.Run("why 10.0.0.1 --json"));
    }

    [Theory]
    [InlineData("why 10.0.0.0/8", "couicctl: \"10.0.0.0/8\" is a network; why explains one address, such as 10.0.0.0\n")]
    [InlineData("why host", "couicctl: \"host\" is not an address; expected one such as 192.0.2.7 or 2001:db8::7\n")]
    public void OnlyAddressesAreExplained(string words, string error) => Assert.Equal(new CliResult(2, "", error), _rig.Run(words));

    private void Entries(string drop, string ignore) => _rig.Daemon.Answer =
        request => new StubAnswer(200, request.Target.StartsWith("/v1/drop", StringComparison.Ordinal) ? drop : ignore);
}
