using Couic.Bpf;
using Couic.Native;

namespace Couic.Daemon;

/// <summary>The kernel's interfaces, for <see cref="InterfaceTracker"/>.</summary>
internal interface IInterfaceTable
{
    /// <summary>ENODEV if the interface does not exist; any other error leaves that open.</summary>
    Errno Find(string name, out NetworkInterface found);

    /// <inheritdoc cref="Find(string, out NetworkInterface)"/>
    Errno Find(int index, out NetworkInterface found);

    /// <summary>Whether the interface carries a program of ours.</summary>
    bool IsOurs(in NetworkInterface found);

    /// <summary>Attaches to an interface.</summary>
    /// <exception cref="BpfException">ENODEV if it has just disappeared, EBUSY if another program is attached, or another cause.</exception>
    Attachment Attach(in NetworkInterface target);

    /// <summary>Takes over an interface that already carries our program.</summary>
    Attachment Adopt(in NetworkInterface target);
}

/// <summary>A program's attachment to an interface.</summary>
/// <param name="Program">The program's id in the kernel.</param>
/// <param name="Link">The link, for the process that holds a copy; null without one.</param>
/// <param name="Hold">Detaches when disposed.</param>
internal sealed record Attachment(XdpMode Mode, uint Program, FileDescriptor? Link, IDisposable? Hold);

/// <summary>Reads single interfaces from the kernel; the socket is replaced after an error. Not thread-safe.</summary>
internal class InterfaceQuery : IDisposable
{
    private NetlinkSocket? _socket;

    /// <summary>Whether one of these programs is attached to the interface.</summary>
    public static bool Carries(in NetworkInterface found, ReadOnlySpan<uint> programs)
    {
        foreach (uint program in programs)
        {
            if (found.Carries(program))
            {
                return true;
            }
        }

        return false;
    }

    public Errno Find(string name, out NetworkInterface found)
    {
        Errno errno = Open(out found);
        return errno == Errno.None ? Checked(_socket!.ReadInterface(name, out found)) : errno;
    }

    public Errno Find(int index, out NetworkInterface found)
    {
        Errno errno = Open(out found);
        return errno == Errno.None ? Checked(_socket!.ReadInterface(index, out found)) : errno;
    }

    public void Dispose()
    {
        _socket?.Dispose();
        _socket = null;
    }

    private Errno Open(out NetworkInterface none)
    {
        none = default;
        return _socket is null ? NetlinkSocket.TryOpen(out _socket) : Errno.None;
    }

    private Errno Checked(Errno errno)
    {
        if (errno is not (Errno.None or Errno.ENODEV))
        {
            Dispose();
        }

        return errno;
    }
}

/// <summary>The interfaces of this network namespace, and the programs to attach. Not thread-safe.</summary>
internal sealed class KernelInterfaces(XdpPrograms programs, XdpMode mode) : InterfaceQuery, IInterfaceTable
{
    private readonly uint[] _ids = [.. programs.Ids()];

    public bool IsOurs(in NetworkInterface found) => Carries(found, _ids);

    public Attachment Attach(in NetworkInterface target)
    {
        AttachedInterface attached = XdpAttacher.Attach(programs, target, mode);
        return new Attachment(attached.Mode, attached.Program, attached.Link, attached);
    }

    public Attachment Adopt(in NetworkInterface target)
    {
        // The daemon holds its link; without one, netlink detaches the program.
        AttachedInterface adopted = XdpAttacher.Adopt(target);
        return new Attachment(adopted.Mode, adopted.Program, null, adopted);
    }
}

/// <summary>The interfaces as seen by an unprivileged process, which can recognise attachments and cannot attach.</summary>
internal sealed class ObservedInterfaces : InterfaceQuery, IInterfaceTable
{
    /// <summary>Ids of our programs, as the attacher reported them.</summary>
    public uint[] Programs { get; set; } = [];

    public bool IsOurs(in NetworkInterface found) => Carries(found, Programs);

    public Attachment Attach(in NetworkInterface target) =>
        throw new BpfException("the attacher process has ended (restart couic)", Errno.EPERM);

    public Attachment Adopt(in NetworkInterface target) => new(XdpAttacher.ModeOf(target), target.XdpProgram, null, null);
}
