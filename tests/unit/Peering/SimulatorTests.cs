using Couic.Tests.Peering.Simulator;
using Xunit;

namespace Couic.Tests.Peering;

/// <summary>
/// Random stories on virtual time. A failing seed replays exactly: <c>COUIC_SIM_SEED=N</c> runs that one alone, and
/// <c>COUIC_SIM_SEEDS=N</c> sets how many there are.
/// </summary>
public class SimulatorTests
{
    [Fact]
    public void FiveNodesAgreeWithinASecondOfHealing() => RunSeeds(nodes: 5, changes: 1_000, Seeds(100));

    [Fact]
    public void FiftyNodesAgreeWithinASecondOfHealing() => RunSeeds(nodes: 50, changes: 1_000, Seeds(100) / 100);

    [Fact]
    public void AnHourOfSeparationIsMended()
    {
        for (int seed = 1; seed <= Math.Max(1, Seeds(100) / 100); seed++)
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

    private static int Seeds(int otherwise) =>
        int.TryParse(Environment.GetEnvironmentVariable("COUIC_SIM_SEEDS"), out int seeds) ? seeds : otherwise;

    private static void RunSeeds(int nodes, int changes, int count)
    {
        int only = int.TryParse(Environment.GetEnvironmentVariable("COUIC_SIM_SEED"), out int seed) ? seed : 0;
        int first = only > 0 ? only : 1, last = only > 0 ? only : Math.Max(1, count);
        for (int i = first; i <= last; i++)
        {
            var scenario = new SimScenario(i, nodes);
            string? fault = scenario.Run(changes, seconds: 60);
            Assert.True(fault is null, $"seed {i}, {nodes} nodes: {fault}");
        }
    }
}
