using System.Runtime.InteropServices;

namespace Couic.Native;

/// <summary>
/// Zeroed memory for a while, beside the collector's: only pages that are written to are resident, and all go back to the system when it
/// is disposed, whereas a large array stays until the collector next looks at everything.
/// </summary>
internal sealed unsafe class ScratchMemory : SafeBuffer
{
    /// <exception cref="IOException">The system has no room for it.</exception>
    public ScratchMemory(int length)
        : base(ownsHandle: true)
    {
        nint address = Libc.mmap(0, (nuint)length, Libc.PROT_READ | Libc.PROT_WRITE, Libc.MAP_PRIVATE | Libc.MAP_ANONYMOUS | Libc.MAP_NORESERVE, -1, 0);
        if (address == -1)
        {
            SetHandleAsInvalid();
            throw new IOException($"map {length} bytes of memory: {Libc.LastError.Text()}");
        }

        SetHandle(address);
        Initialize((ulong)length);
    }

    /// <summary>All of it. Valid until disposed, which the owner must not do while others use it.</summary>
    public Span<byte> Bytes => new((void*)handle, checked((int)ByteLength));

    protected override bool ReleaseHandle() => Libc.munmap(handle, (nuint)ByteLength) == 0;
}
