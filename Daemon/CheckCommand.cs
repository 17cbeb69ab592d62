using System.Net.Sockets;
using Couic.Api.Access;
using Couic.Api.Contracts;
using Couic.Bpf;
using Couic.Config;
using Couic.Native;
using Couic.Sets;
using Couic.Store;

namespace Couic.Daemon;

/// <summary>
/// <c>couic check</c>: reads everything that a start or a reload reads, and prints every fault and what this machine lacks. It changes
/// nothing and needs no privilege beyond reading the files.
/// </summary>
internal static class CheckCommand
{
    /// <returns>The exit status: 0 without a fault, otherwise 1.</returns>
    public static int Run(string? config, TextWriter output, TextWriter errors)
    {
        try
        {
            SettingsSource source = SettingsSource.Locate(config);
            List<Fault> faults = [];
            string summary = string.Empty;
            string[] warnings = [];
            if (SettingsReader.Read(source, faults) is { } settings)
            {
                (int clients, int sets) = CheckFiles(source, settings, faults);
                summary = $"{source.Path}: good, {Counted(clients, "client file")} and {Counted(sets, "set file")} too";
                CheckCertificate(settings, source.Path, faults);
                faults.AddRange(HostCheck.Faults(settings).Select(text => new Fault(source.Path, text)));
                warnings = [.. ClearTokens.WarningsOf(settings.Peering), .. HostCheck.Warnings(settings, makesFolders: source.IsEmbedded)];
                if (!source.IsEmbedded && SecretFile.Warning(source.Path, settings) is { } secrets)
                {
                    warnings = [.. warnings, secrets];
                }
            }

            foreach (string warning in warnings)
            {
                errors.WriteLine($"{source.Path}: warning: {warning}");
            }

            faults.ForEach(fault => errors.WriteLine(fault));
            if (faults.Count == 0)
            {
                output.WriteLine(summary);
            }

            return faults.Count == 0 ? 0 : 1;
        }
        catch (IOException e)
        {
            errors.WriteLine($"couic: {e.Message}");
            return 1;
        }
    }

    private static void CheckCertificate(Settings settings, string file, List<Fault> faults)
    {
        if (settings.Tls is { } tls)
        {
            var found = new List<string>();
            ServerCertificate.Load(tls, Accounts.Resolve(settings.User, settings.Group), found)?.Context.Dispose();
            faults.AddRange(found.Select(fault => new Fault(file, fault)));
        }
    }

    private static string Counted(int count, string thing) => count == 1 ? $"1 {thing}" : $"{count} {thing}s";

    private static (int Clients, int Sets) CheckFiles(SettingsSource source, Settings settings, List<Fault> faults)
    {
        if (source.IsEmbedded && !Directory.Exists(settings.WorkingDir))
        {
            return (0, 0); // the first start creates it
        }

        FileOwner owner = Accounts.Resolve(settings.User, settings.Group);
        WorkingFolder.Check(settings.WorkingDir, owner, faults);
        string folder = WorkingFolder.Clients(settings.WorkingDir);
        int clients = 0;
        if (Directory.Exists(folder))
        {
            ClientFolder content = ClientFiles.Read(folder, owner);
            faults.AddRange(content.Faults);
            clients = content.Clients.Count;
        }

        return (clients, CheckSets(settings, owner, faults));
    }

    private static int CheckSets(Settings settings, FileOwner owner, List<Fault> faults)
    {
        string folder = Path.Combine(settings.WorkingDir, "sets");
        using var images = new SetImages(new SetDirectory(folder, owner, settings.Sets), settings.Store);
        foreach (Policy policy in Policies.All)
        {
            if (Directory.Exists(Path.Combine(folder, policy.Name())))
            {
                images.Read(policy); // the first start creates missing folders
            }
        }

        faults.AddRange(images.Faults.Select(fault => new Fault(
            fault.File, fault.Line, 0, fault.Text.Length == 0 ? fault.Message : $"\"{fault.Text}\": {fault.Message}")));
        return images.Count;
    }
}

/// <summary>
/// What a valid configuration names and this machine lacks at present. Interfaces and folders may appear later, so most findings are
/// warnings.
/// </summary>
internal static class HostCheck
{
    private const int MaxListed = 8;

    /// <summary>One line per finding, without the file's name.</summary>
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

    /// <summary>Findings that make a start with <c>require_ifaces</c> fail.</summary>
    public static IEnumerable<string> Faults(Settings settings) => settings.RequireIfaces ? Interfaces(settings) : [];

    private static IEnumerable<string> Folders(Settings settings)
    {
        string socket = Path.GetDirectoryName(settings.Socket) ?? "/";
        if (!Directory.Exists(socket))
        {
            yield return $"folder \"{socket}\" of server.socket is missing (systemd creates it with RuntimeDirectory=; by hand: mkdir \"{socket}\")";
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

        // A running daemon's own program is attached as it should be.
        bool isRunning = IsRunning(settings.Socket);
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
            // A lack of permission or a full backlog shows that a daemon is there.
            return e.SocketErrorCode is SocketError.AccessDenied or SocketError.WouldBlock;
        }
        catch (ArgumentException)
        {
            return false;
        }
    }
}

/// <summary>Finds the peers to which a token would be sent over a network without TLS.</summary>
internal static class ClearTokens
{
    public static IEnumerable<string> WarningsOf(PeeringSettings peering) => peering.Enabled
        ? peering.Peers.Where(peer => !peer.Tls && !Loopback.IsHost(peer.Host))
            .Select(peer => $"peering.peers {peer}: its token goes over the network in clear (set tls = true)")
        : [];
}
