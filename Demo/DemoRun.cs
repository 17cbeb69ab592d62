using System.Diagnostics;

namespace Couic.Demo;

/// <summary>One run of the scenario in one XDP mode.</summary>
internal sealed class DemoRun(DemoNetwork network, DemoPrinter printer, TimeProvider time)
{
    /// <summary>Expired entries leave the kernel within 1 s, on a machine that is not overloaded.</summary>
    private static readonly TimeSpan ExpirySlack = TimeSpan.FromSeconds(3);

    /// <exception cref="IOException">The daemon did not start, or a request failed.</exception>
    /// <param name="brief">Print tables only for failures, and skip the wait for an expiry.</param>
    public void Run(string mode, bool brief)
    {
        printer.BeginMode(mode);
        long start = Stopwatch.GetTimestamp();
        using var daemon = new DemoDaemon(network, mode);
        printer.Started(Stopwatch.GetElapsedTime(start));
        using var probe = new DemoProbe(network);

        printer.Verdicts("before there is a rule", DemoScenario.WithoutRules, probe.Send(DemoScenario.WithoutRules), brief: true);

        long expiration = time.GetUtcNow().ToUnixTimeSeconds() + DemoScenario.LifetimeSeconds;
        foreach ((string policy, string cidr) in DemoScenario.Rules)
        {
            daemon.Api.Add(policy, cidr, cidr == DemoScenario.Expiring ? expiration : 0);
        }

        if (!brief)
        {
            printer.Rules(DemoScenario.Rules);
        }

        printer.Verdicts("with these rules", DemoScenario.WithRules, probe.Send(DemoScenario.WithRules), brief);

        daemon.Api.Remove("drop", DemoScenario.Removed);
        printer.Verdicts("after a removal", DemoScenario.AfterRemoval, probe.Send(DemoScenario.AfterRemoval), brief);
        if (!brief)
        {
            AwaitPassing(probe, DemoScenario.Expired, expiration);
            printer.Verdicts("after an expiry", [DemoScenario.Expired], probe.Send([DemoScenario.Expired]));
        }

        printer.Ended(daemon.Stop());
    }

    private void AwaitPassing(DemoProbe probe, DemoPacket packet, long expiration)
    {
        DateTimeOffset latest = DateTimeOffset.FromUnixTimeSeconds(expiration) + ExpirySlack;
        while (time.GetUtcNow() < latest && probe.Send([packet])[0] == 0)
        {
            Thread.Sleep(100);
        }
    }
}
