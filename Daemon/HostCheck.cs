using System.Net.Sockets;
using Couic.Bpf;
using Couic.Config;
using Couic.Native;

namespace Couic.Daemon;

/// <summary>
/// What <c>couic check</c> says of the machine: what a good configuration names and this machine does not have now. Most of it may come
/// later, as an interface does, so these are warnings.
/// </summary>
internal static class HostCheck
{
    private const int MaxListed = 8;

    /// <summary>One line each, without the file's name.</summary>
    /// <param name="makesFolders">Whether the start creates the folders, as it does without a configuration file.</param>
    public static IEnumerable<string> Warnings(Settings settings, bool makesFolders = false)
    {
        foreach (string folder in makesFolders ? [] : Folders(settings))
        {
            yield return folder;
        }

        if (settings.Peering is { Enabled: true, Peers.Count: 0 })
        {
            yield return "peering is enabled and has no peers ([[peering.peers]])";
        }

        foreach (string trouble in settings.RequireIfaces ? [] : Interfaces(settings))
        {
            yield return trouble;
        }
    }

    /// <summary>What keeps a start from happening with <c>require_ifaces</c>.</summary>
    public static IEnumerable<string> Faults(Settings settings) => settings.RequireIfaces ? Interfaces(settings) : [];

    private static IEnumerable<string> Folders(Settings settings)
    {
        string socket = Path.GetDirectoryName(settings.Server.Socket) ?? "/";
        if (!Directory.Exists(socket))
        {
            yield return $"folder \"{socket}\" of server.socket is missing (systemd makes it with RuntimeDirectory=; by hand: mkdir \"{socket}\")";
        }

        if (settings.Logging.Dir is { } logs && Path.GetDirectoryName(Path.TrimEndingDirectorySeparator(logs)) is { } parent && !Directory.Exists(parent))
        {
            yield return $"folder \"{parent}\" for logging.dir is missing (mkdir -p \"{parent}\")";
        }
    }

    private static List<string> Interfaces(Settings settings)
    {
        List<NetworkInterface> have;
        try
        {
            have = XdpAttacher.ReadInterfaces();
        }
        catch (BpfException e)
        {
            return [e.Message];
        }

        // The program of a running daemon is no other program.
        bool isRunning = IsRunning(settings.Server.Socket);
        var troubles = new List<string>();
        foreach (string name in settings.Ifaces)
        {
            NetworkInterface found = have.Find(i => i.Name == name || i.AlternativeNames.Contains(name));
            if (found.Name is null)
            {
                troubles.Add($"interface \"{name}\": no such interface (have: {InterfaceSummary.List([.. have.Select(i => i.Name)], MaxListed)})");
            }
            else if (!isRunning && found.XdpAttached != 0)
            {
                troubles.Add($"interface \"{name}\": {XdpAttacher.Occupied(found).Cause}");
            }
        }

        return troubles;
    }

    private static bool IsRunning(string socket)
    {
        try
        {
            using var client = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified) { Blocking = false };
            client.Connect(new UnixDomainSocketEndPoint(socket));
            return true;
        }
        catch (SocketException e)
        {
            // Whoever may not connect, or finds a full queue, has found a daemon.
            return e.SocketErrorCode is SocketError.AccessDenied or SocketError.WouldBlock;
        }
        catch (ArgumentException)
        {
            return false;
        }
    }
}
