using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Couic.Native;

/// <summary>The content of a map, mapped into this process: loads and stores reach the kernel's program at once.</summary>
internal sealed unsafe class MappedMemory : SafeBuffer
{
    private readonly nuint _length;

    private MappedMemory(nint address, nuint length)
        : base(ownsHandle: true)
    {
        _length = length;
        SetHandle(address);
        Initialize(length);
    }

    /// <summary>Maps the first bytes of a map made with BPF_F_MMAPABLE (Linux 5.5), for reading and writing.</summary>
    public static Errno TryMap(FileDescriptor map, long length, out MappedMemory? memory)
    {
        nuint size = ((nuint)length + 4095) & ~(nuint)4095;
        nint address = Libc.mmap(0, size, Libc.PROT_READ | Libc.PROT_WRITE, Libc.MAP_SHARED, map.Number, 0);
        Errno errno = address == -1 ? Libc.LastError : Errno.None;
        memory = address == -1 ? null : new MappedMemory(address, size);
        return errno;
    }

    /// <summary>All of it as elements. Valid until disposed, which the owner must not do while others read.</summary>
    public Span<T> As<T>()
        where T : unmanaged => new((void*)handle, checked((int)(_length / (nuint)sizeof(T))));

    protected override bool ReleaseHandle() => Libc.munmap(handle, _length) == 0;
}
