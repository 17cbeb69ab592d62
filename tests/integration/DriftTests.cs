using System.Text.Json;
using Couic.IntegrationTests.Harness;
using Xunit;

namespace Couic.IntegrationTests;

/// <summary>Another privileged program changes the kernel's tables.</summary>
public sealed class DriftTests : IDisposable
{
    private readonly Lab _lab = new();

    public void Dispose() => _lab.Dispose();

    [Fact]
    public void DeletedKeysComeBackAndAddedOnesGoAndAreCountedAndLogged()
    {
        using Daemon daemon = Daemon.Start(_lab);
        Acknowledged acknowledged = new();
        foreach (string cidr in new[] { "198.51.100.7/32", "203.0.113.0/24", "10.0.0.0/9", "2001:db8::7/128", "2001:db8:1::/48" })
        {
            Assert.True(acknowledged.Add(daemon.Api, "drop", cidr));
        }

        Assert.True(acknowledged.Add(daemon.Api, "ignore", "203.0.113.9/32"));
        KernelTables.Delete(daemon, "couic_ipv4_drop", "203.0.113.0/24");
        KernelTables.Delete(daemon, "couic_ipv6_drop", "2001:db8:1::/48");
        KernelTables.Delete(daemon, "couic_ipv4_ignore", "203.0.113.9/32");
        KernelTables.Put(daemon, "couic_ipv4_drop", "192.0.2.0/24");
        KernelTables.Put(daemon, "couic_ipv6_ignore", "2001:db8::7/128");

        // A reload looks at once; else it would be within a minute.
        daemon.Signal(Libc.SIGHUP);
        Eventually.Holds(() => Drift(daemon) == 5, "five keys are mended and counted");
        acknowledged.AssertInForce(daemon, repaired: 5);
        Assert.Equal([false, true, true], _lab.Probe.Passes(["203.0.113.8", "203.0.113.9", "192.0.2.1"]));
        Assert.Contains("event=drift_repaired", daemon.Said, StringComparison.Ordinal);
        Assert.Contains("couic_drift_total 5\n", daemon.Api.Get("/v1/metrics?format=prometheus").Body, StringComparison.Ordinal);
    }

    private static long Drift(Daemon daemon) =>
        daemon.Api.Get("/v1/status").Expect(200).Json.GetProperty("consistency") is { ValueKind: JsonValueKind.Object } found
            ? found.GetProperty("drift").GetInt64()
            : 0;
}
