using System.Text;
using Couic.Api.Access;
using Couic.Http;
using Couic.Http.Parsing;
using Xunit;

namespace Couic.Tests.Api;

/// <summary>What holds for every route: statuses without a token, wrong methods, the table of permissions.</summary>
public sealed class RoutesTests : IDisposable
{
    private static readonly Dictionary<string, Verb> Verbs = new()
    {
        ["GET"] = Verb.Get,
        ["HEAD"] = Verb.Head,
        ["POST"] = Verb.Post,
        ["PUT"] = Verb.Put,
        ["DELETE"] = Verb.Delete,
    };

    private readonly ApiRig _rig = new();

    public void Dispose() => _rig.Dispose();

    [Theory]
    [InlineData("/v1/{policy}", "GET,HEAD,POST")]
    [InlineData("/v1/{policy}/{ip}/{prefix}", "GET,HEAD,DELETE")]
    [InlineData("/v1/client", "GET,HEAD,POST")]
    [InlineData("/v1/sets/{policy}", "GET,HEAD,POST")]
    [InlineData("/v1/sets/{policy}/{name}", "GET,HEAD,PUT,DELETE")]
    [InlineData("/v1/{policy}/bulk", "POST")]
    [InlineData("/v1/sets/reload", "POST")]
    [InlineData("/v1/reload", "POST")]
    [InlineData("/v1/stats", "GET,HEAD")]
    [InlineData("/v1/stats/tags/{policy}", "GET,HEAD")]
    [InlineData("/v1/metrics", "GET,HEAD")]
    [InlineData("/v1/status", "GET,HEAD")]
    [InlineData("/v1/client/{name}", "GET,HEAD,DELETE")]
    public void AllowIsAsTheContractSays(string pattern, string allow) =>
        Assert.Equal(allow, Encoding.ASCII.GetString(_rig.Router.Routes.Single(r => r.Pattern == pattern).Allow));

    [Fact]
    public async Task OtherMethodsGet405WithAllowAndNoToken()
    {
        foreach (Route route in _rig.Router.Routes)
        {
            string target = Fill(route);
            foreach (string method in new[] { "GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "get", "X" })
            {
                Verb verb = Verbs.GetValueOrDefault(method);
                if (verb != Verb.Other && route.Find(verb) is not null)
                {
                    continue;
                }

                Answer answer = await _rig.SendAsync(method, target, method == "PUT" ? "{}" : null, group: null);
                Assert.Equal((405, Encoding.ASCII.GetString(route.Allow)), (answer.Status, answer["allow"]));
                if (method != "HEAD")
                {
                    Assert.Equal(("bad_request", string.Empty), answer.Error);
                }
            }
        }
    }

    [Fact]
    public async Task UnknownRoutesGet404WithoutAToken()
    {
        foreach (string target in new[] { "/", "/v1", "/v1/", "/v1/drop/", "//v1/drop", "/V1/drop", "/%761/drop", "/v1/drop/1.2.3.4", "/v1/drop/1.2.3.4%2F32" })
        {
            Answer answer = await _rig.SendAsync("POST", target, "{}", group: null);
            Assert.Equal((404, ("not_found", string.Empty)), (answer.Status, answer.Error));
        }

        Assert.Equal(404, (await _rig.SendAsync("OPTIONS", "*", group: null)).Status);
        Assert.Equal(404, (await _rig.SendAsync("GET", "http://couic/v1", group: null)).Status);
        Assert.Equal(200, (await _rig.SendAsync("GET", "http://couic/v1/drop?x=y")).Status);
    }

    [Fact]
    public async Task EveryRouteKeepsToTheTableOfPermissions()
    {
        foreach (Route route in _rig.Router.Routes)
        {
            foreach (Endpoint endpoint in route.Endpoints.Where(e => e.Filter is not null))
            {
                string method = Verbs.Single(v => v.Value == endpoint.Verb).Key;
                Assert.Equal(401, (await _rig.SendAsync(method, Fill(route), group: null)).Status);
                foreach (Group group in Enum.GetValues<Group>().Where(g => !g.Allows(((PermissionFilter)endpoint.Filter!).Permission)))
                {
                    Answer answer = await _rig.SendAsync(method, Fill(route), group: group);
                    Assert.Equal((401, "Bearer", ("unauthorized", string.Empty)), (answer.Status, answer["www-authenticate"], answer.Error));
                }
            }
        }
    }

    [Theory]
    [InlineData("/v1/sets")]
    [InlineData("/v1/clients")]
    [InlineData("/v1/DROP")]
    [InlineData("/v1/anything")]
    public async Task OtherWordsAreListsOfAnUnknownPolicy(string target)
    {
        Answer answer = await _rig.SendAsync("GET", target);
        Assert.Equal((400, ("bad_request", "policy=invalid")), (answer.Status, answer.Error));
        Assert.Equal(401, (await _rig.SendAsync("GET", target, group: null)).Status);
    }

    private static string Fill(Route route) => route.Pattern
        .Replace("{policy}", "drop", StringComparison.Ordinal).Replace("{ip}", "192.0.2.1", StringComparison.Ordinal)
        .Replace("{prefix}", "32", StringComparison.Ordinal).Replace("{name}", "nobody", StringComparison.Ordinal);
}
