using System.Net;
using System.Text;
using System.Text.Json;
using Couic.IntegrationTests.Harness;
using Xunit;

namespace Couic.IntegrationTests;

/// <summary>Many entries in one request, replacing in place, and lists that are asked for in parts.</summary>
public sealed class BulkTests : IDisposable
{
    private readonly Lab _lab = new();
    private Daemon? _started;

    [Theory]
    [InlineData("application/json")]
    [InlineData("application/x-ndjson")]
    public void EveryItemIsTakenOnItsOwn(string contentType)
    {
        string[] items = [
            ApiClient.EntryBody("198.51.100.7/32", "a"), ApiClient.EntryBody("2001:db8::7/32", "a"), ApiClient.EntryBody("nonsense"),
            ApiClient.EntryBody("198.51.100.7/32", "b"), """{"cidr":1}"""];
        string body = contentType.EndsWith("ndjson", StringComparison.Ordinal) ? string.Join('\n', items) + "\n" : $"[{string.Join(',', items)}]";
        JsonElement answer = _daemon.Api.Post("/v1/drop/bulk", body, contentType).Expect(200).Json;
        Assert.Equal(2, answer.GetProperty("created").GetInt32());
        Assert.Equal(1, answer.GetProperty("unchanged").GetInt32());
        Assert.Equal([2, 4], answer.GetProperty("rejected").EnumerateArray().Select(r => r.GetProperty("index").GetInt32()));
        Assert.Equal([false, false], _lab.Probe.Passes(["198.51.100.7", "2001:db8:ffff::1"]));
        Assert.Equal("a", _daemon.Api.Get("/v1/drop/198.51.100.7/32").Json.GetProperty("tag").GetString());

        JsonElement updated = _daemon.Api.Post("/v1/drop/bulk?on_conflict=update", body, contentType).Expect(200).Json;
        Assert.Equal(1, updated.GetProperty("updated").GetInt32());
        Assert.Equal("b", _daemon.Api.Get("/v1/drop/198.51.100.7/32").Json.GetProperty("tag").GetString());

        JsonElement removed = _daemon.Api.Post("/v1/drop/bulk?action=remove", """["198.51.100.7/32","2001:db8::/32","192.0.2.1/32"]""").Expect(200).Json;
        Assert.Equal((2, 1), (removed.GetProperty("removed").GetInt32(), removed.GetProperty("absent").GetInt32()));
        Assert.True(_lab.Probe.Passes("198.51.100.7"));
    }

    [Fact]
    public void AHundredThousandEntriesComeInAndOutWhole()
    {
        const int Count = 100_000;
        StringBuilder body = new();
        for (int i = 0; i < Count; i++)
        {
            body.Append(ApiClient.EntryBody($"{Address(i)}/32")).Append('\n');
        }

        JsonElement answer = _daemon.Api.Post("/v1/drop/bulk", body.ToString(), "application/x-ndjson").Expect(200).Json;
        Assert.Equal(Count, answer.GetProperty("created").GetInt32());
        Assert.Equal(Count, Stats.Count(_daemon, "drop"));
        int[] sample = [.. Enumerable.Range(0, 1000).Select(i => i * 100)];
        Assert.All(_lab.Probe.Passes(sample.Select(Address)), arrived => Assert.False(arrived));
        JsonElement list = _daemon.Api.Get("/v1/drop").Expect(200).Json;
        Assert.Equal(Count, list.GetArrayLength());
        string[] cidrs = [.. list.EnumerateArray().Select(e => e.GetProperty("cidr").GetString()!)];
        Assert.Equal(Count, cidrs.Distinct().Count());
    }

    [Fact]
    public void AStreamOfChunksThatBreaksOffKeepsWhatWasWhole()
    {
        string chunk = $"[{ApiClient.EntryBody("198.51.100.7/32")},{ApiClient.EntryBody("198.51.100.8/32")},{{\"cidr\":";
        string request = $"POST /v1/drop/bulk HTTP/1.1\r\nHost: couic\r\nAuthorization: Bearer {_daemon.Token}\r\nContent-Type: application/json\r\n"
            + $"Transfer-Encoding: chunked\r\n\r\n{chunk.Length:x}\r\n{chunk}\r\n3\r\nx}}]\r\n0\r\n\r\n";
        using ApiClient client = _daemon.As(null);
        Answer answer = client.Exchange(request);
        Assert.Equal(400, answer.Status);
        Assert.Contains("2", answer.Json.GetProperty("message").GetString(), StringComparison.Ordinal);
        Assert.Equal([false, false], _lab.Probe.Passes(["198.51.100.7", "198.51.100.8"]));
    }

    [Theory]
    [InlineData("generic")]
    [InlineData("native")]
    public void ReplacingInPlace_NeverLetsAPacketThrough(string mode)
    {
        string[] networks = ["198.51.100.0/24", "2001:db8:7::/48"];
        using Daemon daemon = Daemon.Start(_lab, new DaemonOptions { Name = mode, Mode = mode });
        Array.ForEach(networks, cidr => daemon.Api.Add("drop", cidr, "t0"));
        byte[][] frames = [.. Enumerable.Range(1, 16).SelectMany(i => new[] { Frame.UdpFrom($"198.51.100.{i}"), Frame.UdpFrom($"2001:db8:7::{i}") })];
        using Traffic traffic = new(_lab.Probe, frames);
        for (int i = 1; i <= 30; i++)
        {
            string[] updates = [.. Enumerable.Range(0, 100).SelectMany(j => networks.Select(
                cidr => daemon.Api.Text("POST", "/v1/drop?on_conflict=update", ApiClient.EntryBody(cidr, $"t{i}-{j}"))))];
            traffic.During(() => Assert.All(daemon.Api.Pipeline(updates), status => Assert.Equal(200, status)));
        }

        (int passed, int sent) = traffic.Stop();
        Assert.Equal(0, passed);
        Assert.True(traffic.RoundsDuringChanges > 30, $"{traffic.RoundsDuringChanges} rounds of frames beside updates");

        // Every drop is counted under one of the tags that the entries have had.
        JsonElement tags = daemon.Api.Get("/v1/stats/tags/drop").Json.GetProperty("tags");
        Assert.Equal(sent, tags.EnumerateObject().Sum(t => t.Value.GetProperty("rx_packets").GetInt64()));
    }

    [Fact]
    public void ListsComeInPartsFilteredAndByAddress()
    {
        foreach (string cidr in new[] { "10.0.0.0/8", "10.1.0.0/16", "10.1.2.3/32", "9.0.0.0/8", "2001:db8::/32" })
        {
            _daemon.Api.Add("drop", cidr, cidr.StartsWith("10.1", StringComparison.Ordinal) ? "inner" : null);
        }

        Assert.Equal("9.0.0.0/8 10.0.0.0/8 10.1.0.0/16 10.1.2.3/32 2001:db8::/32", Cidrs("/v1/drop"));
        Assert.Equal("9.0.0.0/8 10.0.0.0/8", Cidrs("/v1/drop?limit=2"));
        Assert.Equal("10.1.0.0/16 10.1.2.3/32", Cidrs("/v1/drop?limit=2&after=10.0.0.0/8"));
        Assert.Equal("10.1.0.0/16 10.1.2.3/32", Cidrs("/v1/drop?tag=inner"));
        Assert.Equal("10.1.2.3/32 10.1.0.0/16 10.0.0.0/8", Cidrs("/v1/drop?match=10.1.2.3"));
    }

    private Daemon _daemon => _started ??= Daemon.Start(_lab);

    public void Dispose()
    {
        _started?.Dispose();
        _lab.Dispose();
    }

    private static string Address(int number)
    {
        int scattered = (int)((uint)number * 0x9E3779B1u & 0xffffff);
        return new IPAddress([10, (byte)(scattered >> 16), (byte)(scattered >> 8), (byte)scattered]).ToString();
    }

    private string Cidrs(string target) =>
        string.Join(' ', _daemon.Api.Get(target).Expect(200).Json.EnumerateArray().Select(e => e.GetProperty("cidr").GetString()));
}
