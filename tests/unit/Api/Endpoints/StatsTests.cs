using Couic.Api.Access;
using Couic.Api.Contracts;
using Couic.Api.Metrics;
using Couic.Store;
using Xunit;

namespace Couic.Tests.Api.Endpoints;

public sealed class StatsTests
{
    [Fact]
    public async Task StatsShowCountsAndFiveActionsInOrder()
    {
        using var rig = new ApiRig();
        Add(rig, 1, "b");
        Answer answer = await rig.SendAsync("GET", "/v1/stats", group: Group.Monitoring);
        const string Zero = """{"rx_packets":0,"rx_bytes":0}""";
        const string Stats = "\"drop_cidr_count\":1,\"ignore_cidr_count\":0,\"xdp\":{\"XDP_ABORTED\":" + Zero + ",\"XDP_DROP\":" + Zero
            + ",\"XDP_PASS\":" + Zero + ",\"XDP_TX\":" + Zero + ",\"XDP_REDIRECT\":" + Zero + "}";
        Assert.Equal((200, "{" + Stats + "}"), (answer.Status, answer.Body));

        Add(rig, 2, "");
        Add(rig, 3, "A");
        answer = await rig.SendAsync("GET", "/v1/stats/tags/drop", group: Group.Monitoring);
        const string Tags = "{\"tags\":{\"A\":" + Zero + ",\"b\":" + Zero + ",\"untagged\":" + Zero + "}}";
        Assert.Equal((200, Tags), (answer.Status, answer.Body));
        Assert.Equal("""{"tags":{}}""", (await rig.SendAsync("GET", "/v1/stats/tags/ignore")).Body);
        answer = await rig.SendAsync("GET", "/v1/stats/tags/x");
        Assert.Equal((400, ("bad_request", "policy=invalid")), (answer.Status, answer.Error));

        foreach (string query in new[] { "", "?format=json", "?format=Prometheus", "?Format=prometheus", "?x=prometheus" })
        {
            answer = await rig.SendAsync("GET", "/v1/metrics" + query);
            Assert.Equal(
                "{" + Stats.Replace("_count\":1", "_count\":3", StringComparison.Ordinal) + ",\"drop_tags\":" + Tags + ",\"ignore_tags\":{\"tags\":{}}}",
                answer.Body);
        }
    }

    [Fact]
    public async Task TheTextFormIsAsDashboardsKnowIt()
    {
        using var rig = new ApiRig();
        Add(rig, 1, "b");
        Add(rig, 2, "A");
        await MetricsAsync(rig, "text/plain"); // so that an answer is counted
        Answer answer = await MetricsAsync(rig, "text/plain");
        Assert.Equal("text/plain; version=0.0.4; charset=utf-8", answer["content-type"]);
        Assert.StartsWith(
            """
            # HELP couic_drop_cidr_total Current number of CIDR dropped by couic.
            # TYPE couic_drop_cidr_total gauge
            couic_drop_cidr_total 2
            # HELP couic_ignore_cidr_total Current number of CIDR ignored by couic.
            # TYPE couic_ignore_cidr_total gauge
            couic_ignore_cidr_total 0
            # HELP couic_stats_rx_packets_total Current number of packets handled by XDP.
            # TYPE couic_stats_rx_packets_total counter
            couic_stats_rx_packets_total{action="XDP_ABORTED"} 0
            couic_stats_rx_packets_total{action="XDP_DROP"} 0
            couic_stats_rx_packets_total{action="XDP_PASS"} 0
            couic_stats_rx_packets_total{action="XDP_REDIRECT"} 0
            couic_stats_rx_packets_total{action="XDP_TX"} 0
            # HELP couic_stats_rx_bytes_total Current number of bytes handled by XDP.
            # TYPE couic_stats_rx_bytes_total counter
            couic_stats_rx_bytes_total{action="XDP_ABORTED"} 0
            couic_stats_rx_bytes_total{action="XDP_DROP"} 0
            couic_stats_rx_bytes_total{action="XDP_PASS"} 0
            couic_stats_rx_bytes_total{action="XDP_REDIRECT"} 0
            couic_stats_rx_bytes_total{action="XDP_TX"} 0
            # HELP couic_drop_tag_rx_packets_total Number of packets dropped per tag.
            # TYPE couic_drop_tag_rx_packets_total counter
            couic_drop_tag_rx_packets_total{tag="A"} 0
            couic_drop_tag_rx_packets_total{tag="b"} 0
            # HELP couic_drop_tag_rx_bytes_total Number of bytes dropped per tag.
            # TYPE couic_drop_tag_rx_bytes_total counter
            couic_drop_tag_rx_bytes_total{tag="A"} 0
            couic_drop_tag_rx_bytes_total{tag="b"} 0
            # HELP couic_ignore_tag_rx_packets_total Number of packets ignored per tag.
            # TYPE couic_ignore_tag_rx_packets_total counter
            # HELP couic_ignore_tag_rx_bytes_total Number of bytes ignored per tag.
            # TYPE couic_ignore_tag_rx_bytes_total counter
            # HELP couic_build_info The version that runs.

            """,
            answer.Body,
            StringComparison.Ordinal);
        Assert.EndsWith("\n# EOF\n", answer.Body, StringComparison.Ordinal);
        Assert.DoesNotContain("\r", answer.Body, StringComparison.Ordinal);
        Assert.Contains("couic_table_limit{policy=\"ignore\",family=\"ipv6\"} 65536\n", answer.Body, StringComparison.Ordinal);
        Answer open = await rig.SendAsync("GET", "/v1/metrics?format=prom%65theus", group: Group.Monitoring);
        Assert.Equal("application/openmetrics-text; version=1.0.0; charset=utf-8", open["content-type"]);
        Assert.Equal(Samples(answer.Body), Samples(open.Body));
        Answer twice = await rig.SendAsync("GET", "/v1/metrics?format=prometheus&format=prometheus");
        Assert.Equal((400, ("bad_request", string.Empty)), (twice.Status, twice.Error));
    }

    [Fact]
    public async Task OpenMetrics_EveryCounter_NamesItsFamilyWithoutTheSuffixOfItsSamples()
    {
        using var rig = new ApiRig();
        rig.Services.MoreMetrics.Add(static text =>
        {
            text.Family("with_total", "counter", "A \"quoted\" word, a \\ and\na line.");
            text.Family("without", "counter", "A \"quoted\" word, a \\ and\na line.");
        });
        string open = (await MetricsAsync(rig, "application/openmetrics-text")).Body, plain = (await MetricsAsync(rig, "text/plain")).Body;
        const string Quoted = "A \\\"quoted\\\" word, a \\\\ and\\na line.", Plain = "A \"quoted\" word, a \\\\ and\\na line.";
        Assert.Contains($"# HELP with {Quoted}\n# TYPE with counter\n# HELP without {Quoted}\n# TYPE without counter\n", open, StringComparison.Ordinal);
        Assert.Contains($"# HELP with_total {Plain}\n# TYPE with_total counter\n# HELP without_total {Plain}\n", plain, StringComparison.Ordinal);
        Assert.DoesNotContain("_total counter\n", open, StringComparison.Ordinal);
        Assert.Contains("# TYPE couic_drop_cidr_total gauge\n", open, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("", false)]
    [InlineData("*/*", false)]
    [InlineData("application/json", false)]
    [InlineData("text/plain", true)]
    [InlineData("TEXT/Plain", true)]
    [InlineData("text/*", true)]
    [InlineData("text/plain;version=0.0.4", true)]
    [InlineData("text/plain; Version=\"0.0.4\"; charset=utf-8", true)]
    [InlineData("text/plain;version=1.0.0", false)]
    [InlineData("application/openmetrics-text, text/plain", false)]
    [InlineData("text/plain, application/openmetrics-text;q=0.5", true)]
    [InlineData("application/openmetrics-text;version=0.0.1, text/plain;q=0.1", true)]
    [InlineData("application/openmetrics-text;version=0.0.1;q=1,text/plain;version=0.0.4;q=0.3,*/*;q=0.2", true)]
    [InlineData("application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1", false)]
    [InlineData("*/*;q=0.9, application/openmetrics-text;q=0", true)]
    [InlineData("text/plain;q=0, */*", false)]
    [InlineData("text/plain;q=x, application/openmetrics-text;q=0.5", false)]
    [InlineData("x/y;a=\"text/plain, z\", text/plain;q=0.2", true)]
    [InlineData(",,; text/plain =", false)]
    public async Task MetricsText_AcceptHeader_DecidesTheForm(string accept, bool isPlain)
    {
        using var rig = new ApiRig();
        Answer answer = await MetricsAsync(rig, accept);
        string type = isPlain ? "text/plain; version=0.0.4" : "application/openmetrics-text; version=1.0.0";
        Assert.Equal((type + "; charset=utf-8", "accept"), (answer["content-type"], answer["vary"]));
    }

    /// <summary>The names are those that dashboards for processes and for .NET look for; a collection makes each of them more than nothing.</summary>
    [Theory]
    [InlineData("process_resident_memory_bytes ")]
    [InlineData("process_start_time_seconds ")]
    [InlineData("process_cpu_seconds_total ")]
    [InlineData("process_open_fds ")]
    [InlineData("process_threads ")]
    [InlineData("dotnet_gc_heap_total_allocated_bytes_total ")]
    [InlineData("dotnet_gc_collections_total{gc_heap_generation=\"gen2\"} ")]
    [InlineData("dotnet_gc_pause_time_seconds_total ")]
    [InlineData("dotnet_gc_last_collection_memory_committed_size_bytes ")]
    [InlineData("dotnet_gc_last_collection_heap_size_bytes{gc_heap_generation=\"gen2\"} ")]
    public async Task TheProcessTellsWhatItTakes(string sample)
    {
        GC.Collect();
        using var rig = new ApiRig();
        string body = (await rig.SendAsync("GET", "/v1/metrics?format=prometheus")).Body;
        string line = Assert.Single(body.Split('\n'), line => line.StartsWith(sample, StringComparison.Ordinal));
        Assert.True(double.Parse(line[sample.Length..], System.Globalization.CultureInfo.InvariantCulture) > 0, line);
    }

    [Fact]
    public void LabelsAreEscaped()
    {
        var output = new Couic.Http.OutputBuffer();
        new MetricsText(output, MetricsForm.OpenMetrics).Sample("x", "a", "q\"\\\n", 1);
        Assert.Equal("x{a=\"q\\\"\\\\\\n\"} 1\n", System.Text.Encoding.UTF8.GetString(output.Written));
    }

    [Fact]
    public async Task AnyClientSeesTheStatus()
    {
        using var rig = new ApiRig();
        foreach (Group group in Enum.GetValues<Group>())
        {
            Answer answer = await rig.SendAsync("GET", "/v1/status", group: group);
            StatusRecord status = System.Text.Json.JsonSerializer.Deserialize(answer.Body, WireJson.Default.StatusRecord)!;
            Assert.Equal(4, status.Tables!.Length);
            Assert.Equal(new TableStatus("ignore", "ipv6", 0, 65_536), status.Tables[3]);
        }

        Assert.Equal(401, (await rig.SendAsync("GET", "/v1/status", group: null)).Status);
    }

    private static async Task<Answer> MetricsAsync(ApiRig rig, string accept)
    {
        using RawClient client = rig.Connect();
        string header = accept.Length == 0 ? string.Empty : $"Accept: {accept}\r\n";
        await client.SendAsync($"GET /v1/metrics?format=prometheus HTTP/1.1\r\n{rig.Bearer(Group.Monitoring)}{header}\r\n");
        return await client.ReadAnswerAsync();
    }

    /// <summary>The names of all samples, with their labels.</summary>
    private static IEnumerable<string> Samples(string text) =>
        text.Split('\n').Where(line => line.Length > 0 && line[0] != '#').Select(line => line[..line.LastIndexOf(' ')]);

    private static void Add(ApiRig rig, uint address, string tag) => rig.Store.Add(
        Policy.Drop, Cidr.FromV4(address), System.Text.Encoding.ASCII.GetBytes(tag), 0, ConflictMode.Refuse, new ChangeContext(ChangeOrigin.Api, "x"u8), out _);
}
