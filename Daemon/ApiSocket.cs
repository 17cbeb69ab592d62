using System.Net.Sockets;
using Couic.Native;

namespace Couic.Daemon;

/// <summary>
/// The Unix socket of the API, bound (not yet listening) in the privileged part of the start, because its folder may belong
/// to root. Nobody can connect before its owner and mode are right: until then its mode is 0, and nothing listens.
/// </summary>
internal static class ApiSocket
{
    private const UnixFileMode FinalMode =
        UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute
        | UnixFileMode.GroupRead | UnixFileMode.GroupWrite | UnixFileMode.GroupExecute;

    /// <summary>Longest path a socket can have: sun_path of unix(7), less its end.</summary>
    private const int MaxPathBytes = 107;

    /// <exception cref="StartException">The path is taken or cannot be used.</exception>
    public static Socket Bind(string path, FileOwner owner)
    {
        if (System.Text.Encoding.UTF8.GetByteCount(path) > MaxPathBytes)
        {
            throw new StartException($"bind socket \"{path}\": longer than {MaxPathBytes} bytes (choose a shorter [server] socket)");
        }

        RemoveStale(path);
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            Files.WithUmask(0b111_111_111, () => socket.Bind(new UnixDomainSocketEndPoint(path)));
            Errno error = Files.TryChownName(path, owner);
            if (error != Errno.None)
            {
                throw new StartException($"give socket \"{path}\" to {owner.Uid}:{owner.Gid}: {error.Text()} (run as root, or as that user)");
            }

            File.SetUnixFileMode(path, FinalMode);
            return socket;
        }
        catch (Exception e) when (e is SocketException or IOException or UnauthorizedAccessException)
        {
            throw new StartException($"bind socket \"{path}\": {Reason(e, path)}", e);
        }
    }

    /// <summary>Removes the socket of a daemon that has died; refuses for anything else that stands there.</summary>
    private static void RemoveStale(string path)
    {
        if (Files.TryStat(path, out FileState state) == Errno.ENOENT)
        {
            return;
        }

        if (state.Kind != FileKind.Socket)
        {
            throw new StartException(
                $"bind socket \"{path}\": something that is no socket is there (move it away, or set another [server] socket)");
        }

        if (IsAnswered(path))
        {
            throw new StartException(
                $"bind socket \"{path}\": another daemon answers there (stop it, or set another [server] socket)");
        }

        File.Delete(path);
    }

    private static bool IsAnswered(string path)
    {
        using var probe = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            probe.Connect(new UnixDomainSocketEndPoint(path));
            return true;
        }
        catch (SocketException e)
        {
            // Only "nobody listens" shows that it is stale; a full backlog or a lack of permission does not.
            return e.SocketErrorCode != SocketError.ConnectionRefused;
        }
    }

    private static string Reason(Exception e, string path)
    {
        string? folder = Path.GetDirectoryName(path);
        return !string.IsNullOrEmpty(folder) && !Directory.Exists(folder)
            ? $"no such folder \"{folder}\" (make it, owned by the daemon's user)"
            : (e as SocketException)?.SocketErrorCode == SocketError.AccessDenied
            ? "permission denied (run as root, or use a folder that this user may write to)"
            : e.Message;
    }
}
