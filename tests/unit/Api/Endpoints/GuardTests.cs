using Couic.Store;
using Xunit;

namespace Couic.Tests.Api.Endpoints;

/// <summary>Each way in over HTTP, by what the mode and the request ask of the guard.</summary>
public sealed class GuardTests : IDisposable
{
    private const string Objection = "covers 192.0.2.1 (the default gateway)";
    private const string Entry = """{"cidr":"192.0.2.0/24","expiration":0}""";
    private const string Set = """{"name":"bad","entries":["198.51.100.0/24","192.0.2.0/24"]}""";

    private readonly ApiRig _rig = new();

    public GuardTests() => Guard.Protect([new ProtectedAddress(Parse("192.0.2.1/32"), "the default gateway"), new ProtectedAddress(Parse("2001:db8::1/128"), "a peer")]);

    private LockoutGuard Guard => _rig.Store.Guard;

    public void Dispose() => _rig.Dispose();

    [Fact]
    public async Task AnEntryThatMayLockOut_IsMadeWithAWarning_AndOthersAnswerAsBefore()
    {
        Answer answer = await _rig.SendAsync("POST", "/v1/drop", Entry);
        Assert.Equal((201, $"299 couic \"192.0.2.0/24 {Objection}\""), (answer.Status, answer["warning"]));
        Assert.Equal([$"192.0.2.0/24 {Objection}"], WarningsOf(answer));
        Assert.True(_rig.Log.Has("entry_may_lock_out"));
        foreach ((string policy, string entry) in new[] { ("drop", """{"cidr":"198.51.100.0/24","expiration":0}"""), ("ignore", Entry) })
        {
            answer = await _rig.SendAsync("POST", $"/v1/{policy}", entry);
            Assert.Null(answer["warning"]);
            Assert.False(answer.Json.TryGetProperty("warnings", out _));
        }
    }

    [Theory]
    [InlineData("", LockoutMode.Warn, true)]
    [InlineData("?guard=refuse", LockoutMode.Warn, false)]
    [InlineData("?guard=refuse&force=true", LockoutMode.Warn, true)]
    [InlineData("", LockoutMode.Refuse, false)]
    [InlineData("?force=true", LockoutMode.Refuse, true)]
    [InlineData("?guard=refuse", LockoutMode.Off, true)]
    public async Task EveryWayIn_IsRefusedAsModeAndRequestSay(string query, LockoutMode mode, bool isMade)
    {
        Guard.Mode = mode;
        Answer single = await _rig.SendAsync("POST", "/v1/drop" + query, Entry);
        Assert.Equal(isMade ? 201 : 422, single.Status);
        ForgetDrops(); // so that no item is covered already
        Answer bulk = await _rig.SendAsync("POST", "/v1/drop/bulk" + query, "[[\"192.0.2.0/25\",null,0],[\"2001:db8::/32\",null,0],[\"198.51.100.0/24\",null,0]]");
        Assert.Equal(isMade ? 3 : 1, bulk.Json.GetProperty("created").GetInt32());
        Answer created = await _rig.SendAsync("POST", "/v1/sets/drop" + query, Set);
        Assert.Equal(isMade ? 201 : 422, created.Status);
        Assert.True(isMade || created.Error.Fields == "entries[1]=invalid");
        _rig.WriteSet(Policy.Drop, "file", "198.51.100.0/24\n");
        Assert.Equal(isMade ? 200 : 422, (await _rig.SendAsync("PUT", "/v1/sets/drop/file" + query, Set.Replace("bad", "file", StringComparison.Ordinal))).Status);
        _rig.WriteSet(Policy.Drop, "file", "192.0.2.0/26\n2001:db8::/48\n");
        ForgetDrops();
        Answer reload = await _rig.SendAsync("POST", "/v1/sets/reload" + query);
        Assert.Equal(isMade ? 201 : 422, reload.Status);
        Assert.Equal(isMade, _rig.Store.TryGet(Policy.Drop, Parse("192.0.2.0/26"), out _));
        bool warns = isMade && mode != LockoutMode.Off;
        Assert.All(new[] { single, bulk, created, reload }.Where(answer => answer.Status < 300), answer =>
        {
            Assert.Equal(warns, answer["warning"] is not null);
            Assert.Equal(warns, answer.Json.TryGetProperty("warnings", out _));
        });
    }

    [Theory]
    [InlineData("", LockoutMode.Warn, true)]
    [InlineData("?guard=refuse", LockoutMode.Warn, false)]
    [InlineData("", LockoutMode.Refuse, false)]
    [InlineData("?force=true", LockoutMode.Refuse, true)]
    public async Task TheEntryOfIgnore_ThatProtects_GoesAsModeAndRequestSay(string query, LockoutMode mode, bool goes)
    {
        foreach (string cidr in new[] { "192.0.2.1/32", "192.0.2.0/28" })
        {
            Assert.Equal(201, (await _rig.SendAsync("POST", "/v1/ignore", $$"""{"cidr":"{{cidr}}","expiration":0}""")).Status);
        }

        Assert.Equal(201, (await _rig.SendAsync("POST", "/v1/drop", Entry)).Status);
        Guard.Mode = mode;
        Answer answer = await _rig.SendAsync("DELETE", "/v1/ignore/192.0.2.0/28" + query);
        Assert.Equal((204, null), (answer.Status, answer["warning"]));
        answer = await _rig.SendAsync("DELETE", "/v1/ignore/192.0.2.1/32" + query);
        Assert.Equal(goes ? 204 : 422, answer.Status);
        Assert.True(!goes || answer["warning"] == "299 couic \"192.0.2.1/32 protects 192.0.2.1 (the default gateway), which 192.0.2.0/24 in drop covers\"");
        Assert.Equal(!goes, _rig.Store.TryGet(Policy.Ignore, Parse("192.0.2.1/32"), out _));
    }

    /// <summary>Each of the two alone leaves the other, so that what goes with an item counts too.</summary>
    [Fact]
    public async Task ABulkRemoval_KeepsTheLastProtection()
    {
        await _rig.SendAsync("POST", "/v1/ignore/bulk", "[[\"192.0.2.1/32\",null,0],[\"192.0.2.0/28\",null,0],[\"203.0.113.0/24\",null,0]]");
        await _rig.SendAsync("POST", "/v1/drop", Entry);
        Answer answer = await _rig.SendAsync("POST", "/v1/ignore/bulk?action=remove&guard=refuse", "[\"192.0.2.1/32\",\"192.0.2.0/28\",\"203.0.113.0/24\"]");
        Assert.Equal(2, answer.Json.GetProperty("removed").GetInt32());
        Assert.Contains("protects 192.0.2.1 (the default gateway)", answer.Body, StringComparison.Ordinal);
        Assert.Empty(Guard.FindLockouts());
    }

    [Theory]
    [InlineData("?guard=refuse", 422)]
    [InlineData("", 200)]
    public async Task TheRemovalOfATag_KeepsTheLastProtection(string query, int status)
    {
        await _rig.SendAsync("POST", "/v1/ignore/bulk", "[[\"192.0.2.1/32\",\"t\",0],[\"192.0.2.0/28\",\"t\",0],[\"203.0.113.0/24\",\"t\",0]]");
        await _rig.SendAsync("POST", "/v1/drop", Entry);
        Answer answer = await _rig.SendAsync("DELETE", "/v1/ignore/tag/t" + query);
        Assert.Equal((status, status == 200), (answer.Status, answer["warning"] is not null));
        Assert.Equal(status == 200 ? 0 : 3, _rig.Store.Count(Policy.Ignore));
        Assert.Equal(status == 200 ? 1 : 0, Guard.FindLockouts().Count);
    }

    [Fact]
    public async Task PipelinedRequests_SeeWhatTheOnesBeforeThemDid()
    {
        Guard.Mode = LockoutMode.Refuse;
        await _rig.SendAsync("POST", "/v1/ignore", """{"cidr":"192.0.2.1/32","expiration":0}""");
        using RawClient client = _rig.Connect();
        await client.SendAsync(_rig.Request("DELETE", "/v1/ignore/192.0.2.1/32") + _rig.Request("POST", "/v1/drop", Entry));
        Assert.Equal(204, (await client.ReadAnswerAsync(false)).Status);
        Assert.Equal(422, (await client.ReadAnswerAsync(false)).Status);
        Assert.Empty(Guard.FindLockouts());
    }

    [Theory]
    [InlineData("drop", "192.0.2.9/32", "192.0.2.0/28 is in ignore and wins; 192.0.2.9 still passes")]
    [InlineData("drop", "192.0.2.8/29", "192.0.2.0/28 is in ignore and wins; 192.0.2.8/29 still passes")]
    [InlineData("drop", "192.0.2.16/28", null)]
    [InlineData("drop", "::ffff:198.51.100.1/128", "::ffff:198.51.100.1/128 is an IPv6 entry and matches no IPv4 packet; add the IPv4 network for those")]
    [InlineData("drop", "203.0.113.0/2", "192.0.0.0/2 covers a quarter of all IPv4 addresses")]
    [InlineData("drop", "10.1.0.0/7", "host bits are set below a short prefix: 10.1.0.0/7 means 10.0.0.0/7")]
    [InlineData("drop", "2001:db9::/3", "2000::/3 covers all routed IPv6 addresses")]
    [InlineData("drop", "8000::/1", null)]
    [InlineData("drop", "224.0.0.0/3", null)]
    [InlineData("ignore", "0.0.0.0/0", "0.0.0.0/0 in ignore covers all IPv4 addresses: none of them is dropped any more")]
    [InlineData("ignore", "::/0", "::/0 in ignore covers all routed IPv6 addresses: none of them is dropped any more")]
    [InlineData("ignore", "128.0.0.0/1", "128.0.0.0/1 in ignore covers half of all IPv4 addresses: none of them is dropped any more")]
    [InlineData("ignore", "10.0.0.0/8", null)]
    public async Task ProbableMistake_IsAWarningInTheAnswer(string policy, string cidr, string? warning)
    {
        Guard.Protect([]);
        await _rig.SendAsync("POST", "/v1/ignore", """{"cidr":"192.0.2.0/28","expiration":0}""");
        Answer answer = await _rig.SendAsync("POST", $"/v1/{policy}", $$"""{"cidr":"{{cidr}}","expiration":0}""");
        Assert.Equal(201, answer.Status);
        Assert.Equal(warning, WarningsOf(answer).FirstOrDefault());
        Answer bulk = await _rig.SendAsync("POST", $"/v1/{policy}/bulk", $"[[\"{cidr}\",null,0]]");
        Assert.Equal(warning is not null, WarningsOf(bulk).Any());
    }

    [Fact]
    public async Task ADryRun_AnswersWhatWouldBeDone_AndDoesNothing()
    {
        await _rig.SendAsync("POST", "/v1/drop", """{"cidr":"198.51.100.0/24","expiration":0}""");
        string items = "[[\"198.51.100.0/24\",null,0],[\"203.0.113.0/24\",null,0],[\"203.0.113.0/24\",null,0],[\"192.0.2.0/24\",null,0],[\"0.0.0.0/0\",null,0],[\"x\",null,0]]";
        Answer dry = await _rig.SendAsync("POST", "/v1/drop/bulk?guard=refuse&dry_run=true", items);
        Assert.Equal(1, _rig.Store.Count(Policy.Drop));
        Answer done = await _rig.SendAsync("POST", "/v1/drop/bulk?guard=refuse", items);
        Assert.True(dry.Json.GetProperty("dry_run").GetBoolean());
        Assert.Equal(done.Body, dry.Body.Replace(",\"dry_run\":true", string.Empty, StringComparison.Ordinal));
        Assert.Equal((1, 2), (done.Json.GetProperty("created").GetInt32(), done.Json.GetProperty("unchanged").GetInt32()));
    }

    [Fact]
    public async Task ASetWithTheProtectingEntryInAnotherFile_IsTakenBeforeAndAtTheReload()
    {
        Guard.Mode = LockoutMode.Refuse;
        Assert.Equal(422, (await _rig.SendAsync("POST", "/v1/sets/drop", Set)).Status);
        Assert.Equal(201, (await _rig.SendAsync("POST", "/v1/sets/ignore", """{"name":"gateway","entries":["192.0.2.1/32"]}""")).Status);
        Answer answer = await _rig.SendAsync("POST", "/v1/sets/drop", Set);
        Assert.Equal((201, null), (answer.Status, answer["warning"]));
        answer = await _rig.SendAsync("POST", "/v1/sets/reload");
        Assert.Equal((201, null), (answer.Status, answer["warning"]));
        string others = """{"name":"gateway","entries":["203.0.113.1/32"]}""";
        Assert.Equal(422, (await _rig.SendAsync("PUT", "/v1/sets/ignore/gateway", others)).Status);
        Assert.Equal(422, (await _rig.SendAsync("DELETE", "/v1/sets/ignore/gateway")).Status);
        answer = await _rig.SendAsync("DELETE", "/v1/sets/ignore/gateway?force=true");
        Assert.Equal((200, true), (answer.Status, answer["warning"] is not null));
        Assert.Equal(422, (await _rig.SendAsync("POST", "/v1/sets/reload")).Status);
        Assert.Equal(201, (await _rig.SendAsync("POST", "/v1/sets/reload?force=true")).Status);
        Assert.Single(Guard.FindLockouts());
    }

    private static IEnumerable<string> WarningsOf(Answer answer) => answer.Json.TryGetProperty("warnings", out System.Text.Json.JsonElement warnings)
        ? warnings.EnumerateArray().Select(text => text.GetString()!)
        : [];

    private void ForgetDrops()
    {
        foreach (Cidr cidr in _rig.Store.SortedNetworks(Policy.Drop))
        {
            _rig.Store.Remove(Policy.Drop, cidr, new ChangeContext(ChangeOrigin.Api, "x"u8), out _);
        }
    }

    private static Cidr Parse(string text)
    {
        Assert.Equal(CidrFault.None, Cidr.TryParse(text, out Cidr cidr));
        return cidr;
    }
}
