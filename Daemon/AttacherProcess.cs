using System.Globalization;
using Couic.Bpf;
using Couic.Config;
using Couic.Native;
using Microsoft.Win32.SafeHandles;

namespace Couic.Daemon;

/// <summary>
/// The second, tiny process: it alone keeps CAP_BPF and CAP_NET_ADMIN after the start, holds the programs and the interfaces it
/// was started with, and does one thing each time it is asked to look: attach to those that lack the program. It reads one byte of
/// what it is sent, answers with a state per interface and the links, and ends with the daemon.
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
    private bool _started;

    private AttacherProcess(XdpPrograms programs, MessageChannel channel, AttacherTask task)
    {
        _channel = channel;
        _task = task;
        _kernel = new KernelInterfaces(programs, task.Mode);
        _tracker = new InterfaceTracker(_kernel, task.Names, TimeProvider.System);
        _last = [.. task.Names.Select(name => new InterfaceState(name, name, 0, "", AttachState.Failed, "not looked at yet"))];
    }

    /// <summary>A request to look. The first byte tells it from the next.</summary>
    public static ReadOnlySpan<byte> Look => "look"u8;

    /// <summary>A request to look and to send every link, as some did not arrive.</summary>
    public static ReadOnlySpan<byte> LookAndSendLinks => "+look"u8;

    /// <summary>The command line that <see cref="Run"/> reads.</summary>
    public static string[] Arguments(XdpPrograms programs, int channel, AttacherTask task) =>
        ["couic", Verb, programs.ToText(), channel.ToString(CultureInfo.InvariantCulture), .. task.ToArguments()];

    /// <summary>The process from start to end.</summary>
    public static int Run(ReadOnlySpan<string> arguments)
    {
        Prctl.SetThreadName("couic-attacher"u8);
        using XdpPrograms programs = XdpPrograms.FromText(arguments[0]);
        using var channel = new MessageChannel(new SafeFileHandle(int.Parse(arguments[1], CultureInfo.InvariantCulture), ownsHandle: true));
        AttacherTask task = AttacherTask.FromArguments(arguments[2..]);

        // The terminal's Ctrl-C goes to both processes, but it is the daemon that ends this one. A service is ended by its manager,
        // and the filter stays with the daemon's links then.
        Signals.Ignore(Signals.SIGINT);
        Signals.Ignore(Signals.SIGHUP);
        if (!task.IsService)
        {
            Signals.Ignore(Signals.SIGTERM);
        }

        if (Sandbox.Enter(Sandbox.Attacher) is var error and not Errno.None)
        {
            Console.Error.WriteLine($"couic-attacher: the kernel takes no seccomp filter: {error.Text()} (system calls are not limited)");
        }

        using var process = new AttacherProcess(programs, channel, task);
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
        if (_task.IsResumed)
        {
            AdoptAll();
        }

        Span<byte> request = stackalloc byte[8];
        while (_channel.Receive(request, []) > 0)
        {
            IReadOnlyList<InterfaceState> states = LookNow();
            Dictionary<int, FileDescriptor> links = _tracker.TakeLinks(all: request[0] == LookAndSendLinks[0]);
            foreach ((byte[] text, int[] numbers) in AttacherReply.Encode(states, links))
            {
                if (!_channel.Send(text, numbers))
                {
                    return;
                }
            }
        }
    }

    private IReadOnlyList<InterfaceState> LookNow()
    {
        try
        {
            _last = _started || !_task.RequireAll ? _tracker.Look() : _tracker.LookAllOrNone();
            _started |= _last.All(state => state.IsAttached);
        }
        catch (Exception e)
        {
            // What is attached stays so, and the next look may succeed.
            Complain(e.Message);
        }

        return _last;
    }

    /// <summary>What the attacher before this one has attached stays so without a gap.</summary>
    private void AdoptAll()
    {
        try
        {
            foreach (NetworkInterface found in XdpAttacher.ReadInterfaces())
            {
                _tracker.Adopt(found.Name, found);
            }
        }
        catch (BpfException e)
        {
            Complain(e.Message);
        }
    }

    private void Complain(string trouble)
    {
        if (trouble != _lastTrouble)
        {
            Console.Error.WriteLine($"couic-attacher: looking after the interfaces failed: {trouble}");
        }

        _lastTrouble = trouble;
    }
}

/// <summary>What an attacher is to do, as its command line says it.</summary>
/// <param name="RequireAll">Whether the first look attaches all interfaces or none.</param>
/// <param name="IsService">Whether the service manager started it, and may end it.</param>
/// <param name="IsResumed">Whether it goes on for one that has ended.</param>
internal sealed record AttacherTask(XdpMode Mode, bool RequireAll, bool IsService, bool IsResumed, string[] Names)
{
    private const string Yes = "yes", No = "no";

    public static AttacherTask Of(Settings settings, bool isService, bool isResumed) =>
        new(SettingsMap.Mode(settings), settings.RequireIfaces && !isResumed, isService, isResumed, [.. settings.Ifaces]);

    public string[] ToArguments() => [Mode.ToString(), Word(RequireAll), Word(IsService), Word(IsResumed), .. Names];

    public static AttacherTask FromArguments(ReadOnlySpan<string> arguments) =>
        new(Enum.Parse<XdpMode>(arguments[0]), arguments[1] == Yes, arguments[2] == Yes, arguments[3] == Yes, arguments[4..].ToArray());

    private static string Word(bool value) => value ? Yes : No;
}
