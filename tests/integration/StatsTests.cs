using System.Text.Json;
using Couic.IntegrationTests.Harness;
using Xunit;

namespace Couic.IntegrationTests;

/// <summary>Counters against packets that were really sent.</summary>
public sealed class StatsTests
{
    [Theory]
    [InlineData("generic")]
    [InlineData("native")]
    public void ActionsAndTagsCountExactlyWhatWasSent(string mode)
    {
        using Lab lab = new();
        using Daemon daemon = Daemon.Start(lab, new DaemonOptions { Mode = mode });
        daemon.Api.Add("drop", "198.51.100.0/24", "scan");
        daemon.Api.Add("drop", "2001:db8:bad::/48");
        daemon.Api.Add("ignore", "198.51.100.10/32", "friend");
        (long Packets, long Bytes) before = Stats.Action(daemon, "XDP_DROP");
        byte[] scan = Frame.UdpFrom("198.51.100.7");
        byte[] untagged = Frame.UdpFrom("2001:db8:bad::1");
        byte[] friend = Frame.UdpFrom("198.51.100.10");
        lab.Probe.Send([.. Enumerable.Repeat(scan, 300), .. Enumerable.Repeat(untagged, 200), .. Enumerable.Repeat(friend, 100)]);
        (long Packets, long Bytes) after = Stats.Action(daemon, "XDP_DROP");

        Assert.Equal(500, after.Packets - before.Packets);
        Assert.Equal((300 * scan.Length) + (200 * untagged.Length), after.Bytes - before.Bytes);
        Assert.Equal(300, Stats.TagPackets(daemon, "drop", "scan"));
        Assert.Equal(200, Stats.TagPackets(daemon, "drop", "untagged"));
        Assert.Equal(100, Stats.TagPackets(daemon, "ignore", "friend"));
        Assert.True(Stats.Action(daemon, "XDP_PASS").Packets >= 100);
    }

    [Fact]
    public void ThousandTagsAreCountedWithoutOneDisplacingAnother()
    {
        using Lab lab = new();
        using Daemon daemon = Daemon.Start(lab);
        int[] all = [.. Enumerable.Range(0, 1024)];
        string[] requests = [
            .. all.Select(i => daemon.Api.Text("POST", "/v1/drop", ApiClient.EntryBody($"10.0.{i / 256}.{i % 256}/32", $"tag-{i}")))];
        Assert.All(daemon.Api.Pipeline(requests), status => Assert.Equal(201, status));
        byte[][] frames = [.. all.Select(i => Frame.UdpFrom($"10.0.{i / 256}.{i % 256}"))];
        for (int round = 0; round < 3; round++)
        {
            Assert.All(lab.Probe.Send(frames), arrived => Assert.False(arrived));
        }

        JsonElement tags = daemon.Api.Get("/v1/stats/tags/drop").Json.GetProperty("tags");
        Assert.All(all, i => Assert.Equal(3, tags.GetProperty($"tag-{i}").GetProperty("rx_packets").GetInt32()));
    }

    [Fact]
    public void ATagKeepsItsCountersWhenItsLastEntryIsGone()
    {
        using Lab lab = new();
        using Daemon daemon = Daemon.Start(lab);
        daemon.Api.Add("drop", "198.51.100.7/32", "gone");
        Assert.False(lab.Probe.Passes("198.51.100.7"));
        daemon.Api.Remove("drop", "198.51.100.7/32");
        Assert.Equal(1, Stats.TagPackets(daemon, "drop", "gone"));
        daemon.Api.Add("drop", "198.51.100.7/32", "gone");
        Assert.False(lab.Probe.Passes("198.51.100.7"));
        Assert.Equal(2, Stats.TagPackets(daemon, "drop", "gone"));

        daemon.Api.Add("drop", "198.51.100.8/32", "expired", DateTimeOffset.UtcNow.ToUnixTimeSeconds() + 3);
        Assert.False(lab.Probe.Passes("198.51.100.8"));
        Eventually.Holds(() => lab.Probe.Passes("198.51.100.8"), "it expires");
        long packets = Stats.TagPackets(daemon, "drop", "expired");
        daemon.Api.Add("drop", "198.51.100.9/32", "next");
        Assert.InRange(packets, 1, long.MaxValue);
        Assert.Equal((packets, 0L), (Stats.TagPackets(daemon, "drop", "expired"), Stats.TagPackets(daemon, "drop", "next")));
    }

    /// <summary>All counters were used by tags whose entries are gone; those that come later get them, each at zero.</summary>
    [Fact]
    public void Tags_AfterAllCountersWereUsed_HaveTheirOwnAndTheOthersKeepTheSum()
    {
        using Lab lab = new();
        using Daemon daemon = Daemon.Start(lab);
        string[] items = [.. Enumerable.Range(0, 4096).Select(i => ApiClient.EntryBody($"10.0.{i / 256}.{i % 256}/32", $"old-{i}"))];
        daemon.Api.Post("/v1/drop/bulk", string.Join('\n', items), "application/x-ndjson").Expect(200);
        Assert.All(lab.Probe.Send([.. Enumerable.Range(0, 8).Select(i => Frame.UdpFrom($"10.0.0.{i}"))]), Assert.False);
        daemon.Api.Post("/v1/drop/bulk?action=remove", string.Join('\n', Enumerable.Range(0, 4096).Select(i => $"\"10.0.{i / 256}.{i % 256}/32\"")), "application/x-ndjson").Expect(200);
        Thread.Sleep(TimeSpan.FromSeconds(1.2));
        for (int i = 0; i < 8; i++)
        {
            daemon.Api.Add("drop", $"198.51.100.{i}/32", $"new-{i}");
        }

        Assert.All(lab.Probe.Send([.. Enumerable.Range(0, 8).Select(i => Frame.UdpFrom("198.51.100.5"))]), Assert.False);
        JsonElement tags = daemon.Api.Get("/v1/stats/tags/drop").Json.GetProperty("tags");
        long Packets(string tag) => tags.TryGetProperty(tag, out JsonElement count) ? count.GetProperty("rx_packets").GetInt64() : -1;
        Assert.Equal([0, 0, 0, 0, 0, 8, 0, 0], Enumerable.Range(0, 8).Select(i => Packets($"new-{i}")));
        Assert.Equal(8, Packets("(others)") + Enumerable.Range(0, 8).Sum(i => Math.Max(0, Packets($"old-{i}"))));
    }

    [Fact]
    public void EveryFamilyOfTheTextFormIsThereAndItEnds()
    {
        using Lab lab = new();
        using Daemon daemon = Daemon.Start(lab);
        daemon.Api.Add("drop", "198.51.100.7/32", "scan");
        Assert.False(lab.Probe.Passes("198.51.100.7"));
        Answer answer = daemon.Api.Get("/v1/metrics?format=prometheus").Expect(200);
        Assert.Equal("application/openmetrics-text; version=1.0.0; charset=utf-8", answer.Headers["content-type"]);
        Assert.EndsWith("# EOF\n", answer.Body, StringComparison.Ordinal);
        Assert.StartsWith(
            "# HELP couic_drop_cidr_total Current number of CIDR dropped by couic.\n# TYPE couic_drop_cidr_total gauge\ncouic_drop_cidr_total 1\n",
            answer.Body, StringComparison.Ordinal);
        Assert.Contains("couic_drop_tag_rx_packets_total{tag=\"scan\"} 1\n", answer.Body, StringComparison.Ordinal);
        Assert.Equal(400, daemon.Api.Get("/v1/metrics?format=a&format=b").Status);
    }

    /// <summary>With Debian's client library, whose OpenMetrics parser refuses what the specification does not allow.</summary>
    [Theory]
    [InlineData("*/*", "openmetrics.parser")]
    [InlineData("application/openmetrics-text; version=1.0.0", "openmetrics.parser")]
    [InlineData("text/plain; version=0.0.4", "parser")]
    public void MetricsText_WithPeersAndReporting_IsTakenByAStrictParser(string accept, string parser)
    {
        const string Script = """
            import importlib, sys
            parser = importlib.import_module("prometheus_client." + sys.argv[1])
            for family in parser.text_string_to_metric_families(sys.stdin.read()):
                for sample in family.samples:
                    print(family.name, family.type, sample.name)
            """;
        using Cluster cluster = new(2);
        ApiClient api = cluster[0]!.Api;
        api.Add("drop", "198.51.100.7/32", "scan");
        string request = api.Text("GET", "/v1/metrics?format=prometheus").Replace("Host:", $"Accept: {accept}\r\nHost:", StringComparison.Ordinal);
        Shell.Result result = Shell.Run(
            null,
            new System.Diagnostics.ProcessStartInfo("/usr/bin/python3", ["-c", Script, parser]), api.Exchange(request).Expect(200).Body);
        Assert.True(result.ExitCode == 0, result.Error);
        foreach (string family in (string[])["couic_stats_rx_packets", "couic_drop_tag_rx_packets", "couic_peer_jobs", "couic_reports_sent", "couic_log_lines_lost"])
        {
            Assert.Contains($"{family} counter {family}_total\n", result.Out, StringComparison.Ordinal);
        }

        Assert.Contains("couic_drop_cidr_total gauge couic_drop_cidr_total\n", result.Out, StringComparison.Ordinal);
        Assert.DoesNotContain(" unknown ", result.Out, StringComparison.Ordinal);
    }

    [Fact]
    public void MalformedFramesPassAndAreCounted()
    {
        using Lab lab = new();
        using Daemon daemon = Daemon.Start(lab);
        long before = Malformed(daemon);
        byte[] cut = Frame.Ethernet(Frame.IPv4, new byte[12]);
        Assert.All(lab.Probe.Send([.. Enumerable.Repeat(cut, 10)]), Assert.True);
        Assert.Equal(10, Malformed(daemon) - before);
    }

    private static long Malformed(Daemon daemon)
    {
        string text = daemon.Api.Get("/v1/metrics?format=prometheus").Expect(200).Body;
        string line = text.Split('\n').First(l => !l.StartsWith('#') && l.Contains("malformed", StringComparison.Ordinal));
        return long.Parse(line[(line.LastIndexOf(' ') + 1)..]);
    }
}
