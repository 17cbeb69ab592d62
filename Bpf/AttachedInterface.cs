using Couic.Native;

namespace Couic.Bpf;

/// <summary>
/// An interface that the program runs on. Disposing detaches. With a link, so does the end of the process; without (Linux
/// below 5.9) the program would stay.
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

    /// <summary>Whether the kernel detaches by itself when the process ends.</summary>
    public bool HasLink => _link is not null;

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
            // Nothing can be done about a refusal: the interface is gone, or somebody else has replaced the program.
            _ = netlink!.SetXdp(Index, -1, _flags, out _);
            netlink.Dispose();
        }
    }
}
