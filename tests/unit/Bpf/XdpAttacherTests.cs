using System.Diagnostics;
using Couic.Bpf;
using Couic.Daemon;
using Couic.Native;
using Couic.Tests.Support;
using Xunit;

namespace Couic.Tests.Bpf;

[Collection("bpf")]
public class XdpAttacherTests
{
    [Theory]
    [InlineData(XdpMode.Generic, XdpMode.Generic, 2)]
    [InlineData(XdpMode.Native, XdpMode.Native, 1)]
    [InlineData(XdpMode.Auto, XdpMode.Native, 1)]
    public void Veth_IsAttachedInTheRequestedMode(XdpMode asked, XdpMode effective, byte kernelMode) => InNamespace(plane =>
    {
        Ip("link add v0 type veth peer name v1");
        Ip("link set v0 up");
        using (AttachedInterface attached = XdpAttacher.Attach(plane.Programs, "v0", asked))
        {
            Assert.Equal(effective, attached.Mode);
            Assert.Equal("v0", attached.Name);
            Assert.True(attached.HasLink);
            NetworkInterface now = Interface("v0");
            Assert.Equal(now.Index, attached.Index);
            Assert.Equal(kernelMode, now.XdpAttached);
            Assert.NotEqual(0u, now.XdpProgram);
        }

        Assert.Equal(0, Interface("v0").XdpAttached);
    });

    [Fact]
    public void AutoIsGenericWhereTheDriverHasNoNativeMode() => InNamespace(plane =>
    {
        Ip("link set lo up");
        using AttachedInterface attached = XdpAttacher.Attach(plane.Programs, "lo", XdpMode.Auto);
        Assert.Equal(XdpMode.Generic, attached.Mode);
    });

    [Fact]
    public void MissingInterface_IsNamedWithThoseThatExist() => InNamespace(plane =>
    {
        Ip("link add v0 type veth peer name v1");
        AssertRefused(plane, "eth7", XdpMode.Generic, "attach xdp program to \"eth7\": no such interface (have: lo, v1, v0)");
    });

    [Theory]
    [InlineData(XdpMode.Generic, 2)]
    [InlineData(XdpMode.Native, 1)]
    public void AnInterfaceThatIsDown_IsAttached_AndStaysSoWhenItComesUp(XdpMode mode, byte kernelMode) => InNamespace(plane =>
    {
        Ip("link add v0 type veth peer name v1");
        using AttachedInterface attached = XdpAttacher.Attach(plane.Programs, "v0", mode);
        Assert.Equal((false, kernelMode), (Interface("v0").IsUp, Interface("v0").XdpAttached));
        Ip("link set v0 up");
        Assert.Equal((true, kernelMode), (Interface("v0").IsUp, Interface("v0").XdpAttached));
        Assert.True(Interface("v0").Carries(attached.Program));
    });

    [Fact]
    public void ATunDevice_HasNoEthernetHeader_CarriesTheVariantForIp() => InNamespace(plane =>
    {
        Ip("tuntap add dev t0 mode tun");
        Ip("link set t0 up");
        using AttachedInterface attached = XdpAttacher.Attach(plane.Programs, "t0", XdpMode.Auto);
        Assert.Equal(XdpMode.Generic, attached.Mode);
        Assert.Equal(IdOf(plane.Programs.Ip), Interface("t0").XdpProgram);
    });

    [Fact]
    public void AnEthernetDevice_CarriesTheVariantForEthernet() => InNamespace(plane =>
    {
        Ip("link add v0 type veth peer name v1");
        Ip("link set v0 up");
        using AttachedInterface attached = XdpAttacher.Attach(plane.Programs, "v0", XdpMode.Native);
        Assert.Equal(IdOf(plane.Programs.Ethernet), Interface("v0").XdpProgram);
    });

    [Fact]
    public void AJumboMtu_NativeMode_CarriesTheVariantForFragments() => InNamespace(plane =>
    {
        Ip("link add v0 mtu 9000 type veth peer name v1 mtu 9000");
        Ip("link set v0 up");
        using AttachedInterface attached = XdpAttacher.Attach(plane.Programs, "v0", XdpMode.Native);
        Assert.Equal(IdOf(plane.Programs.Fragments!), Interface("v0").XdpProgram);
    });

    [Fact]
    public void AJumboMtu_WithoutTheVariantForFragments_IsNamedWithWhatToDo() => InNamespace(plane =>
    {
        Ip("link add v0 mtu 9000 type veth peer name v1 mtu 9000");
        Ip("link set v0 up");
        var old = new XdpPrograms(plane.Programs.Ethernet, null, plane.Programs.Ip);
        BpfException e = Assert.Throws<BpfException>(() => XdpAttacher.Attach(old, "v0", XdpMode.Native));
        Assert.Equal(
            "attach xdp program to \"v0\": the MTU (9000; of a veth pair also the peer's) is too large for native mode: numerical result out of range "
            + "(ip link set dev v0 mtu 1500, or operation_mode = \"generic\" or \"auto\")",
            e.Message);
        using AttachedInterface generic = XdpAttacher.Attach(old, "v0", XdpMode.Auto);
        Assert.Equal(XdpMode.Generic, generic.Mode);
    });

    [Fact]
    public void AnInterfaceWithAnotherHeaderIsRefused() => InNamespace(plane =>
    {
        using var folder = new TempFolder();
        CompiledC.Execute(folder, InfiniBandDevice, "");
        Ip("link set t0 up");
        AssertRefused(plane, "t0", XdpMode.Generic, "attach xdp program to \"t0\": its frames begin with neither an Ethernet nor an IP header (hardware type 32)");
    });

    [Theory]
    [InlineData(1, true, false)] // Ethernet
    [InlineData(772, true, false)] // loopback
    [InlineData(65534, false, true)] // tun, WireGuard, xfrm
    [InlineData(512, false, true)] // ppp
    [InlineData(519, false, true)] // raw IP: mobile modems
    [InlineData(768, false, true)] // ipip, vti
    [InlineData(769, false, true)] // ip6tnl
    [InlineData(776, false, true)] // sit
    [InlineData(778, false, true)] // gre
    [InlineData(823, false, true)] // ip6gre
    [InlineData(32, false, false)] // InfiniBand
    [InlineData(824, false, false)] // netlink monitor
    [InlineData(801, false, false)] // 802.11 frames
    [InlineData(280, false, false)] // CAN
    public void AHardwareType_SaysWithWhichHeaderFramesBegin(ushort type, bool ethernet, bool ip)
    {
        var device = new NetworkInterface("x", 1, type, IsUp: true, XdpAttached: 0, XdpProgram: 0, Mtu: 1500);

        Assert.Equal((ethernet, ip), (device.IsEthernet, device.IsIp));
    }

    [Fact]
    public void ModeThatTheDriverLacks_IsRefusedWithAdvice() => InNamespace(plane =>
    {
        Ip("link set lo up");
        BpfException native = Assert.Throws<BpfException>(() => XdpAttacher.Attach(plane.Programs, "lo", XdpMode.Native));
        Assert.StartsWith("attach xdp program to \"lo\": the driver does not take native programs: ", native.Message, StringComparison.Ordinal);
        Assert.EndsWith("(operation_mode = \"generic\" or \"auto\")", native.Message, StringComparison.Ordinal);
        BpfException offloaded = Assert.Throws<BpfException>(() => XdpAttacher.Attach(plane.Programs, "lo", XdpMode.Offloaded));
        Assert.StartsWith("attach xdp program to \"lo\": the card does not take offloaded programs: ", offloaded.Message, StringComparison.Ordinal);
    });

    [Theory]
    [InlineData(XdpMode.Generic, "generic")]
    [InlineData(XdpMode.Native, "native")]
    public void AnotherProgramIsNamedAndLeftInPlace(XdpMode mode, string word) => InNamespace(plane =>
    {
        Ip("link add v0 type veth peer name v1");
        Ip("link set v0 up");
        using var other = new PlaneFixture();
        using AttachedInterface there = XdpAttacher.Attach(other.Programs, "v0", mode);
        uint id = Interface("v0").XdpProgram;
        foreach (XdpMode ours in (XdpMode[])[XdpMode.Generic, XdpMode.Native, XdpMode.Auto])
        {
            BpfException e = Assert.Throws<BpfException>(() => XdpAttacher.Attach(plane.Programs, "v0", ours));
            Assert.StartsWith($"attach xdp program to \"v0\": another xdp program is there already: {word} mode, id {id}, \"couic_xdp\" (", e.Message, StringComparison.Ordinal);
        }

        Assert.Equal(id, Interface("v0").XdpProgram);
    });

    [Fact]
    public void ProgramsAttachedWithoutALinkAreDetachedToo() => InNamespace(plane =>
    {
        Ip("link set lo up");
        Assert.Equal(Errno.None, NetlinkSocket.TryOpen(out NetlinkSocket? netlink));
        using (netlink)
        {
            int lo = Interface("lo").Index;
            uint flags = BpfSyscall.XDP_FLAGS_SKB_MODE | BpfSyscall.XDP_FLAGS_UPDATE_IF_NOEXIST;
            Assert.Equal(Errno.None, netlink!.SetXdp(lo, plane.Program.Number, flags, out _));
            Assert.Equal(Errno.EBUSY, netlink.SetXdp(lo, plane.Program.Number, flags, out string explanation));
            Assert.NotEmpty(explanation);
            new AttachedInterface("lo", lo, XdpMode.Generic, 0, null, BpfSyscall.XDP_FLAGS_SKB_MODE).Dispose();
            Assert.Equal(0, Interface("lo").XdpAttached);
        }
    });

    [Fact]
    public void RecreatedInterface_IsAttachedAgain() => InNamespace(plane =>
    {
        Ip("link add v0 type veth peer name v1");
        Ip("link set v0 up");
        using AttachedInterface before = XdpAttacher.Attach(plane.Programs, "v0", XdpMode.Generic);
        Ip("link del v0");
        Ip("link add v0 type veth peer name v1");
        Ip("link set v0 up");
        using AttachedInterface after = XdpAttacher.Attach(plane.Programs, "v0", XdpMode.Generic);
        Assert.NotEqual(before.Index, after.Index);
        Assert.NotEqual(0u, Interface("v0").XdpProgram);
    });

    [Fact]
    public void ASingleInterface_IsFoundByIndexNameAndAlternativeName() => InNamespace(_ =>
    {
        const string LongName = "an-alternative-name-of-more-than-fifteen-bytes";
        Ip("link add v0 type veth peer name v1");
        Ip($"link property add dev v0 altname {LongName} altname short");
        using var query = new InterfaceQuery();
        int index = Interface("v0").Index;
        foreach (string name in (string[])["v0", "short", LongName])
        {
            Assert.Equal((Errno.None, index), (query.Find(name, out NetworkInterface found), found.Index));
            Assert.Equal((name, "v0"), (name, found.Name));
            Assert.Equal([LongName, "short"], found.AlternativeNames.Order());
        }

        Assert.Equal((Errno.None, "v0"), (query.Find(index, out NetworkInterface byIndex), byIndex.Name));
        foreach (string name in (string[])["v2", "another-alternative-name-of-that-length", new string('x', 127), new string('x', 200)])
        {
            Assert.Equal((name, Errno.ENODEV), (name, query.Find(name, out NetworkInterface _)));
        }

        Assert.Equal(Errno.ENODEV, query.Find(4711, out NetworkInterface _));
    });

    [Fact]
    public void Notices_ReportNewInterfaces_AndLostNotices() => InNamespace(_ =>
    {
        Assert.Equal(Errno.None, LinkNotices.TryOpen(out LinkNotices? notices));
        using (notices)
        {
            var seen = new List<string>();
            Assert.False(notices!.Drain(_ => true));
            Ip("link add v0 type veth peer name v1");
            Assert.False(notices.Drain(link =>
            {
                seen.Add(link.Name);
                return false;
            }));
            Assert.Equal(["v0", "v1"], seen.Distinct().Order());
            Ip("link set v0 name v2");
            Assert.True(notices.Drain(link => link.Name == "v2"));
            for (int i = 0; i < 150; i++)
            {
                Ip($"link add a{i} type veth peer name b{i}"); // far more than the socket's buffer holds
            }

            Assert.True(notices.Drain(_ => false)); // lost: anything may have changed
            Assert.False(notices.Drain(_ => true));
        }
    });

    private const string InfiniBandDevice = """
        #include <fcntl.h>
        #include <linux/if_tun.h>
        #include <net/if.h>
        #include <string.h>
        #include <sys/ioctl.h>

        int main(void)
        {
            int tun = open("/dev/net/tun", O_RDWR);
            struct ifreq request = {.ifr_flags = IFF_TUN | IFF_NO_PI};
            strcpy(request.ifr_name, "t0");
            return ioctl(tun, TUNSETIFF, &request) || ioctl(tun, TUNSETPERSIST, 1) || ioctl(tun, TUNSETLINK, 32);
        }
        """;

    private static uint IdOf(FileDescriptor program)
    {
        Assert.Equal(Errno.None, BpfSyscall.ProgramInfo(program, out _, out uint id));
        return id;
    }

    private static void AssertRefused(PlaneFixture plane, string name, XdpMode mode, string message) =>
        Assert.Equal(message, Assert.Throws<BpfException>(() => XdpAttacher.Attach(plane.Programs, name, mode)).Message);

    private static NetworkInterface Interface(string name) => XdpAttacher.ReadInterfaces().Single(i => i.Name == name);

    private static void InNamespace(Action<PlaneFixture> test)
    {
        using var space = new NetworkNamespace();
        space.Run(() =>
        {
            using var plane = new PlaneFixture();
            test(plane);
        });
    }

    private static void Ip(string arguments)
    {
        using Process process = Process.Start("ip", arguments);
        process.WaitForExit();
        Assert.Equal(0, process.ExitCode);
    }
}
