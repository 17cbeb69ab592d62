using Couic.Bpf;
using Couic.Native;

namespace Couic.Daemon;

/// <summary>What <see cref="InterfaceTracker"/> asks of the kernel.</summary>
internal interface IInterfaceTable
{
    /// <summary>ENODEV when there is no such interface; any other error says nothing about the interface.</summary>
    Errno Find(string name, out NetworkInterface found);

    /// <inheritdoc cref="Find(string, out NetworkInterface)"/>
    Errno Find(int index, out NetworkInterface found);

    /// <summary>Whether the interface carries a program of ours.</summary>
    bool IsOurs(in NetworkInterface found);

    /// <summary>Attaches to an interface.</summary>
    /// <exception cref="BpfException">Refused: ENODEV when it has just gone, EBUSY when another program is there.</exception>
    Attachment Attach(in NetworkInterface target);

    /// <summary>Takes over an interface that already carries our program.</summary>
    Attachment Adopt(in NetworkInterface target);
}

/// <summary>What holds the program on an interface.</summary>
/// <param name="Program">The program's id in the kernel.</param>
/// <param name="Link">The link, for a process that is to hold a copy; null where there is none.</param>
/// <param name="Hold">Detaches when disposed.</param>
internal sealed record Attachment(XdpMode Mode, uint Program, FileDescriptor? Link, IDisposable? Hold);
