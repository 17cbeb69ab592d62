using System.ComponentModel;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Couic.Native;

[Flags]
internal enum PollEvents : uint
{
    None = 0,
    Readable = 0x1,
    Writable = 0x4,
    Error = 0x8,
    HangUp = 0x10,
    PeerClosed = 0x2000,
    EdgeTriggered = 0x8000_0000,
}

/// <summary>
/// epoll(7) with an eventfd that wakes the waiting thread. One thread calls <see cref="Wait"/>; the other methods are thread-safe. Event
/// records are read by offset because their layout is packed on x86-64 only (uapi/linux/eventpoll.h).
/// </summary>
internal sealed unsafe partial class Poller : IDisposable
{
    /// <summary>The most events that one wait returns.</summary>
    public const int MaxEvents = 256;

    private const int EPOLL_CLOEXEC = 0x80000;
    private const int EPOLL_CTL_ADD = 1;
    private const int EPOLL_CTL_DEL = 2;
    private const int EPOLL_CTL_MOD = 3;
    private const int EFD_CLOEXEC = 0x80000;
    private const int EFD_NONBLOCK = 0x800;
    private const int EINTR = 4;
    private const ulong WakeKey = ulong.MaxValue;

    private static readonly int RecordSize = RuntimeInformation.ProcessArchitecture == Architecture.X64 ? 12 : 16;
    private static readonly int KeyOffset = RecordSize - sizeof(ulong);

    private readonly SafeFileHandle _epoll;
    private readonly SafeFileHandle _wake;
    private readonly byte* _records;

    public Poller()
    {
        _epoll = new SafeFileHandle(Check(epoll_create1(EPOLL_CLOEXEC), "epoll_create1"), ownsHandle: true);
        _wake = new SafeFileHandle(Check(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), "eventfd"), ownsHandle: true);
        _records = (byte*)NativeMemory.AllocZeroed((nuint)(MaxEvents * RecordSize));
        Add(_wake, PollEvents.Readable | PollEvents.EdgeTriggered, WakeKey);
    }

    /// <summary>Watches a descriptor until it is closed.</summary>
    public void Add(SafeHandle handle, PollEvents events, ulong key) => Control(EPOLL_CTL_ADD, handle, events, key);

    /// <summary>Ends watching a descriptor that stays open.</summary>
    public void Remove(SafeHandle handle) => Control(EPOLL_CTL_DEL, handle, PollEvents.None, 0);

    public void Modify(SafeHandle handle, PollEvents events, ulong key) => Control(EPOLL_CTL_MOD, handle, events, key);

    /// <summary>Waits for events; a negative timeout waits forever. Returns how many <see cref="Event"/> can read.</summary>
    public int Wait(int timeoutMilliseconds)
    {
        int n = epoll_wait(_epoll, _records, MaxEvents, timeoutMilliseconds);
        if (n < 0)
        {
            int errno = Marshal.GetLastPInvokeError();
            return errno == EINTR ? 0 : throw new Win32Exception(errno, $"epoll_wait: errno {errno}");
        }

        return n;
    }

    /// <summary>One event of the last wait; false for the wake-up of <see cref="Wake"/>.</summary>
    public bool Event(int index, out PollEvents events, out ulong key)
    {
        byte* record = _records + (index * RecordSize);
        events = (PollEvents)(*(uint*)record);
        key = *(ulong*)(record + KeyOffset);
        return key != WakeKey;
    }

    /// <summary>Makes the present wait, or the next one, return.</summary>
    public void Wake()
    {
        ulong one = 1;
        _ = write(_wake, &one, sizeof(ulong));
    }

    public void Dispose()
    {
        _epoll.Dispose();
        _wake.Dispose();
        NativeMemory.Free(_records);
    }

    private void Control(int operation, SafeHandle handle, PollEvents events, ulong key)
    {
        byte* record = stackalloc byte[16];
        *(uint*)record = (uint)events;
        *(ulong*)(record + KeyOffset) = key;
        Check(epoll_ctl(_epoll, operation, handle, record), "epoll_ctl");
    }

    private static int Check(int result, string call)
    {
        if (result < 0)
        {
            int errno = Marshal.GetLastPInvokeError();
            throw new Win32Exception(errno, $"{call}: errno {errno}");
        }

        return result;
    }

    [LibraryImport("libc", SetLastError = true)]
    private static partial int epoll_create1(int flags);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int epoll_ctl(SafeHandle epoll, int operation, SafeHandle handle, byte* record);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int epoll_wait(SafeHandle epoll, byte* records, int max, int timeout);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int eventfd(uint initial, int flags);

    [LibraryImport("libc", SetLastError = true)]
    private static partial nint write(SafeHandle handle, void* buffer, nint count);
}
