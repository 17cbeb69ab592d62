using Couic.Bpf;
using Couic.Native;

namespace Couic.Daemon;

/// <summary>The interfaces as a process without privileges sees them: what is attached stays known, and nothing is attached.</summary>
internal sealed class ObservedInterfaces : IInterfaceTable, IDisposable
{
    private readonly InterfaceQuery _query = new();

    /// <summary>Ids of our programs, as the attacher reported them.</summary>
    public uint[] Programs { get; set; } = [];

    public Errno Find(string name, out NetworkInterface found) => _query.Find(name, out found);

    public Errno Find(int index, out NetworkInterface found) => _query.Find(index, out found);

    public bool IsOurs(in NetworkInterface found) => InterfaceQuery.Carries(found, Programs);

    public Attachment Attach(in NetworkInterface target) =>
        throw new BpfException("the attacher process has ended (restart couic)", Errno.EPERM);

    public Attachment Adopt(in NetworkInterface target) => new(
        XdpAttacher.ModeOf(target), target.XdpProgram, null, null);

    public void Dispose() => _query.Dispose();
}
