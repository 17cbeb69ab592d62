using Couic.Bpf;
using Couic.Config;

namespace Couic.Daemon;

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
