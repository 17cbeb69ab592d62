using System.Diagnostics;
using System.Reflection;
using System.Text;
using Couic.Config;
using Couic.Http;
using Couic.Http.Parsing;
using Couic.Logging;
using Couic.Tests.Api;
using Couic.Tests.Support;
using Xunit;

namespace Couic.Tests.Http;

public sealed class AllocationTests
{
    /// <summary>Handlers run on the event loop's thread, so a route of the test's own can read that thread's counter.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(16)]
    public async Task SteadyStateAddsAndDeletesAllocateNothing(int depth)
    {
        long allocated = 0;
        using var folder = new TempFolder();
        using var logs = new LogFactory(new LoggingSettings(folder.Path), new Nowhere(), TimeProvider.System, LogQueue.DefaultBytes, TimeSpan.FromMinutes(1));
        using var rig = new ApiRig(more: router => router.Map(Verb.Get, "/allocated", exchange =>
        {
            Volatile.Write(ref allocated, GC.GetAllocatedBytesForCurrentThread());
            exchange.AnswerNothing();
            return default;
        }), logs: logs);
        rig.Plane.Checks = false;
        using RawClient client = rig.Connect();

        // The first entry of a client and the first of a tag cost their names.
        Assert.Equal(201, (await rig.SendAsync("POST", "/v1/drop", """{"cidr":"192.0.2.1/32","tag":"scan","expiration":0}""")).Status);
        long used = long.MaxValue;
        for (int round = 0; round < 200 && used > 1024; round++)
        {
            await Task.Delay(150, TestContext.Current.CancellationToken); // code that was not compiled with optimizations yet puts structs in boxes
            long before = await ReadCounterAsync();
            await AddAndDeleteAsync(rig, client, depth);
            used = await ReadCounterAsync() - before;
        }

        // A new second brings a new date line; nothing else may. In a debug build every asynchronous method is an object.
        bool isDebug = typeof(HttpServer).Assembly.GetCustomAttribute<DebuggableAttribute>() is { IsJITOptimizerDisabled: true };
        Assert.InRange(used, 0, isDebug ? long.MaxValue : 1024);
        Assert.Equal(0, logs.Dropped); // each request has had its audit line

        async Task<long> ReadCounterAsync()
        {
            await client.SendAsync("GET /allocated HTTP/1.1\r\n\r\n");
            await client.ReadAnswerAsync();
            return Volatile.Read(ref allocated);
        }
    }

    private sealed class Nowhere : ILogOutput
    {
        public OutputKind Kind => OutputKind.Stream;

        public bool TryWrite(ReadOnlySpan<byte> lines) => true;

        public void Dispose()
        {
        }
    }

    private static async Task AddAndDeleteAsync(ApiRig rig, RawClient client, int depth)
    {
        for (int i = 0; i < 320; i += depth)
        {
            var requests = new StringBuilder();
            for (int k = i; k < i + depth; k++)
            {
                requests.Append(rig.Request("POST", "/v1/drop", $$"""{"cidr":"10.0.{{k >> 8}}.{{k & 255}}/32","tag":"scan","expiration":0}"""));
            }

            for (int k = i; k < i + depth; k++)
            {
                requests.Append(rig.Request("DELETE", $"/v1/drop/10.0.{k >> 8}.{k & 255}/32"));
            }

            await client.SendAsync(requests.ToString());
            for (int k = 0; k < 2 * depth; k++)
            {
                Assert.Equal(k < depth ? 201 : 204, (await client.ReadAnswerAsync()).Status);
            }
        }
    }
}
