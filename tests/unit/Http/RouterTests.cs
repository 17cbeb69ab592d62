using System.Text;
using Couic.Api;
using Couic.Http;
using Couic.Http.Parsing;
using Xunit;

namespace Couic.Tests.Http;

public sealed class RouterTests
{
    private static readonly Router Router = Build(
        "/v1/{policy}", "/v1/{policy}/{ip}/{prefix}", "/v1/{policy}/peer", "/v1/{policy}/bulk", "/v1/sets/{policy}", "/v1/sets/{policy}/{name}",
        "/v1/sets/reload", "/v1/stats", "/v1/stats/tags/{policy}", "/v1/metrics", "/v1/client", "/v1/client/{name}", "/v1/peers");

    [Theory]
    [InlineData("/v1/drop", "/v1/{policy} drop")]
    [InlineData("/v1/DROP", "/v1/{policy} DROP")]
    [InlineData("/v1/sets", "/v1/{policy} sets")]
    [InlineData("/v1/clients", "/v1/{policy} clients")]
    [InlineData("/v1/drop/1.2.3.4/32", "/v1/{policy}/{ip}/{prefix} drop 1.2.3.4 32")]
    [InlineData("/v1/stats/x/y", "/v1/{policy}/{ip}/{prefix} stats x y")]
    [InlineData("/v1/stats/tags/drop", "/v1/stats/tags/{policy} drop")]
    [InlineData("/v1/sets/reload", "/v1/sets/reload")]
    [InlineData("/v1/sets/peer", "/v1/sets/{policy} peer")]
    [InlineData("/v1/sets/drop/reload", "/v1/sets/{policy}/{name} drop reload")]
    [InlineData("/v1/client/peer", "/v1/client/{name} peer")]
    [InlineData("/v1/stats/peer", "/v1/{policy}/peer stats")]
    [InlineData("/v1/drop/peer", "/v1/{policy}/peer drop")]
    [InlineData("/v1/drop/bulk/32", "/v1/{policy}/{ip}/{prefix} drop bulk 32")]
    [InlineData("/v1/client/a/b", "/v1/{policy}/{ip}/{prefix} client a b")]
    [InlineData("/v1/sets/drop/a%2Fb", "/v1/sets/{policy}/{name} drop a%2Fb")]
    [InlineData("/", null)]
    [InlineData("", null)]
    [InlineData("/v1", null)]
    [InlineData("/v1/", null)]
    [InlineData("/V1/drop", null)]
    [InlineData("/%761/drop", null)]
    [InlineData("/v1/drop/", null)]
    [InlineData("//v1/drop", null)]
    [InlineData("/v1//drop", null)]
    [InlineData("/v1/drop/1.2.3.4", null)]
    [InlineData("/v1/drop/1.2.3.4%2F32", null)]
    [InlineData("/v1/drop/1.2.3.4/32/", null)]
    [InlineData("/v1/drop/1.2.3.4/32/x", null)]
    [InlineData("/v1/drop//32", null)]
    [InlineData("/v1/stats/tags", null)]
    [InlineData("/v1/stats/x", null)]
    [InlineData("/v1/sets/", null)]
    [InlineData("/v2/drop", null)]
    [InlineData("/v1/drop/peer/", null)]
    public void PathsMatchAsTheContractSays(string path, string? expected)
    {
        byte[] bytes = Encoding.ASCII.GetBytes(path);
        var places = new Slice[Router.MaxParameters];
        Route? route = Router.Match(bytes, places, out int count);
        string? found = route is null
            ? null
            : string.Join(' ', [route.Pattern, .. places.Take(count).Select(p => Encoding.ASCII.GetString(p.Of(bytes)))]);
        Assert.Equal(expected, found);
    }

    [Fact]
    public void AllowListsTheMethodsInOneOrder()
    {
        var router = new Router();
        foreach (Verb verb in new[] { Verb.Delete, Verb.Put, Verb.Get })
        {
            router.Map(verb, "/a", _ => default);
        }

        Assert.Equal("GET,HEAD,PUT,DELETE", Encoding.ASCII.GetString(router.Routes[0].Allow));
        Assert.Same(router.Routes[0].Find(Verb.Get), router.Routes[0].Find(Verb.Head));
        Assert.Null(router.Routes[0].Find(Verb.Post));
        Assert.Throws<ArgumentException>(() => router.Map(Verb.Get, "/a", _ => default));
    }

    [Theory]
    [InlineData("a%2Fb", "a/b")]
    [InlineData("%zz%4", "%zz%4")]
    [InlineData("%", "%")]
    [InlineData("%%41", "%A")]
    [InlineData("a+b", "a+b")]
    [InlineData("%c3%A9", "é")]
    public void EscapesDecodeOnceAndMalformedOnesStay(string text, string expected)
    {
        var room = new byte[text.Length];
        int length = Percent.Decode(Encoding.ASCII.GetBytes(text), room);
        Assert.Equal(expected, Encoding.UTF8.GetString(room, 0, length));
    }

    [Theory]
    [InlineData("format=prometheus", 1, "prometheus")]
    [InlineData("x&form%61t=prom%65theus&format=b", 2, "prometheus")]
    [InlineData("format", 1, "")]
    [InlineData("Format=x", 0, "")]
    [InlineData("format=a+b%2B", 1, "a+b+")]
    [InlineData("", 0, "")]
    public void QueriesAreSearchedDecoded(string text, int count, string value)
    {
        Assert.Equal(count, new Query(Encoding.ASCII.GetBytes(text)).Find("format"u8, out string found));
        Assert.Equal(value, found);
    }

    [Theory]
    [InlineData("application/json", true)]
    [InlineData("APPLICATION/JSON", true)]
    [InlineData("application/json;", true)]
    [InlineData("application/json; charset=utf-8", true)]
    [InlineData("application/json;charset=\"x y\" ; a=b", true)]
    [InlineData("application/problem+json", true)]
    [InlineData("application/vnd.x+JSON; a=b", true)]
    [InlineData("", false)]
    [InlineData("text/json", false)]
    [InlineData("*/*", false)]
    [InlineData("application", false)]
    [InlineData("application/", false)]
    [InlineData("application/jsonx", false)]
    [InlineData("application/+json", false)]
    [InlineData("application/json, text/plain", false)]
    [InlineData("application/json; a=b; charset", false)]
    [InlineData("application/json; charset", false)]
    [InlineData("application/json; =b", false)]
    [InlineData("application/json; a=", false)]
    [InlineData("application/json; a=\"b", false)]
    [InlineData("application /json", false)]
    [InlineData("application/json charset=utf-8", false)]
    public void OnlyJsonTypesPass(string type, bool expected) => Assert.Equal(expected, MediaType.IsJson(Encoding.ASCII.GetBytes(type)));

    [Theory]
    [InlineData("scan", "scan", true)]
    [InlineData("scan", "scanner", false)]
    [InlineData("scan*", "scanner", true)]
    [InlineData("*ner", "scanner", true)]
    [InlineData("*can*", "scanner", true)]
    [InlineData("*", "", true)]
    [InlineData("**", "x", true)]
    [InlineData("", "", true)]
    [InlineData("", "x", false)]
    [InlineData("s*n", "scan", false)]
    public void TagPatternsMatchAtTheEnds(string pattern, string tag, bool expected) =>
        Assert.Equal(expected, new TagPattern(pattern).Matches(Encoding.ASCII.GetBytes(tag)));

    private static Router Build(params string[] patterns)
    {
        var router = new Router();
        foreach (string pattern in patterns)
        {
            router.Map(pattern.EndsWith("peer", StringComparison.Ordinal) ? Verb.Post : Verb.Get, pattern, _ => default);
        }

        return router;
    }
}
