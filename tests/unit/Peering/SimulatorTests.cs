using Couic.Tests.Peering.Simulator;
using Xunit;

namespace Couic.Tests.Peering;

/// <summary>
/// Random stories on virtual time. A failing seed replays exactly: <c>COUIC_SIM_SEED=N</c> runs that one alone.
/// <c>COUIC_SIM_SEEDS=N</c> sets how many there are, <c>COUIC_SIM_FIRST=N</c> the first of them (1); a long run says how far it is
/// on standard error.
/// </summary>
public class SimulatorTests
{
    private static readonly int First = Variable("COUIC_SIM_SEED") ?? Variable("COUIC_SIM_FIRST") ?? 1;
    private static readonly int Count = Variable("COUIC_SIM_SEED") is null ? Variable("COUIC_SIM_SEEDS") ?? 100 : 1;

    [Fact]
    public void FiveNodesAgreeWithinASecondOfHealing() => RunSeeds(nodes: 5, Count, said: 500);

    [Fact]
    public void FiftyNodesAgreeWithinASecondOfHealing() => RunSeeds(nodes: 50, Hundredth, said: 10);

    [Fact]
    public void NodesThatKeepTheirRules_BringNoRemovedOneBack() => RunSeeds(nodes: 4, Math.Max(1, Count / 3), said: 500, keeps: true);

    [Fact]
    public void AnHourOfSeparationIsMended()
    {
        for (int seed = First; seed < First + Hundredth; seed++)
        {
            var scenario = new SimScenario(seed, 3);
            string? fault = scenario.Run(1_000, 3_700);
            Assert.True(fault is null, $"seed {seed}, an hour: {fault}");
        }
    }

    [Fact]
    public void ASeedReplaysExactly()
    {
        static long BytesOf(int seed)
        {
            var scenario = new SimScenario(seed, 4);
            scenario.Run(200, 20);
            return scenario.Cluster.Traffic.Total;
        }

        Assert.Equal(BytesOf(7), BytesOf(7));
        Assert.NotEqual(BytesOf(7), BytesOf(8));
    }

    [Fact]
    public void FiveNodesOnABusAgreeAfterHealing() => RunBus(nodes: 5, Count, said: 500);

    [Fact]
    public void FiftyNodesOnMeshesAndABusAgreeAfterHealing() => RunBus(nodes: 50, Hundredth, said: 10);

    /// <summary>By the seed: a bus alone, a bus beside a mesh, or two meshes of which some nodes are on the bus.</summary>
    private static void RunBus(int nodes, int count, int said) => RunSeeds(nodes, count, said, cluster: (seed, skew) =>
    {
        var world = new SimWorld(seed);
        return (seed % 3) switch
        {
            0 => new SimCluster(world, nodes, skew) { Broker = new SimBroker(world), HasBus = _ => true, ArePeers = (_, _) => false },
            1 => new SimCluster(world, nodes, skew) { Broker = new SimBroker(world), HasBus = _ => true },
            _ => new SimCluster(world, nodes, skew)
            {
                Broker = new SimBroker(world),
                MayRefuse = false,
                HasBus = node => node < 2 || node >= nodes / 2,
                ArePeers = (a, b) => a < nodes / 2 && b < nodes / 2,
            },
        };
    });

    private static int Hundredth => Math.Max(1, Count / 100);

    private static int? Variable(string name) => int.TryParse(Environment.GetEnvironmentVariable(name), out int value) ? value : null;

    /// <param name="said">Progress is told every so many seeds.</param>
    private static void RunSeeds(int nodes, int count, int said, bool keeps = false, Func<int, double, SimCluster>? cluster = null)
    {
        for (int done = 0; done < count;)
        {
            int seed = First + done;
            var scenario = cluster is null ? new SimScenario(seed, nodes, keeps) : new SimScenario(seed, skew => cluster(seed, skew));
            string? fault = scenario.Run(changes: 1_000, seconds: 60);
            Assert.True(fault is null, $"seed {seed}, {nodes} nodes: {fault}");
            if (++done % said == 0)
            {
                Console.Error.WriteLine($"{nodes} nodes: {done} of {count} seeds, up to {seed}, agreed");
            }
        }
    }
}
