using System.Runtime.InteropServices;
using System.Text;
using Microsoft.Win32.SafeHandles;

namespace Couic.Native;

/// <summary>A file descriptor of any kind; closed when disposed.</summary>
public sealed class FileDescriptor : SafeHandleMinusOneIsInvalid
{
    public FileDescriptor()
        : base(ownsHandle: true)
    {
    }

    public FileDescriptor(int number, bool ownsHandle = true)
        : base(ownsHandle) => SetHandle(number);

    /// <summary>Takes a descriptor over from another handle.</summary>
    internal static FileDescriptor Own(SafeFileHandle handle)
    {
        var descriptor = new FileDescriptor((int)handle.DangerousGetHandle());
        handle.SetHandleAsInvalid();
        return descriptor;
    }

    /// <summary>The number, for the structs of system calls and for a program that inherits it.</summary>
    public int Number => (int)DangerousGetHandle();

    /// <summary>Whether the descriptor survives <c>execve</c>.</summary>
    public void SetInherited(bool inherited) => Descriptors.SetInherited(Number, inherited);

    protected override bool ReleaseHandle() => Libc.close((int)handle) == 0;
}

/// <summary>Inheritance and number of file descriptors, and files in memory.</summary>
internal static partial class Descriptors
{
    private const uint MFD_CLOEXEC = 1;

    /// <summary>Sets whether a program that this process executes inherits the descriptor.</summary>
    public static void SetInherited(int descriptor, bool inherited)
    {
        if (Libc.fcntl(descriptor, Libc.F_SETFD, inherited ? 0 : Libc.FD_CLOEXEC) < 0)
        {
            throw new IOException($"pass on descriptor {descriptor}: {Marshal.GetLastPInvokeErrorMessage()}");
        }
    }

    /// <summary>
    /// Grows the process's descriptor table to this size, as far as its limit allows. Otherwise the kernel doubles a full table, and in a
    /// process with threads waits for all processors (expand_fdtable in fs/file.c), which stalls an open for 10 to 20 ms.
    /// </summary>
    /// <param name="any">An open descriptor.</param>
    public static void Reserve(SafeHandle any, int count)
    {
        for (int last = -1; last < 0 && count > 1024; count /= 2)
        {
            last = Libc.fcntl((int)any.DangerousGetHandle(), Libc.F_DUPFD_CLOEXEC, count - 1);
            if (last >= 0)
            {
                _ = Libc.close(last);
            }
        }
    }

    public static unsafe SafeFileHandle MemoryFile(string name, ReadOnlySpan<byte> content)
    {
        Span<byte> utf8 = stackalloc byte[64];
        utf8.Clear();
        Encoding.ASCII.TryGetBytes(name, utf8[..63], out _);
        fixed (byte* pointer = utf8)
        {
            var file = new SafeFileHandle(memfd_create(pointer, MFD_CLOEXEC), ownsHandle: true);
            if (file.IsInvalid)
            {
                throw new IOException($"create memory file \"{name}\": {Marshal.GetLastPInvokeErrorMessage()}");
            }

            RandomAccess.Write(file, content, 0);
            return file;
        }
    }

    [LibraryImport("libc", SetLastError = true)]
    private static unsafe partial int memfd_create(byte* name, uint flags);
}
