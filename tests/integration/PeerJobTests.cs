using Couic.IntegrationTests.Harness;
using Xunit;

namespace Couic.IntegrationTests;

/// <summary>What a client of group peering may send, what it gets, and what a leaked token of it cannot do.</summary>
public sealed class PeerJobTests(SharedDaemon shared) : IClassFixture<SharedDaemon>
{
    private const string Add = """[{"action":"add","entry":{"cidr":"198.51.100.77/24","tag":"t","expiration":0}}]""";
    private const string Remove = """[{"action":"remove","entry":{"cidr":"198.51.100.0/24","tag":null,"expiration":0}}]""";

    private readonly ApiClient _api = shared.Api;

    [Fact]
    public void JobsAreEchoedNormalisedUnlessNothingIsAskedFor() => AsPeer("peer-echo", client =>
    {
        Answer echo = client.Post("/v1/drop/peer", Add);
        Assert.Equal(201, echo.Status);
        Assert.Equal("""[{"action":"add","entry":{"cidr":"198.51.100.0/24","tag":"t","expiration":0,"metadata":null}}]""", echo.Body);
        Assert.Equal(200, _api.Get("/v1/drop/198.51.100.0/24").Status);
        string quiet = client.Text("POST", "/v1/drop/peer", Remove).Replace("\r\n\r\n", "\r\nPrefer: return=minimal\r\n\r\n", StringComparison.Ordinal);
        Answer none = client.Exchange(quiet);
        Assert.Equal((204, ""), (none.Status, none.Body));
        Assert.Equal("return=minimal", none.Headers["preference-applied"]);
        Assert.Equal(404, _api.Get("/v1/drop/198.51.100.0/24").Status);
        Assert.Equal("[]", client.Post("/v1/drop/peer", "[]").Expect(201).Body);
    });

    [Theory]
    [InlineData("/v1/drop/peer", Add, "text/plain", 415, "bad_request")]
    [InlineData("/v1/drop/peer", "[", "application/json", 400, "bad_request")]
    [InlineData("/v1/nonsense/peer", Add, "application/json", 400, "bad_request")]
    [InlineData("/v1/drop/peer", "{}", "application/json", 422, "invalid")]
    [InlineData("/v1/drop/peer", """[{"action":"replace","entry":{"cidr":"198.51.100.0/24","expiration":0}}]""", "application/json", 422, "invalid")]
    [InlineData("/v1/drop/peer", """[{"action":"add","entry":{"cidr":"198.51.100.0","expiration":0}}]""", "application/json", 422, "invalid")]
    [InlineData("/v1/drop/peer", """[{"action":"add","entry":{"cidr":"198.51.100.0/24","tag":"x.couic","expiration":0}}]""", "application/json", 422, "invalid")]
    [InlineData("/v1/ignore/peer", Add, "application/json", 401, "unauthorized")]
    [InlineData("/v1/ignore/peer/sync", "", "application/octet-stream", 401, "unauthorized")]
    [InlineData("/v1/drop/peer/sync", "", "application/octet-stream", 404, "not_found")]
    public void WhatIsNoBatchIsRefusedAndChangesNothing(string target, string body, string type, int status, string code) => AsPeer("peer-bad", client =>
    {
        Answer answer = client.Post(target, body, type);
        Assert.Equal((status, code), (answer.Status, answer.Code));
        Assert.Equal(404, _api.Get("/v1/drop/198.51.100.0/24").Status);
        Assert.Equal(404, _api.Get("/v1/ignore/198.51.100.0/24").Status);
    });

    [Fact]
    public void ALeakedTokenCanOnlySendDrops() => AsPeer("peer-leaked", client =>
    {
        foreach (string target in (string[])["/v1/drop", "/v1/ignore", "/v1/drop/192.0.2.1/32", "/v1/sets/drop", "/v1/stats", "/v1/metrics", "/v1/client", "/v1/peers", "/v1/peers/x/diff"])
        {
            Assert.Equal(401, client.Get(target).Status);
        }

        Assert.Equal(401, client.Delete("/v1/drop/192.0.2.1/32").Status);
        Assert.Equal(401, client.Post("/v1/drop", ApiClient.EntryBody("192.0.2.1/32")).Status);
        Assert.Equal(401, client.Post("/v1/sets/reload", "").Status);
    });

    [Fact]
    public void ALeakedTokenReadsNoRulesAndTouchesNoEntryOfASet()
    {
        DaemonOptions options = new() { Name = "peering", Interfaces = [], Top = "allow_no_ifaces = true", Tables = "[peering]\nenabled = true\n" };
        using Daemon daemon = Daemon.Start(shared.Lab, options);
        daemon.Api.Post("/v1/client", """{"name":"leaked","group":"peering"}""").Expect(201);
        daemon.Api.Post("/v1/sets/drop", """{"name":"guarded","entries":["203.0.113.0/24"]}""").Expect(201);
        daemon.Api.Post("/v1/sets/reload", "").Expect(201);
        daemon.Api.Add("drop", "198.51.100.0/24");
        using ApiClient leaked = daemon.As(daemon.TokenOf("leaked"));
        string before = daemon.Api.Get("/v1/drop").Expect(200).Body;
        string[] changes =
        [
            """{"action":"remove","entry":{"cidr":"203.0.113.0/24","expiration":0}""",
            """{"action":"add","entry":{"cidr":"203.0.113.0/24","tag":"theirs","expiration":1}""",
            """{"action":"add","entry":{"cidr":"203.0.113.0/24","tag":"theirs","expiration":0}""",
        ];
        ulong stamp = (ulong)DateTimeOffset.UtcNow.ToUnixTimeMilliseconds() << 16;
        foreach (string change in changes)
        {
            foreach (string stamped in (string[])["", $""","stamp":{stamp++},"node":7"""])
            {
                leaked.Post("/v1/drop/peer", $"[{change}{stamped}}}]").Expect(201);
            }
        }

        Assert.Equal(before, daemon.Api.Get("/v1/drop").Expect(200).Body);

        // A stamp from the far future, or a hello from there, is refused and does not move the node's clock.
        foreach (string far in (string[])["4611686018427387904", "4611686018427387844", "10000000000000000000", "18446744073709551615"])
        {
            Answer refused = leaked.Post("/v1/drop/peer", $$"""[{"action":"add","entry":{"cidr":"192.0.2.9/32","expiration":0},"stamp":{{far}},"node":7}]""");
            Assert.Equal((422, "invalid"), (refused.Status, refused.Json.GetProperty("code").GetString()));
        }

        leaked.Post("/v1/drop/peer", $$"""[{"action":"add","entry":{"cidr":"192.0.2.8/32","expiration":0},"stamp":{{stamp}},"node":7}]""").Expect(201);
        daemon.Api.Remove("drop", "192.0.2.8/32");
        leaked.Post("/v1/drop/peer", $$"""[{"action":"add","entry":{"cidr":"192.0.2.8/32","expiration":0},"stamp":{{stamp + (60_000UL << 16)}},"node":7}]""").Expect(201);
        daemon.Api.Remove("drop", "192.0.2.8/32");
        Assert.Equal(before, daemon.Api.Get("/v1/drop").Expect(200).Body);

        // Version 1; kind 2 asks for sums of branches, 3 for the records of leaves; without the key that peers receive.
        string key = new('\0', 8);
        Assert.Equal(401, leaked.Post("/v1/drop/peer/sync", $"\u0001\u0002{key}\0\0", "application/octet-stream").Status);
        Assert.Equal(401, leaked.Post("/v1/drop/peer/sync", $"\u0001\u0003{key}\0\0\0\0", "application/octet-stream").Status);
        Assert.Equal(400, leaked.Post("/v1/drop/peer/sync", "\u0001\u0003", "application/octet-stream").Status);
    }

    [Fact]
    public void EveryJobIsTakenOnItsOwn() => AsPeer("peer-jobs", client =>
    {
        _api.Add("drop", "203.0.113.1/32", "mine");
        client.Post("/v1/drop/peer", """
            [{"action":"add","entry":{"cidr":"203.0.113.1/32","tag":"theirs","expiration":0}},
             {"action":"remove","entry":{"cidr":"203.0.113.2/32","expiration":0}},
             {"action":"add","entry":{"cidr":"203.0.113.3/32","expiration":1}},
             {"action":"add","entry":{"cidr":"203.0.113.4/32","expiration":0,"metadata":{"kind":"k","detail":"d"}},"unknown":[1]}]
            """).Expect(201);
        Assert.Equal("mine", _api.Get("/v1/drop/203.0.113.1/32").Json.GetProperty("tag").GetString());
        Assert.Equal(404, _api.Get("/v1/drop/203.0.113.3/32").Status);
        _api.Remove("drop", "203.0.113.1/32");
        _api.Remove("drop", "203.0.113.4/32");
    });

    [Fact]
    public void WithoutPeersTheListIsEmptyAndNoneCanBeCompared()
    {
        Assert.Equal("[]", _api.Get("/v1/peers").Expect(200).Body);
        Assert.Equal(404, _api.Get("/v1/peers/nobody/diff").Status);
    }

    private void AsPeer(string name, Action<ApiClient> test)
    {
        _api.Post("/v1/client", $$"""{"name":"{{name}}","group":"peering"}""").Expect(201);
        try
        {
            using ApiClient client = shared.Daemon.As(shared.Daemon.TokenOf(name));
            test(client);
        }
        finally
        {
            _api.Delete($"/v1/client/{name}");
        }
    }
}
