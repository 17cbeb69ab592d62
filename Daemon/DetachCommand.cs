using Couic.Bpf;
using Couic.Config;
using Couic.Native;

namespace Couic.Daemon;

/// <summary>
/// <c>couic detach</c>: removes the filter that a daemon has left which is gone: pinned links, and attachments of our programs that no
/// process holds. It leaves alone what a process holds, and programs of others.
/// </summary>
internal sealed class DetachCommand(TextWriter output, TextWriter errors)
{
    private readonly HashSet<uint> _done = [];
    private int _detached, _left;

    /// <returns>The exit status: 0 when nothing of a dead daemon is left, otherwise 1.</returns>
    public static int Run(string? config, TextWriter output, TextWriter errors)
    {
        var command = new DetachCommand(output, errors);
        try
        {
            SettingsSource source = SettingsSource.Locate(config);
            List<Fault> faults = [];
            if (SettingsReader.Read(source, faults) is not { } settings)
            {
                // A configuration that cannot be read must not keep the operator from opening the machine.
                faults.ForEach(fault => errors.WriteLine(fault));
                errors.WriteLine("couic: detach without the configuration: pinned links are found where a process of this machine can see them");
                command.DetachUnowned();
                return command.Report();
            }

            if (settings.Pin is { } pin)
            {
                command.DetachPinned(pin);
            }

            command.DetachUnowned();
            return command.Report();
        }
        catch (Exception e) when (e is IOException or StartException or BpfException or UnauthorizedAccessException)
        {
            errors.WriteLine($"couic: {e.Message}");
            return 1;
        }
    }

    private void DetachPinned(string path)
    {
        using PinFolder? folder = PinFolder.ClaimExisting(path);
        foreach ((FileDescriptor link, LinkName name) in folder?.Links(path) ?? [])
        {
            using (link)
            {
                if (BpfSyscall.LinkInfo(link, out LinkDescription info) == Errno.None && Detach(link, info))
                {
                    folder!.Remove(name.Id);
                }
            }
        }
    }

    /// <summary>Only interfaces of this network namespace, which the kernel confirms to carry the program of the link.</summary>
    private void DetachUnowned()
    {
        Dictionary<uint, NetworkInterface> filtered = [];
        foreach (NetworkInterface found in XdpAttacher.ReadInterfaces().Where(i => i.XdpProgram != 0))
        {
            if (LinkOwners.ProgramOf(found.XdpProgram) is { } name && XdpPrograms.IsOurs(name))
            {
                filtered[(uint)found.Index] = found;
            }
        }

        if (filtered.Count == 0)
        {
            return;
        }

        if (!LinkOwners.AreAllVisible)
        {
            _left += filtered.Count;
            errors.WriteLine($"couic: {Names(filtered.Values)}: filtered by a couic whose process may be outside of this container: left alone (run couic detach on the host)");
            return;
        }

        (Dictionary<uint, int> links, Dictionary<uint, int> programs) = LinkOwners.Find();
        for (uint id = 0; BpfSyscall.LinkNextId(id, out uint next) == Errno.None; id = next)
        {
            DetachLink(next, filtered, links);
        }

        foreach (NetworkInterface found in filtered.Values)
        {
            DetachProgram(found, programs);
        }
    }

    private void DetachLink(uint id, Dictionary<uint, NetworkInterface> filtered, Dictionary<uint, int> owners)
    {
        if (BpfSyscall.LinkById(id, out FileDescriptor link) != Errno.None)
        {
            return;
        }

        using (link)
        {
            if (BpfSyscall.LinkInfo(link, out LinkDescription info) != Errno.None
                || !filtered.TryGetValue((uint)info.Interface, out NetworkInterface found) || !found.Carries(info.Program))
            {
                return;
            }

            filtered.Remove((uint)info.Interface);
            if (owners.TryGetValue(id, out int process))
            {
                Leave(found.Name, process);
            }
            else
            {
                Detach(link, info);
            }
        }
    }

    /// <summary>A program without a link (Linux below 5.9): the daemon that attached it has its descriptor.</summary>
    private void DetachProgram(NetworkInterface found, Dictionary<uint, int> owners)
    {
        if (owners.TryGetValue(found.XdpProgram, out int process))
        {
            Leave(found.Name, process);
            return;
        }

        XdpAttacher.Adopt(found, null).Dispose();
        Detached(found.Name);
    }

    private bool Detach(FileDescriptor link, LinkDescription info)
    {
        if (!_done.Add(info.Id))
        {
            return true;
        }

        string name = XdpAttacher.ReadInterfaces().Find(i => i.Index == info.Interface).Name ?? $"interface {info.Interface}";
        Errno errno = BpfSyscall.LinkDetach(link);
        if (errno == Errno.None)
        {
            Detached(name);
            return true;
        }

        _left++;
        errors.WriteLine($"couic: detach \"{name}\": {errno.Text()}");
        return false;
    }

    private void Detached(string name)
    {
        _detached++;
        output.WriteLine($"{name}: detached");
    }

    private void Leave(string name, int process)
    {
        _left++;
        string hint = process == 1 ? "systemd keeps it: systemctl stop couic" : $"process {process} holds it: stop that daemon";
        errors.WriteLine($"couic: {name}: left alone ({hint})");
    }

    private int Report()
    {
        if (_detached == 0 && _left == 0)
        {
            output.WriteLine("nothing to detach");
        }

        return _left == 0 ? 0 : 1;
    }

    private static string Names(IEnumerable<NetworkInterface> interfaces) => InterfaceSummary.List([.. interfaces.Select(i => i.Name)], 8);
}
