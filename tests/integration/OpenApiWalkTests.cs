using System.Globalization;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using Couic.IntegrationTests.Harness;
using Couic.Tests.Api;
using Xunit;

namespace Couic.IntegrationTests;

/// <summary>
/// The OpenAPI document against the running server: every operation is made to answer with every status that the document
/// gives it, and every answer has the content type and the schema that it says. Only what is below the API (405, 408 and the
/// like) is the server's own and not in the document.
/// </summary>
public sealed class OpenApiWalkTests : IDisposable
{
    private const string Json = "application/json";
    private const string Entry = """{"cidr":"198.51.100.0/24","tag":"t","expiration":0}""";
    private const string Job = """[{"action":"add","entry":{"cidr":"192.0.2.0/24","tag":null,"expiration":0}}]""";
    private const string Set = """{"name":"list","entries":["203.0.113.0/24"]}""";

    private static readonly string TooLarge = "{\"x\":\"" + new string('x', 70_000) + "\"}";

    private readonly Cluster _cluster = new(2, "[limits]\nmax_body_bytes = 65536\n");
    private readonly Daemon _daemon;
    private readonly JsonElement _document;
    private readonly SortedSet<string> _seen = new(StringComparer.Ordinal);
    private readonly List<Action> _undo = [];

    public OpenApiWalkTests()
    {
        _daemon = _cluster[0]!;
        _document = _daemon.Api.Get("/v1/openapi.json").Expect(200).Json;
    }

    [Fact]
    public void EveryOperationAnswersWithEveryStatusAsTheDocumentSays()
    {
        WalkEntries();
        WalkPeers();
        WalkBus();
        WalkSets();
        WalkStatistics();
        WalkClients();
        WalkRails();
        WalkOperation();
        WalkHistory();
        WalkEvents();
        WalkWithoutToken();
        WalkFoldersThatAreClosed();
        WalkTablesThatAreFrozen();
        Assert.Equal(Documented().Order(StringComparer.Ordinal), _seen);
    }

    public void Dispose()
    {
        _undo.ForEach(undo => undo());
        _cluster.Dispose();
    }

    private void WalkEntries()
    {
        Ask("post /v1/{policy}", 201, "/v1/drop", Entry);
        Ask("post /v1/{policy}", 200, "/v1/drop?on_conflict=update", Entry.Replace("\"t\"", "null", StringComparison.Ordinal));
        Ask("post /v1/{policy}", 409, "/v1/drop", Entry);
        Ask("post /v1/{policy}", 400, "/v1/nonsense", Entry);
        Ask("post /v1/{policy}", 413, "/v1/drop", TooLarge);
        Ask("post /v1/{policy}", 422, "/v1/drop", """{"cidr":"nonsense","tag":"no.dots","expiration":1}""");
        Ask("get /v1/{policy}", 200, "/v1/drop");
        Ask("get /v1/{policy}", 400, "/v1/nonsense");
        Ask("get /v1/{policy}/{ip}/{prefix}", 200, "/v1/drop/198.51.100.7/24");
        Ask("get /v1/{policy}/{ip}/{prefix}", 400, "/v1/nonsense/1.2.3/33");
        Ask("get /v1/{policy}/{ip}/{prefix}", 404, "/v1/drop/198.51.100.0/25");
        string later = Entry.Replace("\"t\"", "\"other\"", StringComparison.Ordinal);
        _daemon.Api.Post("/v1/drop?on_conflict=update", Entry.Replace(":0}", ":4000000000}", StringComparison.Ordinal)).Expect(200);
        Ask("post /v1/{policy}", 200, "/v1/drop?on_conflict=extend", later);
        Ask("delete /v1/{policy}/{ip}/{prefix}", 409, "/v1/drop/198.51.100.0/24?tag=nobody");
        Ask("delete /v1/{policy}/{ip}/{prefix}", 200, "/v1/drop/198.51.100.0/24?tag=other");
        Ask("delete /v1/{policy}/tag/{tag}", 200, "/v1/drop/tag/nobody");
        Ask("delete /v1/{policy}/tag/{tag}", 400, "/v1/drop/tag/no.dots");
        Ask("delete /v1/{policy}/{ip}/{prefix}", 204, "/v1/drop/198.51.100.0/24");
        Ask("delete /v1/{policy}/{ip}/{prefix}", 404, "/v1/drop/198.51.100.0/24");
        Ask("delete /v1/{policy}/{ip}/{prefix}", 400, "/v1/drop/nonsense/24");
        Ask("post /v1/{policy}/bulk", 200, "/v1/drop/bulk", $"[{Entry},1]");
        Ask("post /v1/{policy}/bulk", 400, "/v1/drop/bulk", "[");
    }

    private void WalkPeers()
    {
        string other = _cluster.AddressOf(1);
        Ask("post /v1/{policy}/peer", 201, "/v1/drop/peer", Job);
        Check("post /v1/{policy}/peer", 204, _daemon.Api.Exchange(
            _daemon.Api.Text("POST", "/v1/drop/peer", Job).Replace("\r\n\r\n", "\r\nPrefer: return=minimal\r\n\r\n", StringComparison.Ordinal)));
        Ask("post /v1/{policy}/peer", 400, "/v1/drop/peer", "[");
        Ask("post /v1/{policy}/peer", 413, "/v1/drop/peer", TooLarge);
        Ask("post /v1/{policy}/peer", 415, "/v1/drop/peer", Job, "text/plain");
        Ask("post /v1/{policy}/peer", 422, "/v1/drop/peer", "{}");
        Check("post /v1/{policy}/peer/sync", 200, _daemon.Api.Post("/v1/drop/peer/sync", "\u0001\u0001" + new string('\0', 64), "application/octet-stream"));
        Ask("post /v1/{policy}/peer/sync", 400, "/v1/drop/peer/sync", "x", "application/octet-stream");
        Ask("post /v1/{policy}/peer/sync", 404, "/v1/ignore/peer/sync", "x", "application/octet-stream");
        Ask("post /v1/{policy}/peer/sync", 413, "/v1/drop/peer/sync", TooLarge, "application/octet-stream");

        // A node that refused at first, or looked like one that cannot compare, is asked again half a minute later.
        Eventually.Holds(() => _daemon.Api.Get("/v1/peers").Json[0].GetProperty("in_sync").ValueKind == JsonValueKind.True, "the nodes agree", 75);
        Ask("get /v1/peers", 200, "/v1/peers");
        Eventually.Holds(() => _daemon.Api.Get($"/v1/peers/{other}/diff").Status == 200, "the other has greeted");
        Ask("get /v1/peers/{host}/diff", 200, $"/v1/peers/{other}/diff");
        Ask("get /v1/peers/{host}/diff", 404, "/v1/peers/nobody/diff");
        _cluster.Kill(1);
        Ask("get /v1/peers/{host}/diff", 409, $"/v1/peers/{other}/diff");
    }

    private void WalkBus()
    {
        Ask("get /v1/bus", 404, "/v1/bus");
        string good = File.ReadAllText(_daemon.Config);
        File.AppendAllText(_daemon.Config, "\n[bus]\nenabled = true\nservers = [\"nats://127.0.0.1:1\"]\n");
        _daemon.Api.Post("/v1/reload", "").Expect(200);
        Ask("get /v1/bus", 200, "/v1/bus");
        File.WriteAllText(_daemon.Config, good);
        _daemon.Api.Post("/v1/reload", "").Expect(200);
        Assert.Equal(404, _daemon.Api.Get("/v1/bus").Status);
    }

    private void WalkSets()
    {
        Ask("post /v1/sets/{policy}", 201, "/v1/sets/drop", Set);
        Ask("post /v1/sets/{policy}", 409, "/v1/sets/drop", Set);
        Ask("post /v1/sets/{policy}", 400, "/v1/sets/drop", "{}");
        Ask("post /v1/sets/{policy}", 413, "/v1/sets/drop", TooLarge);
        Ask("post /v1/sets/{policy}", 422, "/v1/sets/drop", """{"name":"no.dots","entries":["nonsense"]}""");
        Ask("get /v1/sets/{policy}", 200, "/v1/sets/drop");
        Ask("get /v1/sets/{policy}", 400, "/v1/sets/nonsense");
        Ask("get /v1/sets/{policy}/{name}", 200, "/v1/sets/drop/list");
        Ask("get /v1/sets/{policy}/{name}", 400, "/v1/sets/drop/no.dots");
        Ask("get /v1/sets/{policy}/{name}", 404, "/v1/sets/drop/nobody");
        Ask("put /v1/sets/{policy}/{name}", 200, "/v1/sets/drop/list", Set);
        Ask("put /v1/sets/{policy}/{name}", 400, "/v1/sets/drop/list", "[]");
        Ask("put /v1/sets/{policy}/{name}", 404, "/v1/sets/drop/nobody", Set.Replace("list", "nobody", StringComparison.Ordinal));
        Ask("put /v1/sets/{policy}/{name}", 413, "/v1/sets/drop/list", TooLarge);
        Ask("put /v1/sets/{policy}/{name}", 422, "/v1/sets/drop/list", Set.Replace("list", "other", StringComparison.Ordinal));
        Ask("post /v1/sets/reload", 201, "/v1/sets/reload", "");
        Ask("delete /v1/{policy}/{ip}/{prefix}", 422, "/v1/drop/203.0.113.0/24");

        WriteSet("bad", "nonsense\n"u8.ToArray());
        Ask("get /v1/sets/{policy}/{name}", 422, "/v1/sets/drop/bad");
        Ask("post /v1/sets/reload", 422, "/v1/sets/reload", "");
        WriteSet("bad", [0xff, 0xfe]);
        Ask("get /v1/sets/{policy}/{name}", 500, "/v1/sets/drop/bad");
        Ask("delete /v1/sets/{policy}/{name}", 200, "/v1/sets/drop/bad");
        Ask("delete /v1/sets/{policy}/{name}", 404, "/v1/sets/drop/bad");
        Ask("delete /v1/sets/{policy}/{name}", 400, "/v1/sets/drop/no.dots");

        // The set that protects a peer from a drop.
        string peer = _cluster.AddressOf(1);
        Ask("post /v1/sets/{policy}", 201, "/v1/sets/ignore", Set.Replace("203.0.113.0/24", $"{peer}/32", StringComparison.Ordinal));
        Ask("post /v1/sets/reload", 201, "/v1/sets/reload", "");
        Ask("post /v1/{policy}", 201, "/v1/drop", $$"""{"cidr":"{{peer}}/32","expiration":0}""");
        Ask("delete /v1/sets/{policy}/{name}", 422, "/v1/sets/ignore/list?guard=refuse");
        Ask("delete /v1/sets/{policy}/{name}", 200, "/v1/sets/ignore/list");
        Ask("post /v1/sets/reload", 201, "/v1/sets/reload?force=true", "");
        Ask("post /v1/{policy}", 201, "/v1/ignore", $$"""{"cidr":"{{peer}}/32","tag":"t","expiration":0}""");
        Ask("delete /v1/{policy}/tag/{tag}", 422, "/v1/ignore/tag/t?guard=refuse");
        Ask("delete /v1/{policy}/{ip}/{prefix}", 204, $"/v1/drop/{peer}/32");
        Ask("delete /v1/{policy}/tag/{tag}", 200, "/v1/ignore/tag/t");
    }

    private void WalkStatistics()
    {
        Ask("get /v1/stats", 200, "/v1/stats");
        Ask("get /v1/stats/tags/{policy}", 200, "/v1/stats/tags/drop");
        Ask("get /v1/stats/tags/{policy}", 400, "/v1/stats/tags/nonsense");
        Ask("get /v1/metrics", 200, "/v1/metrics");
        Ask("get /v1/metrics", 200, "/v1/metrics?format=prometheus");
        Ask("get /v1/metrics", 400, "/v1/metrics?format=json&format=json");
    }

    private void WalkClients()
    {
        Ask("post /v1/client", 201, "/v1/client", """{"name":"walker","group":"clientro"}""");
        Ask("post /v1/client", 400, "/v1/client", "{}");
        Ask("post /v1/client", 413, "/v1/client", TooLarge);
        Ask("post /v1/client", 422, "/v1/client", """{"name":"walker","group":"nobody"}""");
        Ask("get /v1/client", 200, "/v1/client");
        Ask("get /v1/client/{name}", 200, "/v1/client/walker");
        Ask("get /v1/client/{name}", 400, "/v1/client/no.dots");
        Ask("get /v1/client/{name}", 404, "/v1/client/nobody");
        Ask("delete /v1/client/{name}", 204, "/v1/client/walker");
        Ask("delete /v1/client/{name}", 400, "/v1/client/no.dots");
        Ask("delete /v1/client/{name}", 404, "/v1/client/walker");
        Ask("delete /v1/client/{name}", 422, "/v1/client/couicctl");
    }

    /// <summary>A client whose rate is used up for a day, and one that may give no tag of others.</summary>
    private void WalkRails()
    {
        ApiClient slow = Create("slow", "clientrw", """{"rate":1,"tags":["mine"]}""");

        AskAs(slow, "post /v1/{policy}/bulk", 422, "/v1/drop/bulk?action=remove&tag=other", "[]", isLimited: false);
        AskAs(slow, "post /v1/{policy}", 429, "/v1/drop", Entry);
        AskAs(slow, "post /v1/{policy}/bulk", 429, "/v1/drop/bulk", "[]");
        AskAs(slow, "delete /v1/{policy}/{ip}/{prefix}", 429, "/v1/drop/192.0.2.1/32");
        AskAs(slow, "delete /v1/{policy}/tag/{tag}", 429, "/v1/drop/tag/mine");
        AskAs(slow, "post /v1/sets/{policy}", 429, "/v1/sets/drop", """{"name":"mine","entries":[]}""");
        AskAs(slow, "put /v1/sets/{policy}/{name}", 429, "/v1/sets/drop/mine", """{"name":"mine","entries":[]}""");
        AskAs(slow, "delete /v1/sets/{policy}/{name}", 429, "/v1/sets/drop/mine");
        AskAs(slow, "post /v1/sets/reload", 429, "/v1/sets/reload", "");
        AskAs(Create("peer", "peering", """{"rate":1}"""), "post /v1/{policy}/peer", 429, "/v1/drop/peer", Job);
    }

    private ApiClient Create(string name, string group, string rails)
    {
        Ask("post /v1/client", 201, "/v1/client", $$"""{"name":"{{name}}","group":"{{group}}","rails":{{rails}}}""");
        return _daemon.As(_daemon.TokenOf(name));
    }

    /// <param name="isLimited">Whether the rate must be used up first, which other requests may have done.</param>
    private void AskAs(ApiClient client, string operation, int status, string target, string? body = null, bool isLimited = true)
    {
        Answer answer = client.Request(operation.Split(' ')[0].ToUpperInvariant(), target, body, Json);
        for (int i = 0; i < 20 && (answer.Status == 429) != isLimited; i++)
        {
            Thread.Sleep(isLimited ? 0 : 200);
            answer = client.Request(operation.Split(' ')[0].ToUpperInvariant(), target, body, Json);
        }

        Check(operation, status, answer);
    }

    private void WalkHistory()
    {
        Ask("get /v1/history", 409, "/v1/history");
        string good = File.ReadAllText(_daemon.Config), folder = Path.Combine(_daemon.WorkingFolder, "logs");
        Directory.CreateDirectory(folder);
        Owner.Nobody.Take(folder);
        File.WriteAllText(_daemon.Config, good.Replace("dir = \"-\"", $"dir = \"{folder}\"", StringComparison.Ordinal));
        _daemon.Api.Post("/v1/reload", "").Expect(200);
        Ask("get /v1/history", 200, "/v1/history");
        Ask("get /v1/history", 400, "/v1/history?limit=none");
        Close(folder);
        Ask("get /v1/history", 500, "/v1/history");
        File.WriteAllText(_daemon.Config, good);
        _daemon.Api.Post("/v1/reload", "").Expect(200);
    }

    private void WalkOperation()
    {
        Ask("get /v1/status", 200, "/v1/status");
        Ask("get /v1/openapi.json", 200, "/v1/openapi.json");
        Ask("post /v1/reload", 200, "/v1/reload", "");
        string good = File.ReadAllText(_daemon.Config);
        File.WriteAllText(_daemon.Config, "nonsense");
        Ask("post /v1/reload", 422, "/v1/reload", "");
        File.WriteAllText(_daemon.Config, good);
        Ask("get /v1/status", 200, "/v1/status"); // with a reload that failed
    }

    private void WalkEvents()
    {
        Ask("get /v1/events", 400, "/v1/events?type=nonsense");
        var listeners = new List<Socket>();
        _undo.Add(() => listeners.ForEach(listener => listener.Dispose()));
        byte[] request = Encoding.ASCII.GetBytes(_daemon.Api.Text("GET", "/v1/events"));
        for (int i = 0; i < 128; i++)
        {
            var listener = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            listeners.Add(listener);
            listener.Connect(new UnixDomainSocketEndPoint(_daemon.Socket));
            listener.Send(request);
            listener.Receive(new byte[1]); // it is admitted
        }

        Ask("get /v1/events", 409, "/v1/events");
        listeners[0].Dispose();
        Answer answer = _daemon.Api.Get("/v1/events");
        Eventually.Holds(() => (answer = _daemon.Api.Get("/v1/events")).Status == 200, "a listener has left");
        Check("get /v1/events", 200, answer);
    }

    private void WalkWithoutToken()
    {
        using ApiClient nobody = _daemon.As(null);
        foreach (string operation in Documented().Where(o => o.EndsWith(" 401", StringComparison.Ordinal)).Select(o => o[..^4]))
        {
            string[] words = operation.Split(' ');
            Check(operation, 401, nobody.Request(words[0].ToUpperInvariant(), words[1].Replace("{policy}", "drop", StringComparison.Ordinal)));
        }
    }

    private void WalkFoldersThatAreClosed()
    {
        Close(Path.Combine(_daemon.WorkingFolder, "sets", "drop"));
        Ask("get /v1/sets/{policy}", 500, "/v1/sets/drop");
        Ask("post /v1/sets/{policy}", 500, "/v1/sets/drop", Set.Replace("list", "other", StringComparison.Ordinal));
        Ask("put /v1/sets/{policy}/{name}", 500, "/v1/sets/drop/list", Set);
        Ask("delete /v1/sets/{policy}/{name}", 500, "/v1/sets/drop/list");
        Ask("post /v1/sets/reload", 500, "/v1/sets/reload", "");
        _daemon.Api.Post("/v1/client", """{"name":"stays","group":"clientro"}""").Expect(201);
        Close(Path.Combine(_daemon.WorkingFolder, "rbac", "clients"));
        Ask("post /v1/client", 500, "/v1/client", """{"name":"other","group":"clientro"}""");
        Ask("delete /v1/client/{name}", 500, "/v1/client/stays");
    }

    /// <summary>A frozen map takes no change any more: the kernel refuses what the daemon asks of it.</summary>
    private void WalkTablesThatAreFrozen()
    {
        foreach (int id in KernelTables.Ids(_daemon, "couic_ipv4_drop"))
        {
            Shell.Check(null, "bpftool", "map", "freeze", "id", id.ToString(CultureInfo.InvariantCulture));
        }

        Ask("post /v1/{policy}", 500, "/v1/drop", Entry.Replace("/24", "/25", StringComparison.Ordinal));
        Assert.Contains("\\\"couic_ipv4_drop\\\"", _daemon.Api.Post("/v1/drop", ApiClient.EntryBody("198.51.100.0/26")).Expect(500).Body, StringComparison.Ordinal);
        Ask("delete /v1/{policy}/{ip}/{prefix}", 500, "/v1/drop/198.51.100.0/24");
        Ask("delete /v1/{policy}/tag/{tag}", 500, "/v1/drop/tag/t");
    }

    private void Ask(string operation, int status, string target, string? body = null, string type = Json) =>
        Check(operation, status, _daemon.Api.Request(operation.Split(' ')[0].ToUpperInvariant(), target, body, type));

    private void Check(string operation, int status, Answer answer)
    {
        string place = $"{operation} {status}: {answer.Status} {answer.Body}";
        Assert.True(answer.Status == status, place);
        string[] words = operation.Split(' ');
        JsonElement promised = _document.GetProperty("paths").GetProperty(words[1]).GetProperty(words[0]).GetProperty("responses");
        Assert.True(promised.TryGetProperty($"{status}", out JsonElement response), place);
        response = JsonSchema.Resolve(_document, response);
        if (response.TryGetProperty("content", out JsonElement content))
        {
            string type = answer.Headers["content-type"];
            Assert.True(content.TryGetProperty(type, out JsonElement form), $"{place}: {type}");
            Assert.True(type != Json || JsonSchema.IsValid(_document, answer.Json, form.GetProperty("schema")), place);
        }
        else
        {
            Assert.True(answer.Body.Length == 0, place);
        }

        _seen.Add($"{operation} {status}");
    }

    private IEnumerable<string> Documented() =>
        from path in _document.GetProperty("paths").EnumerateObject()
        from method in path.Value.EnumerateObject()
        from response in method.Value.GetProperty("responses").EnumerateObject()
        select $"{method.Name} {path.Name} {response.Name}";

    private string SetFile(string name) => Path.Combine(_daemon.WorkingFolder, "sets", "drop", name + ".couic");

    private void WriteSet(string name, byte[] text)
    {
        File.WriteAllBytes(SetFile(name), text);
        File.SetUnixFileMode(SetFile(name), UnixFileMode.UserRead | UnixFileMode.UserWrite);
        Owner.Nobody.Take(SetFile(name));
    }

    private void Close(string folder)
    {
        UnixFileMode mode = File.GetUnixFileMode(folder);
        _undo.Add(() => File.SetUnixFileMode(folder, mode));
        File.SetUnixFileMode(folder, UnixFileMode.None);
    }
}
