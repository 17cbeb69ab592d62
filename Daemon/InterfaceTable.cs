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

    /// <summary>Whether the interface carries the program of a link that an earlier process has left.</summary>
    bool IsKept(in NetworkInterface found);

    /// <summary>Attaches to an interface, or takes over the link that an earlier process has left on it.</summary>
    /// <exception cref="BpfException">ENODEV if it has just disappeared, EBUSY if another program is attached, or another cause.</exception>
    Attachment Attach(in NetworkInterface target);

    /// <summary>Takes over an interface that already carries our program.</summary>
    Attachment Adopt(in NetworkInterface target);

    /// <summary>Detaches, whatever else holds the link. Disposing <see cref="Attachment.Hold"/> only closes it.</summary>
    void Detach(Attachment attachment);
}

/// <summary>A program's attachment to an interface.</summary>
/// <param name="Program">The program's id in the kernel.</param>
/// <param name="Link">The link, for the process that holds a copy; null without one.</param>
/// <param name="Hold">Closes the link when disposed.</param>
internal sealed record Attachment(XdpMode Mode, uint Program, FileDescriptor? Link, IDisposable? Hold)
{
    /// <summary>Whether the interface was filtered without a gap: the program of an earlier process was replaced in one step.</summary>
    public bool IsTakenOver { get; init; }

    /// <summary>Why the filter of an earlier process could not be taken over; otherwise empty.</summary>
    public string Gap { get; init; } = "";

    /// <summary>Why it does not outlive the process as the configuration says; otherwise empty.</summary>
    public string Unpinned { get; init; } = "";
}

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

/// <summary>The interfaces of this network namespace, the programs to attach, and the links that earlier processes have left. Not thread-safe.</summary>
internal sealed class KernelInterfaces(XdpPrograms programs, XdpMode mode, PinFolder? pins) : InterfaceQuery, IInterfaceTable
{
    private readonly uint[] _ids = [.. programs.Ids()];
    private readonly List<FileDescriptor> _kept = [];

    /// <summary>Adds a link that an earlier process has left, or that the daemon holds for this one.</summary>
    public void Keep(FileDescriptor link) => _kept.Add(link);

    /// <summary>Detaches the kept links that no configured interface has claimed.</summary>
    public void DetachUnclaimed()
    {
        foreach (FileDescriptor link in _kept)
        {
            Discard(link);
        }

        _kept.Clear();
    }

    public bool IsOurs(in NetworkInterface found) => Carries(found, _ids);

    public bool IsKept(in NetworkInterface found) => FindKept(found) is not null;

    public Attachment Attach(in NetworkInterface target)
    {
        if (FindKept(target) is not { } link)
        {
            return AttachAgain(target, "");
        }

        _kept.Remove(link);
        if (XdpAttacher.TakeOver(programs, target, mode, link, out string refusal) is { } taken)
        {
            return new Attachment(taken.Mode, taken.Program, taken.Link, taken) { IsTakenOver = true, Unpinned = Pin(link) };
        }

        Discard(link);
        return AttachAgain(target with { XdpAttached = 0, XdpProgram = 0 }, refusal);
    }

    public Attachment Adopt(in NetworkInterface target)
    {
        // The daemon holds its link and passes it on; without one, netlink detaches the program.
        FileDescriptor? link = FindKept(target);
        _ = link is not null && _kept.Remove(link);
        AttachedInterface adopted = XdpAttacher.Adopt(target, link);
        return new Attachment(adopted.Mode, adopted.Program, link, adopted);
    }

    public void Detach(Attachment attachment)
    {
        Unpin(attachment.Link);
        (attachment.Hold as AttachedInterface)?.Detach();
    }

    private void Discard(FileDescriptor link)
    {
        Unpin(link);
        _ = BpfSyscall.LinkDetach(link);
        link.Dispose();
    }

    /// <returns>Why the link has no name; otherwise empty.</returns>
    private string Pin(FileDescriptor? link)
    {
        if (pins is null || link is null)
        {
            return pins is null ? "" : "this kernel has no links, so that nothing can be pinned";
        }

        Errno errno = PinFolder.Add(link);
        return errno == Errno.None ? "" : $"its link cannot be pinned: {errno.Text()}; it does not outlive the daemon";
    }

    private void Unpin(FileDescriptor? link)
    {
        if (pins is not null && link is not null && BpfSyscall.LinkInfo(link, out LinkDescription info) == Errno.None)
        {
            pins.Remove(info.Id);
        }
    }

    private Attachment AttachAgain(in NetworkInterface target, string gap)
    {
        AttachedInterface attached = XdpAttacher.Attach(programs, target, mode);
        return new Attachment(attached.Mode, attached.Program, attached.Link, attached) { Gap = gap, Unpinned = Pin(attached.Link) };
    }

    /// <summary>By index and program: an interface in another network namespace can have the same index.</summary>
    private FileDescriptor? FindKept(NetworkInterface target) => _kept.Find(link =>
        BpfSyscall.LinkInfo(link, out LinkDescription info) == Errno.None && info.Interface == target.Index && target.Carries(info.Program));
}

/// <summary>The interfaces as seen by an unprivileged process, which can recognise attachments and cannot attach.</summary>
internal sealed class ObservedInterfaces : InterfaceQuery, IInterfaceTable
{
    /// <summary>Ids of our programs, as the attacher reported them.</summary>
    public uint[] Programs { get; set; } = [];

    public bool IsOurs(in NetworkInterface found) => Carries(found, Programs);

    public bool IsKept(in NetworkInterface found) => false;

    public void Detach(Attachment attachment)
    {
    }

    public Attachment Attach(in NetworkInterface target) =>
        throw new BpfException("the attacher process has ended (restart couic)", Errno.EPERM);

    public Attachment Adopt(in NetworkInterface target) => new(XdpAttacher.ModeOf(target), target.XdpProgram, null, null);
}
