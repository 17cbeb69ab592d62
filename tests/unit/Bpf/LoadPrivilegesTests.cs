using Couic.Bpf;
using Couic.Native;
using Xunit;

namespace Couic.Tests.Bpf;

[Collection("bpf")]
public class LoadPrivilegesTests
{
    private static readonly ulong SysAdmin = Capabilities.Mask(Capabilities.SysAdmin);

    [Theory]
    [InlineData(Capabilities.PerfMon, "CAP_PERFMON", "load xdp program \"couic_xdp\": ")]
    [InlineData(Capabilities.Bpf, "CAP_BPF", "create map \"couic_ipv")]
    [InlineData(Capabilities.NetAdmin, "CAP_NET_ADMIN", "load xdp program \"couic_xdp\": operation not permitted")]
    public void AMissingCapability_IsNamedInOneLine_WithoutTheVerifiersLog(int capability, string name, string beginning)
    {
        BpfException e = Assert.IsType<BpfException>(LoadWithout(SysAdmin | Capabilities.Mask(capability)));

        Assert.StartsWith(beginning, e.Message, StringComparison.Ordinal);
        Assert.EndsWith($" (lacks {name}: start as root or through the service; in a container, add the capability)", e.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', e.Message);
        Assert.Null(e.VerifierLog);
    }

    [Fact]
    public void AllCapabilitiesMissing_AreNamedInOneMessage()
    {
        BpfException e = Assert.IsType<BpfException>(LoadWithout(ulong.MaxValue));

        Assert.Contains("(lacks CAP_BPF, CAP_PERFMON, CAP_NET_ADMIN: ", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void TheThreeCapabilitiesAreEnough() => Assert.Null(LoadWithout(
        ~(Capabilities.Mask(Capabilities.Bpf) | Capabilities.Mask(Capabilities.PerfMon) | Capabilities.Mask(Capabilities.NetAdmin))));

    [Fact]
    public void ACounterOfAllCpus_IsMeasuredAsTheKernelNumbersThem()
    {
        using LoadedPlane plane = XdpLoader.Load(PlaneFixture.Small);
        string possible = File.ReadAllText("/sys/devices/system/cpu/possible").Trim();

        Assert.Equal(int.Parse(possible[(possible.LastIndexOfAny(['-', ',']) + 1)..]) + 1, plane.Maps.Cpus);
    }

    /// <summary>In a thread of its own: what a thread gives up it does not get back.</summary>
    private static Exception? LoadWithout(ulong capabilities)
    {
        Exception? fault = null;
        var thread = new Thread(() => fault = Record.Exception(() =>
        {
            Assert.True(Capabilities.Set(Capabilities.Permitted() & ~capabilities, 0));
            XdpLoader.Load(PlaneFixture.Small).Dispose();
        }));
        thread.Start();
        thread.Join();
        return fault;
    }
}
