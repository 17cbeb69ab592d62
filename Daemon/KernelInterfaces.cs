using Couic.Bpf;
using Couic.Native;

namespace Couic.Daemon;

/// <summary>The interfaces of this network namespace, by netlink, and the programs to attach to them. Not thread-safe.</summary>
internal sealed class KernelInterfaces(XdpPrograms programs, XdpMode mode) : IInterfaceTable, IDisposable
{
    private readonly InterfaceQuery _query = new();
    private readonly uint[] _ids = [.. programs.Ids()];

    public Errno Find(string name, out NetworkInterface found) => _query.Find(name, out found);

    public Errno Find(int index, out NetworkInterface found) => _query.Find(index, out found);

    public bool IsOurs(in NetworkInterface found) => InterfaceQuery.Carries(found, _ids);

    public Attachment Attach(in NetworkInterface target)
    {
        AttachedInterface attached = XdpAttacher.Attach(programs, target, mode);
        return new Attachment(attached.Mode, attached.Program, attached.Link, attached);
    }

    public Attachment Adopt(in NetworkInterface target)
    {
        // Without its link, which the daemon holds; where there is none, netlink takes the program off.
        AttachedInterface adopted = XdpAttacher.Adopt(target);
        return new Attachment(adopted.Mode, adopted.Program, null, adopted);
    }

    public void Dispose() => _query.Dispose();
}
