using Couic.Http;
using Couic.Http.Parsing;
using Couic.Tests.Api;
using Xunit;

namespace Couic.Tests.Http;

/// <summary>Few requests compute at a time, and none blocks the others while it waits for its client.</summary>
public class OffloadTests
{
    private static readonly int AtOnce = Math.Max(1, Environment.ProcessorCount / 2);

    [Fact]
    public async Task OffloadedRequests_BeyondTheLimit_AreQueued()
    {
        var goOn = new TaskCompletionSource();
        int running = 0, most = 0;
        using var rig = new ApiRig(more: router => router.Map(Verb.Get, "/busy", async exchange =>
        {
            if (await exchange.OffloadAsync(WorkClass.Short))
            {
                lock (goOn)
                {
                    most = Math.Max(most, ++running);
                }

                await goOn.Task;
                lock (goOn)
                {
                    running--;
                }

                exchange.AnswerNothing();
            }
        }));
        RawClient[] clients = [.. Enumerable.Range(0, 3 * AtOnce).Select(_ => rig.Connect())];
        foreach (RawClient client in clients)
        {
            await client.SendAsync("GET /busy HTTP/1.1\r\n\r\n");
        }

        await ApiRig.WaitForAsync(() => Volatile.Read(ref running) >= AtOnce);

        await Task.Delay(200, TestContext.Current.CancellationToken);
        goOn.SetResult();
        foreach (RawClient client in clients)
        {
            Assert.Equal(204, (await client.ReadAnswerAsync()).Status);
            client.Dispose();
        }

        Assert.Equal(AtOnce, most);
    }

    [Fact]
    public async Task PausedBody_ReleasesItsWorker()
    {
        using var rig = new ApiRig();
        string request = rig.Request("POST", "/v1/drop/bulk", Items("192.0.2"));
        RawClient[] clients = [.. Enumerable.Range(0, 2 * AtOnce).Select(_ => rig.Connect())];
        foreach (RawClient client in clients)
        {
            await client.SendAsync(request[..^100]);
        }

        Assert.Equal(200, (await rig.SendAsync("GET", "/v1/stats")).Status);
        foreach (RawClient client in clients)
        {
            await client.SendAsync(request[^100..]);
            Assert.Equal(200, (await client.ReadAnswerAsync()).Status);
            client.Dispose();
        }
    }

    [Fact]
    public async Task SlowReader_ReleasesItsWorker()
    {
        const int Length = 4_000_000;
        using var rig = new ApiRig(more: router => router.Map(Verb.Get, "/long", async exchange =>
        {
            if (await exchange.OffloadAsync(WorkClass.Long) && await exchange.BeginStreamAsync(200, Length) is { } body)
            {
                for (int sent = 0; sent < Length; sent += 40_000)
                {
                    body.GetSpan(40_000)[..40_000].Fill((byte)' ');
                    body.Advance(40_000);
                    await body.FlushAsync();
                }

                await body.CompleteAsync();
            }
        }));
        RawClient[] clients = [.. Enumerable.Range(0, 2 * AtOnce).Select(_ => rig.Connect())];
        foreach (RawClient client in clients)
        {
            await client.SendAsync("GET /long HTTP/1.1\r\n\r\n");
        }

        Assert.Equal(200, (await rig.SendAsync("GET", "/v1/stats")).Status);
        foreach (RawClient client in clients)
        {
            Assert.Equal(Length, (await client.ReadAnswerAsync()).Body.Length);
            client.Dispose();
        }
    }

    [Fact]
    public async Task QueuedRequest_WhoseBodyMoved_ReadsItWhole()
    {
        var goOn = new TaskCompletionSource();
        int running = 0;
        using var rig = new ApiRig(more: router => router.Map(Verb.Get, "/busy", async exchange =>
        {
            if (await exchange.OffloadAsync(WorkClass.Long))
            {
                Interlocked.Increment(ref running);
                await goOn.Task;
                exchange.AnswerNothing();
            }
        }));
        string text = Items("192.0.2"), request = rig.Request("POST", "/v1/drop/bulk", text);
        using RawClient bulk = rig.Connect();
        await bulk.SendAsync(request[..^1500]);
        await Task.Delay(200, TestContext.Current.CancellationToken); // it waits for the rest, without a worker
        RawClient[] busy = [.. Enumerable.Range(0, AtOnce).Select(_ => rig.Connect())];
        foreach (RawClient client in busy)
        {
            await client.SendAsync("GET /busy HTTP/1.1\r\n\r\n");
        }

        await ApiRig.WaitForAsync(() => Volatile.Read(ref running) >= AtOnce);

        await bulk.SendAsync(request[^1500..]);
        await Task.Delay(200, TestContext.Current.CancellationToken); // it is queued
        for (int i = 0; i < 20; i++)
        {
            // Others reuse its memory.
            using RawClient other = rig.Connect();
            await other.SendAsync($"POST /v1/drop HTTP/1.1\r\ncontent-length: 8000\r\n\r\n{new string('x', 8000)}");
            await other.ReadAnswerAsync();
        }

        goOn.SetResult();
        Answer answer = await bulk.ReadAnswerAsync();
        Assert.True(answer.Status == 200, answer.Body);
        Assert.StartsWith("{\"created\":40,", answer.Body);
        foreach (RawClient client in busy)
        {
            Assert.Equal(204, (await client.ReadAnswerAsync()).Status);
            client.Dispose();
        }
    }

    [Fact]
    public async Task LongComputation_YieldsToQueuedRequests()
    {
        int running = 0, paused = 0, early = 0;
        bool ends = false;
        using var rig = new ApiRig(more: router => router.Map(Verb.Get, "/long", async exchange =>
        {
            await exchange.OffloadAsync(WorkClass.Long);
            early += exchange.ShouldYield ? 1 : 0;
            Interlocked.Increment(ref running);
            while (!exchange.ShouldYield && !Volatile.Read(ref ends))
            {
                await Task.Delay(10); // no thread is held: clients need some, too
            }

            paused += exchange.ShouldYield ? 1 : 0;
            exchange.ReleaseWorker();
            await exchange.OffloadAsync(WorkClass.Long);
            exchange.AnswerNothing();
        }));
        RawClient[] clients = [.. Enumerable.Range(0, AtOnce).Select(_ => rig.Connect())];
        foreach (RawClient client in clients)
        {
            await client.SendAsync("GET /long HTTP/1.1\r\n\r\n");
        }

        try
        {
            await ApiRig.WaitForAsync(() => Volatile.Read(ref running) >= AtOnce);
            await Task.Delay(300, TestContext.Current.CancellationToken);
            Assert.Equal(0, paused); // none is queued
            // On the pool: the test runner has few threads, and all may be busy for longer than that.
            Task<Answer> bulk = Task.Run(() => rig.SendAsync("POST", "/v1/drop/bulk", Items("192.0.2")));
            Assert.True(
                await Task.WhenAny(bulk, Task.Delay(TimeSpan.FromSeconds(10), TestContext.Current.CancellationToken)) == bulk,
                $"no answer; {paused} have yielded, {(rig.Server.Workers(WorkClass.Long).HasWaiters ? "some" : "none")} are queued, {rig.Server.ConnectionCount} connections, {bulk.Status}, {ThreadPool.ThreadCount} threads, {ThreadPool.PendingWorkItemCount} pending, {rig.Server.SinceLastIteration.TotalMilliseconds:0} ms");
            Assert.Equal(200, (await bulk).Status);
            Assert.InRange(paused, 1, AtOnce);
            Assert.Equal(0, early);
        }
        finally
        {
            Volatile.Write(ref ends, true);
        }

        foreach (RawClient client in clients)
        {
            Assert.Equal(204, (await client.ReadAnswerAsync()).Status);
            client.Dispose();
        }
    }

    private static string Items(string net) =>
        $"[{string.Join(',', Enumerable.Range(0, 40).Select(i => $$"""{"cidr":"{{net}}.{{i}}/32","expiration":0}"""))}]";

    [Fact]
    public async Task WaitingRequest_IsChargedForAllItsBuffers()
    {
        // A body that waits in the middle takes its buffer; of forty with 50 KB each, four fit.
        using var rig = new ApiRig(new HttpLimits { MaxParkedBytes = 256 * 1024, LargeBodyBytes = 128 * 1024 });
        string request = rig.Request("POST", "/v1/drop/bulk", $"[{new string(' ', 100_000)}");
        RawClient[] clients = [.. Enumerable.Range(0, 40).Select(_ => rig.Connect())];
        foreach (RawClient client in clients)
        {
            await client.SendAsync(request[..50_000]);
        }

        await ApiRig.WaitForAsync(() => rig.Log.Has("api_parked_full") && rig.Server.ConnectionCount <= 5);

        Assert.True(rig.Log.Has("api_parked_full"));
        Assert.InRange(rig.Server.ConnectionCount, 1, 5);
        Array.ForEach(clients, client => client.Dispose());
    }

    [Fact]
    public async Task QueuedRequest_IsChargedToTheMemoryBudget()
    {
        // One is at work, and some 4.5 KB each of 64 KB are enough for fourteen in line.
        var goOn = new TaskCompletionSource();
        using var rig = new ApiRig(new HttpLimits { MaxParkedBytes = 64 * 1024 }, more: router => router.Map(Verb.Get, "/busy", async exchange =>
        {
            if (await exchange.OffloadAsync(WorkClass.Short))
            {
                await goOn.Task;
                exchange.AnswerNothing();
            }
        }));
        RawClient[] clients = [.. Enumerable.Range(0, 60).Select(_ => rig.Connect())];
        foreach (RawClient client in clients)
        {
            await client.SendAsync("GET /busy HTTP/1.1\r\n\r\n");
        }

        Assert.Equal(404, (await rig.SendAsync("GET", "/v1/drop/192.0.2.1")).Status); // so all before it are accepted, too
        await ApiRig.WaitForAsync(() => rig.Server.ConnectionCount <= 17 + AtOnce);

        goOn.SetResult();
        int served = 0;
        foreach (RawClient client in clients)
        {
            served += (await client.ReadAnswerAsync()).Status == 204 ? 1 : 0;
            client.Dispose();
        }

        Assert.InRange(served, AtOnce + 5, AtOnce + 17);
    }
}
