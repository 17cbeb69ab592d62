using System.Text;
using Couic.Api.Json;
using Couic.Store;
using Xunit;

namespace Couic.Tests.Api.Endpoints;

public sealed class BulkTests : IDisposable
{
    private const string Lines = "application/x-ndjson";

    private readonly ApiRig _rig = new(storeLimits: new StoreLimits(MaxDropEntries: 50_000, MaxIgnoreEntries: 2));

    public void Dispose() => _rig.Dispose();

    [Theory]
    [InlineData("""[{"cidr":"10.0.0.1/32","expiration":0},["10.0.0.2/32","b",0], {"cidr":"10.0.0.1/32","expiration":0}]""", "application/json")]
    [InlineData("{\"cidr\":\"10.0.0.1/32\",\"expiration\":0}\r\n\n  [\"10.0.0.2/32\",\"b\",0]\n{\"cidr\":\"10.0.0.1/32\",\"expiration\":0}", Lines)]
    public async Task ItemsAreTakenOneByOneInBothForms(string body, string type)
    {
        Answer answer = await BulkAsync(body, type);
        Assert.Equal((200, """{"created":2,"updated":0,"unchanged":1,"rejected":[]}"""), (answer.Status, answer.Body));
        Assert.Equal(2, _rig.Store.Count(Policy.Drop));
        Assert.True(_rig.Log.Has("bulk_applied"));
    }

    [Fact]
    public async Task AnUpdateReplacesAndARemovalCounts()
    {
        await BulkAsync("""["x",["10.0.0.1/32","a",0]]""");
        Answer answer = await BulkAsync("""[["10.0.0.1/32","b",0],["10.0.0.1/32","b",0],["10.0.0.2/32",null,0]]""", query: "?on_conflict=update");
        Assert.Equal("""{"created":1,"updated":1,"unchanged":1,"rejected":[]}""", answer.Body);
        answer = await BulkAsync("""["10.0.0.1/32","10.0.0.9/32",5,"x"]""", query: "?action=remove");
        Assert.StartsWith("""{"removed":1,"absent":1,"rejected":[{"index":2,"code":"bad_request",""", answer.Body, StringComparison.Ordinal);
        answer = await BulkAsync("\"10.0.0.2/32\"\n\"10.0.0.1/32\"\n", Lines, "?action=remove");
        Assert.Equal("""{"removed":1,"absent":1,"rejected":[]}""", answer.Body);
        Assert.Equal(0, _rig.Store.Count(Policy.Drop));
    }

    [Fact]
    public async Task ExtendKeepsTheLaterEnd_AndARemovalUnderATagLeavesTheOthersClaims()
    {
        await BulkAsync("""[["10.0.0.1/32","hand",0],["10.0.0.2/32","a",4000000000],["10.0.0.3/32","b",0]]""");
        Answer answer = await BulkAsync("""[["10.0.0.1/32","f2b",4000000001],["10.0.0.2/32","f2b",4000000001],["10.0.0.4/32","f2b",0]]""", query: "?on_conflict=extend");
        Assert.Equal("""{"created":1,"updated":2,"unchanged":0,"rejected":[]}""", answer.Body);
        answer = await BulkAsync("""["10.0.0.1/32","10.0.0.2/32","10.0.0.3/32","10.0.0.4/32","10.0.0.5/32"]""", query: "?action=remove&tag=f2b");
        Assert.Equal("""{"removed":3,"absent":2,"rejected":[]}""", answer.Body);
        Assert.Equal(
            ["10.0.0.1/32 hand 0", "10.0.0.2/32 a 4000000000", "10.0.0.3/32 b 0"],
            (await _rig.SendAsync("GET", "/v1/drop")).Json.EnumerateArray().Select(e => $"{e.GetProperty("cidr")} {e.GetProperty("tag")} {e.GetProperty("expiration")}"));
        Assert.Equal(400, (await BulkAsync("[]", query: "?action=remove&tag=no.dots")).Status);
        Assert.Equal(400, (await BulkAsync("[]", query: "?on_conflict=longer")).Status);
    }

    [Fact]
    public async Task OneRequestRemovesAllOfATag_AndNothingElse()
    {
        await BulkAsync($"[{string.Join(',', Enumerable.Range(0, 10_000).Select(i => $"[\"10.1.{i / 256}.{i % 256}/32\",\"f2b\",0]"))},[\"10.0.0.1/32\",\"other\",0]]");
        await BulkAsync("""[["10.0.0.1/32","f2b",4000000000]]""", query: "?on_conflict=extend");
        Answer answer = await _rig.SendAsync("DELETE", "/v1/drop/tag/f2b");
        Assert.Equal((200, """{"removed":10001}"""), (answer.Status, answer.Body));
        Assert.Equal(1, _rig.Store.Count(Policy.Drop));
        Assert.True(_rig.Log.Has("tag_removed"));
        Assert.Equal("""{"removed":0}""", (await _rig.SendAsync("DELETE", "/v1/drop/tag/f2b")).Body);
        Answer bad = await _rig.SendAsync("DELETE", "/v1/drop/tag/list.couic");
        Assert.Equal((400, ("bad_request", "tag=invalid")), (bad.Status, bad.Error));
    }

    [Fact]
    public async Task ABadItemIsARejectionAndTheOthersGoOn()
    {
        Answer answer = await BulkAsync("""
            [{"cidr":"x","expiration":0},{"cidr":"10.0.0.1/32","expiration":1},{"cidr":"10.0.0.1/32","tag":"a b","expiration":0},
            {"expiration":0},7,null,{"cidr":"0.0.0.0/0","expiration":0},{"cidr":"10.0.0.1/32","expiration":0,"x":"\ud800"},
            {"cidr":"10.0.0.1/32","expiration":0}]
            """);
        Assert.Equal(200, answer.Status);
        Assert.Equal(1, answer.Json.GetProperty("created").GetInt32());
        Assert.Equal(
            ["0 invalid", "1 invalid", "2 invalid", "3 bad_request", "4 bad_request", "5 bad_request", "6 invalid", "7 bad_request"],
            answer.Json.GetProperty("rejected").EnumerateArray().Select(r => $"{r.GetProperty("index")} {r.GetProperty("code")}"));
        Assert.Equal(201, (await _rig.SendAsync("POST", "/v1/drop?force=true", """["0.0.0.0/0",null,0]""")).Status);
    }

    [Fact]
    public async Task OnlyTheFirstHundredRejectionsAreTold()
    {
        Answer answer = await BulkAsync("[" + string.Join(',', Enumerable.Repeat("1", 250)) + "]");
        Assert.Equal(100, answer.Json.GetProperty("rejected").GetArrayLength());
        Assert.Equal(250, answer.Json.GetProperty("rejected_count").GetInt32());
    }

    [Fact]
    public async Task AFullTableRejectsAndGoesOn()
    {
        Answer answer = await _rig.SendAsync("POST", "/v1/ignore/bulk", """[["10.0.0.1/32",null,0],["10.0.0.2/32",null,0],["10.0.0.3/32",null,0],["::1/128",null,0]]""");
        Assert.Equal(3, answer.Json.GetProperty("created").GetInt32());
        Assert.Contains("\"index\":2,\"code\":\"conflict\"", answer.Body, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Rejections_OfTheReaderAndTheStore_AreInTheOrderOfTheItems()
    {
        IEnumerable<string> items = Enumerable.Range(0, 2_000).Select(i => i % 2 == 0 ? $"[\"10.0.{i / 256}.{i % 256}/32\",null,0]" : "[\"x\",null,0]");
        Answer answer = await _rig.SendAsync("POST", "/v1/ignore/bulk", $"[{string.Join(',', items)}]");
        Assert.Equal(2, answer.Json.GetProperty("created").GetInt32());
        Assert.Equal(1_998, answer.Json.GetProperty("rejected_count").GetInt32());
        Assert.Equal(
            [(1, "invalid"), .. Enumerable.Range(3, 99).Select(i => (i, i % 2 == 0 ? "conflict" : "invalid"))],
            answer.Json.GetProperty("rejected").EnumerateArray().Select(r => (r.GetProperty("index").GetInt32(), r.GetProperty("code").GetString())));
    }

    [Theory]
    [InlineData("""[["10.0.0.1/32",null,0],["10.0.0.2/32",null,0],["10.0.0.3/32" """, "application/json", 2)]
    [InlineData("""[["10.0.0.1/32",null,0],["10.0.0.2/32",null,0],]""", "application/json", 2)]
    [InlineData("""[["10.0.0.1/32",null,0]] x""", "application/json", 1)]
    [InlineData("""{"cidr":"10.0.0.1/32","expiration":0}""", "application/json", 0)]
    [InlineData("", "application/json", 0)]
    [InlineData("[\"10.0.0.1/32\",null,0]\n{\"cidr\":7,\n[\"10.0.0.2/32\",null,0]\n", Lines, 1)]
    [InlineData("[\"10.0.0.1/32\",null,0]\nnonsense\n", Lines, 1)]
    public async Task WhereTheJsonBreaksWhatWasBeforeItIsApplied(string body, string type, int applied)
    {
        Answer answer = await BulkAsync(body, type);
        Assert.Equal((400, ("bad_request", string.Empty)), (answer.Status, answer.Error));
        Assert.Contains($"at item {applied}:", answer.Body, StringComparison.Ordinal);
        Assert.Equal(applied, _rig.Store.Count(Policy.Drop));
        Assert.True(_rig.Log.Has("bulk_broken"));
    }

    [Fact]
    public async Task WhenTheBodyBreaksOffWhatWasCompleteIsApplied()
    {
        using RawClient client = _rig.Connect();
        string request = _rig.Request("POST", "/v1/drop/bulk", """[["10.0.0.1/32",null,0],["10.0.0.2/32",null,0]]""");
        await client.SendAsync(request[..^10]);
        client.Socket.Shutdown(System.Net.Sockets.SocketShutdown.Send);
        Answer answer = await client.ReadAnswerAsync();
        Assert.Equal(400, answer.Status);
        Assert.Contains("at item 1: the body broke off", answer.Body, StringComparison.Ordinal);
        Assert.Equal(1, _rig.Store.Count(Policy.Drop));
    }

    [Theory]
    [InlineData("?on_conflict=x", "application/json", "on_conflict=invalid")]
    [InlineData("?action=x", "application/json", "action=invalid")]
    [InlineData("", "text/plain", "")]
    public async Task BadOptionsAre400(string query, string type, string fields)
    {
        Answer answer = await BulkAsync("[]", type, query);
        Assert.Equal((400, ("bad_request", fields)), (answer.Status, answer.Error));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task AStreamInSmallPiecesMakesEveryEntry(bool isLines)
    {
        using RawClient client = _rig.Connect();
        await client.SendAsync($"POST /v1/drop/bulk HTTP/1.1\r\n{_rig.Bearer()}Content-Type: {(isLines ? Lines : "application/json")}\r\nTransfer-Encoding: chunked\r\n\r\n");
        var body = new StringBuilder(isLines ? string.Empty : "[");
        for (int i = 0; i < 40_000; i++)
        {
            body.Append(isLines || i == 0 ? string.Empty : ",").Append("{\"cidr\":\"10.").Append(i >> 16).Append('.').Append((i >> 8) & 255).Append('.').Append(i & 255)
                .Append("/32\",\"tag\":\"bulk\",\"expiration\":0}").Append(isLines ? "\n" : string.Empty);
        }

        body.Append(isLines ? string.Empty : "]");
        var random = new Random(3);
        for (int start = 0; start < body.Length;)
        {
            int length = Math.Min(body.Length - start, random.Next(1, 30_000));
            await client.SendAsync($"{length:x}\r\n{body.ToString(start, length)}\r\n");
            start += length;
        }

        await client.SendAsync("0\r\n\r\n");
        Answer answer = await client.ReadAnswerAsync();
        Assert.Equal((200, """{"created":40000,"updated":0,"unchanged":0,"rejected":[]}"""), (answer.Status, answer.Body));
        Assert.Equal(404, (await _rig.SendAsync("GET", "/x")).Status);
    }

    [Fact]
    public void AnArrayIsCutIntoTheSameItemsWhereverThePiecesEnd()
    {
        byte[] body = Encoding.UTF8.GetBytes(""" [ {"a":[1,"]}\""]} ,  "x\\" , 12 , [[],{}] ,true,null ] """);
        string[] expected = ["""{"a":[1,"]}\""]}""", "\"x\\\\\"", "12", "[[],{}]", "true", "null"];
        for (int piece = 1; piece <= body.Length; piece++)
        {
            var items = new List<string>();
            var reader = new ItemReader(isLines: false);
            int start = 0, end = 0;
            ItemStep step;
            do
            {
                step = reader.Next(body.AsSpan(start, end - start), end == body.Length, out int consumed, out ReadOnlySpan<byte> item);
                if (step == ItemStep.Item)
                {
                    items.Add(Encoding.UTF8.GetString(item));
                }

                start += consumed;
                end = step == ItemStep.More ? Math.Min(body.Length, end + piece) : end;
            }
            while (step != ItemStep.End);

            Assert.Equal(expected, items);
        }
    }

    private Task<Answer> BulkAsync(string body, string type = "application/json", string query = "") =>
        _rig.SendAsync("POST", "/v1/drop/bulk" + query, body, contentType: type);
}
