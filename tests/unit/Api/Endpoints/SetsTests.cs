using System.Text.Json;
using Couic.Api.Contracts;
using Couic.Store;
using Xunit;

namespace Couic.Tests.Api.Endpoints;

public sealed class SetsTests : IDisposable
{
    private readonly ApiRig _rig = new();

    public void Dispose() => _rig.Dispose();

    [Fact]
    public async Task ASetIsMadeReadReplacedReloadedAndDeleted()
    {
        Answer made = await _rig.SendAsync("POST", "/v1/sets/drop", """{"name":"list","entries":["2001:DB8::1/32","10.0.0.1/8","10.0.0.1/8"]}""");
        Assert.Equal((201, """{"name":"list","entries":["2001:db8::1/32","10.0.0.1/8","10.0.0.1/8"]}"""), (made.Status, made.Body));
        Answer read = await _rig.SendAsync("GET", "/v1/sets/drop/list");
        Assert.Equal((200, made.Body), (read.Status, read.Body));
        Answer list = await _rig.SendAsync("GET", "/v1/sets/drop");
        Assert.Equal((200, """[{"name":"list","entry_count":3,"file_size":37}]"""), (list.Status, list.Body));
        Answer twice = await _rig.SendAsync("POST", "/v1/sets/drop", """{"name":"list","entries":[]}""");
        Assert.Equal((409, ("conflict", string.Empty)), (twice.Status, twice.Error));
        Assert.Equal(0, _rig.Store.Count(Policy.Drop));

        Answer reload = await _rig.SendAsync("POST", "/v1/sets/reload", "ignored", contentType: "x");
        Assert.Equal((201, """{"reload_status":"OK"}"""), (reload.Status, reload.Body));
        Assert.Equal(2, _rig.Store.Count(Policy.Drop));
        Assert.Contains("\"tag\":\"list.couic\"", (await _rig.SendAsync("GET", "/v1/drop")).Body, StringComparison.Ordinal);

        Answer replaced = await _rig.SendAsync("PUT", "/v1/sets/drop/list", """{"name":"list","entries":[]}""");
        Assert.Equal((200, """{"name":"list","entries":[]}"""), (replaced.Status, replaced.Body));
        Answer deleted = await _rig.SendAsync("DELETE", "/v1/sets/drop/list");
        Assert.Equal((200, """{"deleted":true,"reload_required":true}"""), (deleted.Status, deleted.Body));
        Assert.Equal(2, _rig.Store.Count(Policy.Drop));
        await _rig.SendAsync("POST", "/v1/sets/reload");
        Assert.Equal(0, _rig.Store.Count(Policy.Drop));
        foreach (string event_ in new[] { "set_created", "set_updated", "set_deleted", "sets_reloaded" })
        {
            Assert.True(_rig.Log.Has(event_), event_);
        }
    }

    [Theory]
    [InlineData("""{"name":"a.b","entries":["x","10.0.0.0/8","y"]}""", 422, "invalid", "name=invalid entries[0]=invalid entries[2]=invalid")]
    [InlineData("""{"name":"a","entries":null}""", 400, "bad_request", "")]
    [InlineData("""{"name":"a","entries":[1]}""", 400, "bad_request", "")]
    [InlineData("""{"name":"a"}""", 400, "bad_request", "")]
    [InlineData("""{"entries":[]}""", 400, "bad_request", "")]
    [InlineData("""["a",[]]""", 400, "bad_request", "")]
    public async Task BadBodiesAreRefused(string body, int status, string code, string fields)
    {
        Answer answer = await _rig.SendAsync("POST", "/v1/sets/drop", body);
        Assert.Equal((status, (code, fields)), (answer.Status, answer.Error));
    }

    [Fact]
    public async Task DetailsOfAList_CompareTheFilesWithWhatIsInForce()
    {
        _rig.WriteSet(Policy.Drop, "same", "10.0.0.0/8\n");
        _rig.WriteSet(Policy.Drop, "edited", "10.1.0.0/16\n");
        _rig.WriteSet(Policy.Drop, "removed", "10.2.0.0/16\n");
        Answer reload = await _rig.SendAsync("POST", "/v1/sets/reload?details=true");
        Assert.Equal(
            (201, """{"reload_status":"OK","drop":{"added":3,"removed":0,"taken_over":0,"unchanged":0},"ignore":{"added":0,"removed":0,"taken_over":0,"unchanged":0}}"""),
            (reload.Status, reload.Body.Replace(""""ignore":{"added":0,"removed":0,"taken_over":0,"unchanged":0},"drop":{"added":3,"removed":0,"taken_over":0,"unchanged":0}"""", """"drop":{"added":3,"removed":0,"taken_over":0,"unchanged":0},"ignore":{"added":0,"removed":0,"taken_over":0,"unchanged":0}"""", StringComparison.Ordinal)));
        _rig.WriteSet(Policy.Drop, "edited", "10.1.0.0/17\n10.1.128.0/17\n");
        string folder = Path.GetDirectoryName(_rig.WriteSet(Policy.Drop, "added", "10.3.0.0/16\n"))!;
        _rig.WriteSet(Policy.Drop, "broken", "10.4.0.0/16\nnonsense\n");
        File.Delete(Path.Combine(folder, "removed.couic"));
        File.WriteAllText(Path.Combine(folder, "my list.couic"), "10.5.0.0/16\n");
        Answer list = await _rig.SendAsync("GET", "/v1/sets/drop?details=true");
        SetSummary[] sets = JsonSerializer.Deserialize(list.Body, WireJson.Default.SetSummaryArray)!;
        Assert.Equal(
            ["added new 1 0", "broken faulty 2 0", "edited changed 2 1", "same loaded 1 1", "removed gone 0 1", "my list.couic ignored 0 0"],
            sets.Select(set => $"{set.Name} {set.State} {set.EntryCount} {set.InForce}"));
        Assert.StartsWith("line 2: ", sets[1].Fault, StringComparison.Ordinal);
        Assert.Contains("ASCII letters", sets[5].Fault, StringComparison.Ordinal);
    }

    [Fact]
    public async Task NamesInPathAndBodyMustAgree()
    {
        await _rig.SendAsync("POST", "/v1/sets/drop", """{"name":"a","entries":[]}""");
        Answer answer = await _rig.SendAsync("PUT", "/v1/sets/drop/a", """{"name":"b","entries":[]}""");
        Assert.Equal((422, ("invalid", "name=invalid")), (answer.Status, answer.Error));
    }

    [Fact]
    public async Task UnknownSet_Is404_AndInvalidPath_Is400()
    {
        Assert.Equal(("not_found", string.Empty), (await _rig.SendAsync("GET", "/v1/sets/drop/a")).Error);
        Assert.Equal(("not_found", string.Empty), (await _rig.SendAsync("PUT", "/v1/sets/drop/a", """{"name":"a","entries":[]}""")).Error);
        Assert.Equal(("not_found", string.Empty), (await _rig.SendAsync("DELETE", "/v1/sets/drop/a")).Error);
        foreach (string method in new[] { "GET", "PUT", "DELETE" })
        {
            Answer answer = await _rig.SendAsync(method, "/v1/sets/x/a.b", method == "PUT" ? "{}" : null);
            Assert.Equal((400, ("bad_request", "policy=invalid name=invalid")), (answer.Status, answer.Error));
        }

        Assert.Equal(("bad_request", "policy=invalid"), (await _rig.SendAsync("GET", "/v1/sets/peer")).Error);
    }

    [Fact]
    public async Task BadFilesAreToldLineByLineAndStopAReload()
    {
        string path = _rig.WriteSet(Policy.Drop, "bad", "10.0.0.0/8\nnonsense\n# x\n10.0.0.1\n");
        Answer answer = await _rig.SendAsync("GET", "/v1/sets/drop/bad");
        Assert.Equal((422, ("invalid", "line 2=invalid line 4=invalid")), (answer.Status, answer.Error));
        Answer reload = await _rig.SendAsync("POST", "/v1/sets/reload");
        Assert.Equal((422, ("invalid", string.Empty)), (reload.Status, reload.Error));
        Assert.Contains("nonsense", reload.Json.GetProperty("message").GetString(), StringComparison.Ordinal);
        string status = (await _rig.SendAsync("GET", "/v1/status")).Body;
        Assert.DoesNotContain("nonsense", status, StringComparison.Ordinal);
        Assert.Contains("bad.couic:2: not an IPv4 or IPv6 address", status, StringComparison.Ordinal);
        Assert.Equal(0, _rig.Store.Count(Policy.Drop));

        File.SetUnixFileMode(path, (UnixFileMode)Convert.ToInt32("644", 8));
        Assert.Equal(("invalid", string.Empty), (await _rig.SendAsync("GET", "/v1/sets/drop/bad")).Error);
        Assert.Equal("""[{"name":"bad","entry_count":3,"file_size":33}]""", (await _rig.SendAsync("GET", "/v1/sets/drop")).Body);
        File.WriteAllBytes(path, [0xff]);
        File.SetUnixFileMode(path, (UnixFileMode)Convert.ToInt32("600", 8));
        Answer notText = await _rig.SendAsync("GET", "/v1/sets/drop/bad");
        Assert.Equal((500, ("internal", string.Empty)), (notText.Status, notText.Error));
    }

    [Fact]
    public async Task Create_FullTableOfIPv6Hosts_IsTakenAnsweredWholeAndReadBack()
    {
        string entries = string.Join(',', Enumerable.Range(0, 262_144).Select(i => $"\"2001:db8:1111:2222:3333:4444:{(i >> 16) + 1:x}:{i & 0xffff:x}/128\""));
        string body = $$"""{"name":"a","entries":[{{entries}}]}""";
        Answer made = await _rig.SendAsync("POST", "/v1/sets/drop", body);
        Assert.True(made.Status == 201 && made.Body == body);
        Answer read = await _rig.SendAsync("GET", "/v1/sets/drop/a");
        Assert.True(read.Status == 200 && read.Body == body);
        Assert.Equal(201, (await _rig.SendAsync("POST", "/v1/sets/reload")).Status);
        Assert.Equal(262_144, _rig.Store.Count(Policy.Drop));
    }

    [Fact]
    public async Task Create_MoreEntriesThanTheTableTakes_Is422AndNamesTheLimit()
    {
        string entries = string.Join(',', Enumerable.Repeat("\"::/0\"", 65_537));
        Answer answer = await _rig.SendAsync("POST", "/v1/sets/ignore", $$"""{"name":"a","entries":[{{entries}}]}""");
        Assert.Equal((422, ("invalid", "entries=invalid")), (answer.Status, answer.Error));
        Assert.Contains("more than 65536 networks of IPv6 ([limits] max_ignore_entries)", answer.Body, StringComparison.Ordinal);
    }

    [Fact]
    public async Task ASetOfTooMuchTextIs422()
    {
        string entries = string.Join(',', Enumerable.Repeat("\"1:2:3:4:5:6:7:8/128\"", 265_000));
        Answer answer = await _rig.SendAsync("POST", "/v1/sets/drop", $$"""{"name":"a","entries":[{{entries}}]}""");
        Assert.Equal((422, ("invalid", "entries=invalid")), (answer.Status, answer.Error));
    }
}
