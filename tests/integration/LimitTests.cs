using System.Net;
using System.Text.Json;
using Couic.IntegrationTests.Harness;
using Xunit;

namespace Couic.IntegrationTests;

/// <summary>Full tables, at the sizes that the filter promises by default.</summary>
public sealed class LimitTests
{
    [Theory]
    [InlineData("drop", 262_144)]
    [InlineData("ignore", 65_536)]
    public void AFullTable_RefusesTheNextEntry_AndLosesNone(string policy, int limit)
    {
        using Lab lab = new();
        using Daemon daemon = Daemon.Start(lab);
        Fill(daemon, policy, limit);
        Assert.Equal(limit, Stats.Count(daemon, policy));

        Answer refused = daemon.Api.Post($"/v1/{policy}", ApiClient.EntryBody(Host(limit)));
        Assert.Equal((409, "conflict"), (refused.Status, refused.Code));
        Assert.Contains(limit.ToString(), refused.Json.GetProperty("message").GetString()!.Replace(",", "", StringComparison.Ordinal), StringComparison.Ordinal);

        // A duplicate is looked at first, and is another conflict.
        Answer duplicate = daemon.Api.Post($"/v1/{policy}", ApiClient.EntryBody(Host(0)));
        Assert.Equal(409, duplicate.Status);
        Assert.Equal("conflict", duplicate.Json.GetProperty("errors").GetProperty("cidr").GetProperty("code").GetString());

        AssertAllInForce(lab, daemon, policy, limit);
        Assert.Equal(limit, Stats.Count(daemon, policy));
        AssertRoomElsewhereAndAfterARemoval(daemon, policy, limit);
    }

    /// <summary>At the default limits and at those of a small appliance, as status says it and as the kernel counts it.</summary>
    [Fact]
    public void KernelMemoryIsBoundedAndShrinksWithTheLimits()
    {
        using Lab lab = new();
        long full;
        using (Daemon daemon = Daemon.Start(lab))
        {
            full = KernelMemory(daemon);
        }

        const string Small = "[limits]\nmax_drop_entries = 16384\nmax_ignore_entries = 1024\nmax_tags = 64\n";
        using Daemon small = Daemon.Start(lab, new DaemonOptions { Name = "small", Tables = Small });
        Assert.InRange(full, 30_000_000, 80_000_000);
        Assert.InRange(KernelMemory(small), 4_000_000, 10_000_000);
    }

    private static long KernelMemory(Daemon daemon) => daemon.Api.Get("/v1/status").Json.GetProperty("kernel_memory_bytes").GetInt64();

    /// <summary>Distinct hosts spread over 10.0.0.0/8: an odd factor is a permutation of its 24 bits.</summary>
    private static string Host(int number) => $"{Address(number)}/32";

    private static string Address(int number)
    {
        int scattered = (int)((uint)number * 0x9E3779B1u & 0xffffff);
        return new IPAddress([10, (byte)(scattered >> 16), (byte)(scattered >> 8), (byte)scattered]).ToString();
    }

    private static void Fill(Daemon daemon, string policy, int limit)
    {
        for (int start = 0; start < limit; start += 16384)
        {
            string[] requests = [
                .. Enumerable.Range(start, Math.Min(16384, limit - start))
                    .Select(i => daemon.Api.Text("POST", $"/v1/{policy}", ApiClient.EntryBody(Host(i))))];
            Assert.All(daemon.Api.Pipeline(requests), status => Assert.Equal(201, status));
        }
    }

    private static void AssertAllInForce(Lab lab, Daemon daemon, string policy, int limit)
    {
        if (policy == "ignore")
        {
            daemon.Api.Add("drop", "10.0.0.0/8");
        }

        int[] sample = [.. Enumerable.Range(0, 2000).Select(i => (int)((long)i * limit / 2000)), limit - 1];
        bool[] arrived = lab.Probe.Passes(sample.Select(Address));
        Assert.Equal(Enumerable.Repeat(policy == "ignore", sample.Length), arrived);
        Assert.Equal(policy == "drop", lab.Probe.Passes(Address(limit)));
    }

    private static void AssertRoomElsewhereAndAfterARemoval(Daemon daemon, string policy, int limit)
    {
        daemon.Api.Add(policy, "2001:db8::/32");
        daemon.Api.Remove(policy, Host(7));
        daemon.Api.Add(policy, Host(limit));
        Assert.Equal(409, daemon.Api.Post($"/v1/{policy}", ApiClient.EntryBody(Host(7))).Status);

        // A change of tag in place needs no room.
        Answer changed = daemon.Api.Post($"/v1/{policy}?on_conflict=update", ApiClient.EntryBody(Host(8), "changed"));
        Assert.Equal(200, changed.Status);
        Assert.Equal("changed", changed.Json.GetProperty("tag").GetString());
    }
}
