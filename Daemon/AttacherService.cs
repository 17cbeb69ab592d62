using System.Globalization;
using System.Text;
using Couic.Bpf;
using Couic.Cli;
using Couic.Config;
using Couic.Native;
using Microsoft.Extensions.Logging;
using Microsoft.Win32.SafeHandles;

namespace Couic.Daemon;

/// <summary>
/// The privileged half as a service of its own, so that the daemon never has a capability: the service manager starts one for
/// each connection (couic-attacher@.service). It reads the configuration by itself, loads the programs and sends the maps, or takes
/// over the programs of an attacher that has ended; then it becomes an <see cref="AttacherProcess"/>. Of what the daemon sends it
/// compares a word.
/// </summary>
internal static class AttacherService
{
    public const string Verb = "attacher-service";

    /// <summary>In the daemon's environment: the socket where the service is reached.</summary>
    public const string Variable = "COUIC_ATTACHER";

    /// <summary>The first byte of a message that says why the attacher ends.</summary>
    public const byte Failed = (byte)'!';

    private const int Connection = 0; // standard input, as the service manager passes it
    private static readonly TimeSpan LoadLimit = TimeSpan.FromSeconds(60);

    /// <summary>Null where the daemon has to do it itself.</summary>
    public static string? Address => Environment.GetEnvironmentVariable(Variable) is { Length: > 0 } path ? path : null;

    private static byte[] LoadRequest => Encoding.UTF8.GetBytes($"load {ProductVersion.Text}");

    private static byte[] ResumeRequest => Encoding.UTF8.GetBytes($"resume {ProductVersion.Text}");

    /// <summary>The service, from its start to the point where it becomes the attacher; returns only after a failure.</summary>
    public static int Run(string? config)
    {
        using var channel = new MessageChannel(new SafeFileHandle(Connection, ownsHandle: false));
        try
        {
            Settings settings = Read(config);
            FileOwner owner = FileOwner.Current.Uid == 0 ? Accounts.Resolve(settings.User, settings.Group) : FileOwner.Current;
            using XdpPrograms? programs = Prepare(channel, settings, out bool isResumed);
            if (programs is null)
            {
                return 0; // whoever connected has gone
            }

            // Loading took CAP_PERFMON; capabilities belong to threads, so that only a fresh program is rid of it in all of them.
            Privileges.ReduceToAttaching(owner);
            programs.SetInherited(true);
            string[] arguments = AttacherProcess.Arguments(programs, Connection, AttacherTask.Of(settings, isService: true, isResumed));
            int errno = Exec.Replace(Exec.OwnPath(), arguments, Exec.Environ([]));
            throw new StartException($"execute \"{Exec.OwnPath()}\": {((Errno)errno).Text()}");
        }
        catch (Exception e) when (e is BpfException or IOException or StartException)
        {
            if (e is BpfException { VerifierLog: { } log })
            {
                Console.Error.WriteLine(log);
            }

            channel.Send([Failed, .. Encoding.UTF8.GetBytes(e.Message)]);
            return 1;
        }
    }

    /// <summary>Asks the service for the maps.</summary>
    /// <param name="programs">Descriptors of the programs, for <see cref="Resume"/>.</param>
    /// <exception cref="StartException">There is no such service, or it could not load the programs.</exception>
    public static PlaneMaps Connect(string path, out MessageChannel channel, out int[] programs)
    {
        try
        {
            channel = MessageChannel.Connect(path);
        }
        catch (IOException e)
        {
            throw new StartException($"{e.Message} (is couic-attacher.socket active? without {Variable} the daemon attaches by itself)", e);
        }

        var descriptors = new List<SafeFileHandle>();
        byte[] buffer = new byte[16 * 1024];
        if (channel.Send(LoadRequest) && !channel.WaitReadable(LoadLimit))
        {
            throw new StartException($"load the xdp program through \"{path}\": no answer within {LoadLimit.TotalSeconds} s (see: journalctl -u 'couic-attacher@*')");
        }

        int length = channel.Receive(buffer, descriptors);
        if (length == 0)
        {
            throw new StartException($"load the xdp program through \"{path}\": the attacher ended (see: journalctl -u 'couic-attacher@*')");
        }

        string text = Encoding.UTF8.GetString(buffer, 0, length);
        if (buffer[0] == Failed)
        {
            throw new StartException(text[1..]);
        }

        int[] numbers = [.. descriptors.Select(Take)];
        int maps = Math.Min(PlaneMaps.Names.Length, numbers.Length);
        programs = numbers[maps..];
        return PlaneMaps.FromText(Renumber(text, numbers[..maps]));
    }

    /// <summary>Asks for another attacher, for the programs that one before it has loaded.</summary>
    /// <exception cref="IOException">There is no such service now.</exception>
    public static MessageChannel Resume(string path, ReadOnlySpan<int> programs)
    {
        MessageChannel channel = MessageChannel.Connect(path);
        _ = channel.Send(ResumeRequest, programs); // a failure shows as its end
        return channel;
    }

    private static XdpPrograms? Prepare(MessageChannel channel, Settings settings, out bool isResumed)
    {
        var descriptors = new List<SafeFileHandle>();
        byte[] buffer = new byte[256];
        ReadOnlySpan<byte> request = buffer.AsSpan(0, channel.Receive(buffer, descriptors));
        isResumed = request.SequenceEqual(ResumeRequest);
        if (isResumed)
        {
            return descriptors.Count is 2 or 3
                ? XdpPrograms.FromDescriptors([.. descriptors.Select(Take)])
                : throw new StartException($"take over {descriptors.Count} programs: expected 2 or 3");
        }

        if (request.IsEmpty)
        {
            return null;
        }

        if (!request.SequenceEqual(LoadRequest))
        {
            throw new StartException($"the attacher is couic {ProductVersion.Text}, the daemon another version (restart couic)");
        }

        LoadedPlane plane = XdpLoader.Load(SettingsMap.Plane(settings));
        channel.Send(
            Encoding.UTF8.GetBytes(plane.Maps.ToText()), [.. plane.Maps.All.Select(map => map.Number), .. plane.Programs.Descriptors()]);
        plane.Maps.Dispose();
        return plane.Programs;
    }

    /// <summary>The number of a descriptor, which the caller owns from here on.</summary>
    private static int Take(SafeFileHandle handle)
    {
        int number = (int)handle.DangerousGetHandle();
        handle.SetHandleAsInvalid();
        return number;
    }

    /// <summary>The last numbers of the text are descriptors in the sender; here they have others.</summary>
    private static string Renumber(string text, int[] maps)
    {
        string[] numbers = text.Split(',');
        int first = numbers.Length - maps.Length;
        for (int i = 0; i < maps.Length && first >= 0; i++)
        {
            numbers[first + i] = maps[i].ToString(CultureInfo.InvariantCulture);
        }

        return string.Join(',', numbers);
    }

    private static Settings Read(string? config)
    {
        var faults = new List<Fault>();
        return SettingsReader.Read(SettingsSource.Locate(config), faults)
            ?? throw new StartException(string.Join('\n', faults));
    }
}

/// <summary>Another attacher through the socket of <see cref="AttacherService"/>.</summary>
/// <param name="programs">Descriptors of the programs that the first one has loaded.</param>
internal sealed partial class AttacherSource(string path, int[] programs, ILogger log) : IAttacherSource
{
    private string _lastTrouble = "";

    public MessageChannel? Connect()
    {
        try
        {
            return AttacherService.Resume(path, programs);
        }
        catch (IOException e)
        {
            if (e.Message != _lastTrouble)
            {
                NoAttacher(e.Message);
            }

            _lastTrouble = e.Message;
            return null;
        }
    }

    [LoggerMessage(EventName = "no_attacher", Level = LogLevel.Error,
        Message = "no other attacher process yet: {Cause} (is couic-attacher.socket active?); it is tried again")]
    private partial void NoAttacher(string cause);
}

/// <summary>Where the daemon gets another attacher after the loss of one.</summary>
internal interface IAttacherSource
{
    /// <summary>Null when there is none now; the log says why.</summary>
    MessageChannel? Connect();
}
