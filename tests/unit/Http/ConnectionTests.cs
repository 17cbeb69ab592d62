using System.Text;
using Couic.Http;
using Couic.Http.Parsing;
using Couic.Tests.Api;
using Xunit;

namespace Couic.Tests.Http;

/// <summary>The states of a connection, and that no event is lost between two of them.</summary>
public sealed class ConnectionTests
{
    [Fact]
    public async Task RequestThatArrivesDuringAnOffloadedOne_IsServedAfterIt()
    {
        using var begun = new SemaphoreSlim(0);
        var proceed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        using var rig = new ApiRig(more: router => router.Map(Verb.Get, "/offloaded", async exchange =>
        {
            await exchange.OffloadAsync(WorkClass.Short);
            begun.Release();
            await proceed.Task;
            exchange.AnswerNothing();
        }));
        using RawClient client = rig.Connect();
        await client.SendAsync("GET /offloaded HTTP/1.1\r\n\r\n");
        Assert.True(await begun.WaitAsync(TimeSpan.FromSeconds(20), TestContext.Current.CancellationToken));
        await client.SendAsync("GET /nowhere HTTP/1.1\r\n\r\n");
        await ServeAnotherAsync(rig); // so the event loop has seen that there is more
        proceed.SetResult();
        Assert.Equal(204, (await client.ReadAnswerAsync()).Status);
        Assert.Equal(404, (await client.ReadAnswerAsync()).Status);
    }

    [Fact]
    public async Task RequestThatArrivesWhileTheClientReadsSlowly_IsServedAfterwards()
    {
        const int Length = 4_000_000;
        using var rig = new ApiRig(more: router => router.Map(Verb.Get, "/long", static exchange =>
        {
            exchange.Answer(200).GetSpan(Length)[..Length].Fill((byte)'x');
            exchange.AnswerBody.Advance(Length);
            return default;
        }));
        using RawClient client = rig.Connect();
        await client.SendAsync("GET /long HTTP/1.1\r\n\r\n");
        await ServeAnotherAsync(rig);
        await client.SendAsync("GET /nowhere HTTP/1.1\r\n\r\n");
        await ServeAnotherAsync(rig);
        Assert.Equal(Length, (await client.ReadAnswerAsync()).Body.Length);
        Assert.Equal(404, (await client.ReadAnswerAsync()).Status);
    }

    [Fact]
    public async Task ClientThatLeavesDuringAnOffloadedRequest_LeavesNoConnection()
    {
        using var begun = new SemaphoreSlim(0);
        var proceed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        using var rig = new ApiRig(more: router => router.Map(Verb.Get, "/offloaded", async exchange =>
        {
            await exchange.OffloadAsync(WorkClass.Short);
            begun.Release();
            await proceed.Task;
            exchange.AnswerNothing();
        }));
        using (RawClient client = rig.Connect())
        {
            await client.SendAsync("GET /offloaded HTTP/1.1\r\n\r\n");
            Assert.True(await begun.WaitAsync(TimeSpan.FromSeconds(20), TestContext.Current.CancellationToken));
        }

        await ServeAnotherAsync(rig);
        proceed.SetResult();
        await ApiRig.WaitForAsync(() => rig.Server.ConnectionCount == 0);
        Assert.False(rig.Server.Workers(WorkClass.Short).HasWaiters);
        Assert.Equal(200, (await rig.SendAsync("GET", "/v1/stats")).Status); // the worker was released
    }

    /// <summary>Every way through the states, in any order and cut anywhere: each request gets its response, in order.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public async Task AnyMixOfRequestsInAnyPieces_GetsEveryResponseInOrder(int seed)
    {
        using var rig = new ApiRig();
        await Task.WhenAll(Enumerable.Range(0, 24).Select(i => Task.Run(() => ConverseAsync(rig, new Random((seed * 1_000) + i), i), TestContext.Current.CancellationToken)));
        await ApiRig.WaitForAsync(() => rig.Server.ConnectionCount == 0);
    }

    private static async Task ConverseAsync(ApiRig rig, Random random, int host)
    {
        using RawClient client = rig.Connect();
        string cidr = $"10.1.0.{host}";
        (string Request, int Status)[] shapes =
        [
            (rig.Request("GET", "/v1/stats"), 200),
            (rig.Request("GET", "/v1/drop?limit=5"), 200),
            (rig.Request("POST", "/v1/drop", $$"""{"cidr":"{{cidr}}/32","expiration":0}"""), 0),
            (rig.Request("DELETE", $"/v1/drop/{cidr}/32"), 0),
            (rig.Request("GET", $"/v1/drop/{cidr}/32"), 0),
            (rig.Request("POST", "/v1/drop/bulk", $$"""[{"cidr":"10.2.{{host}}.0/24","expiration":0}]"""), 200),
            (rig.Request("POST", "/nowhere", new string('x', 3_000)), 404),
            ("POST /v1/drop HTTP/1.1\r\ncontent-length: 9\r\n\r\nno object", 401),
        ];
        for (int round = 0; round < 10; round++)
        {
            var requests = new StringBuilder();
            var statuses = new List<int>();
            for (int k = random.Next(1, 40); k > 0; k--)
            {
                (string request, int status) = shapes[random.Next(shapes.Length)];
                requests.Append(request);
                statuses.Add(status);
            }

            Task sending = SendInPiecesAsync(client, random, requests.ToString());
            foreach (int status in statuses)
            {
                int actual = (await client.ReadAnswerAsync()).Status;
                Assert.True(status == 0 ? actual is 200 or 201 or 204 or 404 or 409 : actual == status, $"{actual} instead of {status}");
            }

            await sending;
        }
    }

    private static async Task SendInPiecesAsync(RawClient client, Random random, string requests)
    {
        byte[] bytes = Encoding.ASCII.GetBytes(requests);
        for (int sent = 0, length; sent < bytes.Length; sent += length)
        {
            length = Math.Min(random.Next(1, 4_000), bytes.Length - sent);
            await client.SendAsync(bytes.AsMemory(sent, length));
            if (random.Next(4) == 0)
            {
                await Task.Delay(1, TestContext.Current.CancellationToken);
            }
        }
    }

    private static async Task ServeAnotherAsync(ApiRig rig) => Assert.Equal(404, (await rig.SendAsync("GET", "/nowhere")).Status);
}
