using Couic.Peering;
using Couic.Store;
using Couic.Tests.Peering.Simulator;
using Xunit;

namespace Couic.Tests.Peering;

/// <summary>One peer of four lies in valid words while clocks step. The others agree soon after it falls silent, in bounded memory.</summary>
public class LiarTests
{
    [Fact]
    public void HonestNodes_BesideALiar_AgreeInBoundedMemory()
    {
        int first = int.TryParse(Environment.GetEnvironmentVariable("COUIC_SIM_SEED"), out int seed) ? seed : 1;
        int count = int.TryParse(Environment.GetEnvironmentVariable("COUIC_SIM_SEEDS"), out int seeds) ? Math.Max(1, seeds / 10) : 10;
        for (seed = first; seed < first + count; seed++)
        {
            string? fault = Run(seed);
            Assert.True(fault is null, $"seed {seed}: {fault}");
        }
    }

    private static string? Run(int seed)
    {
        const int Liar = 3;
        var cluster = new SimCluster(seed, 4, maxSkewSeconds: 4);
        SimWorld world = cluster.World;
        cluster.StartAll();
        cluster.Run(1);
        Cidr[] pool = [.. Enumerable.Range(0, 50).Select(i => Cidr.FromV4(0x0a000000u + (uint)i))];
        var honest = cluster.Nodes.Where(node => node.Number != Liar).ToList();
        new SimLiar(cluster, cluster.Nodes[Liar], pool).Start();
        for (int i = 0; i < 200; i++)
        {
            world.After(world.Uniform(0, 30), () => Change(world, honest[world.Random.Next(honest.Count)], pool));
        }

        for (int i = 0; i < 4; i++)
        {
            SimNode stepping = honest[world.Random.Next(honest.Count)];
            TimeSpan step = TimeSpan.FromDays(world.Chance(0.5) ? world.Uniform(-0.02, 0.02) : world.Uniform(-400, 4_000));
            world.After(world.Uniform(0, 15), () => stepping.Clock.Step(step));
            world.After(world.Uniform(15, 30), () => stepping.Clock.Step(-step));
        }

        string? fault = null;
        for (int second = 1; second <= 30; second++)
        {
            world.After(second, () => fault ??= honest.Select(OverBound).FirstOrDefault(text => text is not null));
        }

        cluster.Run(31);
        cluster.Nodes[Liar].Crash();
        cluster.Run(75); // two back-offs, and one rest after a refusal
        Cidr last = Cidr.FromV4(0xc0000201u), gone = pool[0];
        honest[0].Add(gone, "", 0, update: true);
        cluster.Run(2);
        honest[1].Remove(gone);
        honest[2].Add(last, "", 0, update: true);
        cluster.Run(2);
        return fault ?? honest.Select(OverBound).FirstOrDefault(text => text is not null) ?? Difference(honest)
            ?? (honest[0].Store.TryGet(Policy.Drop, gone, out _) ? "what is removed now stays" : null);

        static string? OverBound(SimNode node)
        {
            RecordCounts counts = node.Index.Counts;
            int limit = StoreLimits.Default.Entries(Policy.Drop);
            return counts.Live > limit + RegisterTable.MaxWaiting(limit) || counts.Tombstones > RegisterTable.MaxTombstones ? $"node {node.Number}: {counts}" : null;
        }
    }

    private static void Change(SimWorld world, SimNode node, Cidr[] pool)
    {
        Cidr cidr = pool[world.Random.Next(pool.Length)];
        if (world.Chance(0.4))
        {
            node.Remove(cidr);
        }
        else
        {
            node.Add(cidr, world.Chance(0.5) ? "" : "honest", 0, update: true);
        }
    }

    private static string? Difference(List<SimNode> nodes)
    {
        foreach (SimNode node in nodes.Skip(1))
        {
            Cidr[] missing = [.. Live(nodes[0]).Except(Live(node))], extra = [.. Live(node).Except(Live(nodes[0]))];
            if (missing.Length + extra.Length > 0)
            {
                Cidr one = missing.Concat(extra).First();
                return $"node {node.Number} lacks {missing.Length}, has {extra.Length} more: " + string.Join("; ", nodes.Select(n =>
                    $"{one} {(n.Index.TryGet(one, out OutgoingJob job, out RegisterFlags flags) ? $"{job.State} {job.Version} {flags}" : "-")} {n.Index.Counts} {n.Engine.Sessions[0].Describe()}"));
            }
        }

        return null;
    }

    /// <summary>The cluster's rules as a node knows them, whether or not they fit into its table.</summary>
    private static HashSet<Cidr> Live(SimNode node)
    {
        var records = new List<OutgoingJob>();
        for (int leaf = 0; leaf < DigestTree.Leaves; leaf++)
        {
            node.Index.ReadLeaf(leaf, records);
        }

        return [.. records.Where(record => record.State == RegisterState.Live).Select(record => record.Cidr)];
    }
}
