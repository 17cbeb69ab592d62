using System.Net.Sockets;
using System.Text;
using Couic.Http.Parsing;
using Couic.Store;
using Couic.Tests.Api;
using Xunit;

namespace Couic.Tests.Http;

/// <summary>A request whose body has not ended has not arrived: nothing is done for it, and it gets one answer.</summary>
public sealed class IncompleteBodyTests : IDisposable
{
    private const string Entry = """{"cidr":"192.0.2.7/32","expiration":0}""";

    /// <summary>What each route that changes something would take, were it complete; bulk requests are worked off as they come.</summary>
    private static readonly Dictionary<string, string> Bodies = new()
    {
        ["Post /v1/{policy}"] = Entry,
        ["Delete /v1/{policy}/{ip}/{prefix}"] = "ignored",
        ["Delete /v1/{policy}/tag/{tag}"] = "ignored",
        ["Post /v1/client"] = """{"name":"web","group":"clientrw"}""",
        ["Delete /v1/client/{name}"] = "ignored",
        ["Post /v1/sets/{policy}"] = """{"name":"other","entries":["198.51.100.0/24"]}""",
        ["Put /v1/sets/{policy}/{name}"] = """{"name":"list","entries":["198.51.100.0/24"]}""",
        ["Delete /v1/sets/{policy}/{name}"] = "ignored",
        ["Post /v1/sets/reload"] = "ignored",
        ["Post /v1/reload"] = "ignored",
    };

    private readonly ApiRig _rig = new();

    public static TheoryData<string, bool> Cases()
    {
        var cases = new TheoryData<string, bool>();
        foreach (string route in Bodies.Keys)
        {
            cases.Add(route, true);
            cases.Add(route, false);
        }

        return cases;
    }

    public void Dispose() => _rig.Dispose();

    [Fact]
    public void Bodies_NameEveryRouteThatChangesSomething() => Assert.Equal(
        _rig.Router.Routes.SelectMany(route => route.Endpoints.Where(e => e.Verb != Verb.Get).Select(e => $"{e.Verb} {route.Pattern}"))
            .Where(name => !name.EndsWith("/bulk", StringComparison.Ordinal)).Order(StringComparer.Ordinal),
        Bodies.Keys.Order(StringComparer.Ordinal));

    [Theory]
    [MemberData(nameof(Cases))]
    public async Task Request_ThatBreaksOffInItsBody_ChangesNothingAndGetsOneAnswer(string route, bool chunked)
    {
        await PrepareAsync();
        string before = await StateAsync();
        (string head, string body) = Request(route, chunked);
        for (int length = 0; length < body.Length; length++)
        {
            using (RawClient gone = _rig.Connect())
            {
                await gone.SendAsync(head + body[..length]);
            }

            using RawClient client = _rig.Connect();
            await client.SendAsync(head + body[..length]);
            client.Socket.Shutdown(SocketShutdown.Send);
            Answer answer = await client.ReadAnswerAsync();
            Assert.Equal((400, "the body broke off"), (answer.Status, answer.Json.GetProperty("message").GetString()));
            Assert.True(await client.IsClosedAsync());
        }

        Assert.Equal(before, await StateAsync());
        using RawClient last = _rig.Connect();
        await last.SendAsync(head + body);
        Assert.InRange((await last.ReadAnswerAsync()).Status, 200, 204);
        Assert.NotEqual(before, await StateAsync());
    }

    [Theory]
    [InlineData("Post /v1/{policy}")]
    [InlineData("Delete /v1/{policy}/{ip}/{prefix}")]
    public async Task Request_WithARequestInPlaceOfTheEndOfItsBody_ChangesNothingAndGetsOneAnswer(string route)
    {
        await PrepareAsync();
        string before = await StateAsync();
        (string head, string body) = Request(route, chunked: true);
        using RawClient client = _rig.Connect();
        await client.SendAsync(head + body[..^2] + _rig.Request("GET", "/v1/drop"));
        Assert.Equal(400, (await client.ReadAnswerAsync()).Status);
        Assert.True(await client.IsClosedAsync());
        Assert.Equal(before, await StateAsync());
    }

    [Theory]
    [InlineData("\n")]
    [InlineData("A : b\r\n\r\n")]
    [InlineData("\r\n", "0\n")]
    [InlineData("\r\n", "0 \r\n")]
    [InlineData("\r\n", "1\r\n")]
    public async Task Request_WithAMalformedEndInOneReceipt_ChangesNothingAndGetsOneAnswer(string end, string last = "0\r\n")
    {
        await PrepareAsync();
        string before = await StateAsync();
        string head = Request("Post /v1/{policy}", chunked: true).Head;
        using RawClient client = _rig.Connect();
        await client.SendAsync($"{head}{Entry.Length:x}\r\n{Entry}\r\n{last}{end}{_rig.Request("GET", "/v1/drop")}");
        Assert.Equal(400, (await client.ReadAnswerAsync()).Status);
        Assert.True(await client.IsClosedAsync());
        Assert.Equal(before, await StateAsync());
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Deletion_WhoseBodyComesLater_IsDoneAtItsEndAndTheNextRequestIsServed(bool chunked)
    {
        await PrepareAsync();
        string before = await StateAsync();
        (string head, string body) = Request("Delete /v1/{policy}/{ip}/{prefix}", chunked);
        using RawClient client = _rig.Connect();
        await client.SendAsync(head + body[..3]);
        Assert.Equal(before, await StateAsync());
        await client.SendAsync(body[3..] + _rig.Request("GET", "/v1/drop"));
        Assert.Equal(204, (await client.ReadAnswerAsync()).Status);
        Assert.Equal((200, "[]"), ((await client.ReadAnswerAsync()) is var list ? (list.Status, list.Body) : default));
    }

    [Fact]
    public async Task Deletion_WithABodyBeyondTheLimit_IsRefusedAndChangesNothing()
    {
        await PrepareAsync();
        string before = await StateAsync();
        using RawClient client = _rig.Connect();
        string head = Request("Delete /v1/{policy}/{ip}/{prefix}", chunked: false).Head;
        int length = _rig.Services.Limits.MaxBodyBytes + 1;
        Task sending = client.SendAsync(head.Replace("Content-Length: 7", $"Content-Length: {length}", StringComparison.Ordinal) + new string('x', length));
        Assert.Equal(413, (await client.ReadAnswerAsync()).Status);
        await Task.WhenAny(sending);
        Assert.Equal(before, await StateAsync());
    }

    [Theory]
    [InlineData("application/json", "[{0}]")]
    [InlineData("application/x-ndjson", "{0}\n")]
    public async Task Bulk_ThatBreaksOffAfterItsLastItem_SaysWhatIsApplied(string type, string items)
    {
        string body = Chunked(items.Replace("{0}", Entry, StringComparison.Ordinal));
        for (int cut = 1; cut <= 5; cut++)
        {
            using RawClient client = _rig.Connect();
            await client.SendAsync(
                $"POST /v1/drop/bulk HTTP/1.1\r\n{_rig.Bearer()}Content-Type: {type}\r\nTransfer-Encoding: chunked\r\n\r\n{body[..^cut]}");
            client.Socket.Shutdown(SocketShutdown.Send);
            Answer answer = await client.ReadAnswerAsync();
            Assert.Equal(400, answer.Status);
            Assert.Contains("broke off; the 1 good items before it are applied", answer.Json.GetProperty("message").GetString(), StringComparison.Ordinal);
            Assert.True(await client.IsClosedAsync());
        }
    }

    private async Task PrepareAsync()
    {
        await _rig.SendAsync("POST", "/v1/drop", """{"cidr":"192.0.2.1/32","tag":"noise","expiration":0}""");
        await _rig.SendAsync("POST", "/v1/client", """{"name":"nobody","group":"clientro"}""");
        _rig.WriteSet(Policy.Drop, "list", "203.0.113.0/24\n");
    }

    /// <summary>All that a request might change, reloads included.</summary>
    private async Task<string> StateAsync()
    {
        var state = new StringBuilder();
        foreach (string target in new[] { "/v1/drop", "/v1/client", "/v1/sets/drop", "/v1/sets/drop/list" })
        {
            state.Append((await _rig.SendAsync("GET", target)).Body).Append('\n');
        }

        return state.Append(_rig.Reloads).ToString();
    }

    private static string Chunked(string content) => $"5\r\n{content[..5]}\r\n{content.Length - 5:X};a=\"b\"\r\n{content[5..]}\r\n0\r\nX-Trailer: 1\r\n\r\n";

    private (string Head, string Body) Request(string route, bool chunked)
    {
        string[] words = route.Split(' ');
        string target = words[1]
            .Replace("{policy}", "drop", StringComparison.Ordinal).Replace("{ip}", "192.0.2.1", StringComparison.Ordinal)
            .Replace("{prefix}", "32", StringComparison.Ordinal).Replace("{tag}", "noise", StringComparison.Ordinal)
            .Replace("{name}", words[1].Contains("sets", StringComparison.Ordinal) ? "list" : "nobody", StringComparison.Ordinal);
        string content = Bodies[route];
        string framing = chunked ? "Transfer-Encoding: chunked" : $"Content-Length: {content.Length}";
        return ($"{words[0].ToUpperInvariant()} {target} HTTP/1.1\r\n{_rig.Bearer()}Content-Type: application/json\r\n{framing}\r\n\r\n",
            chunked ? Chunked(content) : content);
    }
}
