using System.Globalization;
using System.Net;
using System.Text.Json;
using Couic.Api.Access;
using Couic.Store;
using Couic.Tests.Fakes;
using Xunit;

namespace Couic.Tests.Api.Endpoints;

/// <summary>Every way in which a client changes something holds it to its rails: the refusal names the rail, and nothing has changed.</summary>
public sealed class RailsTests : IDisposable
{
    private readonly ManualClock _clock = new();
    private readonly ApiRig _rig;

    public RailsTests() => _rig = new ApiRig(time: _clock);

    private static readonly Cidr Host = new(IpFamily.V4, 0xC0000201_00000000UL, 0, 32);

    private ulong Now => (ulong)_clock.GetUtcNow().ToUnixTimeSeconds();

    public void Dispose() => _rig.Dispose();

    [Fact]
    public async Task AnAddition_ThatBreaksARail_IsRefusedWithItsName()
    {
        string token = await CreateAsync("""{"policies":["drop"],"min_prefix_v4":24,"min_prefix_v6":48,"max_ttl":3600,"tags":["ids-*"]}""");
        await AssertRefusedAsync("policies", "POST", "/v1/ignore", Entry("192.0.2.0/24"), token);
        await AssertRefusedAsync("min_prefix_v4", "POST", "/v1/drop", Entry("192.0.2.0/23"), token);
        await AssertRefusedAsync("min_prefix_v6", "POST", "/v1/drop", Entry("2001:db8::/47"), token);
        await AssertRefusedAsync("max_ttl", "POST", "/v1/drop", Entry("192.0.2.0/24", expiration: 0), token);
        await AssertRefusedAsync("max_ttl", "POST", "/v1/drop", Entry("192.0.2.0/24", expiration: Now + 4000), token);
        await AssertRefusedAsync("tags", "POST", "/v1/drop", Entry("192.0.2.0/24", tag: "web"), token);
        Assert.Equal(0, _rig.Store.Count(Policy.Drop, IpFamily.V4));
        Assert.Equal(201, (await _rig.SendAsync("POST", "/v1/drop", Entry("192.0.2.0/24"), token: token)).Status);
    }

    [Fact]
    public async Task ABulk_AppliesWhatKeepsToTheRails_AndNamesTheRailOfEachOtherItem()
    {
        string token = await CreateAsync("""{"min_prefix_v4":24,"tags":["ids-*"],"max_entries":2}""");
        string body = string.Join('\n', Entry("10.0.0.0/8"), Entry("192.0.2.0/24", tag: "web"), Entry("192.0.2.0/24"), Entry("198.51.100.0/24"), Entry("203.0.113.0/24"));
        Answer answer = await _rig.SendAsync("POST", "/v1/drop/bulk", body, contentType: "application/x-ndjson", token: token);
        Assert.Equal(2, answer.Json.GetProperty("created").GetInt32());
        Assert.Equal(["min_prefix_v4", "tags", "max_entries"], Rejected(answer).Select(rejection => RailOf(rejection.Message)));
        Assert.Equal([0, 1, 4], Rejected(answer).Select(rejection => rejection.Index));
    }

    [Theory]
    [InlineData("/v1/drop")]
    [InlineData("/v1/drop?on_conflict=update")]
    public async Task MaxEntries_CountsTheEntriesOfTheClient_AndAnExpiryFreesOne(string target)
    {
        string token = await CreateAsync("""{"max_entries":2}""");
        Assert.Equal(201, (await _rig.SendAsync("POST", target, Entry("192.0.2.1/32", expiration: Now + 10), token: token)).Status);
        Assert.Equal(201, (await _rig.SendAsync("POST", target, Entry("192.0.2.2/32"), token: token)).Status);
        await AssertRefusedAsync("max_entries", "POST", target, Entry("192.0.2.3/32"), token);
        Assert.Equal(201, (await _rig.SendAsync("POST", target, Entry("192.0.2.4/32"))).Status);
        _clock.Advance(TimeSpan.FromSeconds(11));
        _rig.Store.Expire();
        Assert.Equal(201, (await _rig.SendAsync("POST", target, Entry("192.0.2.3/32"), token: token)).Status);
    }

    [Fact]
    public async Task MaxEntries_HoldsForRequestsInOneBatch()
    {
        string token = await CreateAsync("""{"max_entries":2}""");
        using RawClient client = _rig.Connect();
        await client.SendAsync(string.Concat(Enumerable.Range(1, 8).Select(i => _rig.Request("POST", "/v1/drop", Entry($"192.0.2.{i}/32"), token: token))));
        var statuses = new List<int>();
        for (int i = 0; i < 8; i++)
        {
            statuses.Add((await client.ReadAnswerAsync()).Status);
        }

        Assert.Equal([201, 201, 422, 422, 422, 422, 422, 422], statuses);
        Assert.Equal(2, _rig.Store.Count(Policy.Drop, IpFamily.V4));
    }

    [Fact]
    public async Task AnEntryOfAnotherTag_IsNeitherRemovedNorReplaced()
    {
        string token = await CreateAsync("""{"tags":["ids-*"]}""");
        await _rig.SendAsync("POST", "/v1/drop", Entry("192.0.2.1/32", tag: "web"));
        await AssertRefusedAsync("tags", "DELETE", "/v1/drop/192.0.2.1/32", null, token);
        await AssertRefusedAsync("tags", "DELETE", "/v1/drop/192.0.2.1/32?tag=web", null, token);
        await AssertRefusedAsync("tags", "DELETE", "/v1/drop/tag/web", null, token);
        await AssertRefusedAsync("tags", "POST", "/v1/drop?on_conflict=update", Entry("192.0.2.1/32"), token);
        await AssertRefusedAsync("tags", "POST", "/v1/drop/bulk?action=remove&tag=web", "[]", token);
        Answer bulk = await _rig.SendAsync("POST", "/v1/drop/bulk?action=remove", """["192.0.2.1/32"]""", token: token);
        Assert.Equal("tags", RailOf(Assert.Single(Rejected(bulk)).Message));
        Assert.True(_rig.Store.TryGet(Policy.Drop, Host, out Entry entry));
        Assert.Equal("web"u8, entry.Tag.Span);
    }

    [Fact]
    public async Task ARemoval_ThatWouldEndTheClaimOfAnotherTag_IsRefused_AndOneOfTheOwnClaimIsNot()
    {
        string token = await CreateAsync("""{"tags":["ids-*"]}""");
        await _rig.SendAsync("POST", "/v1/drop", Entry("192.0.2.1/32", tag: "web", expiration: Now + 100));
        Assert.Equal(200, (await _rig.SendAsync("POST", "/v1/drop?on_conflict=extend", Entry("192.0.2.1/32", expiration: Now + 200), token: token)).Status);
        await AssertRefusedAsync("tags", "DELETE", "/v1/drop/192.0.2.1/32", null, token);
        Assert.Equal(200, (await _rig.SendAsync("DELETE", "/v1/drop/192.0.2.1/32?tag=ids-a", token: token)).Status);
        Assert.True(_rig.Store.TryGet(Policy.Drop, Host, out _));
    }

    [Fact]
    public async Task TheRate_IsAnswered429_WithTheTimeToWait()
    {
        string token = await CreateAsync("""{"rate":1,"burst":2}""");
        Assert.Equal(201, (await _rig.SendAsync("POST", "/v1/drop", Entry("192.0.2.1/32"), token: token)).Status);
        Assert.Equal(204, (await _rig.SendAsync("DELETE", "/v1/drop/192.0.2.1/32", token: token)).Status);
        Answer refused = await _rig.SendAsync("POST", "/v1/drop", Entry("192.0.2.2/32"), token: token);
        Assert.Equal((429, "1"), (refused.Status, refused["retry-after"]));
        Assert.Equal("rate_limited", refused.Error.Code);
        Assert.Equal(429, (await _rig.SendAsync("POST", "/v1/drop/bulk", "[]", token: token)).Status);
        Assert.Equal(429, (await _rig.SendAsync("DELETE", "/v1/drop/tag/web", token: token)).Status);
        Assert.Equal(429, (await _rig.SendAsync("POST", "/v1/sets/drop", """{"name":"feed","entries":[]}""", token: token)).Status);
        Assert.Equal(429, (await _rig.SendAsync("POST", "/v1/sets/reload", token: token)).Status);
        Assert.Equal(200, (await _rig.SendAsync("GET", "/v1/drop", token: token)).Status);
        _clock.Advance(TimeSpan.FromSeconds(2));
        string body = string.Join('\n', Enumerable.Range(1, 4).Select(i => Entry($"192.0.2.{i}/32")));
        Answer bulk = await _rig.SendAsync("POST", "/v1/drop/bulk", body, contentType: "application/x-ndjson", token: token);
        Assert.Equal(2, bulk.Json.GetProperty("created").GetInt32());
        Assert.Equal([2, 3], Rejected(bulk).Select(rejection => rejection.Index));
    }

    [Fact]
    public async Task ASet_IsHeldToTheRails_AsItsEntriesAre()
    {
        string narrow = await CreateAsync("""{"policies":["drop"],"min_prefix_v4":24,"max_entries":2,"tags":["feed.couic"]}""");
        await AssertRefusedAsync("policies", "POST", "/v1/sets/ignore", Set("feed", "192.0.2.0/24"), narrow);
        await AssertRefusedAsync("min_prefix_v4", "POST", "/v1/sets/drop", Set("feed", "192.0.2.0/24", "10.0.0.0/8"), narrow);
        await AssertRefusedAsync("max_entries", "POST", "/v1/sets/drop", Set("feed", "192.0.2.1/32", "192.0.2.2/32", "192.0.2.3/32"), narrow);
        await AssertRefusedAsync("tags", "POST", "/v1/sets/drop", Set("other", "192.0.2.0/24"), narrow);
        Assert.Equal(201, (await _rig.SendAsync("POST", "/v1/sets/drop", Set("feed", "192.0.2.0/24"), token: narrow)).Status);
        await AssertRefusedAsync("min_prefix_v4", "PUT", "/v1/sets/drop/feed", Set("feed", "10.0.0.0/8"), narrow);
        _rig.WriteSet(Policy.Drop, "other", "198.51.100.0/24\n");
        await AssertRefusedAsync("tags", "DELETE", "/v1/sets/drop/other", null, narrow);
        await AssertRefusedAsync("max_ttl", "POST", "/v1/sets/drop", Set("third", "192.0.2.0/24"), await CreateAsync("""{"max_ttl":60}""", "second"));
    }

    [Theory]
    [InlineData("""{"rate":1,"rate":2}""", 400)]
    [InlineData("""{"min_prefixv4":24}""", 400)]
    [InlineData("""{"rate":"5"}""", 400)]
    [InlineData("""{"rate":0}""", 422)]
    [InlineData("""[]""", 400)]
    [InlineData("""{"tags":[null]}""", 422)]
    public async Task ARailThatIsNotUnderstood_MakesNoClient(string rails, int status)
    {
        Answer answer = await _rig.SendAsync("POST", "/v1/client", $$"""{"name":"ids","group":"clientrw","rails":{{rails}}}""");
        Assert.Equal(status, answer.Status);
        Assert.Contains("rails", answer.Body, StringComparison.Ordinal);
        Assert.False(_rig.Clients.TryGet("ids", out _));
    }

    [Theory]
    [InlineData("127.0.0.0/8", 201)]
    [InlineData("192.0.2.0/24", 401)]
    public async Task From_DecidesOnTheListener_AndNotOnTheSocket(string network, int status)
    {
        string token = await CreateAsync($$"""{"from":["{{network}}"]}""");
        using RawClient client = new(new IPEndPoint(IPAddress.Loopback, _rig.Port));
        await client.SendAsync(_rig.Request("POST", "/v1/drop", Entry("192.0.2.1/32"), token: token));
        Assert.Equal(status, (await client.ReadAnswerAsync()).Status);
        Assert.Equal(status == 401, _rig.Log.Lines.Any(line => line.Text.Contains("token_from_other_address", StringComparison.Ordinal)));
        Assert.Equal(201, (await _rig.SendAsync("POST", "/v1/drop", Entry("192.0.2.2/32"), token: token)).Status);
    }

    [Fact]
    public async Task AReload_KeepsTheAllowanceOfAClientThatIsAsItWas()
    {
        string token = await CreateAsync("""{"rate":1}""");
        Assert.Equal(201, (await _rig.SendAsync("POST", "/v1/drop", Entry("192.0.2.1/32"), token: token)).Status);
        _rig.Clients.Reload();
        Assert.Equal(429, (await _rig.SendAsync("POST", "/v1/drop", Entry("192.0.2.2/32"), token: token)).Status);
    }

    private static string Set(string name, params string[] entries) => JsonSerializer.Serialize(new { name, entries });

    private static (int Index, string Message)[] Rejected(Answer answer) =>
        [.. answer.Json.GetProperty("rejected").EnumerateArray().Select(item => (item.GetProperty("index").GetInt32(), item.GetProperty("message").GetString()!))];

    /// <summary>The rail that a message names.</summary>
    private static string RailOf(string message) => message.Split("rail \"")[1].Split('"')[0];

    private string Entry(string cidr, string tag = "ids-a", ulong? expiration = null) =>
        string.Create(CultureInfo.InvariantCulture, $$"""{"cidr":"{{cidr}}","tag":"{{tag}}","expiration":{{expiration ?? Now + 1000}}}""");

    private async Task<string> CreateAsync(string rails, string name = "ids")
    {
        Answer answer = await _rig.SendAsync("POST", "/v1/client", $$"""{"name":"{{name}}","group":"clientrw","rails":{{rails}}}""");
        Assert.Equal(201, answer.Status);
        return answer.Json.GetProperty("token").GetString()!;
    }

    private async Task AssertRefusedAsync(string rail, string method, string target, string? body, string token)
    {
        Answer answer = await _rig.SendAsync(method, target, body, token: token);
        Assert.Equal(422, answer.Status);
        Assert.Equal(rail, RailOf(answer.Json.GetProperty("errors").EnumerateObject().First().Value.GetProperty("message").GetString()!));
    }
}
