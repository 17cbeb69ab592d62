using System.Text.Json;
using Couic.CommandLine;
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

            ignore  192.168.0.0/16  decides
                    tag office.couic, never expires, added now by office, 0 packets
            drop    192.168.0.0/25
                    tag ssh, expires in 1m0s, added 1m2s ago by fail2ban, 12 packets, last
                    hit 2s ago

            """;
        _rig.Terminal = new Terminal(true, false, static () => 80);
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

            drop    192.168.0.0/25  decides
                    no tag, never expires, added now
            drop    192.168.0.0/24
                    no tag, never expires, added now

            """;
        Assert.Equal(new CliResult(7, Text, ""), _rig.Run("why 192.168.0.10"));
        Assert.Equal(new CliResult(7, "", ""), _rig.Run("why -q 192.168.0.10"));
        Assert.Equal(new CliResult(0, "", ""), _rig.Run("why -q 172.16.0.1"));
    }

    [Theory]
    [InlineData("""[{"creation":1,"cidr":"10.0.0.0/8","tag":null,"expiration":0}]""", "[]", 7, "10.1.0.0/16 is dropped: 10.0.0.0/8 is in drop\n")]
    [InlineData("""[{"creation":1,"cidr":"10.0.0.0/8","tag":null,"expiration":0}]""", """[{"creation":1,"cidr":"10.1.2.0/24","tag":null,"expiration":0}]""", 7, "10.1.0.0/16 is dropped in part: 10.0.0.0/8 is in drop, but 1 network is inside it in ignore\n")]
    [InlineData("""[{"creation":1,"cidr":"10.1.2.3/32","tag":null,"expiration":0}]""", "[]", 7, "10.1.0.0/16 is dropped in part: 1 network is inside it in drop\n")]
    [InlineData("""[{"creation":1,"cidr":"10.1.2.3/32","tag":null,"expiration":0}]""", """[{"creation":1,"cidr":"10.1.2.0/24","tag":null,"expiration":0}]""", 0, "10.1.0.0/16 passes: no entry covers it\n")]
    [InlineData("""[{"creation":1,"cidr":"10.1.2.3/32","tag":null,"expiration":0}]""", """[{"creation":1,"cidr":"10.0.0.0/8","tag":null,"expiration":0}]""", 0, "10.1.0.0/16 passes: 10.0.0.0/8 is in ignore, which wins over drop\n")]
    [InlineData("""[{"creation":1,"cidr":"10.2.0.0/16","tag":null,"expiration":0}]""", "[]", 0, "10.1.0.0/16 passes: no entry covers it\n")]
    public void ANetworkHasAVerdict_FromWhatCoversItAndWhatLiesInside(string drop, string ignore, int status, string sentence)
    {
        Entries(drop, ignore);
        CliResult result = _rig.Run("why 10.1.0.0/16");
        Assert.Equal((status, ""), (result.Status, result.Error));
        Assert.StartsWith(sentence, result.Out, StringComparison.Ordinal);
        Assert.Contains("GET /v1/drop?after=10.1.0.0%2F16&limit=1000&details=true", _rig.Asked, StringComparison.Ordinal);
        using JsonDocument json = JsonDocument.Parse(_rig.Run("why 10.1.0.0/16 --json").Out);
        Assert.Equal(JsonValueKind.Object, json.RootElement.GetProperty("inside").ValueKind);
    }

    [Fact]
    public void SeveralSubjects_AreAnsweredInTurn()
    {
        Entries("""[{"creation":1,"cidr":"10.0.0.0/8","tag":"a","expiration":0}]""", "[]");
        CliResult result = _rig.Run("why 10.0.0.1 172.16.0.1");
        Assert.Equal(7, result.Status);
        Assert.Contains("10.0.0.1 is dropped: 10.0.0.0/8 is in drop\n", result.Out, StringComparison.Ordinal);
        Assert.EndsWith("\n\n172.16.0.1 passes: no entry covers it\n", result.Out, StringComparison.Ordinal);
        using JsonDocument json = JsonDocument.Parse(_rig.Run("why 10.0.0.1 172.16.0.1 --json").Out);
        Assert.Equal(["drop", "pass"], json.RootElement.EnumerateArray().Select(one => one.GetProperty("verdict").GetString()!));
        Assert.Equal(
            "address\tverdict\tdecides\tpolicy\tcidr\ttag\texpiration\tadded\tadded_by\tpackets\tlast_hit\treason\n"
            + "10.0.0.1\tdrop\tyes\tdrop\t10.0.0.0/8\ta\tnever\t1970-01-01T00:00:01Z\t\t\t\t\n172.16.0.1\tpass\tno\t\t\t\t\t\t\t\t\t\n",
            _rig.Run("why 10.0.0.1 172.16.0.1 -o tsv").Out);
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
        Assert.Equal(new CliResult(7, Json, ""), _rig.Run("why 10.0.0.1 --json"));
    }

    [Fact]
    public void AHostName_IsAMistake() => Assert.Equal(
        new CliResult(2, "", "couicctl: \"www.example.net\" is not a CIDR: it is a host name (write its addresses)\n"), _rig.Run("why www.example.net"));

    private void Entries(string drop, string ignore) => _rig.Daemon.Answer =
        request => new StubAnswer(200, request.Target.StartsWith("/v1/drop", StringComparison.Ordinal) ? drop : ignore);
}
