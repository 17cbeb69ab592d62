using System.Globalization;
using System.Text.Json;

namespace Couic.IntegrationTests.Harness;

/// <summary>Reads counters over the API.</summary>
internal static class Stats
{
    public static long TagPackets(Daemon daemon, string policy, string tag) =>
        daemon.Api.Get($"/v1/stats/tags/{policy}").Expect(200).Json.GetProperty("tags").TryGetProperty(tag, out JsonElement counters)
            ? counters.GetProperty("rx_packets").GetInt64()
            : -1;

    public static (long Packets, long Bytes) Action(Daemon daemon, string action)
    {
        JsonElement counters = daemon.Api.Get("/v1/stats").Expect(200).Json.GetProperty("xdp").GetProperty(action);
        return (counters.GetProperty("rx_packets").GetInt64(), counters.GetProperty("rx_bytes").GetInt64());
    }

    /// <summary>The value of a sample without labels.</summary>
    public static long Metric(Daemon daemon, string name)
    {
        string text = daemon.Api.Get("/v1/metrics?format=prometheus").Expect(200).Body;
        return long.Parse(text.Split('\n').First(line => line.StartsWith(name + " ", StringComparison.Ordinal))[name.Length..], CultureInfo.InvariantCulture);
    }

    public static long Count(Daemon daemon, string policy) =>
        daemon.Api.Get("/v1/stats").Expect(200).Json.GetProperty($"{policy}_cidr_count").GetInt64();
}
