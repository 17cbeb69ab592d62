using System.Buffers;
using Couic.Http;
using Couic.Http.Parsing;
using Couic.Store;
using Couic.Tests.Api;
using Couic.Tests.Fakes;
using Xunit;

namespace Couic.Tests.Http;

/// <summary>Single changes are applied in batches, which clients cannot observe.</summary>
public sealed class RequestBatchTests : IDisposable
{
    private readonly ApiRig _rig = new();

    public void Dispose() => _rig.Dispose();

    [Fact]
    public async Task Request_SeesTheEffectsOfThoseBeforeIt()
    {
        using RawClient client = _rig.Connect();
        string post = _rig.Request("POST", "/v1/drop", """{"cidr":"192.0.2.1/32","expiration":0}""");
        string get = _rig.Request("GET", "/v1/drop/192.0.2.1/32");
        string delete = _rig.Request("DELETE", "/v1/drop/192.0.2.1/32");
        string list = _rig.Request("GET", "/v1/drop");
        string broken = _rig.Request("POST", "/v1/drop", "{");
        await client.SendAsync(post + get + post + delete + get + delete + post + list + broken + delete + post + "GET /nowhere HTTP/1.1\r\n\r\n" + list);
        int[] expected = [201, 200, 409, 204, 404, 404, 201, 200, 400, 204, 201, 404, 200];
        foreach (int status in expected)
        {
            Answer answer = await client.ReadAnswerAsync();
            Assert.Equal(status, answer.Status);
            Assert.Equal(status == 204, answer["content-length"] is null);
        }
    }

    [Fact]
    public async Task LastRequest_ClosesAfterAllResponses()
    {
        using RawClient client = _rig.Connect();
        string requests = string.Concat(Enumerable.Range(0, 5).Select(i => _rig.Request("POST", "/v1/drop", $$"""{"cidr":"192.0.2.{{i}}/32","expiration":0}""")));
        await client.SendAsync(requests + "POST /v1/drop HTTP/1.1\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
        for (int i = 0; i < 5; i++)
        {
            Assert.Equal(201, (await client.ReadAnswerAsync()).Status);
        }

        Answer last = await client.ReadAnswerAsync();
        Assert.Equal((401, "close"), (last.Status, last["connection"]));
        Assert.True(await client.IsClosedAsync());
    }

    [Fact]
    public async Task ChangeWithConnectionClose_IsAppliedAfterThoseBeforeIt()
    {
        using RawClient client = _rig.Connect();
        string post = _rig.Request("POST", "/v1/drop", """{"cidr":"192.0.2.1/32","expiration":0}""");
        string delete = _rig.Request("DELETE", "/v1/drop/192.0.2.1/32");
        await client.SendAsync(post + delete[..^2] + "Connection: close\r\n\r\n");
        Assert.Equal(201, (await client.ReadAnswerAsync()).Status);
        Answer last = await client.ReadAnswerAsync();
        Assert.Equal((204, "close"), (last.Status, last["connection"]));
        Assert.Equal(0, _rig.Store.Count(Policy.Drop));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(20)]
    public async Task IdleConnection_ServesWhateverComesNext(int connections)
    {
        RawClient[] clients = [.. Enumerable.Range(0, connections).Select(_ => _rig.Connect())];
        string post = _rig.Request("POST", "/v1/drop", """{"cidr":"192.0.2.1/32","expiration":0}""");
        string delete = _rig.Request("DELETE", "/v1/drop/192.0.2.1/32");
        string get = _rig.Request("GET", "/v1/drop/192.0.2.1/32");
        string list = _rig.Request("GET", "/v1/drop");
        int cut = post.IndexOf('{', StringComparison.Ordinal) + 5;
        (string[] Pieces, int[] Statuses)[] turns =
        [
            ([post], [201]),
            ([get], [200]),
            ([list], [200]),
            ([delete[..20], delete[20..]], [204]),
            ([post[..cut], post[cut..]], [201]),
            ([delete + post + delete], [204, 201, 204]),
            ([post + get + delete + list + get], [201, 200, 204, 200, 404]),
            ([string.Concat(Enumerable.Repeat(post + delete, 50))], [.. Enumerable.Repeat((int[])[201, 204], 50).SelectMany(pair => pair)]),
            ([post, "no request\r\n\r\n"], [201, 400]),
        ];
        foreach (RawClient client in clients)
        {
            foreach ((string[] pieces, int[] statuses) in turns)
            {
                foreach (string piece in pieces)
                {
                    await client.SendAsync(piece);
                    await Task.Delay(5, TestContext.Current.CancellationToken);
                }

                foreach (int status in statuses)
                {
                    Assert.Equal(status, (await client.ReadAnswerAsync()).Status);
                }
            }

            Assert.True(await client.IsClosedAsync());
            Assert.Equal(204, (await _rig.SendAsync("DELETE", "/v1/drop/192.0.2.1/32")).Status);
        }
    }

    [Fact]
    public async Task IdleConnections_AFewRetainTheirBuffers_ForAMoment()
    {
        var clock = new ManualClock();
        using var rig = new ApiRig(loopTime: clock);
        RawClient[] clients = [.. Enumerable.Range(0, MemoryBudget.MaxRetained + 6).Select(_ => rig.Connect())];
        for (int round = 0; round < 2; round++)
        {
            for (int i = 0; i < clients.Length; i++)
            {
                await clients[i].SendAsync(rig.Request("POST", "/v1/drop", $$"""{"cidr":"10.{{round}}.0.{{i}}/32","expiration":0}"""));
                Assert.Equal(201, (await clients[i].ReadAnswerAsync()).Status);
            }

            await ApiRig.WaitForAsync(() => rig.Server.Budget.Retained == MemoryBudget.MaxRetained);
            clock.Advance(TimeSpan.FromSeconds(0.5));
            await ApiRig.WaitForAsync(() => rig.Server.Budget.Retained == 0);
        }

        await clients[0].SendAsync(rig.Request("DELETE", "/v1/drop/10.0.0.0/32"));
        Assert.Equal(204, (await clients[0].ReadAnswerAsync()).Status);
        await ApiRig.WaitForAsync(() => rig.Server.Budget.Retained == 1);
        Array.ForEach(clients, client => client.Dispose());
        await ApiRig.WaitForAsync(() => rig.Server.ConnectionCount == 0); // as the server's clock stands still, no timer does this
        Assert.Equal(0, rig.Server.Budget.Retained);
    }

    [Fact]
    public async Task IdleConnection_ClosesWithItsClient()
    {
        using RawClient other = _rig.Connect();
        for (int i = 0; i < 3; i++)
        {
            using RawClient client = _rig.Connect();
            await client.SendAsync(_rig.Request("POST", "/v1/drop", $$"""{"cidr":"192.0.2.{{i}}/32","expiration":0}"""));
            Assert.Equal(201, (await client.ReadAnswerAsync()).Status);
        }

        await ApiRig.WaitForAsync(() => _rig.Server.ConnectionCount == 1);
    }

    [Fact]
    public async Task RefusedChange_Answers500_AndTheOthersAreApplied()
    {
        _rig.Plane.Refuses = change => change.Cidr.V4 % 5 == 0;
        RawClient[] clients = [.. Enumerable.Range(0, 20).Select(_ => _rig.Connect())];
        for (int i = 0; i < clients.Length; i++)
        {
            // Twelve on each: more than a group has.
            await clients[i].SendAsync(string.Concat(Enumerable.Range(0, 12).Select(
                k => _rig.Request("POST", "/v1/drop", $$"""{"cidr":"10.0.{{i}}.{{k}}/32","tag":"t","expiration":0}"""))));
        }

        int made = 0;
        for (int i = 0; i < clients.Length; i++)
        {
            for (int k = 0; k < 12; k++)
            {
                bool isRefused = Cidr.FromV4((uint)((10 << 24) | (i << 8) | k)).V4 % 5 == 0;
                Answer answer = await clients[i].ReadAnswerAsync();
                Assert.Equal(isRefused ? 500 : 201, answer.Status);
                Assert.Contains(isRefused ? "the kernel refused the change: set key: ENOMEM" : $"\"cidr\":\"10.0.{i}.{k}/32\"", answer.Body, StringComparison.Ordinal);
                made += isRefused ? 0 : 1;
            }

            clients[i].Dispose();
        }

        Assert.Equal(made, _rig.Store.Count(Policy.Drop));
        Assert.Equal(made, _rig.Log.Lines.Count(line => line.Event == "entry_created"));
        Assert.Equal((20 * 12) - made, _rig.Log.Lines.Count(line => line.Event == "entry_failed"));
    }

    [Fact]
    public async Task BugInTheDataPlane_Answers500_AndTheServerContinues()
    {
        _rig.Plane.Refuses = _ => throw new InvalidOperationException("as the test wants");
        using RawClient client = _rig.Connect();
        await client.SendAsync(string.Concat(Enumerable.Range(0, 3).Select(
            i => _rig.Request("POST", "/v1/drop", $$"""{"cidr":"192.0.2.{{i}}/32","expiration":0}"""))));
        for (int i = 0; i < 3; i++)
        {
            Assert.Equal(500, (await client.ReadAnswerAsync()).Status);
        }

        Assert.Contains(_rig.Log.Lines, line => line.Event == "entry_failed" && line.Text.Contains("as the test wants", StringComparison.Ordinal));
        _rig.Plane.Refuses = null;
        Assert.Equal(201, (await _rig.SendAsync("POST", "/v1/drop", """{"cidr":"198.51.100.1/32","expiration":0}""")).Status);
    }

    [Fact]
    public async Task ResponsesBeyondTheSocketBuffer_ArriveInOrder()
    {
        const int Requests = 4000; // more bytes of answers than a socket holds
        using RawClient client = _rig.Connect();
        Task sending = client.SendAsync(string.Concat(Enumerable.Range(0, Requests).Select(
            i => _rig.Request("POST", "/v1/drop", $$"""{"cidr":"10.0.{{i >> 8}}.{{i & 255}}/32","expiration":0}"""))));
        await ApiRig.WaitForAsync(() => _rig.Store.Count(Policy.Drop) > 100);
        await Task.Delay(100, TestContext.Current.CancellationToken);
        Assert.True(_rig.Store.Count(Policy.Drop) < Requests);
        for (int i = 0; i < Requests; i++)
        {
            Answer answer = await client.ReadAnswerAsync();
            Assert.Equal(201, answer.Status);
            Assert.Contains($"\"cidr\":\"10.0.{i >> 8}.{i & 255}/32\"", answer.Body, StringComparison.Ordinal);
        }

        await sending;
    }

    [Fact]
    public async Task PartlySentResponses_ArriveWhole()
    {
        const int Requests = 100;
        int answered = 0;
        using var rig = new ApiRig(more: router => router.Map(Verb.Get, "/large", exchange =>
        {
            IBufferWriter<byte> body = exchange.Answer(200);
            body.GetSpan(LargeLength(answered))[..LargeLength(answered)].Fill((byte)('a' + (answered % 26)));
            body.Advance(LargeLength(answered++));
            return default;
        }));
        using RawClient client = rig.Connect();
        await client.SendAsync(string.Concat(Enumerable.Repeat(rig.Request("GET", "/large"), Requests)));
        await ApiRig.WaitForAsync(() => answered > 0);
        await Task.Delay(100, TestContext.Current.CancellationToken);
        Assert.True(answered < Requests);
        for (int i = 0; i < Requests; i++)
        {
            Assert.Equal(new string((char)('a' + (i % 26)), LargeLength(i)), (await client.ReadAnswerAsync()).Body);
        }
    }

    private static int LargeLength(int i) => 40_000 + (i * 17);

    [Fact]
    public async Task Batch_TakesRequestsOfSeveralConnections()
    {
        // Two connections fill a batch of 32. The sixth is the last, and flushes every eight responses.
        Assert.Equal((int[])[32, 32, 24, 8], await BatchSizesAsync(connections: 6, requests: 16));
    }

    [Fact]
    public async Task Batch_TakesFewRequestsOfEachConnection()
    {
        // Five connections with seven requests each fill a batch; how much of the sixth is received by then is up to the kernel.
        int[] sizes = await BatchSizesAsync(connections: 6, requests: 7);
        Assert.InRange(sizes[0], 35, 41);
        Assert.Equal(42, sizes.Sum());
    }

    [Fact]
    public async Task SingleConnection_FlushesEveryEightResponses() => Assert.Equal((int[])[8, 8, 4], await BatchSizesAsync(connections: 1, requests: 20));

    [Fact]
    public async Task Batch_HasAtMostSixteenConnections() => Assert.Equal((int[])[16, 16, 8], await BatchSizesAsync(connections: 40, requests: 1));

    /// <summary>How many additions the data plane is given at once, when all of them were sent before the event loop looks.</summary>
    private static async Task<int[]> BatchSizesAsync(int connections, int requests)
    {
        using var begun = new SemaphoreSlim(0);
        using var all = new ManualResetEventSlim();
        using var rig = new ApiRig(loopTime: new StoppedClock(), more: router => router.Map(Verb.Get, "/hold", exchange =>
        {
            begun.Release();
            all.Wait(TimeSpan.FromSeconds(20));
            exchange.AnswerNothing();
            return default;
        }));
        RawClient[] clients = [.. Enumerable.Range(0, connections + 1).Select(_ => rig.Connect())];
        foreach (RawClient client in clients)
        {
            await client.SendAsync(rig.Request("GET", "/v1/drop"));
            Assert.Equal(200, (await client.ReadAnswerAsync()).Status);
        }

        var sizes = new List<int>();
        int before = 0;
        rig.Plane.AfterWrite = () =>
        {
            sizes.Add(rig.Plane.Applied - before);
            before = rig.Plane.Applied;
        };
        await clients[^1].SendAsync(rig.Request("GET", "/hold"));
        Assert.True(await begun.WaitAsync(TimeSpan.FromSeconds(20)));
        for (int i = 0; i < connections; i++)
        {
            await clients[i].SendAsync(string.Concat(Enumerable.Range(0, requests).Select(
                k => rig.Request("POST", "/v1/drop", $$"""{"cidr":"10.0.{{i}}.{{k}}/32","expiration":0}"""))));
        }

        all.Set();
        foreach (RawClient client in clients[..^1])
        {
            for (int k = 0; k < requests; k++)
            {
                Assert.Equal(201, (await client.ReadAnswerAsync()).Status);
            }
        }

        Array.ForEach(clients, client => client.Dispose());
        return [.. sizes];
    }

    /// <summary>For an iteration of the event loop whose time slice never ends, however busy the machine is.</summary>
    private sealed class StoppedClock : TimeProvider
    {
        public override long GetTimestamp() => 0;
    }
}
