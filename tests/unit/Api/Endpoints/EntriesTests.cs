using System.Text.Json;
using Couic.Api.Access;
using Couic.Store;
using Couic.Tests.Fakes;
using Microsoft.Extensions.Logging;
using Xunit;

namespace Couic.Tests.Api.Endpoints;

public sealed class EntriesTests : IDisposable
{
    private readonly ManualClock _clock = new();
    private readonly ApiRig _rig;

    public EntriesTests() => _rig = new ApiRig(storeLimits: new StoreLimits(MaxDropEntries: 3, MaxIgnoreEntries: 2), time: _clock);

    public void Dispose() => _rig.Dispose();

    [Fact]
    public async Task AnEntryIsCreatedReadListedAndDeleted()
    {
        Answer created = await PostAsync("""{"cidr":"192.0.2.77/24","tag":"scan","expiration":0}""");
        Assert.Equal(201, created.Status);
        Assert.Matches("""^\{"creation":\d+,"cidr":"192.0.2.0/24","tag":"scan","expiration":0\}$""", created.Body);
        Assert.Equal("application/json", created["content-type"]);
        Assert.NotNull(created["date"]);

        Answer read = await _rig.SendAsync("GET", "/v1/drop/192.0.2.9/24");
        Assert.Equal((200, created.Body), (read.Status, read.Body));
        Answer list = await _rig.SendAsync("GET", "/v1/drop");
        Assert.Equal((200, $"[{created.Body}]"), (list.Status, list.Body));

        Answer deleted = await _rig.SendAsync("DELETE", "/v1/drop/192.0.2.0/24");
        Assert.Equal(204, deleted.Status);
        Assert.Null(deleted["content-length"]);
        Assert.NotNull(deleted["date"]);
        Assert.Equal("[]", (await _rig.SendAsync("GET", "/v1/drop")).Body);
        Answer gone = await _rig.SendAsync("GET", "/v1/drop/192.0.2.0/24");
        Assert.Equal((404, ("not_found", "cidr=not_found")), (gone.Status, gone.Error));
        gone = await _rig.SendAsync("DELETE", "/v1/drop/192.0.2.0/24");
        Assert.Equal((404, ("not_found", "cidr=not_found")), (gone.Status, gone.Error));
        Assert.Equal(
            ["entry_created", "entry_deleted"], _rig.Log.Lines.Where(l => l.Level == LogLevel.Information).Select(l => l.Event));
    }

    [Fact]
    public async Task AMerge_KeepsWhatTheRequestDoesNotHave_AndMayCreate()
    {
        ulong soon = _clock.Seconds + 600;
        Assert.Equal(400, (await PostAsync("""{"cidr":"192.0.2.7/32"}""")).Status);
        Assert.Equal(400, (await _rig.SendAsync("POST", "/v1/drop?on_conflict=update", """{"cidr":"192.0.2.7/32"}""")).Status);
        Assert.Equal(201, (await MergeAsync($$"""{"cidr":"192.0.2.7/32","tag":"feed","expiration":{{soon}},"reason":"listed"}""")).Status);
        Assert.Equal($"feed {soon} listed", await MergedAsync("""{"cidr":"192.0.2.7/32"}"""));
        Assert.Equal($"sshd {soon} listed", await MergedAsync("""{"cidr":"192.0.2.7/32","tag":"sshd"}"""));
        Assert.Equal($"sshd {soon} x", await MergedAsync("""{"cidr":"192.0.2.7/32","reason":"x"}"""));
        Assert.Equal("sshd 0 x", await MergedAsync("""{"cidr":"192.0.2.7/32","expiration":0}"""));
        Assert.Equal(" 0 ", await MergedAsync("""{"cidr":"192.0.2.7/32","tag":null,"reason":null}"""));
        Assert.Equal("c 5000000000 ", await MergedAsync("""["192.0.2.7/32","c",5000000000]"""));

        async Task<string> MergedAsync(string body)
        {
            Answer merged = await MergeAsync(body);
            Assert.Equal(200, merged.Status);
            string reason = merged.Json.TryGetProperty("reason", out JsonElement text) ? text.GetString()! : "";
            return $"{merged.Json.GetProperty("tag")} {merged.Json.GetProperty("expiration")} {reason}";
        }

        Task<Answer> MergeAsync(string body) => _rig.SendAsync("POST", "/v1/drop?on_conflict=merge", body);
    }

    [Fact]
    public async Task Claims_AreAddedListedRemovedAndLogged()
    {
        ulong soon = _clock.Seconds + 600;
        await PostAsync("""{"cidr":"192.0.2.7/32","tag":"feed","expiration":0,"reason":"listed"}""");
        Answer claimed = await _rig.SendAsync("POST", "/v1/drop?on_conflict=claim", $$"""{"cidr":"192.0.2.7/32","tag":"sshd","expiration":{{soon}},"reason":"brute force"}""");
        string claims = $$"""{"tag":"feed","expiration":0,"added_by":"admin","reason":"listed"},{"tag":"sshd","expiration":{{soon}},"added_by":"admin","reason":"brute force"}""";
        Assert.Equal(200, claimed.Status);
        Assert.EndsWith($""","tag":"feed","expiration":0,"reason":"listed","claims":[{claims}]""" + "}", claimed.Body, StringComparison.Ordinal);
        Assert.Equal($"[{claimed.Body}]", (await _rig.SendAsync("GET", "/v1/drop")).Body);
        Assert.Equal(2, (await _rig.SendAsync("GET", "/v1/drop?match=192.0.2.7&details=true")).Json[0].GetProperty("claims").GetArrayLength());
        Answer again = await _rig.SendAsync("POST", "/v1/drop?on_conflict=claim", """{"cidr":"192.0.2.7/32","tag":"sshd","expiration":0}""");
        Assert.Equal((409, ("conflict", "tag=conflict")), (again.Status, again.Error));

        Answer removed = await _rig.SendAsync("DELETE", "/v1/drop/192.0.2.7/32?tag=sshd");
        Assert.Equal((200, false), (removed.Status, removed.Json.TryGetProperty("claims", out _)));
        Assert.Contains(_rig.Log.Lines, line => line.Event == "entry_claimed" && line.Text.Contains("tag sshd", StringComparison.Ordinal));
        Assert.Contains(_rig.Log.Lines, line => line.Event == "entry_unclaimed" && line.Text.Contains("tag sshd", StringComparison.Ordinal));

        for (int i = 1; i < Claims.MaxPerEntry; i++)
        {
            Assert.Equal(200, (await _rig.SendAsync("POST", "/v1/drop?on_conflict=claim", $$"""{"cidr":"192.0.2.7/32","tag":"t{{i}}","expiration":{{soon}}}""")).Status);
        }

        Answer full = await _rig.SendAsync("POST", "/v1/drop?on_conflict=claim", """{"cidr":"192.0.2.7/32","tag":"more","expiration":0}""");
        Assert.Equal((409, ("conflict", "cidr=conflict")), (full.Status, full.Error));
        string lines = """[{"cidr":"192.0.2.7/32","tag":"t1","expiration":0},{"cidr":"192.0.2.7/32","tag":"more","expiration":0},{"cidr":"192.0.2.8/32","tag":"t1","expiration":0}]""";
        foreach (string dry in new[] { "&dry_run=true", "" })
        {
            Answer bulk = await _rig.SendAsync("POST", "/v1/drop/bulk?on_conflict=claim" + dry, lines);
            Assert.Equal((1, 1, 1), (bulk.Json.GetProperty("created").GetInt32(), bulk.Json.GetProperty("unchanged").GetInt32(), bulk.Json.GetProperty("rejected").GetArrayLength()));
        }
    }

    [Fact]
    public async Task Reason_IsAnsweredListedLoggedAndReplaced()
    {
        Answer created = await PostAsync("""{"cidr":"192.0.2.7/32","tag":"scan","expiration":0,"reason":"port \"scan\" é"}""");
        Assert.Equal(201, created.Status);
        Assert.EndsWith(""","tag":"scan","expiration":0,"reason":"port \"scan\" é"}""", created.Body, StringComparison.Ordinal);
        Assert.Equal(created.Body, (await _rig.SendAsync("GET", "/v1/drop/192.0.2.7/32")).Body);
        Assert.Equal($"[{created.Body}]", (await _rig.SendAsync("GET", "/v1/drop")).Body);
        Answer details = await _rig.SendAsync("GET", "/v1/drop?details=true");
        Assert.Equal("port \"scan\" é", details.Json[0].GetProperty("reason").GetString());
        Assert.Contains(_rig.Log.Lines, line => line.Event == "entry_created" && line.Text.Contains("port \"scan\" é", StringComparison.Ordinal));

        Answer updated = await _rig.SendAsync("POST", "/v1/drop?on_conflict=update", """{"cidr":"192.0.2.7/32","tag":"scan","expiration":0,"reason":null}""");
        Assert.Equal((200, false), (updated.Status, updated.Json.TryGetProperty("reason", out _)));

        string lines = """
            {"cidr":"192.0.2.7/32","tag":"scan","expiration":0,"reason":"one"}
            {"cidr":"192.0.2.8/32","expiration":0,"reason":"one"}
            {"cidr":"192.0.2.9/32","expiration":0,"reason":"a\u0000b"}
            """;
        Answer bulk = await _rig.SendAsync("POST", "/v1/drop/bulk?on_conflict=update", lines, contentType: "application/x-ndjson");
        Assert.Equal((1, 1), (bulk.Json.GetProperty("created").GetInt32(), bulk.Json.GetProperty("updated").GetInt32()));
        Assert.StartsWith("reason: control characters", bulk.Json.GetProperty("rejected")[0].GetProperty("message").GetString(), StringComparison.Ordinal);
        Assert.Equal("one", (await _rig.SendAsync("GET", "/v1/drop/192.0.2.8/32")).Json.GetProperty("reason").GetString());
    }

    [Theory]
    [InlineData("a\\u0007b")]
    [InlineData("xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx")]
    public async Task Reason_ThatIsNotAllowed_Is422ByName(string reason)
    {
        Answer refused = await PostAsync($$"""{"cidr":"192.0.2.7/32","expiration":0,"reason":"{{reason}}"}""");
        Assert.Equal((422, ("invalid", "reason=invalid")), (refused.Status, refused.Error));
        Assert.Equal(400, (await PostAsync("""{"cidr":"192.0.2.7/32","expiration":0,"reason":7}""")).Status);
    }

    [Fact]
    public async Task ExtendAnswersWhatIsInForce_AndADeletionUnderATagAnswersWhatStays()
    {
        ulong soon = _clock.Seconds + 600, late = soon + 600;
        await PostAsync($$"""{"cidr":"192.0.2.7/32","tag":"hand","expiration":{{soon}}}""");
        Answer extended = await _rig.SendAsync("POST", "/v1/drop?on_conflict=extend", $"[\"192.0.2.7/32\",\"ban\",{late}]");
        Assert.Equal((200, "ban", late), (extended.Status, extended.Json.GetProperty("tag").GetString(), extended.Json.GetProperty("expiration").GetUInt64()));
        Answer kept = await _rig.SendAsync("POST", "/v1/drop?on_conflict=extend", $"[\"192.0.2.7/32\",\"third\",{soon + 1}]");
        Assert.Equal((200, "ban", "ban third hand"), (kept.Status, kept.Json.GetProperty("tag").GetString(), string.Join(' ', kept.Json.GetProperty("claims").EnumerateArray().Select(c => c.GetProperty("tag").GetString()))));

        Answer other = await _rig.SendAsync("DELETE", "/v1/drop/192.0.2.7/32?tag=nobody");
        Assert.Equal((409, ("conflict", "tag=conflict")), (other.Status, other.Error));
        Answer gone = await _rig.SendAsync("DELETE", "/v1/drop/192.0.2.7/32?tag=third");
        Assert.Equal((200, extended.Body), (gone.Status, gone.Body));
        Answer back = await _rig.SendAsync("DELETE", "/v1/drop/192.0.2.7/32?tag=ban");
        Assert.Equal((200, "hand", soon), (back.Status, back.Json.GetProperty("tag").GetString(), back.Json.GetProperty("expiration").GetUInt64()));
        Assert.Equal(204, (await _rig.SendAsync("DELETE", "/v1/drop/192.0.2.7/32?tag=hand")).Status);
        Assert.Equal(404, (await _rig.SendAsync("DELETE", "/v1/drop/192.0.2.7/32?tag=hand")).Status);
        Answer bad = await _rig.SendAsync("DELETE", "/v1/drop/192.0.2.7/32?tag=no.dots");
        Assert.Equal((422, ("invalid", "tag=invalid")), (bad.Status, bad.Error));
    }

    [Theory]
    [InlineData("""{"cidr":"192.0.2.7/32","expiration":0}""")]
    [InlineData("""{"cidr":"192.0.2.7/32","tag":"","expiration":0}""")]
    [InlineData("""["192.0.2.7/32",null,0]""")]
    [InlineData(""" [ "192.0.2.7/32" , "" , 0 , null ] """)]
    [InlineData("""["192.0.2.7/32",null,0,{"kind":"","detail":""}]""")]
    [InlineData("""{"expiration":0,"cidr":"192.0.2.7\/32","tag":null,"x":{"tag":[1,{}]},"x":-1e9}""")]
    [InlineData("""{"\u0063idr":"192.0.2.7\u002f32","expiration":0,"metadata":null}""")]
    [InlineData("""{"cidr":"192.0.2.7/32","expiration":0,"metadata":{"kind":"a","detail":"b","extra":{"c":[null]},"more":1}}""")]
    public async Task GoodBodiesMakeTheSameEntry(string body)
    {
        Answer created = await PostAsync(body);
        Assert.Equal((201, ""","cidr":"192.0.2.7/32","tag":null,"expiration":0}"""), (created.Status, created.Body[created.Body.IndexOf(',', StringComparison.Ordinal)..]));
    }

    [Theory]
    [InlineData("")]
    [InlineData("null")]
    [InlineData("1")]
    [InlineData("\"x\"")]
    [InlineData("true")]
    [InlineData("{}")]
    [InlineData("[]")]
    [InlineData("[\"192.0.2.7/32\",null]")]
    [InlineData("[\"192.0.2.7/32\",null,0,null,0]")]
    [InlineData("[null,null,0]")]
    [InlineData("{\"cidr\":\"192.0.2.7/32\"}")]
    [InlineData("{\"expiration\":0}")]
    [InlineData("{\"cidr\":null,\"expiration\":0}")]
    [InlineData("{\"cidr\":7,\"expiration\":0}")]
    [InlineData("{\"cidr\":\"192.0.2.7/32\",\"expiration\":null}")]
    [InlineData("{\"cidr\":\"192.0.2.7/32\",\"expiration\":\"0\"}")]
    [InlineData("{\"cidr\":\"192.0.2.7/32\",\"expiration\":-1}")]
    [InlineData("{\"cidr\":\"192.0.2.7/32\",\"expiration\":-0}")]
    [InlineData("{\"cidr\":\"192.0.2.7/32\",\"expiration\":0.0}")]
    [InlineData("{\"cidr\":\"192.0.2.7/32\",\"expiration\":1e3}")]
    [InlineData("{\"cidr\":\"192.0.2.7/32\",\"expiration\":00}")]
    [InlineData("{\"cidr\":\"192.0.2.7/32\",\"expiration\":+1}")]
    [InlineData("{\"cidr\":\"192.0.2.7/32\",\"expiration\":NaN}")]
    [InlineData("{\"cidr\":\"192.0.2.7/32\",\"expiration\":18446744073709551616}")]
    [InlineData("{\"cidr\":\"192.0.2.7/32\",\"expiration\":0,\"expiration\":0}")]
    [InlineData("{\"cidr\":\"192.0.2.7/32\",\"expiration\":0,\"\\u0063idr\":\"192.0.2.7/32\"}")]
    [InlineData("{\"cidr\":\"192.0.2.7/32\",\"expiration\":0,\"tag\":1}")]
    [InlineData("{\"cidr\":\"192.0.2.7/32\",\"expiration\":0,\"metadata\":[]}")]
    [InlineData("{\"cidr\":\"192.0.2.7/32\",\"expiration\":0,\"metadata\":{}}")]
    [InlineData("{\"cidr\":\"192.0.2.7/32\",\"expiration\":0,\"metadata\":{\"kind\":\"a\"}}")]
    [InlineData("{\"cidr\":\"192.0.2.7/32\",\"expiration\":0,\"metadata\":{\"kind\":null,\"detail\":\"\"}}")]
    [InlineData("{\"cidr\":\"192.0.2.7/32\",\"expiration\":0,\"metadata\":{\"kind\":\"\",\"detail\":\"\",\"extra\":[]}}")]
    [InlineData("{\"cidr\":\"192.0.2.7/32\",\"expiration\":0,}")]
    [InlineData("{\"cidr\":\"192.0.2.7/32\",\"expiration\":0} x")]
    [InlineData("{\"cidr\":\"192.0.2.7/32\",\"expiration\":0}{}")]
    [InlineData("{\"cidr\":\"192.0.2.7/32\",/**/\"expiration\":0}")]
    [InlineData("{'cidr':'192.0.2.7/32','expiration':0}")]
    [InlineData("{cidr:\"192.0.2.7/32\",\"expiration\":0}")]
    [InlineData("{\"cidr\":\"192.0.2.7/32\",\"expiration\":0,\"x\":\"\t\"}")]
    [InlineData("{\"cidr\":\"192.0.2.7/32\",\"expiration\":0,\"x\":\"\\ud800\"}")]
    [InlineData("{\"cidr\":\"192.0.2.7/32\",\"expiration\":0,\"x\":[\"\\ude00\\ud83d\"]}")]
    [InlineData("{\"cidr\":\"192.0.2.7/32\",\"expiration\":0,\"\\ud800\":1}")]
    [InlineData("{\"cidr\":\"\\ud83d192.0.2.7/32\",\"expiration\":0}")]
    [InlineData("{\"CIDR\":\"192.0.2.7/32\",\"expiration\":0}")]
    [InlineData("\ufeff{\"cidr\":\"192.0.2.7/32\",\"expiration\":0}")]
    public async Task BodiesThatCannotBeReadAre400WithNoFields(string body)
    {
        Answer answer = await PostAsync(body);
        Assert.Equal((400, ("bad_request", string.Empty)), (answer.Status, answer.Error));
        Assert.Equal(0, _rig.Plane.Applied);
    }

    [Fact]
    public async Task EveryTruncationOfABodyIs400()
    {
        const string Body = """{"cidr":"192.0.2.7/32","tag":"a","expiration":0,"metadata":{"kind":"\u00e9","detail":"","extra":{}}}""";
        using RawClient client = _rig.Connect();
        for (int length = 0; length < Body.Length; length++)
        {
            await client.SendAsync(_rig.Request("POST", "/v1/drop", Body[..length]));
            Assert.Equal(400, (await client.ReadAnswerAsync()).Status);
        }

        await client.SendAsync(_rig.Request("POST", "/v1/drop", Body));
        Assert.Equal(201, (await client.ReadAnswerAsync()).Status);
    }

    [Fact]
    public async Task AllFaultsOfValuesAreToldAtOnce()
    {
        string tag = new('a', 65);
        Answer answer = await PostAsync($$"""{"cidr":"192.0.2.7","tag":"{{tag}}","expiration":{{_clock.Seconds}}}""");
        Assert.Equal((422, ("invalid", "cidr=invalid tag=invalid expiration=invalid")), (answer.Status, answer.Error));
        Assert.Equal(422, (await PostAsync("""{"cidr":"192.0.2.7/33","expiration":0}""")).Status);
        Assert.Equal(422, (await PostAsync("""{"cidr":"192.0.2.7/32","tag":"x.couic","expiration":0}""")).Status);
        Assert.Equal(422, (await PostAsync("""{"cidr":"192.0.2.7/32","tag":"UnTagged","expiration":0}""")).Status);
        Assert.Equal(201, (await PostAsync($$"""{"cidr":"192.0.2.7/32","tag":"-","expiration":{{_clock.Seconds + 1}}}""")).Status);
        Assert.Equal(201, (await PostAsync("""{"cidr":"192.0.2.8/32","tag":"untagged1","expiration":18446744073709551615}""")).Status);
    }

    [Fact]
    public async Task ADuplicateIsAConflictAndLooksBeforeTheLimit()
    {
        for (int i = 1; i <= 3; i++)
        {
            Assert.Equal(201, (await PostAsync($$"""{"cidr":"192.0.2.{{i}}/32","expiration":0}""")).Status);
        }

        Answer twice = await PostAsync("""{"cidr":"192.0.2.1/32","expiration":0}""");
        Assert.Equal((409, ("conflict", "cidr=conflict")), (twice.Status, twice.Error));
        Answer full = await PostAsync("""{"cidr":"192.0.2.4/32","expiration":0}""");
        Assert.Equal((409, ("conflict", string.Empty)), (full.Status, full.Error));
        Assert.Contains("3 entries", full.Body, StringComparison.Ordinal);
        Assert.Equal(201, (await PostAsync("""{"cidr":"2001:db8::/32","expiration":0}""")).Status);
        Assert.Equal(201, (await _rig.SendAsync("POST", "/v1/ignore", """{"cidr":"192.0.2.1/32","expiration":0}""")).Status);
    }

    [Fact]
    public async Task ChangeThatTheKernelRefuses_Answers500_AndChangesNothing()
    {
        _rig.Plane.RefuseAt = 1;
        Answer refused = await PostAsync("""{"cidr":"192.0.2.1/32","expiration":0}""");
        Assert.Equal((500, "internal"), (refused.Status, refused.Error.Code));
        Assert.Equal("[]", (await _rig.SendAsync("GET", "/v1/drop")).Body);
        Assert.True(_rig.Log.Has("entry_failed"));
    }

    [Fact]
    public async Task DroppingEverythingNeedsForce()
    {
        Answer refused = await PostAsync("""{"cidr":"192.0.2.1/0","expiration":0}""");
        Assert.Equal((422, ("invalid", "cidr=invalid")), (refused.Status, refused.Error));
        Assert.Equal(422, (await _rig.SendAsync("POST", "/v1/drop?force=1", """{"cidr":"::/0","expiration":0}""")).Status);
        Assert.Equal(201, (await _rig.SendAsync("POST", "/v1/drop?force=true", """{"cidr":"::/0","expiration":0}""")).Status);
        Assert.Equal(201, (await _rig.SendAsync("POST", "/v1/ignore", """{"cidr":"0.0.0.0/0","expiration":0}""")).Status);
    }

    [Fact]
    public async Task AnUpdateReplacesTagAndExpiryInPlace()
    {
        const string Target = "/v1/drop?on_conflict=update";
        Answer created = await _rig.SendAsync("POST", Target, """{"cidr":"192.0.2.1/32","tag":"a","expiration":0}""");
        _clock.AdvanceSeconds(5);
        Answer updated = await _rig.SendAsync("POST", Target, """{"cidr":"192.0.2.1/32","tag":"b","expiration":0}""");
        Assert.Equal((201, 200), (created.Status, updated.Status));
        Assert.Equal(created.Body.Replace("\"a\"", "\"b\"", StringComparison.Ordinal), updated.Body);
        Assert.True(_rig.Log.Has("entry_updated"));
    }

    [Fact]
    public async Task AMappedBlockStaysIPv6AndIsWarnedOf()
    {
        Answer created = await PostAsync("""{"cidr":"::FFFF:192.0.2.1/128","expiration":0}""");
        Assert.Contains("\"::ffff:192.0.2.1/128\"", created.Body, StringComparison.Ordinal);
        Assert.True(_rig.Log.Has("entry_matches_no_ipv4"));
    }

    [Fact]
    public async Task ASetsEntryIsNotDeletedOneByOne()
    {
        var context = new ChangeContext(ChangeOrigin.Set, "list"u8);
        _rig.Store.Add(Policy.Drop, Cidr.FromV4(1), "list.couic"u8, 0, ConflictMode.Refuse, context, out _);
        Answer answer = await _rig.SendAsync("DELETE", "/v1/drop/0.0.0.1/32");
        Assert.Equal((422, ("invalid", string.Empty)), (answer.Status, answer.Error));
        Assert.Equal(422, (await _rig.SendAsync("POST", "/v1/drop?on_conflict=update", """{"cidr":"0.0.0.1/32","expiration":0}""")).Status);
        Assert.Equal(409, (await PostAsync("""{"cidr":"0.0.0.1/32","expiration":0}""")).Status);
    }

    [Theory]
    [InlineData("/v1/DROP/1.2.3.4/32", "policy=invalid")]
    [InlineData("/v1/drop/1.2.3/32", "ip=invalid")]
    [InlineData("/v1/drop/1.2.3.4/33", "prefix=invalid")]
    [InlineData("/v1/drop/::1/129", "prefix=invalid")]
    [InlineData("/v1/drop/1.2.3.4/032", "prefix=invalid")]
    [InlineData("/v1/drop/1.2.3.4/+1", "prefix=invalid")]
    [InlineData("/v1/x/y/z", "policy=invalid ip=invalid prefix=invalid")]
    [InlineData("/v1/drop/1.2.3.4%2F32/32", "ip=invalid")]
    [InlineData("/v1/drop/%zz/32", "ip=invalid")]
    [InlineData("/v1/dr%C3%A9p/1.2.3.4/32", "policy=invalid")]
    [InlineData("/v1/drop/%ff/32", "")]
    public async Task FaultsOfThePathAreToldAtOnce(string target, string fields)
    {
        foreach (string method in new[] { "GET", "DELETE" })
        {
            Answer answer = await _rig.SendAsync(method, target);
            Assert.Equal((400, ("bad_request", fields)), (answer.Status, answer.Error));
        }
    }

    [Fact]
    public async Task EscapesInThePathAreDecoded()
    {
        await PostAsync("""{"cidr":"2001:db8::1/128","expiration":0}""");
        Assert.Equal(200, (await _rig.SendAsync("GET", "/v1/%64rop/2001%3Adb8%3a%3A1/%3128")).Status);
    }

    [Fact]
    public async Task ABadPathWinsOverABadBodyAndATokenOverBoth()
    {
        Answer answer = await _rig.SendAsync("POST", "/v1/dorp", "nonsense", contentType: null);
        Assert.Equal((400, ("bad_request", "policy=invalid")), (answer.Status, answer.Error));
        answer = await _rig.SendAsync("POST", "/v1/dorp", "nonsense", Group.Monitoring, contentType: null);
        Assert.Equal((401, ("unauthorized", string.Empty)), (answer.Status, answer.Error));
        answer = await _rig.SendAsync("POST", "/v1/drop", string.Empty, contentType: null);
        Assert.Contains("content type", answer.Body, StringComparison.Ordinal);
    }

    [Fact]
    public async Task AnExpiredEntryIsAbsentEverywhereAndDoesNotBlock()
    {
        string body = $$"""{"cidr":"192.0.2.1/32","expiration":{{_clock.Seconds + 3}}}""";
        Assert.Equal(201, (await PostAsync(body)).Status);
        _clock.AdvanceSeconds(4);
        Assert.Equal("[]", (await _rig.SendAsync("GET", "/v1/drop")).Body);
        Assert.Equal(404, (await _rig.SendAsync("GET", "/v1/drop/192.0.2.1/32")).Status);
        Assert.Equal(201, (await PostAsync("""{"cidr":"192.0.2.1/32","expiration":0}""")).Status);
    }

    private Task<Answer> PostAsync(string body) => _rig.SendAsync("POST", "/v1/drop", body);
}
