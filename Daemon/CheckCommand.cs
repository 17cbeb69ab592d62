using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using Couic.Api.Access;
using Couic.Api.Contracts;
using Couic.Bpf;
using Couic.Cli.Output;
using Couic.CommandLine;
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
    /// <param name="isFileOnly">Whether the machine does not matter: neither its users and folders nor its interfaces.</param>
    /// <returns>The exit status: 0 without a fault, otherwise 1.</returns>
    public static int Run(Invocation invocation, string? config, bool isFileOnly)
    {
        try
        {
            SettingsSource source = SettingsSource.Locate(config);
            List<Fault> faults = [];
            string summary = string.Empty;
            string[] warnings = [];
            if (ReadSettings(source, faults, isFileOnly) is { } settings)
            {
                (int clients, int sets) = isFileOnly ? (0, 0) : CheckFiles(source, settings, faults);
                summary = $"{source.Path}: good{(isFileOnly ? "" : $", {Counted(clients, "client file")} and {Counted(sets, "set file")} too")}";
                warnings = [.. ClearTokens.WarningsOf(settings)];
                if (!isFileOnly)
                {
                    faults.AddRange(HostCheck.Faults(settings).Select(text => new Fault(source.Path, text)));
                    warnings = [.. warnings, .. HostCheck.Warnings(settings, makesFolders: source.IsEmbedded)];
                }

                if (!source.IsEmbedded && SecretFile.Warning(source.Path, settings) is { } secrets)
                {
                    warnings = [.. warnings, secrets];
                }
            }

            Report(invocation, source, summary, warnings, faults);
            return faults.Count == 0 ? ExitStatus.Success : ExitStatus.Failure;
        }
        catch (IOException e)
        {
            throw new CliException(e.Message);
        }
    }

    private static Settings? ReadSettings(SettingsSource source, List<Fault> faults, bool isFileOnly) => isFileOnly
        ? SettingsReader.Read(source.Path, Encoding.UTF8.GetBytes(source.Text), faults, checkHost: false)
        : SettingsReader.Read(source, faults);

    private static void Report(Invocation invocation, SettingsSource source, string summary, string[] warnings, List<Fault> faults)
    {
        if (invocation.IsJson)
        {
            IndentedJson.WriteObject(invocation, json =>
            {
                json.WriteString("file"u8, source.Path);
                json.WriteBoolean("ok"u8, faults.Count == 0);
                WriteTexts(json, "faults", faults.Select(fault => fault.ToString()));
                WriteTexts(json, "warnings", warnings);
            });
            return;
        }

        TextWriter errors = invocation.Context.Error;
        foreach (string warning in warnings)
        {
            errors.WriteLine($"{source.Path}: {invocation.Style.OnError(Colour.Yellow, "warning:")} {warning}");
        }

        faults.ForEach(fault => errors.WriteLine(fault));
        if (faults.Count == 0)
        {
            invocation.Out.WriteLine(summary);
        }
    }

    private static void WriteTexts(Utf8JsonWriter json, string name, IEnumerable<string> texts)
    {
        json.WriteStartArray(name);
        foreach (string text in texts)
        {
            json.WriteStringValue(text);
        }

        json.WriteEndArray();
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

        foreach (string port in Ports(settings))
        {
            yield return port;
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

        FileOwner user = Accounts.Resolve(settings.User, settings.Group);
        foreach ((string key, string? folder) in ((string, string?)[])[("server.socket", socket), ("logging.dir", settings.Logging.Dir)])
        {
            if (folder is not null && user.Uid != 0 && Files.TryStatTarget(folder, out FileState state) == Errno.None && !IsWritable(state, user))
            {
                yield return $"folder \"{folder}\" of {key} cannot be written by user {settings.User} (chown {settings.User}:{settings.Group} \"{folder}\")";
            }
        }
    }

    private static bool IsWritable(in FileState folder, FileOwner user) =>
        (folder.Mode & (folder.Owner.Uid == user.Uid ? 0b010_000_000u : folder.Owner.Gid == user.Gid ? 0b000_010_000u : 0b000_000_010u)) != 0;

    /// <summary>Addresses of server.listen that another program has. A running daemon has its own.</summary>
    private static IEnumerable<string> Ports(Settings settings)
    {
        foreach (IPEndPoint address in IsRunning(settings.Socket) ? [] : settings.Listen)
        {
            SocketException? failure = null;
            try
            {
                using var socket = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
                socket.Bind(address);
            }
            catch (SocketException e)
            {
                failure = e;
            }

            if (failure is not null)
            {
                yield return $"server.listen {address}: {SystemErrors.Text(failure)} (ss -ltnp shows the programs that listen)";
            }
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

/// <summary>Finds the hosts to which a secret would be sent over a network without TLS.</summary>
internal static class ClearTokens
{
    public static IEnumerable<string> WarningsOf(Settings settings) => [.. WarningsOf(settings.Peering), .. WarningsOf(settings.Bus)];

    private static IEnumerable<string> WarningsOf(BusSettings bus) => bus.Enabled
        ? bus.Servers.Where(server => server.StartsWith("nats://", StringComparison.Ordinal) && !Loopback.IsHost(new Uri(server).DnsSafeHost))
            .Select(server => $"bus.servers {server}: rules{(bus.Token is null && bus.Password is null ? string.Empty : " and its credential")} go over the network in clear (tls://)")
        : [];

    public static IEnumerable<string> WarningsOf(PeeringSettings peering) => peering.Enabled
        ? peering.Peers.Where(peer => !peer.Tls && !Loopback.IsHost(peer.Host))
            .Select(peer => $"peering.peers {peer}: its token goes over the network in clear (set tls = true)")
        : [];
}
