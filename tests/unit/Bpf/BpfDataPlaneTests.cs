using Couic.Bpf;
using Couic.Bpf.Elf;
using Couic.Native;
using Couic.Store;
using Microsoft.Win32.SafeHandles;
using Xunit;

namespace Couic.Tests.Bpf;

[Collection("bpf")]
public class BpfDataPlaneTests
{
    [Fact]
    public void PlaneFromDescriptors_Filters()
    {
        using LoadedPlane loaded = XdpLoader.Load(PlaneFixture.Small);
        loaded.Maps.SetInherited(true);
        using BpfDataPlane plane = BpfDataPlane.FromDescriptors(loaded.Maps.ToText(), TimeProvider.System);
        Assert.Equal(PlaneFixture.Small.Limits, plane.Limits);
        EntryMutation[] mutations = [PlaneFixture.Put(Policy.Drop, PlaneFixture.Parse("192.0.2.9/32"), 0, 0)];
        plane.Prepare(ref mutations[0]);
        plane.Write(mutations);
        plane.Publish(mutations[0]);
        byte[] packet = Packets.Ethernet(0x0800, Packets.V4("192.0.2.9"));
        Assert.Equal(Errno.None, BpfSyscall.TestRun(loaded.Programs.Ethernet, packet, 1, out uint verdict, out _));
        Assert.Equal(PlaneFixture.Drop, verdict);

        // Both stand for the same descriptors here; the process that loads them does not live on.
        foreach (FileDescriptor map in loaded.Maps.All)
        {
            map.SetHandleAsInvalid();
        }
    }

    [Theory]
    [InlineData("")]
    [InlineData("1,2,x")]
    [InlineData("1,2,3")]
    [InlineData("1024,256,64,1,2,0,0,0,0,0,0,0")]
    public void TextOfOtherDescriptorsIsRefused(string text)
    {
        // Standard input must survive that: it is only looked at.
        BpfException e = Assert.Throws<BpfException>(() => PlaneMaps.FromText(text));
        Assert.StartsWith("take over maps ", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void RefusedDescriptors_KeepTheirOwner()
    {
        using SafeFileHandle file = Descriptors.MemoryFile("others", "theirs"u8);
        Refuse((int)file.DangerousGetHandle());
        GC.Collect();
        GC.WaitForPendingFinalizers();
        Assert.Equal(6, RandomAccess.GetLength(file));

        static void Refuse(int number) =>
            Assert.Throws<BpfException>(() => PlaneMaps.FromText($"1024,256,64,1,2,{string.Join(',', Enumerable.Repeat(number, PlaneMaps.Names.Length))}"));
    }

    [Fact]
    public void LoadingAndDisposingLeavesNoDescriptorOpen()
    {
        Load();
        int before = BpfDescriptors();
        for (int i = 0; i < 5; i++)
        {
            Load();
        }

        Assert.Equal(before, BpfDescriptors());

        static void Load()
        {
            using var plane = new PlaneFixture();
            plane.Put(Policy.Drop, "192.0.2.9/32");
        }
    }

    [Fact]
    public void RefusedProgram_LeavesNoDescriptor_AndQuotesTheVerifier()
    {
        int before = BpfDescriptors();
        ObjectSpec spec = XdpLoader.Configure(XdpLoader.ReadResource(), PlaneFixture.Small, coarseClock: true);

        // It returns without having said what.
        var program = new ProgramSpec
        {
            Name = spec.Program.Name,
            License = spec.Program.License,
            Instructions = new byte[] { 0x95, 0, 0, 0, 0, 0, 0, 0 },
            Functions = default,
            Lines = default,
            References = [],
        };
        var damaged = new ObjectSpec { Maps = spec.Maps, Types = spec.Types, Constants = spec.Constants, Program = program };
        BpfException e = Assert.Throws<BpfException>(() => KernelObjects.Make(damaged));

        Assert.Contains("load xdp program \"couic_xdp\": permission denied: R0 !read_ok", e.Message, StringComparison.Ordinal);
        Assert.Contains("processed ", e.VerifierLog!, StringComparison.Ordinal);
        Assert.Equal(before, BpfDescriptors());
    }

    [Fact]
    public void TheStoreRefusesTheEntryBeyondItsLimitAndLosesNone()
    {
        using var plane = new PlaneFixture(new PlaneOptions { Limits = new StoreLimits(512, 128, 8) });
        var store = new RuleStore(plane.Plane, plane.Plane.Limits, TimeProvider.System);
        foreach ((Policy policy, int limit) in ((Policy, int)[])[(Policy.Drop, 512), (Policy.Ignore, 128)])
        {
            for (uint i = 0; i < limit; i++)
            {
                Assert.Equal(StoreOutcome.Created, store.Add(policy, Cidr.FromV4(0x0a000000 + i), [], 0, ConflictMode.Refuse, default, out _));
            }

            Assert.Equal(StoreOutcome.Full, store.Add(policy, Cidr.FromV4(0x0b000000), [], 0, ConflictMode.Refuse, default, out _));

            // At the limit, a change of tag still works.
            Assert.Equal(StoreOutcome.Updated, store.Add(policy, Cidr.FromV4(0x0a000000), "t"u8, 0, ConflictMode.Update, default, out _));
            Assert.Equal(limit, KeysOf(plane, policy));
        }

        Assert.Equal(PlaneFixture.Pass, plane.Run(Packets.Ethernet(0x0800, Packets.V4("10.0.0.127"))));
        Assert.Equal(PlaneFixture.Drop, plane.Run(Packets.Ethernet(0x0800, Packets.V4("10.0.0.128"))));
        Assert.Equal(PlaneFixture.Drop, plane.Run(Packets.Ethernet(0x0800, Packets.V4("10.0.1.255"))));
        Assert.Equal(PlaneFixture.Pass, plane.Run(Packets.Ethernet(0x0800, Packets.V4("11.0.0.0"))));
    }

    [Fact]
    public void ATrieThatIsFullRefusesAndLeavesBothSidesAsTheyWere()
    {
        using var plane = new PlaneFixture(new PlaneOptions { Limits = new StoreLimits(16, 16, 4) });
        int applied = 0;
        PlaneRefusal? refusal = null;
        for (uint i = 0; refusal is null && i < 100; i++)
        {
            EntryMutation[] mutations = [PlaneFixture.Put(Policy.Drop, Cidr.FromV4(i << 8, 25), 0, (int)i)];
            plane.ApplyBatch(mutations);
            refusal = mutations[0].Refusal;
            applied += refusal is null ? 1 : 0;
        }

        Assert.Equal(32, applied);
        Assert.Equal("add 0.0.32.0/25 in map \"couic_ipv4_drop\": no space left on device (the kernel's table is full)", refusal!.Message);
        Assert.Equal(PlaneFixture.Pass, plane.Run(Packets.Ethernet(0x0800, Packets.V4("0.0.32.1"))));
        Assert.Equal(PlaneFixture.Drop, plane.Run(Packets.Ethernet(0x0800, Packets.V4("0.0.31.1"))));
    }

    [Fact]
    public void TriesHoldEveryRuleUnderTheNameThatBpftoolTakes()
    {
        using var plane = new PlaneFixture();
        plane.Put(Policy.Drop, "192.0.2.9/32", slot: 0);
        plane.Put(Policy.Drop, "192.0.2.0/24", slot: 1);
        plane.Put(Policy.Drop, "0.0.0.0/0", slot: 2);

        Assert.Equal(3, KeysOf(plane, Policy.Drop));
        Assert.Equal(Errno.None, BpfSyscall.MapInfo(plane.Maps.Trie(Policy.Drop, IpFamily.V4), out MapDescription drop));
        Assert.Equal(("couic_ipv4_drop", BpfSyscall.BPF_MAP_TYPE_LPM_TRIE), (drop.Name, drop.Type));
        Assert.Equal(Errno.None, BpfSyscall.MapInfo(plane.Maps.Trie(Policy.Ignore, IpFamily.V6), out MapDescription ignore));
        Assert.Equal("couic_ipv6_igno", ignore.Name);
    }

    [Fact]
    public void AChangeOfTagKeepsTheCountAndMovesTheCounter()
    {
        using var plane = new PlaneFixture();
        byte[] packet = Packets.Ethernet(0x0800, Packets.V4("192.0.2.9"));
        foreach (string cidr in (string[])["192.0.2.9/32", "192.0.2.0/24"])
        {
            plane.Put(Policy.Drop, cidr, counter: 3, slot: 7);
            plane.Run(packet, repeat: 5);
            plane.Put(Policy.Drop, cidr, counter: 4, slot: 7);
            plane.Run(packet, repeat: 2);
            Assert.True(plane.Plane.TryReadHits(Policy.Drop, PlaneFixture.Parse(cidr), 7, out EntryHits hits));
            Assert.Equal(7u, hits.Packets);
            Assert.InRange(DateTimeOffset.UtcNow - hits.LastHit!.Value, TimeSpan.FromSeconds(-3), TimeSpan.FromSeconds(10));
            plane.Remove(Policy.Drop, cidr, slot: 7);

            // Who comes next to that place starts at zero.
            plane.Put(Policy.Drop, cidr, counter: 5, slot: 7);
            Assert.True(plane.Plane.TryReadHits(Policy.Drop, PlaneFixture.Parse(cidr), 7, out hits));
            Assert.Equal(new EntryHits(0, null), hits);
            plane.Remove(Policy.Drop, cidr, slot: 7);
        }

        var tags = new Counter[6];
        plane.Plane.ReadTags(Policy.Drop, tags);
        Assert.Equal([0, 0, 0, 10, 4, 0], tags.Select(t => (int)t.Packets));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(503)]
    [InlineData(504)]
    [InlineData(511)]
    [InlineData(512)]
    [InlineData(1_536)]
    [InlineData(2_000)]
    public void EveryCounterIsReadWhereItIsInItsBatch(int counter)
    {
        using var plane = new PlaneFixture(PlaneFixture.Small with { Limits = PlaneFixture.Small.Limits with { MaxTags = 2_000 } });
        plane.Put(Policy.Drop, "192.0.2.9/32", counter);
        plane.Put(Policy.Ignore, "192.0.2.10/32", counter);
        plane.Run(Packets.Ethernet(0x0800, Packets.V4("192.0.2.9")), repeat: 2);
        plane.Run(Packets.Ethernet(0x0800, Packets.V4("192.0.2.10")), repeat: 3);

        foreach ((Policy policy, uint packets) in new[] { (Policy.Drop, 2u), (Policy.Ignore, 3u) })
        {
            var tags = new Counter[2_002];
            plane.Plane.ReadTags(policy, tags);
            Assert.Equal(packets, tags[counter].Packets);
            Assert.Equal(packets, tags.Aggregate(0ul, (sum, tag) => sum + tag.Packets));
        }

        var actions = new Counter[5];
        plane.Plane.ReadActions(actions);
        Assert.Equal([0u, 2u, 3u, 0u, 0u], actions.Select(a => a.Packets));
    }

    [Fact]
    public void WithoutPerEntryCountersOnlyTagsCount()
    {
        using var plane = new PlaneFixture(PlaneFixture.Small with { PerEntryCounters = false });
        plane.Put(Policy.Drop, "192.0.2.9/32", counter: 3);
        plane.Run(Packets.Ethernet(0x0800, Packets.V4("192.0.2.9")));
        plane.Put(Policy.Drop, "192.0.2.9/32", counter: 4);
        plane.Run(Packets.Ethernet(0x0800, Packets.V4("192.0.2.9")));

        Assert.False(plane.Plane.TryReadHits(Policy.Drop, PlaneFixture.Parse("192.0.2.9/32"), 0, out _));
        var tags = new Counter[6];
        plane.Plane.ReadTags(Policy.Drop, tags);
        Assert.Equal([0, 0, 0, 1, 1, 0], tags.Select(t => (int)t.Packets));
    }

    [Fact]
    public void Batch_InAFullTrie_IsInForceExceptForRefusedChanges()
    {
        // A trie of two keys a limit of one, so four of five are taken.
        using var plane = new PlaneFixture(new PlaneOptions { Limits = new StoreLimits(2, 1, 4) });
        string[] hosts = ["192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4", "192.0.2.5"];
        EntryMutation[] changes = [.. hosts.Select((host, i) => Put($"{host}/32", i)), Put("2001:db8::/64", 0)];
        plane.ApplyBatch(changes);

        PlaneRefusal refusal = Assert.Single(changes, c => c.Refusal is not null).Refusal!;
        Assert.Contains("192.0.2.5/32 in map \"couic_ipv4_drop\": no space left on device", refusal.Message, StringComparison.Ordinal);
        uint[] expected = [.. Enumerable.Repeat(PlaneFixture.Drop, 4), PlaneFixture.Pass];
        Assert.Equal(expected, hosts.Select(host => plane.Run(Packets.Ethernet(0x0800, Packets.V4(host)))));
        Assert.Equal(PlaneFixture.Drop, plane.Run(Packets.Ethernet(0x86dd, Packets.V6("2001:db8::7"))));
        Assert.Equal(4, KeysOf(plane, Policy.Drop));

        // One key was removed by another process: the others are removed all the same.
        BpfSyscall.Delete(plane.Maps.Trie(Policy.Drop, IpFamily.V4), [32, 0, 0, 0, 192, 0, 2, 1]);
        changes = [.. hosts[..4].Select((host, i) => Remove($"{host}/32", i))];
        plane.ApplyBatch(changes);
        Assert.All(changes, c => Assert.Null(c.Refusal));
        Assert.All(hosts, host => Assert.Equal(PlaneFixture.Pass, plane.Run(Packets.Ethernet(0x0800, Packets.V4(host)))));
        Assert.Equal(0, KeysOf(plane, Policy.Drop));
    }

    [Fact]
    public void HostsOfABatch_WithoutAFreeSlot_AreCountedInRecords()
    {
        // One bucket of seven slots: changes of one batch are prepared without knowledge of each other.
        using var plane = new PlaneFixture(new PlaneOptions { Limits = new StoreLimits(12, 4, 4) });
        EntryMutation[] changes = [.. Enumerable.Range(0, 12).Select(i => Put($"192.0.2.{i}/32", i))];
        plane.ApplyBatch(changes);
        for (int i = 0; i < 12; i++)
        {
            Assert.Equal(PlaneFixture.Drop, plane.Run(Packets.Ethernet(0x0800, Packets.V4($"192.0.2.{i}")), repeat: (uint)i + 1));
            Assert.True(plane.Plane.TryReadHits(Policy.Drop, PlaneFixture.Parse($"192.0.2.{i}/32"), i, out EntryHits hits));
            Assert.Equal((ulong)i + 1, hits.Packets);
        }
    }

    [Fact]
    public void Change_AllocatesNothing()
    {
        using var plane = new PlaneFixture();
        EntryMutation[] changes =
        [
            Put("192.0.2.9/32", 0, 1),
            Put("192.0.2.0/26", 1, 1),
            Put("2001:db8::1/128", 0, 1),
            Put("192.0.2.9/32", 0, 2),
            Remove("192.0.2.0/26", 1),
            Remove("192.0.2.9/32", 0),
            Remove("2001:db8::1/128", 0),
        ];
        EntryMutation[] additions = [Put("192.0.2.9/32", 0), Put("192.0.2.10/32", 1)];
        EntryMutation[] removals = [Remove("192.0.2.9/32", 0), Remove("192.0.2.10/32", 1)];

        // Lists of free lines double now and then, and the runtime has allocations of its own: most rounds must have none.
        long[] allocated = new long[20];
        for (int i = 0; i < allocated.Length; i++)
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            for (int change = 0; change < changes.Length; change++)
            {
                plane.ApplyBatch(changes.AsSpan(change, 1));
            }

            plane.ApplyBatch(additions);
            plane.ApplyBatch(removals);
            allocated[i] = GC.GetAllocatedBytesForCurrentThread() - before;
        }

        Assert.True(allocated.Count(a => a == 0) > allocated.Length / 2, string.Join(' ', allocated));
    }

    [Fact]
    public void AllMapsAtTheDefaultLimitsTakeAtMostEightyMegabytesWhenFull()
    {
        using var plane = new PlaneFixture(PlaneOptions.Default);
        foreach (Policy policy in Policies.All)
        {
            uint count = (uint)StoreLimits.Default.Entries(policy);
            EntryMutation[] changes =
            [
                .. Enumerable.Range(0, (int)count).Select(i => PlaneFixture.Put(policy, Cidr.FromV4((uint)i * 2654435761u), 0, i)),
                .. Enumerable.Range(0, (int)count).Select(i => PlaneFixture.Put(policy, new Cidr(IpFamily.V6, 0x2001_0db8_0000_0000 + ((ulong)i << 12), (ulong)i, 128), 0, i)),
            ];
            plane.Apply(changes);
        }

        IReadOnlyList<MapMemory> memory = plane.Plane.ReadMemory();
        Assert.Equal(PlaneMaps.Names, memory.Select(m => m.Name));
        Assert.All(memory, m => Assert.True(m.Bytes > 0, m.Name));
        Assert.InRange(memory.Sum(m => m.Bytes), 60_000_000, 80_000_000);
    }

    private static EntryMutation Put(string cidr, int slot, int counter = 0) => PlaneFixture.Put(Policy.Drop, PlaneFixture.Parse(cidr), counter, slot);

    private static EntryMutation Remove(string cidr, int slot) => PlaneFixture.Remove(Policy.Drop, PlaneFixture.Parse(cidr), slot);

    private static int KeysOf(PlaneFixture plane, Policy policy)
    {
        FileDescriptor trie = plane.Maps.Trie(policy, IpFamily.V4);
        byte[] key = new byte[8];
        int count = 0;
        for (Errno errno = BpfSyscall.NextKey(trie, [], key); errno == Errno.None; errno = BpfSyscall.NextKey(trie, key, key))
        {
            count++;
        }

        return count;
    }

    /// <summary>Tests run side by side, but those that make BPF objects are of this collection.</summary>
    private static int BpfDescriptors() => Directory.GetFiles("/proc/self/fd").Count(IsBpf);

    private static bool IsBpf(string descriptor)
    {
        try
        {
            return File.ResolveLinkTarget(descriptor, false)?.Name.Contains("bpf", StringComparison.Ordinal) == true;
        }
        catch (FileNotFoundException)
        {
            return false; // another test's, closed meanwhile
        }
    }
}
