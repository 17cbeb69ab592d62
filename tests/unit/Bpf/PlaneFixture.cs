using Couic.Bpf;
using Couic.Native;
using Couic.Store;
using Xunit;

namespace Couic.Tests.Bpf;

/// <summary>A loaded plane with a store in front of it, and packets run through the kernel's test run.</summary>
internal sealed class PlaneFixture : IDisposable
{
    public const uint Pass = 2;
    public const uint Drop = 1;

    private readonly LoadedPlane _loaded;

    public PlaneFixture(PlaneOptions? options = null)
    {
        _loaded = XdpLoader.Load(options ?? Small);
        Plane = new BpfDataPlane(_loaded.Maps, TimeProvider.System);
    }

    public static PlaneOptions Small { get; } = new() { Limits = new StoreLimits(1024, 256, 64) };

    public BpfDataPlane Plane { get; }

    public XdpPrograms Programs => _loaded.Programs;

    public FileDescriptor Program => _loaded.Programs.Ethernet;

    public PlaneMaps Maps => _loaded.Maps;

    public void Put(Policy policy, string cidr, int counter = 0, int slot = 0) => Apply(Put(policy, Parse(cidr), counter, slot));

    public void Remove(Policy policy, string cidr, int slot = 0) => Apply(Remove(policy, Parse(cidr), slot));

    public static EntryMutation Put(Policy policy, Cidr cidr, int counter, int slot) =>
        new() { Policy = policy, Cidr = cidr, Counter = counter, Slot = slot };

    public static EntryMutation Remove(Policy policy, Cidr cidr, int slot) =>
        new() { Kind = MutationKind.Remove, Policy = policy, Cidr = cidr, Slot = slot };

    /// <summary>Makes changes in batches, none of which may be refused.</summary>
    public void Apply(params EntryMutation[] mutations)
    {
        foreach (EntryMutation[] batch in mutations.Chunk(ChangeBatch.Capacity))
        {
            ApplyBatch(batch);
            Assert.All(batch, mutation => Assert.Null(mutation.Refusal));
        }
    }

    /// <summary>As the store does it.</summary>
    public void ApplyBatch(Span<EntryMutation> mutations)
    {
        foreach (ref EntryMutation mutation in mutations)
        {
            Plane.Prepare(ref mutation);
        }

        Plane.Write(mutations);
        foreach (ref readonly EntryMutation mutation in mutations)
        {
            Plane.Publish(mutation);
        }
    }

    public uint Run(byte[] packet, uint repeat = 1) => Run(Program, packet, repeat);

    public static uint Run(FileDescriptor program, byte[] packet, uint repeat = 1)
    {
        // Generic XDP and drivers hand shorter frames over than the test run takes: it wants an Ethernet header.
        Errno errno = BpfSyscall.TestRun(program, packet, repeat, out uint verdict, out _);
        Assert.Equal(Errno.None, errno);
        return verdict;
    }

    public static Cidr Parse(string text)
    {
        Assert.Equal(CidrFault.None, Cidr.TryParse(text, out Cidr cidr));
        return cidr.Network;
    }

    public void Dispose()
    {
        Plane.Dispose();
        _loaded.Dispose();
    }
}
