using System.Text.RegularExpressions;
using Couic.Api.Access;
using Couic.Api.Endpoints;
using Xunit;
using Group = Couic.Api.Access.Group;

namespace Couic.Tests.Api.Endpoints;

/// <summary>The files of the page, as they are served. What the page does is tested in a browser (tests/browser).</summary>
public sealed partial class PageTests : IDisposable
{
    private readonly ApiRig _rig = new(more: PageEndpoint.Register);

    public void Dispose() => _rig.Dispose();

    [Fact]
    public async Task EachFile_NeedsNoToken_AndHasItsTypeItsTagAndItsPolicy()
    {
        int bytes = 0;
        foreach ((string path, string type) in new Dictionary<string, string>
        {
            ["/"] = "text/html; charset=utf-8",
            ["/app.css"] = "text/css; charset=utf-8",
            ["/app.js"] = "text/javascript; charset=utf-8",
            ["/icon.svg"] = "image/svg+xml",
        }.Concat((await ModulesAsync()).Select(path => KeyValuePair.Create(path, "text/javascript; charset=utf-8"))))
        {
            Answer answer = await _rig.SendAsync("GET", path, group: null);
            Assert.Equal((200, type), (answer.Status, answer["content-type"]));
            Assert.Equal("nosniff", answer["x-content-type-options"]);
            Assert.Equal("no-referrer", answer["referrer-policy"]);
            Assert.StartsWith("default-src 'none'; script-src 'self'; style-src 'self'; ", answer["content-security-policy"], StringComparison.Ordinal);
            Assert.Contains("frame-ancestors 'none'", answer["content-security-policy"], StringComparison.Ordinal);
            Assert.DoesNotContain("unsafe", answer["content-security-policy"], StringComparison.Ordinal);
            bytes += answer.ContentLength;
        }

        Assert.InRange(bytes, 1, 150_000);
    }

    [Fact]
    public async Task AKnownTag_Is304_WithoutABody()
    {
        string tag = (await _rig.SendAsync("GET", "/app.js", group: null))["etag"]!;
        using RawClient client = _rig.Connect();
        await client.SendAsync($"GET /app.js HTTP/1.1\r\nIf-None-Match: {tag}\r\n\r\nGET /app.css HTTP/1.1\r\nIf-None-Match: {tag}\r\n\r\n");
        var known = new Answer(await HeadAsync(client));
        Assert.Equal((304, tag, null), (known.Status, known["etag"], known["content-length"]));
        Assert.Equal(200, (await client.ReadAnswerAsync()).Status);
    }

    [Fact]
    public async Task OnlyItsOwnFilesAreNamed_AndNothingIsInline()
    {
        string html = (await _rig.SendAsync("GET", "/", group: null)).Body;
        Assert.DoesNotMatch("(?i)<style|style=|<script(?![^>]*src=\"/)|\\son[a-z]+=|https?:", html);
        foreach (string path in await ModulesAsync())
        {
            string code = (await _rig.SendAsync("GET", path, group: null)).Body;
            Assert.DoesNotMatch("innerHTML|outerHTML|insertAdjacentHTML|document\\.write|localStorage|sessionStorage|document\\.cookie|indexedDB|eval\\(|https?:", code);
        }
    }

    [Fact]
    public async Task ThePageIsToldWhatItsAccountMayDo()
    {
        async Task<string> MayAsync(Group group) =>
            string.Join(' ', (await _rig.SendAsync("GET", "/v1/status", group: group)).Json.GetProperty("client").GetProperty("may").EnumerateArray().Select(one => one.GetString()));
        Assert.Equal("entries_read entries_write sets_read sets_write stats clients events peer_write", await MayAsync(Group.Admin));
        Assert.Equal("entries_read sets_read events", await MayAsync(Group.ClientRo));
        Assert.Equal("peer_write", await MayAsync(Group.Peering));
    }

    /// <summary>The modules that the page loads, directly or through others.</summary>
    private async Task<IReadOnlyList<string>> ModulesAsync()
    {
        var found = new List<string> { "/app.js" };
        for (int i = 0; i < found.Count; i++)
        {
            string code = (await _rig.SendAsync("GET", found[i], group: null)).Body;
            found.AddRange(Import().Matches(code).Select(match => "/" + match.Groups[1].Value).Except(found).ToList());
        }

        Assert.Equal(6, found.Count);
        return found;
    }

    private static async Task<string> HeadAsync(RawClient client)
    {
        var head = new System.Text.StringBuilder();
        var one = new byte[1];
        while (!head.ToString().EndsWith("\r\n\r\n", StringComparison.Ordinal))
        {
            Assert.Equal(1, await client.Socket.ReceiveAsync(one));
            head.Append((char)one[0]);
        }

        return head.ToString()[..^4];
    }

    [GeneratedRegex("from '\\./([a-z]+\\.js)'")]
    private static partial Regex Import();
}
