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

    /// <summary>The number, for the structs of system calls and for a program that inherits it.</summary>
    public int Number => (int)DangerousGetHandle();

    /// <summary>Whether the descriptor survives <c>execve</c>.</summary>
    public void SetInherited(bool inherited) => Descriptors.SetInherited(Number, inherited);

    protected override bool ReleaseHandle() => Libc.close((int)handle) == 0;
}
