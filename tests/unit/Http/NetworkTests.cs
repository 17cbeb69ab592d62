using System.Diagnostics;
using System.Net;
using Couic.Api.Access;
using Couic.Http;
using Couic.Http.Parsing;
using Couic.Tests.Api;
using Xunit;

namespace Couic.Tests.Http;

/// <summary>What differs on a socket of the network from the Unix socket.</summary>
public sealed class NetworkTests
{
    [Theory]
    [InlineData("192.0.2.7", "192.0.2.7")]
    [InlineData("::ffff:192.0.2.7", "192.0.2.7")]
    [InlineData("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64")]
    [InlineData("2001:db8:1:2::", "2001:db8:1:2::/64")]
    [InlineData("::1", "::/64")]
    [InlineData("0.0.0.1", "0.0.0.1")]
    public void ACaller_IsAnAddress_OfIPv6TheSlash64(string address, string name)
    {
        var id = CallerId.Of(IPAddress.Parse(address));
        Assert.Equal(name, id.ToString());
        Assert.NotEqual(CallerId.OfProcess(7), id);
        Assert.Equal(CallerId.Of(IPAddress.Parse(address)), id);
    }

    [Fact]
    public void CallersDiffer()
    {
        CallerId[] all = [CallerId.OfProcess(0), CallerId.OfProcess(1), .. new[] { "0.0.0.0", "0.0.0.1", "::", "0:0:0:1::", "127.0.0.1" }.Select(text => CallerId.Of(IPAddress.Parse(text)))];
        Assert.Distinct(all);
        Assert.Equal("process 1", all[1].ToString());
    }

    [Fact]
    public async Task Host_IsRequired_ExceptByHttp10AndTheUnixSocket()
    {
        using var rig = new ApiRig();
        using RawClient local = rig.Connect();
        await local.SendAsync("GET /v1/openapi.json HTTP/1.1\r\n\r\n");
        Assert.Equal(200, (await local.ReadAnswerAsync()).Status);

        using RawClient old = rig.ConnectFrom("127.0.0.1");
        await old.SendAsync("GET /v1/openapi.json HTTP/1.0\r\n\r\n");
        Assert.Equal(200, (await old.ReadAnswerAsync()).Status);

        using RawClient remote = rig.ConnectFrom("127.0.0.1");
        await remote.SendAsync("GET /v1/openapi.json HTTP/1.1\r\nHost: couic\r\n\r\nGET /v1/openapi.json HTTP/1.1\r\n\r\n");
        Assert.Equal(200, (await remote.ReadAnswerAsync()).Status);
        Answer refused = await remote.ReadAnswerAsync();
        Assert.Equal((400, "close"), (refused.Status, refused["connection"]));
        Assert.Contains("no Host field", refused.Body, StringComparison.Ordinal);
    }

    [Fact]
    public async Task AHandler_SeesTheAddress_AndNoneOnTheUnixSocket()
    {
        var seen = new List<IPAddress?>();
        using var rig = new ApiRig(more: router => router.Map(Verb.Get, "/v1/test/address", exchange =>
        {
            seen.Add(exchange.RemoteAddress);
            exchange.AnswerNothing();
            return default;
        }));
        foreach (RawClient client in new[] { rig.Connect(), rig.ConnectFrom("127.0.0.9"), new RawClient(new IPEndPoint(IPAddress.IPv6Loopback, rig.Port)) })
        {
            using (client)
            {
                await client.SendAsync("GET /v1/test/address HTTP/1.1\r\nHost: couic\r\n\r\n");
                Assert.Equal(204, (await client.ReadAnswerAsync()).Status);
            }
        }

        Assert.Equal([null, IPAddress.Parse("127.0.0.9"), IPAddress.IPv6Loopback], seen);
    }

    [Fact]
    public async Task ARefusedRequest_IsLoggedWithItsAddress()
    {
        using var rig = new ApiRig();
        using RawClient client = rig.ConnectFrom("127.0.0.9");
        await client.SendAsync(rig.Request("GET", "/v1/drop", group: null));
        Assert.Equal(401, (await client.ReadAnswerAsync()).Status);
        Assert.Contains(rig.Log.Lines, line => line.Text.Contains("from 127.0.0.9", StringComparison.Ordinal));
    }

    [Fact]
    public async Task AuditLines_HaveTheAddressOfTheClient()
    {
        using var rig = new ApiRig();
        using RawClient remote = rig.ConnectFrom("127.0.0.9"), local = rig.Connect();
        foreach ((RawClient client, string from) in new[] { (remote, "127.0.0.9"), (local, "local") })
        {
            foreach ((string method, string target, string? body, int status) in new[]
            {
                ("POST", "/v1/drop", """{"cidr":"192.0.2.7/32","expiration":0}""", 201),
                ("DELETE", "/v1/drop/192.0.2.7/32", null, 204),
                ("POST", "/v1/drop/bulk", """[{"cidr":"192.0.2.8/32","tag":"a","expiration":0}]""", 200),
                ("DELETE", "/v1/drop/tag/a", null, 200),
                ("POST", "/v1/client", """{"name":"web","group":"clientrw"}""", 201),
                ("DELETE", "/v1/client/web", null, 204),
                ("POST", "/v1/sets/drop", """{"name":"bad","entries":["203.0.113.0/24"]}""", 201),
                ("DELETE", "/v1/sets/drop/bad", null, 200),
            })
            {
                int before = rig.Log.Lines.Count;
                await client.SendAsync(rig.Request(method, target, body));
                Assert.Equal(status, (await client.ReadAnswerAsync()).Status);
                string line = rig.Log.Lines.Skip(before).Single(one => one.Event!.Split('_')[^1] is "created" or "deleted" or "applied" or "removed").Text;
                bool isEntry = line.StartsWith("entry", StringComparison.Ordinal);
                Assert.True(isEntry ? line.Contains($" from={from} ", StringComparison.Ordinal) == (client == remote) : line.Contains($" from {from}", StringComparison.Ordinal), line);
            }
        }
    }

    [Fact]
    public async Task Allow_ClosesOthersAtOnce_AndDoesNotConcernTheUnixSocket()
    {
        using var rig = new ApiRig();
        rig.Server.Allowed = [IPNetwork.Parse("127.0.0.8/30"), IPNetwork.Parse("2001:db8::/32")];
        using RawClient allowed = rig.ConnectFrom("127.0.0.9"), refused = rig.ConnectFrom("127.0.0.12"), local = rig.Connect();
        foreach (RawClient client in new[] { allowed, local })
        {
            await client.SendAsync(rig.Request("GET", "/v1/status"));
            Assert.Equal(200, (await client.ReadAnswerAsync()).Status);
        }

        Assert.True(await refused.IsClosedAsync());
        Assert.Contains(rig.Log.Lines, line => line.Text.Contains("connection from 127.0.0.12 refused: [server] allow does not name it", StringComparison.Ordinal));
        rig.Server.Allowed = null;
        using RawClient later = rig.ConnectFrom("127.0.0.12");
        await later.SendAsync(rig.Request("GET", "/v1/status"));
        Assert.Equal(200, (await later.ReadAnswerAsync()).Status);
    }

    [Fact]
    public async Task AnAddress_HasABoundedNumberOfConnections_AndOthersStillConnect()
    {
        using var rig = new ApiRig(new HttpLimits { MaxConnectionsPerAddress = 3 });
        var open = new List<RawClient>();
        for (int i = 0; i < 3; i++)
        {
            open.Add(rig.ConnectFrom("127.0.0.9"));
            await open[i].SendAsync(rig.Request("GET", "/v1/status"));
            Assert.Equal(200, (await open[i].ReadAnswerAsync()).Status);
        }

        using (RawClient more = rig.ConnectFrom("127.0.0.9"))
        {
            Assert.True(await more.IsClosedAsync());
        }

        using RawClient other = rig.ConnectFrom("127.0.0.10");
        await other.SendAsync(rig.Request("GET", "/v1/status"));
        Assert.Equal(200, (await other.ReadAnswerAsync()).Status);

        open[0].Dispose();
        await ApiRig.WaitForAsync(() => rig.Server.ConnectionCount == 3);
        using RawClient again = rig.ConnectFrom("127.0.0.9");
        await again.SendAsync(rig.Request("GET", "/v1/status"));
        Assert.Equal(200, (await again.ReadAnswerAsync()).Status);
        open.ForEach(client => client.Dispose());
    }

    [Fact]
    public async Task AfterSomeFailedTokens_AnAddressGetsFurtherRefusalsLate_AndGoodTokensAtOnce()
    {
        using var rig = new ApiRig();
        string bad = rig.Request("GET", "/v1/status", group: null).Replace("\r\n\r\n", $"\r\nAuthorization: Bearer {Guid.NewGuid()}\r\n\r\n", StringComparison.Ordinal);
        using RawClient guesser = rig.ConnectFrom("127.0.0.9"), local = rig.Connect();
        long start = Stopwatch.GetTimestamp();
        await guesser.SendAsync(string.Concat(Enumerable.Repeat(bad, FailedTokens.Burst + 1)));
        for (int i = 0; i < FailedTokens.Burst; i++)
        {
            Assert.Equal(401, (await guesser.ReadAnswerAsync()).Status);
        }

        using (RawClient same = rig.ConnectFrom("127.0.0.9"))
        {
            await same.SendAsync(rig.Request("GET", "/v1/status"));
            Assert.Equal(200, (await same.ReadAnswerAsync()).Status);
        }

        await local.SendAsync(string.Concat(Enumerable.Repeat(bad, 50)));
        for (int i = 0; i < 50; i++)
        {
            Assert.Equal(401, (await local.ReadAnswerAsync()).Status);
        }

        Assert.Equal(401, (await guesser.ReadAnswerAsync()).Status);
        Assert.True(Stopwatch.GetElapsedTime(start) > FailedTokens.Delay / 2);
    }
}
