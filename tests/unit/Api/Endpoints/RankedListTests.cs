using System.Globalization;
using System.Text.Json;
using Couic.Store;
using Couic.Tests.Fakes;
using Xunit;

namespace Couic.Tests.Api.Endpoints;

public sealed class RankedListTests : IDisposable
{
    private readonly ManualClock _clock = new();
    private readonly ApiRig _rig;

    public RankedListTests() => _rig = new ApiRig(time: _clock);

    public void Dispose() => _rig.Dispose();

    [Theory]
    [InlineData("sort=packets", "b c a d 6")]
    [InlineData("sort=packets&limit=2", "b c")]
    [InlineData("sort=packets&reverse=true&limit=2", "d 6")]
    [InlineData("sort=last_hit", "a c b d 6")]
    [InlineData("sort=creation", "6 d c b a")]
    [InlineData("sort=creation&reverse=true", "a b c d 6")]
    [InlineData("sort=expiration", "c a 6 b d")]
    [InlineData("sort=expiration&reverse=true&limit=3", "b d 6")]
    [InlineData("sort=cidr", "a b c d 6")]
    [InlineData("sort=cidr&reverse=true&limit=2", "6 d")]
    [InlineData("sort=packets&tag=odd", "c a")]
    [InlineData("sort=packets&limit=0", "")]
    public async Task TheFirstEntriesOfEachOrder(string query, string expected)
    {
        ulong now = (ulong)_clock.GetUtcNow().ToUnixTimeSeconds();
        Add("10.0.0.1/32", "odd", now + 200, 5, lastHit: 30);
        Add("10.0.0.2/32", "even", 0, 900, lastHit: 10);
        Add("10.0.0.3/32", "odd", now + 100, 70, lastHit: 20);
        Add("10.0.0.4/32", null, 0, 0, lastHit: null);
        Add("2001:db8::/48", null, now + 300, null, lastHit: null);
        JsonElement[] entries = await ListAsync("/v1/drop?" + query);
        Assert.Equal(expected, string.Join(' ', entries.Select(Letter)));
    }

    [Fact]
    public async Task DetailsAreThoseOfTheRanking()
    {
        Add("10.0.0.1/32", "odd", 0, 5, lastHit: 30);
        JsonElement entry = Assert.Single(await ListAsync("/v1/drop?sort=packets&details=true"));
        Assert.Equal(5u, entry.GetProperty("packets").GetUInt64());
        Assert.Equal(30u, entry.GetProperty("last_hit").GetUInt64());
        Assert.Equal("tester", entry.GetProperty("added_by").GetString());
        Assert.False(entry.TryGetProperty("rate", out _));
        Assert.False((await ListAsync("/v1/drop?sort=packets"))[0].TryGetProperty("packets", out _));
    }

    [Fact]
    public async Task RatesAreThePacketsSinceAnEarlierList()
    {
        Add("10.0.0.1/32", "odd", 0, 1_000_000, lastHit: 1);
        Add("10.0.0.2/32", "odd", 0, 10, lastHit: 1);
        Assert.Equal(["a -", "b -"], await RatesAsync());

        Advance(2);
        SetHits("10.0.0.1/32", 1_000_010);
        SetHits("10.0.0.2/32", 510);
        Assert.Equal(["b 250.0", "a 5.0"], await RatesAsync());

        // Another client, shortly after: its rate is over the time since the list before the last.
        Advance(0.25);
        Assert.Equal(["b 222.2", "a 4.4"], await RatesAsync());

        Advance(0.75);
        Add("10.0.0.3/32", "even", 0, 40, lastHit: 1);
        Assert.Equal(["c 40.0", "a 0.0", "b 0.0"], await RatesAsync());
        Assert.Equal(["c 40.0"], await RatesAsync("&tag=even"));
    }

    [Fact]
    public async Task ACountThatFellBeganAgainAtZero()
    {
        Add("10.0.0.1/32", "odd", 0, 1_000, lastHit: 1);
        await RatesAsync();
        Advance(1);
        SetHits("10.0.0.1/32", 30);
        Assert.Equal(["a 30.0"], await RatesAsync());
    }

    [Fact]
    public async Task AnOldCountGivesNoRate()
    {
        Add("10.0.0.1/32", "odd", 0, 1_000, lastHit: 1);
        await RatesAsync();
        Advance(31);
        Assert.Equal(["a -"], await RatesAsync());
    }

    [Fact]
    public async Task ARankingHasTenThousandEntriesAtMost()
    {
        for (uint i = 0; i < 10_010; i++)
        {
            _rig.Store.Add(Policy.Drop, Cidr.FromV4(0x0a000000 + i), "x"u8, 0, ConflictMode.Refuse, new ChangeContext(ChangeOrigin.Api, "tester"u8), out _);
        }

        Assert.Equal(10_000, (await ListAsync("/v1/drop?sort=cidr")).Length);
        Assert.Equal("10.0.39.25/32", (await ListAsync("/v1/drop?sort=cidr&reverse=true&limit=11000"))[0].GetProperty("cidr").GetString());
    }

    [Theory]
    [InlineData("sort=size", "sort=invalid")]
    [InlineData("sort=packets&after=10.0.0.0/8", "after=invalid")]
    [InlineData("sort=packets&match=10.0.0.1", "match=invalid")]
    public async Task BadQueriesAre400(string query, string fields)
    {
        Answer answer = await _rig.SendAsync("GET", $"/v1/drop?{query}");
        Assert.Equal((400, ("bad_request", fields)), (answer.Status, answer.Error));
    }

    private static string Letter(JsonElement entry)
    {
        string cidr = entry.GetProperty("cidr").GetString()!;
        return cidr.Contains(':', StringComparison.Ordinal) ? "6" : ((char)('a' - '1' + cidr["10.0.0.".Length])).ToString();
    }

    private async Task<string[]> RatesAsync(string more = "") =>
        [.. (await ListAsync("/v1/drop?sort=rate&details=true" + more)).Select(entry => $"{Letter(entry)} {Rate(entry.GetProperty("rate"))}")];

    private static string Rate(JsonElement rate) =>
        rate.ValueKind == JsonValueKind.Null ? "-" : rate.GetDouble().ToString("0.0", CultureInfo.InvariantCulture);

    private async Task<JsonElement[]> ListAsync(string target)
    {
        Answer answer = await _rig.SendAsync("GET", target);
        Assert.True(answer.Status == 200, answer.Body);
        return [.. answer.Json.EnumerateArray()];
    }

    private void Advance(double seconds) => _clock.Advance(TimeSpan.FromSeconds(seconds));

    /// <summary>Adds an entry, a second after the one before.</summary>
    private void Add(string cidr, string? tag, ulong expiration, ulong? packets, int? lastHit)
    {
        Assert.Equal(CidrFault.None, Cidr.TryParse(System.Text.Encoding.UTF8.GetBytes(cidr), out Cidr network));
        _rig.Store.Add(Policy.Drop, network, System.Text.Encoding.UTF8.GetBytes(tag ?? ""), expiration, ConflictMode.Refuse, new ChangeContext(ChangeOrigin.Api, "tester"u8), out _);
        if (packets is { } counted)
        {
            _rig.Plane.Hits[(Policy.Drop, network)] = new EntryHits(counted, lastHit is { } second ? DateTimeOffset.FromUnixTimeSeconds(second) : null);
        }

        if (lastHit != 1)
        {
            Advance(1);
        }

    }

    private void SetHits(string cidr, ulong packets)
    {
        Cidr.TryParse(System.Text.Encoding.UTF8.GetBytes(cidr), out Cidr network);
        _rig.Plane.Hits[(Policy.Drop, network)] = new EntryHits(packets, DateTimeOffset.UnixEpoch);
    }
}
