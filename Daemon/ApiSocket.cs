using System.Net.Sockets;
using Couic.Native;
using Microsoft.Win32.SafeHandles;

namespace Couic.Daemon;

/// <summary>
/// The Unix socket of the API. The privileged stage binds it, because its folder may belong to root; the daemon listens. It has its final
/// mode when it appears.
/// </summary>
internal static class ApiSocket
{
    private const UnixFileMode FinalMode =
        UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute
        | UnixFileMode.GroupRead | UnixFileMode.GroupWrite | UnixFileMode.GroupExecute;

    /// <summary>The longest path of a socket: sun_path of unix(7) without the NUL.</summary>
    private const int MaxPathBytes = 107;

    /// <param name="claim">The lock of the socket's name, to be held as long as the socket: before it listens, only the lock shows that it is in use.</param>
    /// <exception cref="StartException">The path is taken or cannot be used.</exception>
    public static Socket Bind(string path, FileOwner owner, out SafeFileHandle claim)
    {
        if (System.Text.Encoding.UTF8.GetByteCount(path) > MaxPathBytes)
        {
            throw new StartException($"bind socket \"{path}\": longer than {MaxPathBytes} bytes (choose a shorter [server] socket)");
        }

        string folder = Path.GetDirectoryName(path) is { Length: > 0 } name ? name : ".";
        Errno error = Files.TryStatTarget(folder, out FileState state);
        if (error != Errno.None)
        {
            throw new StartException($"bind socket \"{path}\": {(error == Errno.ENOENT ? NoFolder(folder) : error.Text())}");
        }

        (Socket socket, claim) = Identity.ActIn(state, owner, () =>
        {
            SafeFileHandle held = Claim(path, owner);
            RemoveStale(path);
            return (BindThere(path, owner), held);
        });
        return socket;
    }

    /// <summary>The inode of the socket at that path, for <see cref="Remove"/>.</summary>
    public static ulong? Find(string path) =>
        Files.TryStat(path, out FileState state) == Errno.None && state.Kind == FileKind.Socket ? state.Inode : null;

    /// <summary>Removes the socket unless another daemon has replaced it.</summary>
    public static void Remove(string path, ulong? file)
    {
        if (file is not null && Find(path) == file)
        {
            // The daemon may not remove it from root's folder; the next start replaces a stale socket.
            _ = Files.TryUnlink(path);
        }
    }

    private static SafeFileHandle Claim(string path, FileOwner owner)
    {
        Errno error = ClaimFile.TryTake(path + ".lock", owner, out SafeFileHandle? claim, out string fault);
        return error switch
        {
            Errno.None => claim!,
            Errno.EAGAIN => throw new StartException($"bind socket \"{path}\": another daemon has it (stop it, or set another [server] socket)"),
            Errno.EACCES => throw new StartException(
                $"bind socket \"{path}\": permission denied (run as root, or use a folder that this user may write to)"),
            _ => throw new StartException($"bind socket \"{path}\": {fault}"),
        };
    }

    private static Socket BindThere(string path, FileOwner owner)
    {
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            Files.WithUmask(0b000_000_111, () => socket.Bind(new UnixDomainSocketEndPoint(path)));
            Errno error = Files.TryStat(path, out FileState state);
            error = error == Errno.None && state.Owner != owner ? Files.TryChownName(path, owner) : error;
            if (error != Errno.None)
            {
                throw new StartException($"give socket \"{path}\" to {owner.Uid}:{owner.Gid}: {error.Text()} (run as root, or as that user)");
            }

            if (state.Mode != (int)FinalMode)
            {
                File.SetUnixFileMode(path, FinalMode); // a default ACL of the folder takes precedence over the umask
            }

            return socket;
        }
        catch (Exception e) when (e is SocketException or IOException or UnauthorizedAccessException)
        {
            throw new StartException($"bind socket \"{path}\": {Reason(e)}", e);
        }
    }

    /// <summary>Removes the socket of a daemon that has died; throws for any other file.</summary>
    private static void RemoveStale(string path)
    {
        if (Files.TryStat(path, out FileState state) == Errno.ENOENT)
        {
            return;
        }

        if (state.Kind != FileKind.Socket)
        {
            throw new StartException(
                $"bind socket \"{path}\": a file that is not a socket is there (move it away, or set another [server] socket)");
        }

        if (IsBound(path) || IsAnswered(path))
        {
            throw new StartException(
                $"bind socket \"{path}\": another program has it (stop it, or set another [server] socket)");
        }

        Errno error = Files.TryUnlink(path);
        if (error != Errno.None)
        {
            throw new StartException($"remove stale socket \"{path}\": {error.Text()}");
        }
    }

    private static bool IsAnswered(string path)
    {
        // Non-blocking: a full backlog would stall the start.
        using var probe = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified) { Blocking = false };
        try
        {
            probe.Connect(new UnixDomainSocketEndPoint(path));
            return true;
        }
        catch (SocketException e)
        {
            // Only a refused connection shows that it is stale; a full backlog or a lack of permission does not.
            return e.SocketErrorCode != SocketError.ConnectionRefused;
        }
    }

    /// <summary>Whether a socket of this network namespace is bound to the name, listening or not (proc(5), /proc/net/unix).</summary>
    private static bool IsBound(string path)
    {
        try
        {
            return File.ReadLines("/proc/self/net/unix").Any(line => line.EndsWith(" " + path, StringComparison.Ordinal));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false; // without the list, IsAnswered decides
        }
    }

    private static string Reason(Exception e) => (e as SocketException)?.SocketErrorCode == SocketError.AccessDenied
        ? "permission denied (run as root, or use a folder that this user may write to)"
        : e.Message;

    private static string NoFolder(string folder) => $"no such folder \"{folder}\" (create it, owned by the daemon's user)";
}
