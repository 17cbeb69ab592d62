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

    public void Set(Policy policy, string cidr, int counter = 0, int slot = 0)
    {
        int done = Plane.Apply([new RuleChange(RuleChangeKind.Set, policy, Parse(cidr), counter, slot)], out PlaneRefusal? refusal);
        Assert.True(done == 1, refusal?.Message);
    }

    public void Remove(Policy policy, string cidr, int slot = 0)
    {
        int done = Plane.Apply([new RuleChange(RuleChangeKind.Remove, policy, Parse(cidr), 0, slot)], out PlaneRefusal? refusal);
        Assert.True(done == 1, refusal?.Message);
    }

    /// <summary>As the store does it.</summary>
    public void Together(Span<PlannedChange> changes)
    {
        foreach (ref PlannedChange change in changes)
        {
            Plane.Plan(ref change);
        }

        Plane.Write(changes);
        foreach (ref readonly PlannedChange change in changes)
        {
            Plane.Finish(change);
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
