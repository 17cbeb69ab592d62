using Couic.Api;
using Couic.Daemon;
using Couic.Names;
using Couic.Peering;
using Couic.Store;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace Couic.Tests.Api;

/// <summary>Whatever way a change comes in, its answer is written after the data plane has taken the last part of it.</summary>
public sealed class AcknowledgementTests : IDisposable
{
    private const int ManyItems = 1_300; // three pieces of a bulk body
    private readonly ApiRig _rig = new();

    public void Dispose() => _rig.Dispose();

    public static TheoryData<string, string, string?, int> Requests => new()
    {
        { "POST", "/v1/drop", """{"cidr":"10.0.0.1/32","expiration":0}""", 1 },
        { "POST", "/v1/drop?on_conflict=update", """{"cidr":"192.0.2.1/32","tag":"other","expiration":0}""", 1 },
        { "DELETE", "/v1/drop/192.0.2.1/32", null, 1 },
        { "DELETE", "/v1/drop/tag/old", null, 3 },
        { "POST", "/v1/drop/bulk", """[["10.0.0.1/32","t",0],["2001:db8::1/128","t",0]]""", 2 },
        { "POST", "/v1/drop/bulk", $"[{string.Join(',', Enumerable.Range(0, ManyItems).Select(i => $"[\"10.0.{i / 256}.{i % 256}/32\",\"t\",0]"))}]", ManyItems },
        { "POST", "/v1/drop/bulk?action=remove", """["192.0.2.1/32","192.0.2.2/32"]""", 2 },
        { "POST", "/v1/sets/reload", null, 2 },
        { "POST", "/v1/drop/peer", """[{"action":"add","entry":{"cidr":"10.0.0.1/32","expiration":0}},{"action":"remove","entry":{"cidr":"192.0.2.1/32","expiration":0}}]""", 2 },
    };

    [Theory]
    [MemberData(nameof(Requests))]
    public async Task AnAnswer_ComesAfterTheLastChangeIsWritten(string method, string target, string? body, int changes)
    {
        using var names = new HostResolver(TimeProvider.System, NullLogger.Instance);
        using var peering = new PeeringService(_rig.Store, TimeProvider.System, NullLogger.Instance, "couic/test", names);
        new PeerEndpoints(peering, _rig.Services).Register((ApiRouter)_rig.Router);
        for (int i = 1; i <= 3; i++)
        {
            _rig.Store.Add(Policy.Drop, Cidr.FromV4(0xc0000200u + (uint)i), "old"u8, 0, ConflictMode.Refuse, default, out _);
        }

        _rig.WriteSet(Policy.Drop, "set", "10.0.0.1/32\n2001:db8::1/128\n");
        using RawClient client = _rig.Connect();
        int written = 0, answered = 0;
        _rig.Plane.AfterChange = _ =>
        {
            if (Interlocked.Increment(ref written) == changes)
            {
                Thread.Sleep(100); // long enough for an answer that does not wait
            }

            answered += client.Socket.Available;
        };
        await client.SendAsync(_rig.Request(method, target, body));
        Answer answer = await client.ReadAnswerAsync();
        Assert.InRange(answer.Status, 200, 204);
        Assert.Equal((changes, 0), (written, answered));
    }
}
