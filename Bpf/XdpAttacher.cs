using Couic.Native;

namespace Couic.Bpf;

/// <summary>Attaches the variant of the program that an interface needs. Needs CAP_NET_ADMIN (and CAP_BPF for links). Stateless and thread-safe.</summary>
public static class XdpAttacher
{
    /// <summary>Attaches to the interface of that name.</summary>
    /// <exception cref="BpfException">It cannot be attached to.</exception>
    public static AttachedInterface Attach(XdpPrograms programs, string name, XdpMode mode)
    {
        List<NetworkInterface> have = ReadInterfaces();
        NetworkInterface found = have.Find(i => i.Name == name);
        return found.Name is not null
            ? Attach(programs, found, mode)
            : throw Failure(name, $"no such interface (have: {string.Join(", ", have.Select(i => i.Name))})", Errno.ENODEV);
    }

    /// <summary>Attaches to an interface, which may be down: its first packet is filtered then.</summary>
    /// <exception cref="BpfException">It cannot be attached to: EBUSY when another program is there, ENODEV when it has just gone.</exception>
    public static AttachedInterface Attach(XdpPrograms programs, NetworkInterface target, XdpMode mode)
    {
        if (!target.IsEthernet && !target.IsIp)
        {
            throw Failure(target.Name, $"its frames begin with neither an Ethernet nor an IP header (hardware type {target.HardwareType})", Errno.EOPNOTSUPP);
        }

        return target.XdpAttached == 0 ? AttachFree(programs, target, mode) : throw Occupied(target);
    }

    /// <summary>Takes over an interface that carries our program, attached by a process that is gone.</summary>
    /// <param name="link">Its link; null where it has none.</param>
    public static AttachedInterface Adopt(NetworkInterface target, FileDescriptor? link)
    {
        XdpMode mode = ModeOf(target);
        return new AttachedInterface(target.Name, target.Index, mode, target.XdpProgram, link, FlagOf(mode));
    }

    /// <summary>
    /// Replaces the program of a link that an earlier process has attached, in one step: no packet meets neither program. The mode stays,
    /// and automatic mode accepts it.
    /// </summary>
    /// <param name="link">A link of the interface; owned by the result.</param>
    /// <param name="refusal">Why the result is null.</param>
    internal static AttachedInterface? TakeOver(XdpPrograms programs, NetworkInterface target, XdpMode mode, FileDescriptor link, out string refusal)
    {
        XdpMode now = ModeOf(target);
        if (mode != XdpMode.Auto && mode != now)
        {
            refusal = $"it was attached in {Word(now)} mode";
            return null;
        }

        Errno errno = Errno.None;
        foreach (FileDescriptor program in Variants(programs, target, now))
        {
            errno = BpfSyscall.LinkUpdate(link, program);
            uint id = IdOf(program);
            if (errno == Errno.None && CarriesNow(target.Index, id))
            {
                refusal = "";
                return new AttachedInterface(target.Name, target.Index, now, id, link, FlagOf(now));
            }
        }

        refusal = errno == Errno.None ? "its link belongs to another interface" : $"its link keeps the old program: {errno.Text()}";
        return null;
    }

    /// <summary>The mode of the program that an interface carries.</summary>
    public static XdpMode ModeOf(NetworkInterface target) => target.XdpAttached switch
    {
        1 => XdpMode.Native,
        3 => XdpMode.Offloaded,
        _ => XdpMode.Generic,
    };

    /// <summary>The interfaces of this network namespace, with what XDP they carry.</summary>
    /// <exception cref="BpfException">The kernel does not say.</exception>
    public static List<NetworkInterface> ReadInterfaces()
    {
        Errno errno = NetlinkSocket.TryOpen(out NetlinkSocket? netlink);
        List<NetworkInterface> interfaces = [];
        if (errno == Errno.None)
        {
            errno = netlink!.ReadInterfaces(out interfaces);
            netlink.Dispose();
        }

        return errno != Errno.None ? throw new BpfException($"list interfaces: {errno.Text()}", errno) : interfaces;
    }

    private static AttachedInterface AttachFree(XdpPrograms programs, NetworkInterface target, XdpMode mode)
    {
        if (mode != XdpMode.Auto)
        {
            Errno errno = TryVariants(programs, target, mode, out AttachedInterface? attached, out string explanation);
            return attached ?? throw Failure(target, mode, errno, explanation);
        }

        Errno native = TryVariants(programs, target, XdpMode.Native, out AttachedInterface? result, out _);
        if (IsFinal(native))
        {
            throw Failure(target, XdpMode.Native, native, "");
        }

        return result ?? AttachFree(programs, target, XdpMode.Generic);
    }

    /// <summary>
    /// The variant for one buffer first, which costs less per packet; a driver whose MTU needs several buffers refuses it.
    /// Generic mode makes every frame one buffer.
    /// </summary>
    private static Errno TryVariants(XdpPrograms programs, NetworkInterface target, XdpMode mode, out AttachedInterface? attached, out string explanation)
    {
        FileDescriptor[] variants = Variants(programs, target, mode);
        Errno errno = TryAttach(variants[0], target, mode, out attached, out explanation);
        if (attached is not null || IsFinal(errno) || variants.Length == 1)
        {
            return errno;
        }

        _ = TryAttach(variants[1], target, mode, out attached, out _);
        return attached is null ? errno : Errno.None;
    }

    private static FileDescriptor[] Variants(XdpPrograms programs, NetworkInterface target, XdpMode mode) =>
        target.IsIp ? [programs.Ip]
        : mode == XdpMode.Native && programs.Fragments is { } fragments ? [programs.Ethernet, fragments]
        : [programs.Ethernet];

    private static bool CarriesNow(int index, uint program)
    {
        if (NetlinkSocket.TryOpen(out NetlinkSocket? netlink) != Errno.None)
        {
            return false;
        }

        using (netlink)
        {
            return netlink!.ReadInterface(index, out NetworkInterface now) == Errno.None && now.Carries(program);
        }
    }

    /// <summary>Whether another variant or mode would be refused for the same reason.</summary>
    private static bool IsFinal(Errno errno) => errno is Errno.EPERM or Errno.EBUSY or Errno.EEXIST or Errno.ENODEV;

    private static Errno TryAttach(FileDescriptor program, NetworkInterface target, XdpMode mode, out AttachedInterface? attached, out string explanation)
    {
        uint flags = FlagOf(mode);
        explanation = "";
        Errno errno = BpfSyscall.LinkCreate(program, target.Index, flags, out FileDescriptor link);
        if (errno == Errno.None)
        {
            attached = new AttachedInterface(target.Name, target.Index, mode, IdOf(program), link, flags);
            return errno;
        }

        link.Dispose();
        attached = null;
        if (errno != Errno.EINVAL)
        {
            return errno;
        }

        // Links for XDP came with Linux 5.9, before which this is EINVAL. Where a driver has refused with the same number,
        // netlink refuses too and often says why.
        errno = NetlinkSocket.TryOpen(out NetlinkSocket? netlink);
        if (errno == Errno.None)
        {
            errno = netlink!.SetXdp(target.Index, program.Number, flags | BpfSyscall.XDP_FLAGS_UPDATE_IF_NOEXIST, out explanation);
            netlink.Dispose();
        }

        attached = errno != Errno.None ? null : new AttachedInterface(target.Name, target.Index, mode, IdOf(program), null, flags);
        return errno;
    }

    private static uint FlagOf(XdpMode mode) => mode switch
    {
        XdpMode.Native => BpfSyscall.XDP_FLAGS_DRV_MODE,
        XdpMode.Offloaded => BpfSyscall.XDP_FLAGS_HW_MODE,
        _ => BpfSyscall.XDP_FLAGS_SKB_MODE,
    };

    private static uint IdOf(FileDescriptor program) => BpfSyscall.ProgramInfo(program, out _, out uint id) == Errno.None ? id : 0;

    private static BpfException Failure(NetworkInterface target, XdpMode mode, Errno errno, string explanation)
    {
        string text = explanation.Length > 0 ? $"{errno.Text()}: {explanation}" : errno.Text();
        if (errno == Errno.EBUSY || errno == Errno.EEXIST)
        {
            NetworkInterface now = ReadInterfaces().Find(i => i.Index == target.Index);
            return Occupied(now.Name is null ? target : now);
        }

        return Failure(target.Name, errno switch
        {
            Errno.EPERM or Errno.EACCES => $"{text} (needs CAP_NET_ADMIN: start as root or through the service)",
            Errno.ENODEV => "the interface has just gone",
            Errno.ERANGE when mode == XdpMode.Native => MtuTooLarge(target, text),
            Errno.EOPNOTSUPP or Errno.EINVAL when mode == XdpMode.Native && text.Contains("MTU", StringComparison.OrdinalIgnoreCase) => MtuTooLarge(target, text),
            Errno.EOPNOTSUPP or Errno.EINVAL when mode == XdpMode.Offloaded => $"the card does not take offloaded programs: {text} (operation_mode = \"native\" or \"auto\")",
            Errno.EOPNOTSUPP or Errno.EINVAL when mode == XdpMode.Native => $"the driver does not take native programs: {text} (operation_mode = \"generic\" or \"auto\")",
            _ => $"{Word(mode)} mode: {text}",
        }, errno);
    }

    private static string Word(XdpMode mode) => mode.ToString().ToLowerInvariant();

    private static string MtuTooLarge(NetworkInterface target, string text) =>
        $"the MTU ({target.Mtu}; of a veth pair also the peer's) is too large for native mode: {text} (ip link set dev {target.Name} mtu 1500, or operation_mode = \"generic\" or \"auto\")";

    /// <summary>That another program is there, with its mode, its id and what to do.</summary>
    internal static BpfException Occupied(NetworkInterface target)
    {
        string mode = target.XdpAttached switch
        {
            1 => "native",
            2 => "generic",
            3 => "offloaded",
            _ => "more than one",
        };
        string program = target.XdpProgram == 0 ? "" : $", id {target.XdpProgram}{NameOf(target.XdpProgram)}";
        return Failure(
            target.Name,
            $"another xdp program is there already: {mode} mode{program} (stop what attached it, or: ip link set dev {target.Name} {Keyword(target)} off; "
            + "where that is refused, it is held by a link: bpftool link list, then bpftool link detach id N)",
            Errno.EBUSY);
    }

    private static string Keyword(NetworkInterface target) =>
        target.XdpAttached switch { 1 => "xdpdrv", 2 => "xdpgeneric", 3 => "xdpoffload", _ => "xdp" };

    private static string NameOf(uint program)
    {
        // Only a process with CAP_SYS_ADMIN may ask; the id alone will do.
        if (BpfSyscall.ProgramById(program, out FileDescriptor descriptor) != Errno.None)
        {
            return "";
        }

        using (descriptor)
        {
            return BpfSyscall.ProgramInfo(descriptor, out string name, out _) != Errno.None || name.Length == 0 ? "" : $", \"{name}\"";
        }
    }

    private static BpfException Failure(string name, string cause, Errno errno) =>
        new($"attach xdp program to \"{name}\": {cause}", errno) { Cause = cause };
}

/// <summary>
/// An interface that the program runs on. Disposing closes its link, and the kernel detaches when no other process, name or store holds
/// it. Without a link (Linux below 5.9), disposing detaches.
/// </summary>
public sealed class AttachedInterface : IDisposable
{
    private readonly FileDescriptor? _link;
    private readonly uint _flags;
    private bool _detached;

    internal AttachedInterface(string name, int index, XdpMode mode, uint program, FileDescriptor? link, uint flags)
    {
        Name = name;
        Index = index;
        Mode = mode;
        Program = program;
        _link = link;
        _flags = flags;
    }

    public string Name { get; }

    /// <summary>The kernel's number; an interface of the same name that was made again has another.</summary>
    public int Index { get; }

    /// <summary>The mode in effect: never <see cref="XdpMode.Auto"/>.</summary>
    public XdpMode Mode { get; }

    /// <summary>The id of the program in the kernel; 0 when the kernel did not tell.</summary>
    public uint Program { get; }

    /// <summary>The link, for a process that is to share it; null where the kernel has none.</summary>
    internal FileDescriptor? Link => _link;

    /// <summary>Whether the kernel detaches when the process ends.</summary>
    public bool HasLink => _link is not null;

    /// <summary>Detaches, whatever else holds the link.</summary>
    public void Detach()
    {
        if (!_detached && _link is not null)
        {
            _ = BpfSyscall.LinkDetach(_link); // a refusal has no remedy: the link is detached, or the kernel closes it with the last holder
        }

        Dispose();
    }

    public void Dispose()
    {
        if (_detached)
        {
            return;
        }

        _detached = true;
        if (_link is not null)
        {
            _link.Dispose();
        }
        else if (NetlinkSocket.TryOpen(out NetlinkSocket? netlink) == Errno.None)
        {
            // A refusal has no remedy: the interface is gone, or another process has replaced the program.
            _ = netlink!.SetXdp(Index, -1, _flags, out _);
            netlink.Dispose();
        }
    }
}

/// <summary>Where in the path of a frame the program runs.</summary>
public enum XdpMode : byte
{
    /// <summary>In the kernel's receive path; every interface can.</summary>
    Generic,

    /// <summary>In the driver, before the kernel makes anything of the frame.</summary>
    Native,

    /// <summary>In the network card.</summary>
    Offloaded,

    /// <summary>Native where the driver can, else generic.</summary>
    Auto,
}
