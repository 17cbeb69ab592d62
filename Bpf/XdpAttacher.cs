using Couic.Native;

namespace Couic.Bpf;

/// <summary>Attaches the variant of the program that an interface needs. Needs CAP_NET_ADMIN (and CAP_BPF for links). Stateless and thread-safe.</summary>
public static class XdpAttacher
{
    /// <summary>Attaches to all of the interfaces or to none.</summary>
    /// <exception cref="BpfException">One cannot be attached to; the message names it, what is there, and what exists.</exception>
    public static IReadOnlyList<AttachedInterface> AttachAll(XdpPrograms programs, IReadOnlyList<string> names, XdpMode mode)
    {
        List<NetworkInterface> have = ReadInterfaces();
        NetworkInterface[] wanted = [.. names.Distinct().Select(name => Check(name, have))];
        var attached = new List<AttachedInterface>();
        try
        {
            foreach (NetworkInterface target in wanted)
            {
                attached.Add(Attach(programs, target, mode));
            }

            return attached;
        }
        catch
        {
            attached.ForEach(a => a.Dispose());
            throw;
        }
    }

    /// <summary>Attaches to one interface, as when it has come back.</summary>
    /// <exception cref="BpfException">It cannot be attached to.</exception>
    public static AttachedInterface Attach(XdpPrograms programs, string name, XdpMode mode) =>
        Attach(programs, Check(name, ReadInterfaces()), mode);

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

    private static NetworkInterface Check(string name, List<NetworkInterface> have)
    {
        NetworkInterface found = have.Find(i => i.Name == name);
        return found.Name is null
            ? throw Failure(name, $"no such interface (have: {string.Join(", ", have.Select(i => i.Name))})", Errno.ENODEV)
            : !found.IsUp ? throw Failure(name, $"the interface is down (ip link set dev {name} up)", Errno.ENETDOWN)
            : !found.IsEthernet && !found.IsIp ? throw Failure(name, $"its frames begin with neither an Ethernet nor an IP header (hardware type {found.HardwareType})", Errno.EOPNOTSUPP)
            : found.XdpAttached != 0 ? throw Occupied(found)
            : found;
    }

    private static AttachedInterface Attach(XdpPrograms programs, NetworkInterface target, XdpMode mode)
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

        return result ?? Attach(programs, target, XdpMode.Generic);
    }

    /// <summary>
    /// The variant for one buffer first, which costs less per packet; a driver whose MTU needs several buffers refuses it.
    /// Generic mode makes every frame one buffer.
    /// </summary>
    private static Errno TryVariants(XdpPrograms programs, NetworkInterface target, XdpMode mode, out AttachedInterface? attached, out string explanation)
    {
        Errno errno = TryAttach(target.IsIp ? programs.Ip : programs.Ethernet, target, mode, out attached, out explanation);
        if (attached is not null || IsFinal(errno) || mode != XdpMode.Native || target.IsIp || programs.Fragments is null)
        {
            return errno;
        }

        _ = TryAttach(programs.Fragments, target, mode, out attached, out _);
        return attached is null ? errno : Errno.None;
    }

    /// <summary>Whether another variant or mode would be refused for the same reason.</summary>
    private static bool IsFinal(Errno errno) => errno is Errno.EPERM or Errno.EBUSY or Errno.EEXIST or Errno.ENODEV;

    private static Errno TryAttach(FileDescriptor program, NetworkInterface target, XdpMode mode, out AttachedInterface? attached, out string explanation)
    {
        uint flags = mode switch
        {
            XdpMode.Native => BpfSyscall.XDP_FLAGS_DRV_MODE,
            XdpMode.Offloaded => BpfSyscall.XDP_FLAGS_HW_MODE,
            _ => BpfSyscall.XDP_FLAGS_SKB_MODE,
        };
        explanation = "";
        Errno errno = BpfSyscall.LinkCreate(program, target.Index, flags, out FileDescriptor link);
        if (errno == Errno.None)
        {
            attached = new AttachedInterface(target.Name, target.Index, mode, link, flags);
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

        attached = errno != Errno.None ? null : new AttachedInterface(target.Name, target.Index, mode, null, flags);
        return errno;
    }

    private static BpfException Failure(NetworkInterface target, XdpMode mode, Errno errno, string explanation)
    {
        string word = mode.ToString().ToLowerInvariant();
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
            _ => $"{word} mode: {text}",
        }, errno);
    }

    private static string MtuTooLarge(NetworkInterface target, string text) =>
        $"the MTU ({target.Mtu}; of a veth pair also the peer's) is too large for native mode: {text} (ip link set dev {target.Name} mtu 1500, or operation_mode = \"generic\" or \"auto\")";

    private static BpfException Occupied(NetworkInterface target)
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
            $"another xdp program is there already: {mode} mode{program} (stop what attached it, or: ip link set dev {target.Name} {Keyword(target)} off)",
            Errno.EBUSY);
    }

    private static string Keyword(NetworkInterface target) => target.XdpAttached == 2 ? "xdpgeneric" : "xdp";

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
        new($"attach xdp program to \"{name}\": {cause}", errno);
}
