using System.Text.Json;
using System.Text.RegularExpressions;
using Couic.IntegrationTests.Harness;
using Xunit;

namespace Couic.IntegrationTests;

/// <summary>The walk-through of the manual: two nodes, a TLS proxy on port 2900 in front of each, exactly those commands.</summary>
public sealed class PeeringTests : IDisposable
{
    private readonly Lab _lab = new();
    private readonly List<IDisposable> _running = [];

    [Fact]
    public void ARuleAddedOnOneNodeIsListedAndInForceOnTheOther()
    {
        (Daemon couic1, Daemon couic2, _) = StartPair();
        Shell.Result added = couic1.Ctl("drop", "add", "1.1.1.1/32", "-e", "1m", "-o", "table");
        Assert.Equal(0, added.ExitCode);
        Assert.Matches("""│ drop   ┆ 1\.1\.1\.1/32 ┆     ┆ (59s|1m0s) +│""", added.Out);
        Eventually.Holds(() => couic2.Ctl("drop", "list").Out.Contains("1.1.1.1/32", StringComparison.Ordinal), "the other node lists it");
        Assert.Matches("""│ drop   ┆ 1\.1\.1\.1/32 ┆     ┆ \d+s +│""", couic2.Ctl("drop", "list", "-o", "table").Out);
        Assert.Equal(1, Stats.Count(couic2, "drop"));
        Assert.Equal(["drop 1.1.1.1/32"], KernelTables.Read(couic2));
        using Probe atTwo = new(_lab.Outside, Lab.OuterInterface, _lab.Inside, Lab.Interface);
        Assert.Equal([false, true], atTwo.Passes(["1.1.1.1", "1.1.1.2"]));

        couic2.Ctl("drop", "delete", "1.1.1.1/32");
        Eventually.Holds(() => Stats.Count(couic1, "drop") == 0, "the removal comes back");
        Assert.Empty(KernelTables.Read(couic1));
        Assert.True(_lab.Probe.Passes("1.1.1.1"));

        Eventually.Holds(() => couic1.Ctl("peers", "-o", "table").Out.Contains("┆ up ", StringComparison.Ordinal), "the peer is shown as up");
        foreach (Daemon node in (Daemon[])[couic1, couic2])
        {
            Eventually.Holds(() => node.Ctl("peers", "-o", "table").Out.Contains("┆ yes        ┆ 0 ", StringComparison.Ordinal), "with the same rules and nothing to send");
        }

        // The first node to start may have asked for the other one in vain, and says so; the second one finds it there.
        AssertPeersAreShown(couic2);

        // Allow-lists stay on their node unless both sides ask for them.
        couic1.Ctl("ignore", "add", "192.0.2.1");
        couic1.Ctl("drop", "add", "198.51.100.7");
        Eventually.Holds(() => Stats.Count(couic2, "drop") == 1, "the next drop travels");
        Assert.Equal(0, Stats.Count(couic2, "ignore"));
    }

    /// <summary>Byte for byte, but for times and the clock's tenths.</summary>
    private static void AssertPeersAreShown(Daemon node)
    {
        Shell.Result peers = node.Ctl("peers", "-o", "table");
        Assert.Equal((0, ""), (peers.ExitCode, peers.Error));
        Assert.Equal(
            """
            ┌────────────────┬───────┬────────────┬────────┬────────┬──────────────┬───────┐
            │ Peer           ┆ State ┆ Same rules ┆ Queued ┆ Oldest ┆ Last success ┆ Clock │
            ╞════════════════╪═══════╪════════════╪════════╪════════╪══════════════╪═══════╡
            │ 10.77.0.1:2900 ┆ up    ┆ yes        ┆ 0      ┆        ┆ now          ┆ +0.0s │
            └────────────────┴───────┴────────────┴────────┴────────┴──────────────┴───────┘

            """,
            Regex.Replace(peers.Out, "┆ (now   |1s ago|2s ago)       ┆ [+-]0[.].s", "┆ now          ┆ +0.0s"));
        JsonElement json = JsonDocument.Parse(node.Ctl("peers", "--json").Out).RootElement[0];
        Assert.Equal(("up", true), (json.GetProperty("state").GetString(), json.GetProperty("in_sync").GetBoolean()));

        Assert.Equal(new Shell.Result(0, "10.77.0.1 holds the same rules\n", ""), node.Ctl("peers", "diff", Lab.InsideV4, "-o", "table"));
        Assert.Equal(
            new Shell.Result(6, "", "couicctl: no peer \"nobody\" is configured\n"), node.Ctl("peers", "diff", "nobody", "-o", "table"));

        // A rule is a difference until the next flush; it may come before the question.
        string difference = "";
        for (int i = 0; !difference.Contains("1 rule differs", StringComparison.Ordinal); i++)
        {
            Assert.True(i < 100, difference);
            Eventually.Holds(() => node.Ctl("peers", "diff", Lab.InsideV4, "-o", "table").Out.Contains("holds the same rules", StringComparison.Ordinal), "nothing of the last try is left");
            node.Api.Add("drop", $"198.18.0.{i}/32", "differs");
            difference = node.Ctl("peers", "diff", Lab.InsideV4, "-o", "table").All;
            node.Api.Remove("drop", $"198.18.0.{i}/32");
        }

        Assert.Matches(
            """
            ^┌────────┬──────────────+┬────────────────┬────────┐
            │ Policy ┆ CIDR +┆ Here           ┆ There  │
            ╞════════╪══════════════+╪════════════════╪════════╡
            │ drop   ┆ 198[.]18[.]0[.][0-9]+/32 ┆ differs, never ┆ absent │
            └────────┴──────────────+┴────────────────┴────────┘
            1 rule differs
            $
            """,
            difference);
    }

    [Fact]
    public void ANodeThatWasKilledGetsTheRulesBack()
    {
        (Daemon couic1, Daemon couic2, DaemonOptions two) = StartPair();
        string[] requests = [.. Enumerable.Range(0, 1000).Select(i => couic1.Api.Text("POST", "/v1/drop", ApiClient.EntryBody($"10.2.{i / 256}.{i % 256}/32")))];
        Assert.All(couic1.Api.Pipeline(requests), status => Assert.Equal(201, status));
        Eventually.Holds(() => Stats.Count(couic2, "drop") == 1000, "all rules are there");
        couic2.End(Libc.SIGKILL);
        couic1.Api.Remove("drop", "10.2.0.0/32");
        couic1.Api.Add("drop", "198.51.100.7/32");
        Daemon again = Start(two);
        Eventually.Holds(() => Stats.Count(again, "drop") == 1000, "they are there again");
        Assert.Equal(404, again.Api.Get("/v1/drop/10.2.0.0/32").Status);
        Assert.Equal(couic1.Api.Get("/v1/drop?limit=2000").Json.GetArrayLength(), again.Api.Get("/v1/drop?limit=2000").Json.GetArrayLength());
    }

    public void Dispose()
    {
        _running.Reverse();
        _running.ForEach(r => r.Dispose());
        _lab.Dispose();
    }

    /// <summary>Two nodes that know each other; the options are those with which the second one can be started again.</summary>
    private (Daemon One, Daemon Two, DaemonOptions OptionsOfTwo) StartPair()
    {
        DaemonOptions one = new() { Name = "couic1" };
        DaemonOptions two = new() { Name = "couic2", Space = _lab.Outside, Interfaces = [Lab.OuterInterface] };
        string tokenForTwo = AddClient(one, "couic2");
        string tokenForOne = AddClient(two, "couic1");
        string authorityOne = StartProxy(_lab.Inside, "couic1", Lab.InsideV4);
        string authorityTwo = StartProxy(_lab.Outside, "couic2", Lab.OutsideV4);
        two = two with { Tables = Peer(Lab.InsideV4, tokenForTwo, authorityOne) };
        return (Start(one with { Tables = Peer(Lab.OutsideV4, tokenForOne, authorityTwo) }), Start(two), two);
    }

    /// <summary>Starts the node without peers for a moment, as the manual adds the client first and restarts then.</summary>
    private string AddClient(DaemonOptions options, string name)
    {
        using Daemon daemon = Daemon.Start(_lab, options);
        Shell.Result added = daemon.Ctl("clients", "add", "-n", name, "-g", "peering");
        Assert.True(added.ExitCode == 0, added.All);
        Assert.Equal(0, daemon.End());
        return daemon.TokenOf(name);
    }

    private string StartProxy(NetSpace space, string node, string address)
    {
        TlsProxy proxy = new(space, _lab.Scratch, node + "-proxy", _lab.Scratch[node + "/couic.sock"], address);
        _running.Add(proxy);
        return proxy.Authority;
    }

    private Daemon Start(DaemonOptions options)
    {
        Daemon daemon = Daemon.Start(_lab, options);
        _running.Add(daemon);
        return daemon;
    }

    private static string Peer(string host, string token, string authority) => $"""
        [peering]
        enabled = true

        [[peering.peers]]
        host = "{host}"
        port = 2900
        tls = true
        token = "{token}"
        ca_file = "{authority}"
        """;
}
