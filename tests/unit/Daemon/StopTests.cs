using Couic.Store;
using Xunit;
using static Couic.Tests.Store.StoreRig;

namespace Couic.Tests.Daemon;

/// <summary>The end of the daemon.</summary>
[Collection(nameof(InternalErrorTests.Alone))]
public class StopTests
{
    private static ChangeContext Api => new(ChangeOrigin.Api, "t"u8);

    /// <summary>The server gives up on handlers after its grace; a table that was unmapped under one would end the process by a signal.</summary>
    [Fact]
    public async Task ChangesDuringTheStop_FindTheirTablesOpen()
    {
        using var rig = new HostRig();
        RuleStore store = rig.Host.Store;
        bool isOver = false;
        using var begun = new ManualResetEventSlim();
        Task changing = Task.Run(() =>
        {
            for (uint i = 0; !Volatile.Read(ref isOver); i++)
            {
                Cidr host = Cidr.FromV4(0x0a000000 + (i % 512));
                var changes = new ChangeRequest[] { Addition(host), Removal(host) };
                store.Apply(changes);
                Assert.Equal([StoreOutcome.Created, StoreOutcome.Removed], changes.Select(change => change.Outcome));
                begun.Set();
            }
        }, TestContext.Current.CancellationToken);
        Assert.True(begun.Wait(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken));
        rig.End();
        Assert.False(changing.IsCompleted);
        Volatile.Write(ref isOver, true);
        await changing.WaitAsync(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken);
        Assert.Equal(StoreOutcome.Created, store.Add(Policy.Drop, Net("198.51.100.0/24"), default, 0, ConflictMode.Refuse, Api, out _));
    }

    [Fact]
    public void DynamicEntries_AreCountedInTheLogAtTheEnd()
    {
        using var rig = new HostRig();
        foreach (string network in (string[])["198.51.100.1/32", "198.51.100.2/32", "2001:db8::/32"])
        {
            rig.Host.Store.Add(Policy.Drop, Net(network), default, 0, ConflictMode.Refuse, Api, out _);
        }

        rig.Host.Store.Add(Policy.Ignore, Net("192.0.2.1/32"), default, 0, ConflictMode.Refuse, Api, out _);
        rig.End();
        Assert.Contains("3 dynamic entries of drop are forgotten", rig.Log, StringComparison.Ordinal);
        Assert.Contains("1 dynamic entries of ignore are forgotten", rig.Log, StringComparison.Ordinal);
    }

    private static ChangeRequest Addition(Cidr cidr) => new() { Policy = Policy.Drop, Cidr = cidr, Tag = [], Creator = "t"u8.ToArray() };

    private static ChangeRequest Removal(Cidr cidr) => new() { Policy = Policy.Drop, Cidr = cidr, IsRemoval = true, Creator = "t"u8.ToArray() };
}
