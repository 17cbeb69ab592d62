using Xunit;

namespace Couic.Tests.Cli;

public sealed class StatusCommandTests : IDisposable
{
    private readonly CliRig _rig = new();

    public void Dispose() => _rig.Dispose();

    [Fact]
    public void StatusIsOneScreen()
    {
        _rig.Answering(200, """
            {"version":"2.0.0","uptime_secs":93784,"match":["source"],
            "interfaces":[{"configured":"eth0","name":"eth0","mode":"native","state":"attached","error":null},
            {"configured":"uplink","name":"enp1s0","mode":"generic","state":"attached","error":null},
            {"configured":"wg0","name":"wg0","mode":null,"state":"missing","error":"no such interface"}],"attacher":"lost",
            "tables":[{"policy":"drop","family":"ipv4","entries":131072,"limit":262144},{"policy":"drop","family":"ipv6","entries":0,"limit":262144}],
            "tags":[{"policy":"drop","used":3,"limit":4096}],"kernel_memory_bytes":83361792,"resident_memory_bytes":41943040,
            "peers":{"configured":2,"up":1,"in_sync":1,"queued":1234},"last_reload":{"at":1772366390,"ok":false,"message":"a.couic: line 3"},
            "consistency":{"ok":true,"last_check":1772366370,"drift":0},"later":{"x":1}}
            """);
        const string Text = """
            Version:      2.0.0
            Uptime:       1d 2h3m4s
            Match:        source
            Interfaces:   eth0: attached, native
                          uplink (enp1s0): attached, generic
                          wg0: MISSING, no such interface
            Attacher:     LOST: interfaces that change are not attached again (restart couic)
            Tables:       drop ipv4: 131,072 of 262,144 (50 %)
                          drop ipv6: 0 of 262,144 (0 %)
            Tags:         drop: 3 of 4,096 (0.1 %)
            Memory:       40.0 MiB resident, 79.5 MiB in kernel maps
            Kernel:       agrees with the daemon, compared 30s ago, 0 differences repaired since the start
            Peers:        2 configured, 1 up, 1 with the same rules, 1,234 changes queued
            Last reload:  10s ago, failed: a.couic: line 3

            """;
        Assert.Equal(new CliResult(0, Text, ""), _rig.Run("status"));
        Assert.Equal("GET /v1/status", _rig.Asked);
        Assert.StartsWith("{\n  \"version\": \"2.0.0\",\n", _rig.Run("status --json").Out, StringComparison.Ordinal);
    }

    [Fact]
    public void WhatTheDaemonDoesNotTellIsLeftOut() => Assert.Equal(
        new CliResult(0, "Version:      2.0.0\nUptime:       1s\nPeers:        off\nLast reload:  none since the start\n", ""),
        _rig.Answering(200, """{"version":"2.0.0","uptime_secs":1}""").Run("status"));

    [Fact]
    public void Check_AllIsWell_PrintsNothing() => Assert.Equal(
        new CliResult(0, "", ""), _rig.Answering(200, """{"version":"2.0.0","uptime_secs":1,"health":"ok","faults":[]}""").Run("status --check"));

    [Fact]
    public void Check_Faults_PrintsALineEachAndFails()
    {
        _rig.Answering(200, """
            {"version":"2.0.0","uptime_secs":1,"health":"degraded","faults":[{"kind":"interface","subject":"eth0","message":"interface \"eth0\" is not filtered"},
            {"kind":"drift","subject":null,"message":"two\u001b[2J lines"}]}
            """);
        CliResult result = _rig.Run("status --check");
        Assert.Equal((1, "interface \"eth0\" is not filtered", 2, ""), (result.Status, result.Out.Split('\n')[0], result.Out.Count(c => c == '\n'), result.Error));
        Assert.DoesNotContain('\u001b', result.Out);
        result = _rig.Run("status --check --json");
        Assert.Equal(1, result.Status);
        Assert.StartsWith("{\n", result.Out, StringComparison.Ordinal);
        Assert.EndsWith("""
            Last reload:  none since the start
            Health:       interface "eth0" is not filtered
            """, _rig.Run("status").Out.Split("\n              two")[0], StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(401, """{"code":"unauthorized","message":"no"}""")]
    [InlineData(200, "nonsense")]
    [InlineData(200, """{"version":"1.9.0","uptime_secs":1}""")]
    public void Check_DaemonThatDoesNotAnswer_IsThree(int status, string body)
    {
        CliResult result = _rig.Answering(status, body).Run("status --check");
        Assert.Equal((3, ""), (result.Status, result.Out));
        Assert.StartsWith("couicctl: ", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Check_NoDaemon_IsThree()
    {
        _rig.Daemon.Dispose();
        Assert.Equal(3, _rig.Run("status --check").Status);
        Assert.Equal(3, _rig.Run("status").Status);
    }

    [Fact]
    public void AFullTable_LooksFull() => Assert.Contains(
        "drop ipv4: 5 of 5 (100 %) FULL\n",
        _rig.Answering(200, """{"version":"2.0.0","uptime_secs":1,"tables":[{"policy":"drop","family":"ipv4","entries":5,"limit":5}]}""").Run("status").Out,
        StringComparison.Ordinal);

    [Theory]
    [InlineData("status")]
    [InlineData("peers")]
    [InlineData("reload")]
    [InlineData("drop import -")]
    public void ADaemonThatDoesNotKnowTheQuestionIsSaidToBeOlder(string words)
    {
        _rig.Answering(400, """{"code":"bad_request","errors":{},"message":"unknown policy"}""");
        Assert.Equal(
            new CliResult(1, "", "couicctl: unknown policy\ncouicctl: the daemon seems to be older than couicctl 2.0.0, which is the first that asks for this\n"),
            _rig.Run(words));
    }

    [Fact]
    public void PeersAreATable()
    {
        _rig.Answering(200, """
            [{"host":"couic2.example","port":2900,"tls":true,"state":"up","plain":false,"queued":0,"oldest_queued_secs":0,"last_success":1772366399,
            "last_error":null,"last_error_at":null,"clock_offset_secs":-0.25,"in_sync":true,"refused":[]},
            {"host":"couic3.example","port":2900,"tls":true,"state":"unreachable","plain":true,"queued":7,"oldest_queued_secs":61.5,"last_success":null,
            "last_error":"connection refused","last_error_at":1772366398,"clock_offset_secs":null,"in_sync":null}]
            """);
        const string Text = """
            ┌─────────────────────┬───────────────────┬────────────┬────────┬────────┬──────────────┬─────────┐
            │ Peer                ┆ State             ┆ Same rules ┆ Queued ┆ Oldest ┆ Last success ┆ Clock   │
            ╞═════════════════════╪═══════════════════╪════════════╪════════╪════════╪══════════════╪═════════╡
            │ couic2.example:2900 ┆ up                ┆ yes        ┆ 0      ┆        ┆ 1s ago       ┆ -0.3s   │
            ├╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌┼╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌┼╌╌╌╌╌╌╌╌╌╌╌╌┼╌╌╌╌╌╌╌╌┼╌╌╌╌╌╌╌╌┼╌╌╌╌╌╌╌╌╌╌╌╌╌╌┼╌╌╌╌╌╌╌╌╌┤
            │ couic3.example:2900 ┆ unreachable (1.x) ┆ unknown    ┆ 7      ┆ 1m1s   ┆ never        ┆ unknown │
            └─────────────────────┴───────────────────┴────────────┴────────┴────────┴──────────────┴─────────┘
            couic3.example:2900: last error 2s ago: connection refused

            """;
        Assert.Equal(new CliResult(0, Text, ""), _rig.Run("peers"));
        Assert.Equal("GET /v1/peers", _rig.Asked);
        Assert.StartsWith("[\n  {\n    \"host\": \"couic2.example\",\n", _rig.Run("peers --json").Out, StringComparison.Ordinal);
    }

    [Fact]
    public void NoPeersAreSaidToBeNone() =>
        Assert.Equal(new CliResult(0, "No peers configured.\n", ""), _rig.Answering(200, "[]").Run("peers"));

    [Fact]
    public void DifferencesOfAPeerAreATable()
    {
        _rig.Answering(200, """
            {"host":"couic2","differences":[{"policy":"drop","cidr":"1.1.1.1/32","here":{"tag":"ssh","expiration":1772366410},"there":null},
            {"policy":"drop","cidr":"2.2.2.0/24","here":null,"there":{"tag":null,"expiration":0}}],"truncated":false}
            """);
        const string Text = """
            ┌────────┬────────────┬──────────┬────────┐
            │ Policy ┆ CIDR       ┆ Here     ┆ There  │
            ╞════════╪════════════╪══════════╪════════╡
            │ drop   ┆ 1.1.1.1/32 ┆ ssh, 10s ┆ absent │
            ├╌╌╌╌╌╌╌╌┼╌╌╌╌╌╌╌╌╌╌╌╌┼╌╌╌╌╌╌╌╌╌╌┼╌╌╌╌╌╌╌╌┤
            │ drop   ┆ 2.2.2.0/24 ┆ absent   ┆ never  │
            └────────┴────────────┴──────────┴────────┘
            2 rules differ

            """;
        Assert.Equal(new CliResult(0, Text, ""), _rig.Run("peers diff couic2"));
        Assert.Equal("GET /v1/peers/couic2/diff", _rig.Asked);
        Assert.Equal(0, _rig.Run("peers diff couic2 --json").Status);
    }

    [Fact]
    public void APeerThatAgreesIsSaidToAgree()
    {
        _rig.Answering(200, """{"host":"couic2","differences":[],"truncated":false}""");
        Assert.Equal(new CliResult(0, "a/b holds the same rules\n", ""), _rig.Run("peers diff a/b"));
        Assert.Equal("GET /v1/peers/a%2Fb/diff", _rig.Asked);
    }

    [Theory]
    [InlineData("peers dif x", "couicctl: unknown command of \"peers\": \"dif\" (did you mean \"diff\"?); see \"couicctl peers --help\"\n")]
    [InlineData("peers diff", "couicctl: argument HOST is missing; see \"couicctl peers diff --help\"\n")]
    [InlineData("status x", "couicctl: unexpected argument \"x\"; see \"couicctl status --help\"\n")]
    public void BadArgumentsAreNamed(string words, string error) => Assert.Equal(new CliResult(2, "", error), _rig.Run(words));

    [Fact]
    public void ReloadSaysThatItWorked()
    {
        Assert.Equal(new CliResult(0, "Configuration and sets reloaded\n", ""), _rig.Answering(200, "{}").Run("reload"));
        Assert.Equal("POST /v1/reload?guard=refuse", _rig.Asked);
        _rig.Answering(200, """{"reload_status":"OK","message":"ifaces needs a restart"}""");
        Assert.Equal(new CliResult(0, "Configuration and sets reloaded\nNote: ifaces needs a restart\n", ""), _rig.Run("reload"));
    }
}
