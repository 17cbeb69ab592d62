using System.Globalization;
using System.Text;
using Couic.Bpf;
using Couic.Config;
using Couic.Native;
using Microsoft.Win32.SafeHandles;

namespace Couic.Daemon;

/// <summary>
/// The privileged half as a service of its own, so that the daemon never has a capability: the service manager starts one for
/// each connection (couic-attacher@.service). It reads the configuration by itself, loads the program, sends the maps, and then
/// is an <see cref="AttacherProcess"/>. Nothing that the daemon sends reaches a parser.
/// </summary>
internal static class AttacherService
{
    public const string Verb = "attacher-service";

    /// <summary>In the daemon's environment: the socket behind which the service is.</summary>
    public const string Variable = "COUIC_ATTACHER";

    private const int Connection = 0; // standard input, as the service manager passes it
    private const byte Failed = (byte)'!';

    /// <summary>Null where the daemon has to do it itself.</summary>
    public static string? Address => Environment.GetEnvironmentVariable(Variable) is { Length: > 0 } path ? path : null;

    /// <summary>The service, from its start to the daemon's end.</summary>
    public static int Run(string? config)
    {
        using var channel = new MessageChannel(new SafeFileHandle(Connection, ownsHandle: false));
        try
        {
            Settings settings = Read(config);
            LoadedPlane plane = XdpLoader.Load(SettingsMap.Plane(settings));
            channel.Send(Encoding.UTF8.GetBytes(plane.Maps.ToText()), [.. plane.Maps.All.Select(map => map.Number)]);
            string[] arguments = AttacherProcess.Arguments(plane.Programs, Connection, SettingsMap.Mode(settings), settings.Ifaces);
            int status = AttacherProcess.Run(arguments.AsSpan(2));
            GC.KeepAlive(plane);
            return status;
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

    /// <summary>Asks the service for the maps. They come with the descriptors' numbers of this process.</summary>
    /// <exception cref="StartException">There is no such service, or it could not load the program.</exception>
    public static PlaneMaps Connect(string path, out MessageChannel channel)
    {
        try
        {
            channel = MessageChannel.Connect(path);
        }
        catch (IOException e)
        {
            throw new StartException($"{e.Message} (is couic-attacher.socket active? without {Variable} the daemon attaches by itself)", e);
        }

        var maps = new List<SafeFileHandle>();
        byte[] buffer = new byte[16 * 1024];
        int length = channel.Receive(buffer, maps);
        if (length == 0)
        {
            throw new StartException($"load the xdp program through \"{path}\": the attacher ended (see: journalctl -u 'couic-attacher@*')");
        }

        string text = Encoding.UTF8.GetString(buffer, 0, length);
        return buffer[0] == Failed ? throw new StartException(text[1..]) : PlaneMaps.FromText(Renumber(text, maps));
    }

    /// <summary>The last numbers of the text are descriptors in the sender; here they have others.</summary>
    private static string Renumber(string text, List<SafeFileHandle> maps)
    {
        string[] numbers = text.Split(',');
        int first = numbers.Length - maps.Count;
        for (int i = 0; i < maps.Count && first >= 0; i++)
        {
            numbers[first + i] = maps[i].DangerousGetHandle().ToString(CultureInfo.InvariantCulture);
            maps[i].SetHandleAsInvalid(); // owned by the maps from here on
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
