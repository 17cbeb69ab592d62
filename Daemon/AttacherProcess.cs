using System.Globalization;
using Couic.Bpf;
using Couic.Config;
using Couic.Native;
using Microsoft.Win32.SafeHandles;

namespace Couic.Daemon;

/// <summary>
/// The second, small process, the only one that keeps CAP_BPF and CAP_NET_ADMIN after the start. It holds the programs and the configured
/// interfaces, and on each request attaches to those that lack the program. It compares a request with four fixed texts, replies with a
/// state per interface and the links, and ends with the daemon.
/// </summary>
internal sealed class AttacherProcess : IDisposable
{
    public const string Verb = "attacher";

    private readonly KernelInterfaces _kernel;
    private readonly InterfaceTracker _tracker;
    private readonly MessageChannel _channel;
    private readonly AttacherTask _task;
    private IReadOnlyList<InterfaceState> _last;
    private string _lastTrouble = "";
    private bool _started, _adopts;

    private AttacherProcess(XdpPrograms programs, MessageChannel channel, AttacherTask task, PinFolder? pins)
    {
        _channel = channel;
        _task = task;
        _adopts = task.IsResumed;
        _kernel = new KernelInterfaces(programs, task.Mode, pins);
        _tracker = new InterfaceTracker(_kernel, task.Names, TimeProvider.System);
        _last = [.. task.Names.Select(name => new InterfaceState(name, name, 0, "", AttachState.Failed, "not checked yet"))];
    }

    /// <summary>A request to attach where the program is missing.</summary>
    public static ReadOnlySpan<byte> Poll => "poll"u8;

    /// <summary>The same, with every link in the reply, because some did not arrive.</summary>
    public static ReadOnlySpan<byte> PollWithAllLinks => "+poll"u8;

    /// <summary>Carries links that an earlier process has left, before the first poll. No reply.</summary>
    public static ReadOnlySpan<byte> Keep => "keep"u8;

    /// <summary>A request to detach everywhere, whatever else holds the links. No reply.</summary>
    public static ReadOnlySpan<byte> Detach => "detach"u8;

    /// <summary>The command line that <see cref="Run"/> reads.</summary>
    public static string[] Arguments(XdpPrograms programs, int channel, AttacherTask task) =>
        ["couic", Verb, programs.ToText(), channel.ToString(CultureInfo.InvariantCulture), .. task.ToArguments()];

    public static int Run(ReadOnlySpan<string> arguments)
    {
        Prctl.SetThreadName("couic-attacher"u8);
        using XdpPrograms programs = XdpPrograms.FromText(arguments[0]);
        using var channel = new MessageChannel(new SafeFileHandle(int.Parse(arguments[1], CultureInfo.InvariantCulture), ownsHandle: true));
        AttacherTask task = AttacherTask.FromArguments(arguments[2..]);

        // Ctrl-C in a terminal goes to both processes, but the daemon ends this one. A service manager may end it: the daemon's links
        // keep the filter attached.
        Signals.Ignore(Signals.SIGINT);
        Signals.Ignore(Signals.SIGHUP);
        if (!task.IsService)
        {
            Signals.Ignore(Signals.SIGTERM);
        }

        using PinFolder? pins = task.Pin is { } folder ? new PinFolder(new SafeFileHandle(folder, ownsHandle: true)) : null;
        pins?.Enter();
        if (Sandbox.Enter(pins is null ? Sandbox.Attacher : Sandbox.PinningAttacher) is var error and not Errno.None)
        {
            Console.Error.WriteLine($"couic-attacher: the kernel rejects the seccomp filter: {error.Text()} (system calls are not limited)");
        }

        using var process = new AttacherProcess(programs, channel, task, pins);
        process.Serve();
        return 0;
    }

    public void Dispose()
    {
        _tracker.Dispose();
        _kernel.Dispose();
    }

    private void Serve()
    {
        Span<byte> buffer = stackalloc byte[8];
        var descriptors = new List<SafeFileHandle>();
        while (_channel.Receive(buffer, descriptors) is > 0 and var length)
        {
            ReadOnlySpan<byte> request = buffer[..length];
            bool all = request.SequenceEqual(PollWithAllLinks);
            if (request.SequenceEqual(Keep))
            {
                descriptors.ForEach(link => _kernel.Keep(FileDescriptor.Own(link)));
            }
            else if (request.SequenceEqual(Detach))
            {
                _tracker.DetachAll();
            }
            else if ((all || request.SequenceEqual(Poll)) && !Reply(all))
            {
                return;
            }

            descriptors.Clear();
        }
    }

    private bool Reply(bool withAllLinks)
    {
        IReadOnlyList<InterfaceState> states = PollInterfaces();
        Dictionary<int, FileDescriptor> links = _tracker.TakeLinks(withAllLinks);
        foreach ((byte[] text, int[] numbers) in AttacherReply.Encode(states, links))
        {
            if (!_channel.Send(text, numbers))
            {
                return false;
            }
        }

        return true;
    }

    private IReadOnlyList<InterfaceState> PollInterfaces()
    {
        try
        {
            if (_adopts)
            {
                AdoptAll();
            }

            _last = _started || !_task.RequireAll ? _tracker.Poll() : _tracker.PollAllOrNone();
            _started |= _last.All(state => state.IsAttached);
            if ((_started || !_task.RequireAll) && !_tracker.IsUncertain)
            {
                _kernel.DetachUnclaimed();
            }
        }
        catch (Exception e)
        {
            // The filter stays attached, and the next request may succeed.
            Complain(e.Message);
        }

        return _last;
    }

    /// <summary>Takes over what the previous attacher has attached, without a gap in the filtering.</summary>
    /// <exception cref="BpfException">The kernel does not list the interfaces.</exception>
    private void AdoptAll()
    {
        foreach (NetworkInterface found in XdpAttacher.ReadInterfaces())
        {
            _tracker.Adopt(found.Name, found);
        }

        _adopts = false;
    }

    private void Complain(string trouble)
    {
        if (trouble != _lastTrouble)
        {
            Console.Error.WriteLine($"couic-attacher: check the interfaces: {trouble}");
        }

        _lastTrouble = trouble;
    }
}

/// <summary>The attacher's command line.</summary>
/// <param name="RequireAll">Whether the first request attaches all interfaces or none.</param>
/// <param name="IsService">Whether the service manager started it, and may end it.</param>
/// <param name="IsResumed">Whether it continues the work of one that has ended.</param>
/// <param name="Pin">The descriptor of the folder in which links get names; null for none.</param>
internal sealed record AttacherTask(XdpMode Mode, bool RequireAll, bool IsService, bool IsResumed, int? Pin, string[] Names)
{
    private const string Yes = "yes", No = "no", None = "-";

    public static AttacherTask Of(Settings settings, bool isService, bool isResumed, int? pin = null) =>
        new(SettingsMap.Mode(settings), settings.RequireIfaces && !isResumed, isService, isResumed, pin, [.. settings.Ifaces]);

    public string[] ToArguments() => [Mode.ToString(), Word(RequireAll), Word(IsService), Word(IsResumed), Pin?.ToString(CultureInfo.InvariantCulture) ?? None, .. Names];

    public static AttacherTask FromArguments(ReadOnlySpan<string> arguments) =>
        new(
            Enum.Parse<XdpMode>(arguments[0]), arguments[1] == Yes, arguments[2] == Yes, arguments[3] == Yes,
            arguments[4] == None ? null : int.Parse(arguments[4], CultureInfo.InvariantCulture), arguments[5..].ToArray());

    private static string Word(bool value) => value ? Yes : No;
}
