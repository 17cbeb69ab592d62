using System.Text.Json;
using Couic.IntegrationTests.Harness;
using Xunit;

namespace Couic.IntegrationTests;

/// <summary>Every refusal of the API over the real socket: status, code, fields, headers.</summary>
public sealed class ApiErrorTests(SharedDaemon shared) : IClassFixture<SharedDaemon>
{
    private readonly ApiClient _api = shared.Api;

    [Theory]
    [InlineData("/v1")]
    [InlineData("/v1/")]
    [InlineData("/v1/drop/")]
    [InlineData("//v1/drop")]
    [InlineData("/V1/drop")]
    [InlineData("/%761/drop")]
    [InlineData("/v1/drop/1.2.3.4")]
    [InlineData("/v1/drop/1.2.3.4/32/")]
    [InlineData("/v1/drop/1.2.3.4%2F32")]
    [InlineData("/v1/stats/tags")]
    [InlineData("/v1/stats/x")]
    [InlineData("/v1/sets/")]
    public void AnUnknownRouteIs404WithoutAToken(string target)
    {
        using ApiClient stranger = shared.Daemon.As(null);
        AssertError(stranger.Get(target), 404, "not_found");
    }

    [Theory]
    [InlineData("PUT", "/v1/drop", "GET,HEAD,POST")]
    [InlineData("DELETE", "/v1/client", "GET,HEAD,POST")]
    [InlineData("PATCH", "/v1/sets/drop", "GET,HEAD,POST")]
    [InlineData("POST", "/v1/drop/1.2.3.4/32", "GET,HEAD,DELETE")]
    [InlineData("PUT", "/v1/client/x", "GET,HEAD,DELETE")]
    [InlineData("POST", "/v1/sets/drop/x", "GET,HEAD,PUT,DELETE")]
    [InlineData("GET", "/v1/drop/peer", "POST")]
    [InlineData("GET", "/v1/ignore/bulk", "POST")]
    [InlineData("GET", "/v1/sets/reload", "POST")]
    [InlineData("DELETE", "/v1/stats", "GET,HEAD")]
    [InlineData("POST", "/v1/stats/tags/drop", "GET,HEAD")]
    [InlineData("BREW", "/v1/metrics", "GET,HEAD")]
    [InlineData("OPTIONS", "/v1/drop", "GET,HEAD,POST")]
    public void AWrongMethodIs405WithTheMethodsThatThereAre(string method, string target, string allow)
    {
        using ApiClient stranger = shared.Daemon.As(null);
        Answer answer = stranger.Request(method, target);
        AssertError(answer, 405, "bad_request");
        Assert.Equal(allow, answer.Headers["allow"]);
    }

    [Fact]
    public void EveryFailedAuthenticationIsTheSame401()
    {
        string[] headers =
        [
            "", "Authorization: Bearer\r\n", "Authorization: Bearer nonsense\r\n", $"Authorization: Bearer\t{_api.Token}\r\n",
            $"Authorization: Bearer  {_api.Token}\r\n", $"Authorization: Basic {_api.Token}\r\n",
            "Authorization: Bearer 6f1ed002-ab5e-4f0a-8e0c-3b8a4c7d1e2f\r\n", $"Authorization: Bearer {_api.Token!.Replace("-", "", StringComparison.Ordinal)}\r\n",
            $"Authorization: Bearer {_api.Token}\r\nAuthorization: Bearer {_api.Token}\r\n",
        ];
        HashSet<string> bodies = [];
        foreach (string header in headers)
        {
            using ApiClient client = shared.Daemon.As(null);
            Answer answer = client.Exchange($"GET /v1/drop HTTP/1.1\r\nHost: couic\r\n{header}\r\n");
            AssertError(answer, 401, "unauthorized");
            Assert.Equal("Bearer", answer.Headers["www-authenticate"]);
            bodies.Add(answer.Body);
        }

        Assert.Single(bodies);
    }

    [Theory]
    [InlineData("clientrw", "200 201 401 200 401 401")]
    [InlineData("clientro", "200 401 401 200 401 401")]
    [InlineData("monitoring", "401 401 401 401 200 401")]
    [InlineData("peering", "401 401 201 401 401 401")]
    public void AGroupMayDoWhatItsRowSaysAndNothingElse(string group, string expected)
    {
        _api.Post("/v1/client", $$"""{"name":"row-{{group}}","group":"{{group}}"}""").Expect(201);
        using ApiClient client = shared.Daemon.As(shared.Daemon.TokenOf($"row-{group}"));
        int[] statuses =
        [
            client.Get("/v1/drop").Status,
            client.Post("/v1/drop", ApiClient.EntryBody("192.0.2.77/32")).Status,
            client.Post("/v1/drop/peer", "[]").Status,
            client.Get("/v1/sets/drop").Status,
            client.Get("/v1/stats").Status,
            client.Get("/v1/client").Status,
        ];
        Assert.Equal(expected, string.Join(' ', statuses));
        _ = _api.Delete("/v1/drop/192.0.2.77/32");
        Assert.Equal(204, _api.Delete($"/v1/client/row-{group}").Status);
        Assert.Equal(401, client.Get("/v1/drop").Status); // at once, on a connection that is open already
    }

    [Theory]
    [InlineData("GET", "/v1/nonsense", "policy")]
    [InlineData("GET", "/v1/nonsense/1.2.3/333", "ip policy prefix")]
    [InlineData("DELETE", "/v1/drop/1.2.3.4/33", "prefix")]
    [InlineData("GET", "/v1/drop/01.2.3.4/32", "ip")]
    [InlineData("GET", "/v1/stats/tags/all", "policy")]
    [InlineData("GET", "/v1/client/no.dots", "name")]
    [InlineData("GET", "/v1/sets/nonsense/no.dots", "name policy")]
    public void BadPathParametersAre400AllAtOnce(string method, string target, string fields)
    {
        Answer answer = _api.Request(method, target);
        AssertError(answer, 400, "bad_request", fields);
    }

    [Theory]
    [InlineData("", "application/json")]
    [InlineData("null", "application/json")]
    [InlineData("{", "application/json")]
    [InlineData("""{"cidr":"192.0.2.1/32","expiration":0,}""", "application/json")]
    [InlineData("""{"cidr":"192.0.2.1/32","expiration":"0"}""", "application/json")]
    [InlineData("""{"cidr":"192.0.2.1/32","expiration":-1}""", "application/json")]
    [InlineData("""{"cidr":"192.0.2.1/32","expiration":0.0}""", "application/json")]
    [InlineData("""{"cidr":"192.0.2.1/32"}""", "application/json")]
    [InlineData("""{"cidr":null,"expiration":0}""", "application/json")]
    [InlineData("""{"cidr":"192.0.2.1/32","cidr":"192.0.2.1/32","expiration":0}""", "application/json")]
    [InlineData("""{"cidr":"192.0.2.1/32","expiration":0,"metadata":{"kind":"x"}}""", "application/json")]
    [InlineData("""{"cidr":"\ud800","expiration":0}""", "application/json")]
    [InlineData("""{"\ud800":1,"cidr":"192.0.2.1/32","expiration":0}""", "application/json")]
    [InlineData("""["192.0.2.1/32"]""", "application/json")]
    [InlineData("""{"cidr":"192.0.2.1/32","expiration":0}""", "text/json")]
    [InlineData("""{"cidr":"192.0.2.1/32","expiration":0}""", "application/json, text/plain")]
    public void AnUnreadableBodyIs400WithoutFields(string body, string contentType) =>
        AssertError(_api.Post("/v1/drop", body, contentType), 400, "bad_request");

    [Theory]
    [InlineData("""{"cidr":"192.0.2.1","tag":"a b","expiration":1}""", "cidr expiration tag")]
    [InlineData("""{"cidr":"192.0.2.1/33","expiration":0}""", "cidr")]
    [InlineData("""{"cidr":"192.0.2.1/32","tag":"x.couic","expiration":0}""", "tag")]
    [InlineData("""{"cidr":"192.0.2.1/32","tag":"Untagged","expiration":0}""", "tag")]
    [InlineData("""{"cidr":"0.0.0.0/0","expiration":0}""", "cidr")]
    public void ValuesOutsideTheirRulesAre422AllAtOnce(string body, string fields) =>
        AssertError(_api.Post("/v1/drop", body), 422, "invalid", fields);

    [Fact]
    public void WhatIsAbsentIs404AndWhatIsThereIs409()
    {
        AssertError(_api.Get("/v1/drop/192.0.2.1/32"), 404, "not_found", "cidr");
        AssertError(_api.Delete("/v1/drop/192.0.2.1/32"), 404, "not_found", "cidr");
        AssertError(_api.Get("/v1/client/nobody"), 404, "not_found");
        AssertError(_api.Delete("/v1/client/nobody"), 404, "not_found");
        _api.Add("drop", "192.0.2.1/24");
        AssertError(_api.Post("/v1/drop", ApiClient.EntryBody("192.0.2.2/24")), 409, "conflict", "cidr");
        Assert.Equal("192.0.2.0/24", _api.Get("/v1/drop/192.0.2.99/24").Expect(200).Json.GetProperty("cidr").GetString());
        _api.Remove("drop", "192.0.2.0/24");
    }

    [Fact]
    public void ClientsThatMayNotBeMadeOrDeletedAre422()
    {
        AssertError(_api.Delete("/v1/client/couicctl"), 422, "invalid");
        AssertError(_api.Post("/v1/client", """{"name":"couicctl","group":"admin"}"""), 422, "invalid");
        AssertError(_api.Post("/v1/client", """{"name":"no.dots","group":"client_rw"}"""), 422, "invalid", "group name");
    }

    [Fact]
    public void ABodyOverTheLimitIs413()
    {
        using ApiClient client = shared.Daemon.As(_api.Token);
        Answer answer = client.Exchange(
            $"POST /v1/drop HTTP/1.1\r\nHost: couic\r\nAuthorization: Bearer {_api.Token}\r\nContent-Type: application/json\r\nContent-Length: 8388609\r\n\r\n");
        AssertError(answer, 413, "bad_request");
    }

    [Theory]
    [InlineData("GET /v1/drop\r\n\r\n", 400)]
    [InlineData("GET /v1/drop HTTP/1.1\nHost: couic\n\n", 400)]
    [InlineData("GET /v1/drop HTTP/1.1\r\nHost : couic\r\n\r\n", 400)]
    [InlineData("GET /v1/drop HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400)]
    [InlineData("GET /v1/drop HTTP/1.1\r\nHost: a\r\nX: y\r\n folded\r\n\r\n", 400)]
    [InlineData("POST /v1/drop HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400)]
    [InlineData("POST /v1/drop HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n", 400)]
    [InlineData("POST /v1/drop HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n\r\n", 400)]
    [InlineData("POST /v1/drop HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n", 501)]
    [InlineData("GET /v1/drop HTTP/2.0\r\nHost: a\r\n\r\n", 505)]
    public void BelowTheApiAMalformedRequestEndsTheConnection(string request, int status)
    {
        using ApiClient client = shared.Daemon.As(null);
        Answer answer = client.Exchange(request);
        Assert.Equal(status, answer.Status);
        Assert.Equal("close", answer.Headers["connection"]);
    }

    [Fact]
    public void TooLongALineIs414AndTooManyHeadersAre431()
    {
        using ApiClient client = shared.Daemon.As(null);
        Assert.Equal(414, client.Exchange($"GET /{new string('x', 9000)} HTTP/1.1\r\nHost: a\r\n\r\n").Status);
        string headers = string.Concat(Enumerable.Range(0, 110).Select(i => $"X-{i}: y\r\n"));
        Assert.Equal(431, client.Exchange($"GET /v1/drop HTTP/1.1\r\nHost: a\r\n{headers}\r\n").Status);
        Assert.Equal(431, client.Exchange($"GET /v1/drop HTTP/1.1\r\nHost: a\r\nX: {new string('y', 40_000)}\r\n\r\n").Status);
    }

    [Fact]
    public void HeadAnswersAsGetWithoutTheBody()
    {
        Answer get = _api.Get("/v1/client");
        Answer head = _api.Request("HEAD", "/v1/client");
        Assert.Equal((200, get.Headers["content-length"]), (head.Status, head.Headers["content-length"]));
        Assert.Equal(200, _api.Get("/v1/client").Status); // and the connection is in step
    }

    private static void AssertError(Answer answer, int status, string code, string fields = "")
    {
        Assert.True(answer.Status == status, $"expected {status}, got {answer.Status}: {answer.Body}");
        Assert.Equal("application/json", answer.Headers["content-type"]);
        JsonElement body = answer.Json;
        Assert.Equal(["code", "errors", "message"], body.EnumerateObject().Select(m => m.Name));
        Assert.Equal(code, body.GetProperty("code").GetString());
        Assert.NotEqual("", body.GetProperty("message").GetString());
        Assert.Equal(fields, string.Join(' ', body.GetProperty("errors").EnumerateObject().Select(m => m.Name).Order(StringComparer.Ordinal)));
    }
}
