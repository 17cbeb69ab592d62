using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Couic.Native;

/// <summary>
/// The content of a BPF map, mapped into this process: loads and stores reach the kernel's program at once. The kernel counts every
/// mapped page as resident, so pieces are mapped on their first write. An unmapped piece reads as zeros, which is its content as long
/// as only this process writes to the map. Thread-safe.
/// </summary>
internal sealed unsafe class MappedMemory : SafeBuffer
{
    /// <summary>Pieces of 64 KiB: few enough for the kernel's limit on mappings (65,530), small enough for scattered hosts.</summary>
    private const int PieceBits = 16;

    private const long PieceSize = 1L << PieceBits;

    private readonly Lock _gate = new();
    private readonly FileDescriptor _map;
    private readonly nuint _length;
    private readonly bool[] _isMapped;

    private MappedMemory(FileDescriptor map, nint address, nuint length)
        : base(ownsHandle: true)
    {
        _map = map;
        _length = length;
        _isMapped = new bool[((long)length + PieceSize - 1) >> PieceBits];
        SetHandle(address);
        Initialize(length);
    }

    /// <summary>Reserves addresses for the first bytes of an empty map with BPF_F_MMAPABLE (Linux 5.5).</summary>
    /// <param name="map">Has to stay open while the memory is in use.</param>
    public static Errno TryMap(FileDescriptor map, long length, out MappedMemory? memory)
    {
        nuint size = ((nuint)length + 4095) & ~(nuint)4095;
        nint address = Libc.mmap(0, size, Libc.PROT_READ, Libc.MAP_PRIVATE | Libc.MAP_ANONYMOUS | Libc.MAP_NORESERVE, -1, 0);
        if (address == -1)
        {
            memory = null;
            return Libc.LastError;
        }

        memory = new MappedMemory(map, address, size);
        Errno errno = memory.TryMapPiece(0);
        if (errno != Errno.None)
        {
            memory.Dispose();
            memory = null;
        }

        return errno;
    }

    /// <summary>All of it as elements, to be written only where it is mapped (<see cref="EnsureMapped"/>). Valid until disposed, which the owner must not do while others read.</summary>
    public Span<T> As<T>()
        where T : unmanaged => new((void*)handle, checked((int)(_length / (nuint)sizeof(T))));

    /// <summary>Maps the pieces that hold these bytes. A mapped piece stays mapped.</summary>
    public Errno EnsureMapped(long offset, long length)
    {
        for (long piece = offset >> PieceBits; piece <= (offset + length - 1) >> PieceBits; piece++)
        {
            if (!Volatile.Read(ref _isMapped[piece]) && TryMapPiece(piece) is var errno and not Errno.None)
            {
                return errno;
            }
        }

        return Errno.None;
    }

    protected override bool ReleaseHandle() => Libc.munmap(handle, _length) == 0;

    private Errno TryMapPiece(long piece)
    {
        lock (_gate)
        {
            // After the release other code may own the addresses, and MAP_FIXED would overwrite its mapping.
            ObjectDisposedException.ThrowIf(IsClosed, this);
            if (_isMapped[piece])
            {
                return Errno.None;
            }

            long start = piece << PieceBits;
            nuint size = (nuint)Math.Min(PieceSize, (long)_length - start);
            nint address = Libc.mmap(
                handle + (nint)start, size, Libc.PROT_READ | Libc.PROT_WRITE, Libc.MAP_SHARED | Libc.MAP_FIXED, _map.Number, start);
            if (address == -1)
            {
                return Libc.LastError;
            }

            Volatile.Write(ref _isMapped[piece], true);
            return Errno.None;
        }
    }
}

/// <summary>
/// Zeroed temporary memory outside the managed heap: only written pages are resident, and all return to the system on disposal,
/// whereas a large array stays until the next full collection.
/// </summary>
internal sealed unsafe class ScratchMemory : SafeBuffer
{
    /// <exception cref="IOException">Out of memory.</exception>
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
