using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Couic.IntegrationTests.Harness;
using Xunit;

namespace Couic.IntegrationTests;

/// <summary>What differences cost between shipped daemons: bytes on their way, memory of those that wait.</summary>
public sealed class PeeringVolumeTests(ITestOutputHelper output)
{
    /// <summary>A soak leaves the node away for ten minutes, and gives it five seconds to have everything.</summary>
    private static readonly int AwaySeconds = int.Parse(Environment.GetEnvironmentVariable("COUIC_AWAY_SECONDS") ?? "0", CultureInfo.InvariantCulture);

    private static readonly int Patience = AwaySeconds > 0 ? 5 : 60;

    [Fact]
    public void TenRulesOfTwoHundredThousandCostKilobytes()
    {
        const int Rules = 200_000;
        using Cluster cluster = new(3);
        Import(cluster[0]!, 0, Rules, "same");
        AwaitRules(cluster, Rules, 0, 1, 2);
        AwaitConfirmations(cluster);

        // The jobs of these ten die with the node that has them: only a comparison finds the rules.
        cluster.Connect(2, false);
        Import(cluster[1]!, Rules, 10, "new");
        AwaitRules(cluster, Rules + 10, 0);
        cluster.Kill(1);
        Thread.Sleep(2_000); // for a while the kernel still sends what a dead process has written
        long before = Bytes(cluster);
        cluster.Connect(2, true);
        AwaitRules(cluster, Rules + 10, 2);
        long bytes = Bytes(cluster) - before;
        output.WriteLine($"{bytes} bytes for ten of {Rules} rules");
        Assert.InRange(bytes, 0, 64 * 1024);
    }

    [Fact]
    public void ANodeThatIsAwayCostsMemoryByTheRuleAndBytesByTheDifference()
    {
        const int Rules = 100_000;
        using Cluster cluster = new(3);
        Import(cluster[0]!, 0, Rules, "before");
        AwaitRules(cluster, Rules, 0, 1, 2);
        cluster.Kill(2);
        long[] before = [cluster[0]!.Resident, cluster[1]!.Resident];
        long start = Stopwatch.GetTimestamp();
        int changes = 0;
        do
        {
            Import(cluster[0]!, 0, Rules, $"change{changes++}");
            Thread.Sleep(TimeSpan.FromSeconds(AwaySeconds / 10.0));
            cluster[0]!.Api.Dispose(); // it connects again: daemons close what was idle for a minute
            cluster[1]!.Api.Dispose();
        }
        while (changes < 4 || Stopwatch.GetElapsedTime(start).TotalSeconds < AwaySeconds);

        string last = $"change{changes - 1}";
        Eventually.Holds(() => TagCount(cluster[1]!, last) == Rules, "those that are there agree", 60);
        long[] after = [cluster[0]!.Resident, cluster[1]!.Resident];
        long sent = Bytes(cluster);
        cluster.Start(2);
        start = Stopwatch.GetTimestamp();
        Eventually.Holds(
            () => Stats.Count(cluster[2]!, "drop") == Rules && TagCount(cluster[2]!, last) == Rules, "the node has everything", Patience);
        double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
        AwaitConfirmations(cluster);
        long bytes = Bytes(cluster) - sent;
        output.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{changes} x {Rules} changes while away for {AwaySeconds} s: resident {before[0] >> 20} to {after[0] >> 20} MiB and "
            + $"{before[1] >> 20} to {after[1] >> 20} MiB; all back after {seconds:F2} s, {bytes >> 10} KiB"));
        Assert.InRange(after[0] - before[0], long.MinValue, 48L << 20);
        Assert.InRange(after[1] - before[1], long.MinValue, 48L << 20);
        Assert.InRange(bytes, 0, 3L * Rules * 200);
    }

    private static void Import(Daemon daemon, int first, int count, string tag)
    {
        string lines = string.Concat(Enumerable.Range(first, count).Select(
            i => ApiClient.EntryBody($"10.{i >> 16}.{(i >> 8) & 255}.{i & 255}/32", tag) + "\n"));
        Answer answer = daemon.Api.Post("/v1/drop/bulk?on_conflict=update", lines, "application/x-ndjson").Expect(200);
        Assert.Equal(0, answer.Json.GetProperty("rejected").GetArrayLength());
    }

    private static void AwaitRules(Cluster cluster, int count, params int[] nodes) =>
        Eventually.Holds(() => nodes.All(n => Stats.Count(cluster[n]!, "drop") == count), $"{count} rules on nodes {string.Join(", ", nodes)}", 60);

    /// <summary>Nothing is on its way any more: what was not confirmed would be sent again.</summary>
    private static void AwaitConfirmations(Cluster cluster) => Eventually.Holds(
        () => Enumerable.Range(0, cluster.Size).SelectMany(n => cluster[n]!.Api.Get("/v1/peers").Expect(200).Json.EnumerateArray())
            .All(p => p.GetProperty("queued").GetInt32() == 0 && p.GetProperty("in_sync").ValueKind == JsonValueKind.True),
        "every peer has confirmed everything",
        60);

    private static int TagCount(Daemon daemon, string tag) => daemon.Api.Get($"/v1/drop?tag={tag}").Expect(200).Json.GetArrayLength();

    /// <summary>All that went between the nodes, both ways.</summary>
    private static long Bytes(Cluster cluster) => Enumerable.Range(0, cluster.Size).Sum(n => cluster.Relay(n).Bytes);
}
