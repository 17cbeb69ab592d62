using Couic.Bpf;
using Couic.Native;
using Couic.Store;
using Xunit;

namespace Couic.Tests.Bpf;

[Collection("bpf")]
public class ReconcilerTests
{
    [Theory]
    [InlineData(Policy.Drop, "192.0.2.9/32", "198.51.100.0/24")]
    [InlineData(Policy.Drop, "2001:db8::/64", "2001:db8:1::1/128")]
    [InlineData(Policy.Ignore, "192.0.2.0/24", "198.51.100.1/32")]
    public void ForeignChanges_AreRepairedAndCounted(Policy policy, string listed, string stray)
    {
        using var plane = new PlaneFixture();
        var store = new RuleStore(plane.Plane, plane.Plane.Limits, TimeProvider.System);
        Cidr cidr = PlaneFixture.Parse(listed);
        Add(store, policy, cidr);
        Add(store, policy, PlaneFixture.Parse(cidr.Family == IpFamily.V4 ? "0.0.0.0/0" : "::/0"));
        var check = new Reconciler(store, plane.Plane, () => { });
        Assert.Equal(new DriftReport(0, 0), check.Run());

        FileDescriptor trie = plane.Maps.Trie(policy, cidr.Family);
        byte[] key = new byte[TrieEntry.KeySize(cidr.Family)];
        byte[] value = [9, 0, 0, 0];
        TrieEntry.Write(cidr, key);
        Assert.Equal(Errno.None, BpfSyscall.Delete(trie, key));
        Assert.Equal(new DriftReport(1, 0), check.Run());
        Assert.Equal(new DriftReport(0, 0), check.Run());

        Assert.Equal(Errno.None, BpfSyscall.Update(trie, key, value));
        Assert.Equal(new DriftReport(1, 0), check.Run());

        TrieEntry.Write(PlaneFixture.Parse(stray), key);
        Assert.Equal(Errno.None, BpfSyscall.Update(trie, key, value));
        Assert.Equal(new DriftReport(0, 1), check.Run());
        Assert.Equal(Errno.ENOENT, BpfSyscall.Delete(trie, key));
        Assert.Equal(new DriftReport(0, 0), check.Run());
    }

    [Fact]
    public void ConcurrentChanges_AreNotDrift()
    {
        using var plane = new PlaneFixture(new PlaneOptions { Limits = new StoreLimits(4_096, 16, 8) });
        var store = new RuleStore(plane.Plane, plane.Plane.Limits, TimeProvider.System);
        for (uint i = 0; i < 2_000; i++)
        {
            Add(store, Policy.Drop, Cidr.FromV4(i << 8));
        }

        using var stop = new CancellationTokenSource();
        var churn = new Thread(() =>
        {
            var random = new Random(1);
            while (!stop.IsCancellationRequested)
            {
                Cidr cidr = Cidr.FromV4((uint)random.Next(4_000) << 8);
                if (store.Remove(Policy.Drop, cidr, default, out _) == StoreOutcome.Absent)
                {
                    Add(store, Policy.Drop, cidr);
                }
            }
        });
        churn.Start();
        var check = new Reconciler(store, plane.Plane, () => Thread.Sleep(1));
        for (int i = 0; i < 20; i++)
        {
            Assert.Equal(new DriftReport(0, 0), check.Run());
        }

        stop.Cancel();
        churn.Join();
    }

    private static void Add(RuleStore store, Policy policy, Cidr cidr) =>
        Assert.Equal(StoreOutcome.Created, store.Add(policy, cidr, "t"u8, 0, ConflictMode.Refuse, default, out _));
}
