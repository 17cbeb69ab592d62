using System.Globalization;
using Couic.Bpf;
using Couic.Native;
using Microsoft.Win32.SafeHandles;

namespace Couic.Daemon;

/// <summary>
/// The second, tiny process: it alone keeps CAP_BPF and CAP_NET_ADMIN after the start, holds the program and the interfaces it
/// was started with, and does one thing each time it is told to look: attach to those that lack the program. It reads nothing
/// of what it is sent, answers with a state per interface and the links, and ends with the daemon.
/// </summary>
internal sealed class AttacherProcess : IDisposable
{
    public const string Verb = "attacher";

    private readonly XdpPrograms _programs;
    private readonly MessageChannel _channel;
    private readonly XdpMode _mode;
    private readonly string[] _names;
    private readonly Dictionary<string, AttachedInterface> _attached = [];
    private bool _started;

    private AttacherProcess(XdpPrograms programs, MessageChannel channel, XdpMode mode, string[] names)
    {
        _programs = programs;
        _channel = channel;
        _mode = mode;
        _names = names;
    }

    /// <summary>The command line that <see cref="Run"/> reads.</summary>
    public static string[] Arguments(XdpPrograms programs, int channel, XdpMode mode, IEnumerable<string> names) =>
        ["couic", Verb, programs.ToText(), Text(channel), mode.ToString(), .. names];

    /// <summary>The process from start to end.</summary>
    public static int Run(ReadOnlySpan<string> arguments)
    {
        Prctl.SetThreadName("couic-attacher"u8);
        int channel = int.Parse(arguments[1], CultureInfo.InvariantCulture);
        using var process = new AttacherProcess(
            XdpPrograms.FromText(arguments[0]),
            new MessageChannel(new SafeFileHandle(channel, ownsHandle: true)),
            Enum.Parse<XdpMode>(arguments[2]),
            arguments[3..].ToArray());

        // The terminal's Ctrl-C goes to both processes, but it is the daemon that ends this one.
        Signals.Ignore(Signals.SIGINT);
        Signals.Ignore(Signals.SIGTERM);
        Signals.Ignore(Signals.SIGHUP);
        if (Sandbox.Enter(Sandbox.Attacher) is var error and not Errno.None)
        {
            Console.Error.WriteLine($"couic-attacher: the kernel takes no seccomp filter: {error.Text()} (system calls are not limited)");
        }

        process.Serve();
        return 0;
    }

    public void Dispose()
    {
        foreach (AttachedInterface attached in _attached.Values)
        {
            attached.Dispose();
        }

        _programs.Dispose();
        _channel.Dispose();
    }

    private void Serve()
    {
        Span<byte> message = stackalloc byte[8];
        while (_channel.Receive(message, []) > 0)
        {
            IReadOnlyList<InterfaceState> states = _started ? LookAgain() : Start();
            int[] links = [.. _attached.Values.Where(a => a.Link is not null).Select(a => a.Link!.Number)];
            if (!_channel.Send(InterfaceState.Format(states), links))
            {
                return;
            }
        }
    }

    /// <summary>All interfaces or none.</summary>
    private IReadOnlyList<InterfaceState> Start()
    {
        try
        {
            foreach (AttachedInterface attached in XdpAttacher.AttachAll(_programs, _names, _mode))
            {
                _attached.Add(attached.Name, attached);
            }

            _started = true;
            return [.. _names.Select(State)];
        }
        catch (BpfException e)
        {
            return [InterfaceState.Refused("", "", 0, e)];
        }
    }

    private IReadOnlyList<InterfaceState> LookAgain()
    {
        List<NetworkInterface> present = XdpAttacher.ReadInterfaces();
        return [.. _names.Distinct().Select(name => LookAgain(name, present))];
    }

    private InterfaceState LookAgain(string name, List<NetworkInterface> present)
    {
        NetworkInterface now = present.Find(i => i.Name == name);
        if (_attached.TryGetValue(name, out AttachedInterface? attached))
        {
            if (now.Name is not null && now.Index == attached.Index && now.XdpAttached != 0)
            {
                return State(name);
            }

            // Deleted, renamed, made again, or stripped of the program by force: the old link sees no packet any more.
            attached.Dispose();
            _attached.Remove(name);
        }

        try
        {
            _attached.Add(name, XdpAttacher.Attach(_programs, name, _mode));
            return State(name);
        }
        catch (BpfException e)
        {
            return InterfaceState.Refused(name, name, now.Index, e);
        }
    }

    private InterfaceState State(string name)
    {
        AttachedInterface attached = _attached[name];
        return InterfaceState.Attached(name, name, attached.Index, attached.Mode);
    }

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);
}
