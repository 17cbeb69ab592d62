using Couic.Bpf;
using Couic.Config;

namespace Couic.Daemon;

/// <summary>
/// <c>couic run</c>. The process goes through here twice: first with privileges, which it uses and hands over, then as the
/// daemon without any.
/// </summary>
internal static class DaemonCommand
{
    /// <returns>The exit status: 0 after a stop, 1 when it could not start.</returns>
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
