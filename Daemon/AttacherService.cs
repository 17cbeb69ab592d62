using System.Globalization;
using System.Text;
using Couic.Bpf;
using Couic.Cli;
using Couic.CommandLine;
using Couic.Config;
using Couic.Native;
using Microsoft.Extensions.Logging;
using Microsoft.Win32.SafeHandles;

namespace Couic.Daemon;

/// <summary>
/// The privileged half as a separate service, so that the daemon never has a capability: the service manager starts one per connection
/// (couic-attacher@.service). It reads the configuration, loads the programs and sends the maps, or takes over the programs of an
/// attacher that has ended; then it becomes an <see cref="AttacherProcess"/>. It compares the daemon's request with two fixed texts.
/// </summary>
internal static class AttacherService
{
    public const string Verb = "attacher-service";

    /// <summary>The environment variable with the path of the service's socket.</summary>
    public const string Variable = "COUIC_ATTACHER";

    /// <summary>The first byte of a message with the cause of the attacher's end.</summary>
    public const byte Failed = (byte)'!';

    private const int Connection = 0; // standard input, as the service manager passes it
    private static readonly TimeSpan LoadLimit = TimeSpan.FromSeconds(60);

    /// <summary>The socket's path; null where the daemon's own start loads and attaches.</summary>
    public static string? Address => Environment.GetEnvironmentVariable(Variable) is { Length: > 0 } path ? path : null;

    private static byte[] LoadRequest => Encoding.UTF8.GetBytes($"load {ProductVersion.Text}");

    private static byte[] ResumeRequest => Encoding.UTF8.GetBytes($"resume {ProductVersion.Text}");

    /// <summary>Runs the service until it becomes the attacher; returns only after a failure.</summary>
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
                return 0; // the client has disconnected
            }

            // Loading needed CAP_PERFMON. Capabilities belong to threads, so only a new program is without it in all of them.
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

    /// <summary>Requests the maps from the service.</summary>
    /// <param name="programs">Descriptors of the programs, for <see cref="Resume"/>.</param>
    /// <exception cref="StartException">The service is not reachable, or could not load the programs.</exception>
    public static PlaneMaps Connect(string path, out MessageChannel channel, out int[] programs)
    {
        try
        {
            channel = MessageChannel.Connect(path);
        }
        catch (IOException e)
        {
            throw new StartException($"{e.Message} (is couic-attacher.socket active? without {Variable} the daemon attaches itself)", e);
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

    /// <summary>Requests another attacher for programs that a previous one has loaded.</summary>
    /// <exception cref="IOException">The service is not reachable.</exception>
    public static MessageChannel Resume(string path, ReadOnlySpan<int> programs)
    {
        MessageChannel channel = MessageChannel.Connect(path);
        _ = channel.Send(ResumeRequest, programs); // after a failure the channel reads as closed
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

    /// <summary>The number of a descriptor, which the caller then owns.</summary>
    private static int Take(SafeFileHandle handle)
    {
        int number = (int)handle.DangerousGetHandle();
        handle.SetHandleAsInvalid();
        return number;
    }

    /// <summary>Replaces the sender's descriptor numbers, the last of the text, by ours.</summary>
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

/// <summary>Connects to another attacher through the socket of <see cref="AttacherService"/>.</summary>
/// <param name="programs">Descriptors of the programs that the first attacher has loaded.</param>
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
        Message = "no other attacher process yet: {Cause} (is couic-attacher.socket active?); retrying")]
    private partial void NoAttacher(string cause);
}

/// <summary>Replaces an attacher that has ended.</summary>
internal interface IAttacherSource
{
    /// <summary>Null when none is reachable; the log has the cause.</summary>
    MessageChannel? Connect();
}
