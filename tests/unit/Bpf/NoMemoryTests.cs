using Couic.Bpf;
using Couic.Native;
using Couic.Store;
using Xunit;

namespace Couic.Tests.Bpf;

/// <summary>The pieces of the tables are mapped when they are first needed, which the kernel may refuse.</summary>
[Collection("bpf")]
public class NoMemoryTests
{
    private const int Few = 20;
    private const int Many = 400;

    /// <summary>So large that neighbours are in different pieces.</summary>
    private static readonly PlaneOptions Large = new() { Limits = new StoreLimits(65_536, 16_384, 8) };

    [Theory]
    [InlineData("203.0.113.9/32", false)]
    [InlineData("203.0.113.9/32", true)]
    [InlineData("203.0.0.0/12", false)]
    [InlineData("203.0.0.0/12", true)]
    [InlineData("2001:db8:7::9/128", false)]
    [InlineData("2001:db8:7::9/128", true)]
    [InlineData("2001:d00::/26", false)]
    [InlineData("2001:d00::/26", true)]
    public void Refusal_ChangesNothing_AndTheNextAttemptSucceeds(string text, bool batched)
    {
        using var plane = new PlaneFixture(Large);
        var store = new RuleStore(plane.Plane, plane.Plane.Limits, TimeProvider.System);
        Cidr cidr = PlaneFixture.Parse(text);

        NoMappings.Run(() =>
        {
            Assert.Equal(StoreOutcome.Refused, Add(store, cidr, batched));
            Assert.Equal($"add {cidr} in map \"couic_lines\": cannot allocate memory (the kernel is out of memory)", store.LastRefusal!.Message);
        });
        Assert.False(store.TryGet(Policy.Drop, cidr, out _));
        AssertAgreement(plane, store, [cidr]);

        Assert.Equal(StoreOutcome.Created, Add(store, cidr, batched));
        Assert.True(store.TryGet(Policy.Drop, cidr, out _));
        AssertAgreement(plane, store, [cidr]);
        NoMappings.Run(() => Assert.Equal(StoreOutcome.Removed, store.Remove(Policy.Drop, cidr, default, out _)));
        AssertAgreement(plane, store, [cidr]);
    }

    /// <summary>Some of what these need is mapped, and some is not; a second attempt for all of them meets what the first one left.</summary>
    [Theory]
    [InlineData(IpFamily.V4, false)]
    [InlineData(IpFamily.V4, true)]
    [InlineData(IpFamily.V6, false)]
    [InlineData(IpFamily.V6, true)]
    public void RefusalsAmongMany_LeaveEachVerdictAsInTheStore(IpFamily family, bool batched)
    {
        using var plane = new PlaneFixture(Large);
        var store = new RuleStore(plane.Plane, plane.Plane.Limits, TimeProvider.System);
        var random = new Random(7);
        List<Cidr> cidrs = [.. Enumerable.Range(0, Few + Many).Select(_ => family == IpFamily.V4
            ? Cidr.FromV4((uint)random.NextInt64(1u << 31), random.Next(9, 33)).Network
            : new Cidr(IpFamily.V6, (ulong)random.NextInt64(), (ulong)random.NextInt64(), random.Next(20, 129)).Network).Distinct()];
        cidrs[..Few].ForEach(cidr => Add(store, cidr, batched));
        int refused = 0;
        NoMappings.Run(() => refused = cidrs[Few..].Count(cidr => Add(store, cidr, batched) == StoreOutcome.Refused));
        Assert.InRange(refused, 1, Many - 1);
        AssertAgreement(plane, store, cidrs);

        cidrs.ForEach(cidr => Add(store, cidr, batched));
        AssertAgreement(plane, store, cidrs);
        NoMappings.Run(() => cidrs.ForEach(cidr => Assert.Equal(StoreOutcome.Removed, store.Remove(Policy.Drop, cidr, default, out _))));
        AssertAgreement(plane, store, cidrs);
    }

    /// <summary>The kernel takes the first ones of a call for many; the others are refused.</summary>
    [Fact]
    public void Batch_ThatFillsTheTrie_LeavesTheTakenKeysAndNoOthers()
    {
        const int Part = ChangeBatch.Capacity - 4; // no divisor of the trie's size
        using var plane = new PlaneFixture();
        EntryMutation[] changes = [.. Enumerable.Range(0, 700).Select(i => PlaneFixture.Put(Policy.Ignore, Cidr.FromV4((uint)(i * 0x9E3779B1L)), 0, i))];
        var isTaken = new bool[changes.Length];
        for (int start = 0; start < changes.Length; start += Part)
        {
            EntryMutation[] part = changes[start..Math.Min(start + Part, changes.Length)];
            plane.ApplyBatch(part);
            part.Select(change => change.Refusal is null).ToArray().CopyTo(isTaken, start);
        }

        Assert.InRange(isTaken.Count(taken => taken), 256, changes.Length - 1);
        Assert.Contains(Enumerable.Range(0, changes.Length), i => i % Part > 0 && isTaken[i - 1] && !isTaken[i]);
        byte[] key = new byte[TrieEntry.KeySize(IpFamily.V4)];
        for (int i = 0; i < changes.Length; i++)
        {
            TrieEntry.Write(changes[i].Cidr, key);
            Errno found = BpfSyscall.Lookup(plane.Maps.Trie(Policy.Ignore, IpFamily.V4), key, new byte[4]);
            Assert.Equal(isTaken[i] ? Errno.None : Errno.ENOENT, found);
        }
    }

    private static StoreOutcome Add(RuleStore store, Cidr cidr, bool batched)
    {
        if (!batched)
        {
            return store.Add(Policy.Drop, cidr, "t"u8, 0, ConflictMode.Refuse, default, out _);
        }

        ChangeRequest[] changes = [new ChangeRequest { Policy = Policy.Drop, Cidr = cidr, Creator = [] }];
        store.Apply(changes);
        return changes[0].Outcome;
    }

    /// <summary>The tries hold what the store holds, and each address is dropped exactly where it should be.</summary>
    private static void AssertAgreement(PlaneFixture plane, RuleStore store, IEnumerable<Cidr> cidrs)
    {
        Assert.Equal(new DriftReport(0, 0), new Reconciler(store, plane.Plane, () => { }).Run());
        foreach (Cidr cidr in cidrs)
        {
            string source = cidr.AddressText();
            Assert.Equal(CidrFault.None, Cidr.TryParse($"{source}/{cidr.MaxLength}", out Cidr host));
            uint expected = store.Covering(Policy.Drop, host).Count > 0 ? PlaneFixture.Drop : PlaneFixture.Pass;
            uint verdict = plane.Run(cidr.Family == IpFamily.V4 ? Packets.Ethernet(0x0800, Packets.V4(source)) : Packets.Ethernet(0x86dd, Packets.V6(source)));
            Assert.True(expected == verdict, $"{cidr}: {verdict}, expected {expected}");
        }
    }
}
