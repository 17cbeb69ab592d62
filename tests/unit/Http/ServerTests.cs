using System.Net.Sockets;
using System.Text;
using Couic.Http;
using Couic.Http.Parsing;
using Couic.Tests.Api;
using Xunit;

namespace Couic.Tests.Http;

/// <summary>The protocol as a client of the socket sees it.</summary>
public sealed class ServerTests
{
    private const string Entry = """{"cidr":"192.0.2.7/32","tag":null,"expiration":0}""";

    private static readonly HttpLimits Quick = new()
    {
        HeaderTimeout = TimeSpan.FromSeconds(1),
        KeepAliveTimeout = TimeSpan.FromSeconds(1),
        RateGrace = TimeSpan.FromSeconds(1),
        LingerTimeout = TimeSpan.FromMilliseconds(300),
    };

    [Fact]
    public async Task RequestsOnOneConnectionAreAnsweredInOrder()
    {
        using var rig = new ApiRig();
        using RawClient client = rig.Connect();
        var all = new StringBuilder();
        for (int i = 0; i < 10_000; i++)
        {
            all.Append(rig.Request("GET", $"/v1/drop/10.0.{i >> 8}.{i & 255}/32"));
        }

        Task sending = client.SendAsync(all.ToString());
        for (int i = 0; i < 10_000; i++)
        {
            Answer answer = await client.ReadAnswerAsync();
            Assert.Equal(404, answer.Status);
            Assert.Contains($"10.0.{i >> 8}.{i & 255}/32", answer.Body, StringComparison.Ordinal);
        }

        await sending;
    }

    [Fact]
    public async Task ARequestInOneBytePiecesIsAnsweredLikeAWholeOne()
    {
        using var rig = new ApiRig();
        using RawClient client = rig.Connect();
        foreach (byte b in Encoding.ASCII.GetBytes(rig.Request("POST", "/v1/drop", Entry)))
        {
            await client.SendAsync(new[] { b });
        }

        Assert.Equal(201, (await client.ReadAnswerAsync()).Status);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task ARequestThatBreaksOffAfterAnyByteGetsNoAnswerOrA400AndChangesNothing(bool chunked)
    {
        using var rig = new ApiRig();
        string whole = rig.Request("POST", "/v1/drop", Entry);
        if (chunked)
        {
            whole = whole.Replace($"Content-Length: {Entry.Length}", "Transfer-Encoding: chunked", StringComparison.Ordinal)
                .Replace(Entry, $"8\r\n{Entry[..8]}\r\n{Entry.Length - 8:x}\r\n{Entry[8..]}\r\n0\r\n\r\n", StringComparison.Ordinal);
        }

        for (int length = 0; length < whole.Length; length++)
        {
            using RawClient client = rig.Connect();
            await client.SendAsync(whole[..length]);
            client.Socket.Shutdown(SocketShutdown.Send);
            Answer? answer = await client.TryReadAnswerAsync();
            Assert.True(answer is null || (answer.Status == 400 && answer.Error.Code == "bad_request"));
            Assert.True(await client.IsClosedAsync());
        }

        Assert.Equal(0, rig.Plane.Applied);
        using RawClient last = rig.Connect();
        await last.SendAsync(whole);
        last.Socket.Shutdown(SocketShutdown.Send);
        Assert.Equal(201, (await last.ReadAnswerAsync()).Status);
        Assert.True(await last.IsClosedAsync());
    }

    [Theory]
    [InlineData("GET /v1/drop HTTP/1.1\n\n", 400)]
    [InlineData("GET /v1/drop HTTP/3.0\r\n\r\n", 505)]
    [InlineData("POST /v1/drop HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n", 501)]
    [InlineData("POST /v1/drop HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\nGET /v1/drop HTTP/1.1\r\n\r\n", 400)]
    public async Task AMalformedRequestIsAnsweredOnceAndTheConnectionClosed(string request, int status)
    {
        using var rig = new ApiRig();
        using RawClient client = rig.Connect();
        await client.SendAsync(request + "GET /v1/drop HTTP/1.1\r\n\r\n");
        Answer answer = await client.ReadAnswerAsync();
        Assert.Equal((status, "close"), (answer.Status, answer["connection"]));
        Assert.Equal(("bad_request", string.Empty), answer.Error);
        client.Socket.Shutdown(SocketShutdown.Send);
        Assert.True(await client.IsClosedAsync());
    }

    [Fact]
    public async Task TooLongLinesAndHeadersHaveTheirStatus()
    {
        using var rig = new ApiRig();
        Assert.Equal(414, (await rig.SendAsync("GET", "/" + new string('a', 9000))).Status);
        using RawClient many = rig.Connect();
        await many.SendAsync("GET / HTTP/1.1\r\n" + string.Concat(Enumerable.Repeat("A: b\r\n", 101)) + "\r\n");
        Assert.Equal(431, (await many.ReadAnswerAsync()).Status);
        using RawClient big = rig.Connect();
        await big.SendAsync("GET / HTTP/1.1\r\n" + string.Concat(Enumerable.Repeat($"A: {new string('b', 900)}\r\n", 40)) + "\r\n");
        Assert.Equal(431, (await big.ReadAnswerAsync()).Status);
        using RawClient good = rig.Connect();
        await good.SendAsync("GET / HTTP/1.1\r\n" + string.Concat(Enumerable.Repeat($"A: {new string('b', 900)}\r\n", 36)) + "\r\n");
        Assert.Equal(404, (await good.ReadAnswerAsync()).Status);
    }

    [Fact]
    public async Task KeepAliveAndCloseAreHonoured()
    {
        using var rig = new ApiRig();
        using RawClient close = rig.Connect();
        await close.SendAsync("GET /x HTTP/1.1\r\nConnection: close\r\n\r\n");
        Assert.Equal("close", (await close.ReadAnswerAsync())["connection"]);
        Assert.True(await close.IsClosedAsync());

        using RawClient old = rig.Connect();
        await old.SendAsync("GET /x HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET /x HTTP/1.0\r\n\r\n");
        Assert.Equal("keep-alive", (await old.ReadAnswerAsync())["connection"]);
        Assert.Equal("close", (await old.ReadAnswerAsync())["connection"]);
        Assert.True(await old.IsClosedAsync());

        using RawClient modern = rig.Connect();
        await modern.SendAsync("GET /x HTTP/1.1\r\n\r\nGET /x HTTP/1.1\r\n\r\n");
        Assert.Null((await modern.ReadAnswerAsync())["connection"]);
        Assert.Null((await modern.ReadAnswerAsync())["connection"]);
    }

    [Fact]
    public async Task ChunkedBodiesAreReadAndTrailersThrownAway()
    {
        using var rig = new ApiRig();
        using RawClient client = rig.Connect();
        string head = rig.Request("POST", "/v1/drop", string.Empty).Replace("Content-Length: 0", "Transfer-Encoding: chunked", StringComparison.Ordinal);
        await client.SendAsync($"{head}5;x=y\r\n{Entry[..5]}\r\n{Entry.Length - 5:X}\r\n{Entry[5..]}\r\n0\r\nAuthorization: x\r\n\r\n{rig.Request("GET", "/v1/drop/192.0.2.7/32")}");
        Assert.Equal(201, (await client.ReadAnswerAsync()).Status);
        Assert.Equal(200, (await client.ReadAnswerAsync()).Status);
    }

    [Fact]
    public async Task ContinueIsSaidOnlyWhenABodyIsRead()
    {
        using var rig = new ApiRig();
        string expecting = rig.Request("POST", "/v1/drop", Entry).Replace("\r\n\r\n", "\r\nExpect: 100-continue\r\n\r\n", StringComparison.Ordinal);
        string head = expecting[..^Entry.Length];
        using RawClient good = rig.Connect();
        await good.SendAsync(head);
        Assert.Equal(100, (await good.ReadAnswerAsync()).Status);
        await good.SendAsync(Entry);
        Assert.Equal(201, (await good.ReadAnswerAsync()).Status);

        using RawClient unknown = rig.Connect();
        await unknown.SendAsync(head.Replace("/v1/drop", "/v1/drop/x", StringComparison.Ordinal));
        Answer answer = await unknown.ReadAnswerAsync();
        Assert.Equal((404, "close"), (answer.Status, answer["connection"]));
        using RawClient unauthorized = rig.Connect();
        await unauthorized.SendAsync(head.Replace("Bearer", "Basic", StringComparison.Ordinal));
        Assert.Equal(401, (await unauthorized.ReadAnswerAsync()).Status);
        using RawClient type = rig.Connect();
        await type.SendAsync(head.Replace("application/json", "text/json", StringComparison.Ordinal));
        Assert.Equal(400, (await type.ReadAnswerAsync()).Status);
    }

    [Theory]
    [InlineData(1000, true)]
    [InlineData(300_000, false)]
    public async Task AnEarlyAnswerIsNotLostWhateverTheBodyIs(int length, bool staysOpen)
    {
        using var rig = new ApiRig();
        using RawClient client = rig.Connect();
        string request = rig.Request("POST", "/v1/drop", new string('x', length), group: null);
        Task sending = client.SendAsync(request + "GET /x HTTP/1.1\r\n\r\n");
        Answer answer = await client.ReadAnswerAsync();
        Assert.Equal((401, "Bearer", staysOpen ? null : "close"), (answer.Status, answer["www-authenticate"], answer["connection"]));
        await sending;
        Answer? next = await client.TryReadAnswerAsync();
        Assert.Equal(staysOpen, next?.Status == 404);
    }

    [Fact]
    public async Task AnEndlessBodyIsCutOff()
    {
        using var rig = new ApiRig(Quick);
        using RawClient client = rig.Connect();
        await client.SendAsync("POST /v1/drop HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n");
        Assert.Equal(401, (await client.ReadAnswerAsync()).Status);
        byte[] chunk = Encoding.ASCII.GetBytes($"10000\r\n{new string('x', 65536)}\r\n");
        await Assert.ThrowsAnyAsync<IOException>(async () =>
        {
            while (true)
            {
                await client.SendAsync(chunk);
            }
        });
    }

    [Fact]
    public async Task HeadAnswersLikeGetWithoutABody()
    {
        using var rig = new ApiRig();
        await rig.SendAsync("POST", "/v1/drop", Entry);
        foreach (string target in new[] { "/v1/drop", "/v1/drop/192.0.2.7/32", "/v1/drop/192.0.2.8/32", "/v1/client", "/v1/nothing", "/nothing" })
        {
            using RawClient client = rig.Connect();
            await client.SendAsync(rig.Request("HEAD", target) + rig.Request("GET", target));
            Answer head = await client.ReadAnswerAsync(isHead: true);
            Answer get = await client.ReadAnswerAsync();
            Assert.Equal((get.Status, get["content-length"], get["content-type"]), (head.Status, head["content-length"], head["content-type"]));
        }

        Answer post = await rig.SendAsync("HEAD", "/v1/test/only/post");
        Assert.Equal(400, post.Status);
    }

    [Fact]
    public async Task ABodyBehindGetAndDeleteIsIgnored()
    {
        using var rig = new ApiRig();
        using RawClient client = rig.Connect();
        await client.SendAsync(rig.Request("GET", "/v1/drop", "nonsense") + rig.Request("DELETE", "/v1/drop/192.0.2.7/32", "nonsense")
            + rig.Request("GET", "/v1/drop"));
        Assert.Equal(200, (await client.ReadAnswerAsync()).Status);
        Assert.Equal(404, (await client.ReadAnswerAsync()).Status);
        Assert.Equal(200, (await client.ReadAnswerAsync()).Status);
    }

    [Fact]
    public async Task BugInOneRequest_Answers500ToItAlone()
    {
        using var rig = new ApiRig(more: router =>
        {
            router.Map(Verb.Get, "/bug", _ => throw new InvalidOperationException("at once"));
            router.Map(Verb.Get, "/late", async exchange =>
            {
                await exchange.OffloadAsync(WorkClass.Short);
                throw new InvalidOperationException("later");
            });
            router.Map(Verb.Get, "/silent", _ => default);
        });
        using RawClient client = rig.Connect();
        await client.SendAsync("GET /bug HTTP/1.1\r\n\r\nGET /late HTTP/1.1\r\n\r\nGET /silent HTTP/1.1\r\n\r\nGET /x HTTP/1.1\r\n\r\n");
        for (int i = 0; i < 3; i++)
        {
            Answer answer = await client.ReadAnswerAsync();
            Assert.Equal((500, "internal"), (answer.Status, answer.Error.Code));
        }

        Assert.Equal(404, (await client.ReadAnswerAsync()).Status);
        Assert.Equal(3, rig.Log.Lines.Count(l => l.Event == "api_request_failed"));
    }

    [Fact]
    public async Task SlowHeadsAndBodiesGet408AndIdleConnectionsAreClosed()
    {
        using var rig = new ApiRig(Quick);
        using RawClient idle = rig.Connect();
        await idle.SendAsync("GET /x HTTP/1.1\r\n\r\n");
        Assert.Equal(404, (await idle.ReadAnswerAsync()).Status);
        using RawClient silent = rig.Connect();
        using RawClient head = rig.Connect();
        await head.SendAsync("GET / HT");
        using RawClient body = rig.Connect();
        await body.SendAsync(rig.Request("POST", "/v1/drop", Entry)[..^5]);
        foreach (RawClient client in new[] { silent, head, body })
        {
            Answer answer = await client.ReadAnswerAsync();
            Assert.Equal((408, "bad_request", "close"), (answer.Status, answer.Error.Code, answer["connection"]));
            Assert.True(await client.IsClosedAsync());
        }

        Assert.True(await idle.IsClosedAsync());
    }

    [Fact]
    public async Task TricklingHead_TimesOut()
    {
        using var rig = new ApiRig(Quick);
        using RawClient client = rig.Connect();
        Task<Answer> answer = client.ReadAnswerAsync();
        byte[] drop = "A"u8.ToArray();
        while (!answer.IsCompleted)
        {
            try
            {
                await client.SendAsync(drop);
            }
            catch (IOException)
            {
                break;
            }

            await Task.Delay(20, TestContext.Current.CancellationToken);
        }

        Assert.Equal(408, (await answer).Status);
    }

    [Fact]
    public async Task ClientThatNeverReads_IsClosed()
    {
        using var rig = new ApiRig(Quick);
        using RawClient client = rig.Connect();
        string requests = string.Concat(Enumerable.Repeat("GET /x HTTP/1.1\r\n\r\n", 10_000));
        await Assert.ThrowsAnyAsync<IOException>(async () =>
        {
            while (true)
            {
                await client.SendAsync(requests);
            }
        });
        await ApiRig.WaitForAsync(() => rig.Server.ConnectionCount == 0);
    }

    [Fact]
    public async Task MaxConnections_EvictsTheLongestIdle()
    {
        using var rig = new ApiRig(new HttpLimits { MaxConnections = 3 });
        using RawClient first = rig.Connect();
        await ApiRig.WaitForAsync(() => rig.Server.ConnectionCount == 1);
        using RawClient second = rig.Connect();
        using RawClient third = rig.Connect();
        await ApiRig.WaitForAsync(() => rig.Server.ConnectionCount == 3);
        using RawClient fourth = rig.Connect();
        await fourth.SendAsync("GET /x HTTP/1.1\r\n\r\n");
        Assert.Equal(404, (await fourth.ReadAnswerAsync()).Status);
        Assert.True(await first.IsClosedAsync());
        Assert.True(rig.Log.Has("api_connections_full"));
    }

    [Fact]
    public async Task StuckLoop_IsNoticed()
    {
        using var release = new ManualResetEventSlim();
        using var rig = new ApiRig(more: router => router.Map(Verb.Get, "/stuck", exchange =>
        {
            release.Wait();
            exchange.AnswerNothing();
            return default;
        }));
        using RawClient client = rig.Connect();
        await client.SendAsync("GET /stuck HTTP/1.1\r\n\r\n");
        await ApiRig.WaitForAsync(() => rig.Server.SinceLastIteration > TimeSpan.FromSeconds(1.5));
        release.Set();
        Assert.Equal(204, (await client.ReadAnswerAsync()).Status);
        await ApiRig.WaitForAsync(() => rig.Server.SinceLastIteration < TimeSpan.FromSeconds(1.5));
    }

    [Fact]
    public async Task UnfinishedHeads_OverTheMemoryBudget_EvictTheOldest()
    {
        using var rig = new ApiRig(new HttpLimits { MaxParkedBytes = 10_000 });
        var clients = new List<RawClient>();
        for (int i = 0; i < 40; i++)
        {
            clients.Add(rig.Connect());
            await clients[i].SendAsync("GET /x HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\nA: b\r\n");
            Assert.Equal(404, (await clients[i].ReadAnswerAsync()).Status); // what came with it is read, so they wait in this order
        }

        await clients[^1].SendAsync("\r\n");
        Assert.Equal(404, (await clients[^1].ReadAnswerAsync()).Status);
        Assert.True(await clients[0].IsClosedAsync());
        clients.ForEach(c => c.Dispose());
        await ApiRig.WaitForAsync(() => rig.Server.ConnectionCount == 0);
        Assert.Equal(404, (await rig.SendAsync("GET", "/x")).Status);
    }

    [Fact]
    public async Task Stop_FinishesRequestsThatHaveBegun()
    {
        var begun = new TaskCompletionSource();
        var goOn = new TaskCompletionSource();
        using var rig = new ApiRig(more: router => router.Map(Verb.Get, "/slow", async exchange =>
        {
            begun.SetResult();
            await goOn.Task;
            exchange.Answer(200).Raw("{}"u8);
        }));
        using RawClient idle = rig.Connect();
        using RawClient busy = rig.Connect();
        await busy.SendAsync("GET /slow HTTP/1.1\r\n\r\n");
        await begun.Task;
        Task stopping = rig.Server.StopAsync(TimeSpan.FromSeconds(10));
        Assert.True(await idle.IsClosedAsync());
        Assert.ThrowsAny<SocketException>(() => rig.Connect().Socket.Send("x"u8));
        goOn.SetResult();
        Answer answer = await busy.ReadAnswerAsync();
        Assert.Equal((200, "close"), (answer.Status, answer["connection"]));
        await stopping.WaitAsync(TimeSpan.FromSeconds(10), TestContext.Current.CancellationToken);
    }

    [Fact]
    public async Task LargeBodies_AreQueued_AndAllArrive()
    {
        using var rig = new ApiRig(new HttpLimits { MaxLargeBodies = 1 });
        string large = $$"""{"cidr":"192.0.2.7/32","expiration":0,"x":"{{new string('y', 3_000_000)}}"}""";
        Task<Answer>[] answers = [.. Enumerable.Range(0, 6).Select(_ => rig.SendAsync("POST", "/v1/drop", large))];
        await Task.WhenAll(answers);
        Assert.Equal([201, 409, 409, 409, 409, 409], answers.Select(a => a.Result.Status).Order());
        Answer tooLarge = await rig.SendAsync("POST", "/v1/drop", new string('y', 8_388_609));
        Assert.Equal((413, "bad_request"), (tooLarge.Status, tooLarge.Error.Code));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public async Task RandomBytes_GetAnAnswerBelow500_AndEndNothing(int seed)
    {
        using var rig = new ApiRig(Quick);
        var random = new Random(seed);
        byte[] good = Encoding.ASCII.GetBytes(rig.Request("POST", "/v1/drop", Entry));
        for (int round = 0; round < 300; round++)
        {
            byte[] bytes = [.. good, .. good];
            for (int i = random.Next(6); i >= 0; i--)
            {
                bytes[random.Next(bytes.Length)] = (byte)random.Next(256);
            }

            using RawClient client = rig.Connect();
            await client.SendAsync(bytes);
            client.Socket.Shutdown(SocketShutdown.Send);
            int answers = 0;
            while (await client.TryReadAnswerAsync() is { } answer)
            {
                answers++;
                Assert.True(answer.Status < 500 || answer.Status is 501 or 505, answer.Body);
            }

            Assert.InRange(answers, 0, 2);
        }

        Assert.Equal(404, (await rig.SendAsync("GET", "/x")).Status);
    }
}
