using System.Runtime.InteropServices;
using System.Text;
using Microsoft.Win32.SafeHandles;

namespace Couic.Native;

internal sealed unsafe partial class MessageChannel
{
    private const int PathOffset = 2; // of sun_path in struct sockaddr_un, behind the family
    private const int MaxPath = 107; // bytes, and the NUL: unix(7)

    /// <summary>A channel to the process that listens at a path (SOCK_SEQPACKET).</summary>
    /// <exception cref="IOException">Nobody listens there, or this user may not connect.</exception>
    public static MessageChannel Connect(string path)
    {
        byte* address = stackalloc byte[PathOffset + MaxPath + 1];
        *(ushort*)address = AF_UNIX;
        if (!Encoding.UTF8.TryGetBytes(path, new Span<byte>(address + PathOffset, MaxPath), out int length))
        {
            throw new IOException($"connect to \"{path}\": the path is too long (at most {MaxPath} bytes)");
        }

        address[PathOffset + length] = 0;
        var handle = new SafeFileHandle(Libc.socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0), ownsHandle: true);
        if (handle.IsInvalid)
        {
            throw new IOException($"make a socket: {Marshal.GetLastPInvokeErrorMessage()}");
        }

        while (connect((int)handle.DangerousGetHandle(), address, (uint)(PathOffset + length + 1)) != 0)
        {
            if (Marshal.GetLastPInvokeError() != EINTR)
            {
                string cause = Marshal.GetLastPInvokeErrorMessage();
                handle.Dispose();
                throw new IOException($"connect to \"{path}\": {cause}");
            }
        }

        return new MessageChannel(handle);
    }

    [LibraryImport("libc", SetLastError = true)]
    private static partial int connect(int socket, byte* address, uint length);
}
