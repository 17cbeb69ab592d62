using System.ComponentModel;
using System.Diagnostics;
using System.Net.Sockets;
using System.Text;
using Couic.Bpf;
using Couic.Config;
using Couic.Native;
using Microsoft.Win32.SafeHandles;

namespace Couic.Daemon;

/// <summary>
/// The first stage of the start, the only one with privileges: creates the kernel objects, the folders and the socket, spawns the
/// attacher, and replaces itself by the unprivileged daemon, which inherits the descriptors. Nothing is attached in this stage.
/// </summary>
internal sealed class PrivilegedStage(SettingsSource source, Settings settings)
{
    /// <summary>Keeps the collector from closing descriptors before the daemon inherits them.</summary>
    private static readonly List<object> Kept = [];

    /// <summary>Does not return after success.</summary>
    /// <exception cref="StartException">The start failed.</exception>
    public void Run(string[] commandLine)
    {
        long start = Stopwatch.GetTimestamp();
        (int Number, LinkName Name)[] links = TakeLinks();
        FileOwner owner = Owner();
        Try(() => WorkingFolder.Prepare(settings.WorkingDir, owner, make: source.IsEmbedded));
        Try(() => PrepareLogs(owner));
        if (settings.State.Dynamic == DynamicRules.Kept)
        {
            _ = WorkingFolder.PrepareState(settings.WorkingDir, owner);
        }

        int claim = Claim(settings.WorkingDir, owner);
        string? service = AttacherService.Address;
        using PinFolder? pins = ClaimPins(owner, service, ref links);
        LoadedPlane? plane = service is null ? Load() : null;
        Socket bound = ApiSocket.Bind(settings.Socket, owner, out SafeFileHandle name);
        (int socket, int nameClaim) = ((int)bound.Handle, (int)name.DangerousGetHandle());
        Socket[] network = TcpListeners.Bind(settings.Listen);
        Kept.AddRange([bound, name, .. network]);
        int[] listeners = [.. network.Select(listener => (int)listener.Handle)];
        SwitchUser(owner);
        int[] programs = [];
        PlaneMaps maps = plane is null ? AttacherService.Connect(service!, out MessageChannel ours, out programs) : SpawnAttacher(plane, pins, out ours);
        bool keptBpf = Privileges.DropAll();

        int config = (int)Descriptors.MemoryFile("couic.toml", Encoding.UTF8.GetBytes(source.Text)).DangerousGetHandle();
        int channel = (int)ours.Handle.DangerousGetHandle();
        Array.ForEach([socket, channel, config, claim, nameClaim, .. programs, .. listeners, .. links.Select(link => link.Number)], descriptor => Descriptors.SetInherited(descriptor, true));
        maps.SetInherited(true);
        ReExec(commandLine, new Handover(socket, channel, config, claim, nameClaim, keptBpf, source.Path, maps.ToText(), programs, listeners, start, links));
    }

    /// <summary>
    /// The links that the service manager's store has kept. Nothing touches them before the daemon is complete: a start that fails leaves the
    /// filter as it was.
    /// </summary>
    private static (int Number, LinkName Name)[] TakeLinks()
    {
        var links = new List<(int Number, LinkName Name)>();
        foreach ((int number, string name) in PassedDescriptors.FromEnvironment())
        {
            Descriptors.SetInherited(number, false); // the attacher must not get a copy that it does not know of
            if (LinkName.TryParse(name, out LinkName link))
            {
                links.Add((number, link));
            }
            else if (name.StartsWith(LinkName.Family, StringComparison.Ordinal))
            {
                using var systemd = new SystemdNotify();
                systemd.Unstore(name); // of another version, which this one does not know: the store would keep it for ever
                Console.Error.WriteLine($"couic: the service manager's store held \"{name}\", which this version does not know: removed");
            }
        }

        return [.. links];
    }

    /// <summary>Where the service manager keeps the links, nothing is pinned: a stopped service must leave nothing attached.</summary>
    private PinFolder? ClaimPins(FileOwner owner, string? service, ref (int Number, LinkName Name)[] links)
    {
        using var systemd = new SystemdNotify();
        if (settings.Pin is not { } path || systemd.StoreCapacity > 0)
        {
            return null;
        }

        if (service is not null)
        {
            throw new StartException($"pin \"{path}\": the attacher of a separate service pins nothing (FileDescriptorStoreMax= and FDSTORE= in couic.service do the same)");
        }

        PinFolder pins = PinFolder.Claim(path, owner);
        List<(FileDescriptor Link, LinkName Name)> pinned = pins.Links(path);
        Kept.Add(pinned);
        links = [.. links, .. pinned.Select(p => (p.Link.Number, p.Name))];
        return pins;
    }

    /// <summary>Switches to the daemon's user. From here nothing runs as root unless the configuration asks for it.</summary>
    private static void SwitchUser(FileOwner owner)
    {
        Privileges.ReduceToAttaching(owner);
        if (FileOwner.Current.Uid == 0 && owner.Uid != 0)
        {
            throw new StartException($"become user {owner.Uid}:{owner.Gid}: still root");
        }
    }

    /// <summary>Starts the process that keeps the privilege to attach.</summary>
    private PlaneMaps SpawnAttacher(LoadedPlane plane, PinFolder? pins, out MessageChannel ours)
    {
        (ours, MessageChannel theirs) = MessageChannel.Pair();
        int channel = (int)theirs.Handle.DangerousGetHandle();
        plane.Programs.SetInherited(true);
        Descriptors.SetInherited(channel, true);
        int? folder = (int?)pins?.Handle.DangerousGetHandle();
        if (folder is { } number)
        {
            Descriptors.SetInherited(number, true);
        }

        string[] arguments = AttacherProcess.Arguments(plane.Programs, channel, AttacherTask.Of(settings, isService: false, isResumed: false, folder));
        Exec.Spawn(Exec.OwnPath(), arguments, Exec.Environ([]));
        plane.Programs.Dispose();
        theirs.Dispose();
        return plane.Maps;
    }

    private void PrepareLogs(FileOwner owner)
    {
        if (settings.Logging.Dir is { } folder)
        {
            LogFolder.Prepare(folder, owner);
        }
    }

    private FileOwner Owner()
    {
        FileOwner? owner = null;
        Try(() => owner = Accounts.Resolve(settings.User, settings.Group));
        return owner!.Value;
    }

    /// <summary>Locks the folder: two daemons would overwrite each other's files. The lock ends with the process.</summary>
    private static int Claim(string folder, FileOwner owner)
    {
        string fault = string.Empty;
        SafeFileHandle? claim = null;
        Errno error = Files.TryStatTarget(folder, out FileState state);
        error = error == Errno.None
            ? Identity.ActIn(state, owner, () => ClaimFile.TryTake(Path.Combine(folder, ".lock"), owner, out claim, out fault))
            : error;
        if (error == Errno.None)
        {
            Kept.Add(claim!);
            return (int)claim!.DangerousGetHandle();
        }

        throw new StartException(error == Errno.EAGAIN
            ? $"claim working_dir \"{folder}\": another daemon works there (stop it, or set another working_dir)"
            : $"claim working_dir \"{folder}\": {(fault.Length > 0 ? fault : error.Text())}");
    }

    private LoadedPlane Load()
    {
        try
        {
            return XdpLoader.Load(SettingsMap.Plane(settings));
        }
        catch (BpfException e)
        {
            if (e.VerifierLog is not null)
            {
                Console.Error.WriteLine(e.VerifierLog);
            }

            throw new StartException(e.Message, e);
        }
    }

    private static void ReExec(string[] commandLine, Handover handover)
    {
        string[] environment = Exec.Environ([$"{Handover.Variable}={handover.Format()}"], [Handover.Variable, .. PassedDescriptors.Variables]);
        int errno = Exec.Replace(Exec.OwnPath(), commandLine, environment);
        throw new StartException($"execute \"{Exec.OwnPath()}\": {((Errno)errno).Text()}");
    }

    private static void Try(Action action)
    {
        try
        {
            action();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new StartException(e.Message, e);
        }
    }
}

/// <summary>
/// Drops privileges in two steps. Capabilities belong to threads, and the runtime has several before Main runs. So each step is followed
/// by an execve of the one thread whose privileges were changed: the attacher with two capabilities, then the daemon with none.
/// </summary>
internal static class Privileges
{
    private static readonly ulong Attaching = Capabilities.Mask(Capabilities.Bpf) | Capabilities.Mask(Capabilities.NetAdmin);

    /// <summary>Switches to the daemon's user; a program executed next gets CAP_BPF and CAP_NET_ADMIN, as far as this process has them.</summary>
    /// <exception cref="StartException">The change of user is not permitted.</exception>
    public static void ReduceToAttaching(FileOwner owner)
    {
        ulong setPcap = Capabilities.Mask(Capabilities.SetPcap);
        Prctl.SetNoNewPrivileges();
        Capabilities.ReduceBounding(keep: Attaching | setPcap);
        Prctl.KeepCapabilities();
        ulong permitted = Capabilities.Permitted();
        try
        {
            Identity.Become(owner);
        }
        catch (Win32Exception e)
        {
            throw new StartException($"become user {owner.Uid}:{owner.Gid}: {e.Message} (start as root, or set user and group to your own)", e);
        }

        Capabilities.Set(permitted & (Attaching | setPcap), inheritable: permitted & Attaching);
        Capabilities.SetAmbient(permitted & Attaching);
        Capabilities.ReduceBounding(keep: Attaching);
    }

    /// <summary>
    /// Drops the rest. Before Linux 5.19, changing a map through its descriptor needs CAP_BPF if unprivileged bpf is disabled: then that
    /// one is kept.
    /// </summary>
    /// <returns>Whether CAP_BPF was kept.</returns>
    public static bool DropAll()
    {
        bool keepBpf = MapUpdatesNeedPrivilege();
        ulong keep = keepBpf ? Capabilities.Permitted() & Capabilities.Mask(Capabilities.Bpf) : 0;
        Prctl.ClearAmbient();

        // Needs CAP_SETPCAP, which is still effective; without it the bounding set stays, which NoNewPrivs makes harmless.
        Capabilities.ReduceBounding(keep);
        Capabilities.Set(keep, inheritable: keep);
        Capabilities.SetAmbient(keep);
        return keepBpf;
    }

    private static bool MapUpdatesNeedPrivilege()
    {
        try
        {
            return Environment.OSVersion.Version < new Version(5, 19)
                && File.ReadAllText("/proc/sys/kernel/unprivileged_bpf_disabled").Trim() != "0";
        }
        catch (IOException)
        {
            return Environment.OSVersion.Version < new Version(5, 19); // no /proc: assume what distributions set
        }
    }
}

/// <summary>
/// <c>couic run</c>. The process executes this twice: first as the privileged stage, then as the unprivileged daemon.
/// </summary>
internal static class DaemonCommand
{
    /// <returns>The exit status: 0 after a stop, 1 after a failed start.</returns>
    public static int Run(string? config, string[] commandLine)
    {
        try
        {
            if (Handover.FromEnvironment() is { } handover)
            {
                return DaemonHost.Run(handover);
            }

            SettingsSource source = SettingsSource.Locate(config);
            var faults = new List<Fault>();
            if (SettingsReader.Read(source, faults) is { } settings)
            {
                new PrivilegedStage(source, settings).Run(commandLine);
            }

            faults.ForEach(fault => Console.Error.WriteLine($"couic: {fault}"));
            return 1;
        }
        catch (Exception e) when (e is StartException or BpfException or IOException)
        {
            Console.Error.WriteLine($"couic: {e.Message}");
            return 1;
        }
    }
}

/// <summary>A failed start; the message is one line with cause and remedy.</summary>
internal sealed class StartException(string message, Exception? inner = null) : Exception(message, inner);
