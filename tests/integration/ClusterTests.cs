using System.Diagnostics;
using System.Globalization;
using Couic.IntegrationTests.Harness;
using Xunit;

namespace Couic.IntegrationTests;

/// <summary>
/// Five shipped daemons with partitions, a bad network, kills and restarts between them: in the end all of them hold the same.
/// </summary>
public sealed class ClusterTests(ITestOutputHelper output)
{
    private const int Nodes = 5;
    private const int Operations = 5000;

    /// <summary>A soak makes more runs, each of another seed from the first on, and gives the nodes a second to agree.</summary>
    private static readonly int Runs = Variable("COUIC_CLUSTER_RUNS", 1);
    private static readonly int First = Variable("COUIC_CLUSTER_FIRST", 1);
    private static readonly int Patience = Variable("COUIC_CLUSTER_SECONDS", 60);

    [Fact]
    public void FiveNodesAgreeAfterPartitionsKillsAndRestarts()
    {
        string late = "";
        for (int seed = First; seed < First + Runs; seed++)
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
            Eventually.Holds(() => Agree(cluster, out seen), $"seed {seed}: all nodes hold the same", 60);
            double seconds = Stopwatch.GetElapsedTime(healed).TotalSeconds;
            output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"seed {seed}: agreed {seconds:F3} s after the last heal; {seen}"));
            late += seconds > Patience ? $" {seed}" : "";
            AssertKernelsAgree(cluster);
        }

        Assert.True(late.Length == 0, $"not within {Patience} s:{late}");
    }

    /// <summary>All nodes have one machine's clock, so the later of two changes is known, whichever side of a partition made it.</summary>
    [Fact]
    public void TheLatestChangeOfARule_WinsOnEveryNode_AlsoAcrossAPartition()
    {
        const int Rules = 20;
        using Cluster cluster = new(3);
        (Daemon near, Daemon far) = (cluster[0]!, cluster[2]!);
        void Set(Daemon node, string kind, string tag) => Send(node, i => node.Api.Text("POST", "/v1/drop?on_conflict=update", ApiClient.EntryBody(Cidr(kind, i), tag)));
        void Remove(Daemon node, string kind) => Send(node, i => node.Api.Text("DELETE", $"/v1/drop/{Cidr(kind, i)}"));
        static void Send(Daemon node, Func<int, string> request)
        {
            Assert.All(node.Api.Pipeline([.. Enumerable.Range(0, Rules).Select(request)]), status => Assert.InRange(status, 200, 204));
            Thread.Sleep(20); // what follows is later by more than the clock's tick
        }

        foreach (string kind in (string[])["c", "d"])
        {
            Set(near, kind, "first");
        }

        Eventually.Holds(() => Stats.Count(far, "drop") == 2 * Rules, "what was there before the partition", 5);
        cluster.Connect(2, false);
        Set(far, "a", "old");
        Set(near, "a", "new");
        Set(near, "b", "old");
        Set(far, "b", "new");
        Set(far, "c", "old");
        Remove(near, "c");
        Remove(near, "d");
        Set(far, "d", "new");
        cluster.Connect(2, true);
        string[] expected = [.. new[] { "a", "b", "d" }.SelectMany(kind => Enumerable.Range(0, Rules).Select(i => $"{Cidr(kind, i)} new 0")).Order(StringComparer.Ordinal)];
        Eventually.Holds(() => Enumerable.Range(0, cluster.Size).All(n => RulesOf(cluster[n]!).SequenceEqual(expected)), "the latest changes on every node", 10);
        string[] keys = [.. expected.Select(rule => "drop " + rule.Split(' ')[0]).Order(StringComparer.Ordinal)];
        Assert.All(Enumerable.Range(0, cluster.Size), n => Assert.Equal(keys, KernelTables.Read(cluster[n]!)));

        static string Cidr(string kind, int number) => number % 2 == 0 ? $"10.{(int)kind[0]}.0.{number}/32" : $"2001:db8:{kind}:{number:x}::/64";
    }

    private static int Variable(string name, int otherwise) =>
        int.Parse(Environment.GetEnvironmentVariable(name) ?? $"{otherwise}", CultureInfo.InvariantCulture);

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
        string[][] lists = [.. Enumerable.Range(0, Nodes).Select(i => RulesOf(cluster[i]!))];
        string[] common = [.. lists[0].Where(r => lists.All(l => l.Contains(r)))];
        seen = $"rules by node {string.Join(' ', lists.Select(l => l.Length))}, in common {common.Length}";
        return lists.All(l => l.SequenceEqual(lists[0]));
    }

    /// <summary>What has to be the same: CIDR, tag and expiry; the second of creation is each node's own.</summary>
    private static string[] RulesOf(Daemon daemon) =>
    [
        .. daemon.Api.Get("/v1/drop").Expect(200).Json.EnumerateArray()
            .Select(e => $"{e.GetProperty("cidr")} {e.GetProperty("tag")} {e.GetProperty("expiration")}").Order(StringComparer.Ordinal),
    ];

    private static void AssertKernelsAgree(Cluster cluster)
    {
        // An entry may expire between two readings: all are read again then.
        Eventually.Holds(
            () =>
            {
                string[][] kernels = [.. Enumerable.Range(0, Nodes).Select(i => KernelTables.Read(cluster[i]!))];
                return kernels[0].Length > 0 && kernels.All(k => k.SequenceEqual(kernels[0]))
                    && kernels[0].SequenceEqual(KernelTables.OfApi(cluster[0]!));
            },
            "the kernels of all nodes hold the same, and what the API says");
    }

    /// <summary>
    /// Cuts cables, spoils the network, kills and restarts at random; of each kind at most two nodes are in trouble at a time.
    /// </summary>
    private sealed class Trouble(Cluster cluster, Random random)
    {
        private readonly HashSet<int> _cut = [];
        private readonly HashSet<int> _dead = [];
        private readonly HashSet<int> _foul = [];

        public void Stir()
        {
            int node = random.Next(Nodes);
            Thread.Sleep(random.Next(40));
            switch (random.Next(16))
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
                case 6 or 7 when _foul.Count < 2 && _foul.Add(node):
                    cluster.Relay(node).Faults.Become(RelayFaults.Weather.Foul);
                    break;
                case 8 when _foul.Remove(node):
                    cluster.Relay(node).Faults.Become(RelayFaults.Weather.Fair);
                    break;
                case 9:
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

            foreach (int node in _foul)
            {
                cluster.Relay(node).Faults.Become(RelayFaults.Weather.Fair);
            }

            foreach (int node in _cut)
            {
                cluster.Connect(node, true);
            }
        }
    }
}
