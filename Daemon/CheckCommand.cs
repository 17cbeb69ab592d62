using Couic.Access;
using Couic.Config;
using Couic.Native;
using Couic.Sets;
using Couic.Store;

namespace Couic.Daemon;

/// <summary>
/// <c>couic check</c>: reads everything that a start or a reload would read and prints every fault, and what this machine lacks
/// now. Changes nothing and needs no privilege beyond reading the files.
/// </summary>
internal static class CheckCommand
{
    /// <returns>The exit status: 0 when all is good, 1 otherwise.</returns>
    public static int Run(string? config, TextWriter output, TextWriter errors)
    {
        try
        {
            SettingsSource source = SettingsSource.Locate(config);
            List<Fault> faults = [];
            string summary = string.Empty;
            string[] warnings = [];
            if (SettingsReader.Read(source, faults) is { } settings)
            {
                (int clients, int sets) = CheckFiles(source, settings, faults);
                summary = $"{source.Path}: good, {Counted(clients, "client file")} and {Counted(sets, "set file")} too";
                faults.AddRange(HostCheck.Faults(settings).Select(text => new Fault(source.Path, text)));
                warnings = [.. ClearTokens.WarningsOf(settings.Peering), .. HostCheck.Warnings(settings, makesFolders: source.IsEmbedded)];
                if (!source.IsEmbedded && SecretFile.Warning(source.Path, settings) is { } secrets)
                {
                    warnings = [.. warnings, secrets];
                }
            }

            foreach (string warning in warnings)
            {
                errors.WriteLine($"{source.Path}: warning: {warning}");
            }

            faults.ForEach(fault => errors.WriteLine(fault));
            if (faults.Count == 0)
            {
                output.WriteLine(summary);
            }

            return faults.Count == 0 ? 0 : 1;
        }
        catch (IOException e)
        {
            errors.WriteLine($"couic: {e.Message}");
            return 1;
        }
    }

    private static string Counted(int count, string thing) => count == 1 ? $"1 {thing}" : $"{count} {thing}s";

    private static (int Clients, int Sets) CheckFiles(SettingsSource source, Settings settings, List<Fault> faults)
    {
        if (source.IsEmbedded && !Directory.Exists(settings.WorkingDir))
        {
            return (0, 0); // made at the first start
        }

        FileOwner owner = Accounts.Resolve(settings.User, settings.Group);
        WorkingFolder.Check(settings.WorkingDir, owner, faults);
        string folder = WorkingFolder.Clients(settings.WorkingDir);
        int clients = 0;
        if (Directory.Exists(folder))
        {
            ClientFolder content = ClientFiles.Read(folder, owner);
            faults.AddRange(content.Faults);
            clients = content.Clients.Count;
        }

        return (clients, CheckSets(settings, owner, faults));
    }

    private static int CheckSets(Settings settings, FileOwner owner, List<Fault> faults)
    {
        string folder = Path.Combine(settings.WorkingDir, "sets");
        using var images = new SetImages(new SetDirectory(folder, owner, SettingsMap.Sets(settings.Limits)), SettingsMap.Limits(settings));
        foreach (Policy policy in Policies.All)
        {
            if (Directory.Exists(Path.Combine(folder, policy.Name())))
            {
                images.Read(policy); // one that is missing is made at the first start
            }
        }

        faults.AddRange(images.Faults.Select(fault => new Fault(
            fault.File, fault.Line, 0, fault.Text.Length == 0 ? fault.Message : $"\"{fault.Text}\": {fault.Message}")));
        return images.Count;
    }
}
