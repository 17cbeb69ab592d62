using System.Text.Json;
using Couic.Http;
using Couic.Store;
using Xunit;

namespace Couic.Tests.Api.Endpoints;

public sealed class ListTests : IDisposable
{
    private readonly ApiRig _rig = new();

    public void Dispose() => _rig.Dispose();

    [Fact]
    public async Task AListIsSortedIPv4FirstThenByAddressThenLength()
    {
        string[] sorted = ["9.0.0.0/8", "10.0.0.0/8", "10.0.0.0/9", "192.0.2.1/32", "::/64", "2001:db8::/32", "2001:db8::/48"];
        foreach (string cidr in sorted.Reverse())
        {
            Add(cidr);
        }

        Assert.Equal(sorted, await CidrsAsync("/v1/drop"));
        Assert.Equal(sorted[..3], await CidrsAsync("/v1/drop?limit=3"));
        Assert.Equal(sorted[3..5], await CidrsAsync("/v1/drop?limit=2&after=10.0.0.0/9"));
        Assert.Equal(sorted[3..], await CidrsAsync("/v1/drop?after=11.0.0.0%2F32"));
        Assert.Empty(await CidrsAsync("/v1/drop?limit=0"));
        Assert.Empty(await CidrsAsync("/v1/drop?after=ffff::/16"));
        Assert.Equal(["10.0.0.0/9", "10.0.0.0/8"], await CidrsAsync("/v1/drop?match=10.1.2.3"));
        Assert.Equal(["2001:db8::/48", "2001:db8::/32"], await CidrsAsync("/v1/drop?match=2001:db8::1"));
        Assert.Empty(await CidrsAsync("/v1/ignore"));
    }

    [Fact]
    public async Task TagsSelectExactlyOrByTheirEnds()
    {
        Add("10.0.0.1/32", "scan");
        Add("10.0.0.2/32", "scanner");
        Add("10.0.0.3/32");
        Assert.Equal(["10.0.0.1/32"], await CidrsAsync("/v1/drop?tag=scan"));
        Assert.Equal(["10.0.0.1/32", "10.0.0.2/32"], await CidrsAsync("/v1/drop?tag=scan*"));
        Assert.Equal(["10.0.0.2/32"], await CidrsAsync("/v1/drop?tag=*ner"));
        Assert.Equal(["10.0.0.3/32"], await CidrsAsync("/v1/drop?tag="));
        Assert.Equal(["10.0.0.2/32", "10.0.0.3/32"], await CidrsAsync("/v1/drop?tag=*ner,"));
    }

    [Theory]
    [InlineData("limit=x", "limit=invalid")]
    [InlineData("limit=-1&after=1.2.3.4&match=x", "limit=invalid after=invalid match=invalid")]
    public async Task BadQueriesAre400(string query, string fields)
    {
        Answer answer = await _rig.SendAsync("GET", $"/v1/drop?{query}");
        Assert.Equal((400, ("bad_request", fields)), (answer.Status, answer.Error));
    }

    [Fact]
    public async Task DetailsSayWhoAddedAnEntry()
    {
        Add("10.0.0.1/32", "scan");
        Answer answer = await _rig.SendAsync("GET", "/v1/drop?details=true");
        Assert.EndsWith(""","expiration":0,"added_by":"tester","packets":null,"last_hit":null}]""", answer.Body, StringComparison.Ordinal);
        Assert.Contains("\"added_by\":\"tester\"", (await _rig.SendAsync("GET", "/v1/drop/10.0.0.1/32?details=true")).Body, StringComparison.Ordinal);
    }

    [Fact]
    public async Task ALongListArrivesWholeWhileEntriesComeAndGo()
    {
        for (uint i = 0; i < 60_000; i++)
        {
            Add(Cidr.FromV4(0x0a000000 + (i * 2)).ToString(), "steady");
        }

        using var stop = new CancellationTokenSource();
        Task churn = Task.Run(() =>
        {
            var context = new ChangeContext(ChangeOrigin.Api, "x"u8);
            for (uint i = 0; !stop.IsCancellationRequested; i = (i + 1) % 60_000)
            {
                Cidr cidr = Cidr.FromV4(0x0a000001 + (i * 2));
                _rig.Store.Add(Policy.Drop, cidr, "churn"u8, 0, ConflictMode.Refuse, context, out _);
                _rig.Store.Remove(Policy.Drop, cidr, context, out _);
            }
        }, TestContext.Current.CancellationToken);
        // On the pool: a client that does not read for a second is closed, and the test runner has few threads.
        Task<Answer>[] lists = [.. Enumerable.Range(0, 4).Select(_ => Task.Run(() => _rig.SendAsync("GET", "/v1/drop")))];
        foreach (Answer answer in await Task.WhenAll(lists))
        {
            JsonElement[] entries = [.. answer.Json.EnumerateArray()];
            Assert.Equal(60_000, entries.Count(e => e.GetProperty("tag").GetString() == "steady"));
            string[] cidrs = [.. entries.Select(e => e.GetProperty("cidr").GetString()!)];
            Assert.Equal(cidrs.Length, cidrs.Distinct().Count());
        }

        await stop.CancelAsync();
        await churn;
    }

    [Fact]
    public async Task AReaderThatStopsInALongListIsGivenUpWhenAnotherWaits()
    {
        using var rig = new ApiRig(new HttpLimits { RateGrace = TimeSpan.FromMinutes(10), MaxListings = 1 });
        var context = new ChangeContext(ChangeOrigin.Api, "x"u8);
        for (uint i = 0; i < 30_000; i++)
        {
            rig.Store.Add(Policy.Drop, Cidr.FromV4(i), default, 0, ConflictMode.Refuse, context, out _);
        }

        using RawClient lazy = rig.Connect();
        await lazy.SendAsync(rig.Request("GET", "/v1/drop"));
        await Task.Delay(50, TestContext.Current.CancellationToken);
        Assert.Equal(404, (await rig.SendAsync("GET", "/v1/drop/10.0.0.1/32")).Status);
        Assert.Equal(30_000, (await rig.SendAsync("GET", "/v1/drop")).Json.GetArrayLength());
        await Assert.ThrowsAsync<InvalidOperationException>(() => lazy.ReadAnswerAsync());
    }

    private void Add(string cidr, string tag = "")
    {
        Assert.Equal(CidrFault.None, Cidr.TryParse(cidr, out Cidr parsed));
        var context = new ChangeContext(ChangeOrigin.Api, "tester"u8);
        _rig.Store.Add(Policy.Drop, parsed, System.Text.Encoding.ASCII.GetBytes(tag), 0, ConflictMode.Refuse, context, out _);
    }

    private async Task<string[]> CidrsAsync(string target)
    {
        Answer answer = await _rig.SendAsync("GET", target);
        Assert.Equal(200, answer.Status);
        return [.. answer.Json.EnumerateArray().Select(e => e.GetProperty("cidr").GetString()!)];
    }
}
