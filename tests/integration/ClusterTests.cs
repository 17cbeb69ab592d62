using System.Diagnostics;
using System.Globalization;
using Couic.IntegrationTests.Harness;
using Xunit;
using Xunit.Abstractions;

namespace Couic.IntegrationTests;

/// <summary>Five shipped daemons with partitions, kills and restarts between them: in the end all of them hold the same.</summary>
public sealed class ClusterTests(ITestOutputHelper output)
{
    private const int Nodes = 5;
    private const int Operations = 5000;

    /// <summary>More runs, each of another seed, in a soak.</summary>
    private static int Runs => int.Parse(Environment.GetEnvironmentVariable("COUIC_CLUSTER_RUNS") ?? "1", CultureInfo.InvariantCulture);

    [Fact]
    public void FiveNodesAgreeAfterPartitionsKillsAndRestarts()
    {
        for (int seed = 1; seed <= Runs; seed++)
        {
            using Cluster cluster = new(Nodes);
            Random random = new(seed);
            Trouble trouble = new(cluster, random);
            for (int done = 0; done < Operations; done += 25)
            {
                trouble.Stir();
                Operate(cluster, random, 25);
            }

            trouble.Heal();
            long healed = Stopwatch.GetTimestamp();
            string seen = "";
            Eventually.Holds(() => Agree(cluster, out seen), $"seed {seed}: all nodes hold the same: {seen}", 60);
            output.WriteLine($"seed {seed}: agreed {Stopwatch.GetElapsedTime(healed).TotalMilliseconds:0} ms after the last heal; {seen}");
            AssertKernelsAgree(cluster);
        }
    }

    private static void Operate(Cluster cluster, Random random, int count)
    {
        int node = random.Next(Nodes);
        if (cluster[node] is not { } daemon)
        {
            return;
        }

        string[] requests = [.. Enumerable.Range(0, count).Select(_ => RandomRequest(daemon.Api, random))];
        Assert.All(daemon.Api.Pipeline(requests), status => Assert.Contains(status, new[] { 200, 201, 204, 404, 409 }));
    }

    private static string RandomRequest(ApiClient api, Random random)
    {
        string cidr = random.Next(2) == 0 ? $"10.0.{random.Next(4)}.{random.Next(100)}/32" : $"2001:db8:{random.Next(1, 200):x}::/48";
        if (random.Next(3) == 0)
        {
            return api.Text("DELETE", $"/v1/drop/{cidr}");
        }

        long expiration = random.Next(4) == 0 ? DateTimeOffset.UtcNow.ToUnixTimeSeconds() + random.Next(2, 600) : 0;
        return api.Text("POST", "/v1/drop?on_conflict=update", ApiClient.EntryBody(cidr, $"tag{random.Next(5)}", expiration));
    }

    private static bool Agree(Cluster cluster, out string seen)
    {
        string[][] lists = [.. Enumerable.Range(0, Nodes).Select(i => Rules(cluster[i]!))];
        string[] common = [.. lists[0].Where(r => lists.All(l => l.Contains(r)))];
        seen = $"rules by node {string.Join(' ', lists.Select(l => l.Length))}, in common {common.Length}";
        return lists.All(l => l.SequenceEqual(lists[0]));
    }

    /// <summary>What has to be the same: CIDR, tag and expiry; the second of creation is each node's own.</summary>
    private static string[] Rules(Daemon daemon) =>
    [
        .. daemon.Api.Get("/v1/drop").Expect(200).Json.EnumerateArray()
            .Select(e => $"{e.GetProperty("cidr")} {e.GetProperty("tag")} {e.GetProperty("expiration")}").Order(StringComparer.Ordinal),
    ];

    private static void AssertKernelsAgree(Cluster cluster)
    {
        // An entry may expire between two readings: what the kernel holds is read again then.
        for (int i = 0; i < Nodes; i++)
        {
            Eventually.Holds(
                () => KernelTables.Read(cluster[i]!).SequenceEqual(KernelTables.OfApi(cluster[i]!)), $"node {i}: kernel and API agree");
        }

        Assert.NotEmpty(KernelTables.Read(cluster[0]!));
    }

    /// <summary>Cuts cables, kills and restarts at random; at most two nodes are in trouble at a time.</summary>
    private sealed class Trouble(Cluster cluster, Random random)
    {
        private readonly HashSet<int> _cut = [];
        private readonly HashSet<int> _dead = [];

        public void Stir()
        {
            int node = random.Next(Nodes);
            switch (random.Next(12))
            {
                case 0 when _cut.Count < 2 && _cut.Add(node):
                    cluster.Connect(node, false);
                    break;
                case 1 or 2 when _cut.Remove(node):
                    cluster.Connect(node, true);
                    break;
                case 3 when _dead.Count < 2 && _dead.Add(node):
                    cluster.Kill(node);
                    break;
                case 4 or 5 when _dead.Remove(node):
                    cluster.Start(node);
                    break;
                case 6:
                    Thread.Sleep(random.Next(300));
                    break;
            }
        }

        public void Heal()
        {
            foreach (int node in _dead)
            {
                cluster.Start(node);
            }

            foreach (int node in _cut)
            {
                cluster.Connect(node, true);
            }
        }
    }
}
