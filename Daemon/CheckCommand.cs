using Couic.Access;
using Couic.Config;
using Couic.Native;
using Couic.Sets;
using Couic.Store;

namespace Couic.Daemon;

/// <summary>
/// <c>couic check</c>: reads everything that a start or a reload would read and prints every fault. Changes nothing and needs no
/// privilege beyond reading the files.
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
            if (SettingsReader.Read(source, faults) is { } settings)
            {
                (int clients, int sets) = CheckFiles(source, settings, faults);
                summary = $"{source.Path}: good, {clients} client files and {sets} set files too";
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
        var sets = new SetDirectory(folder, owner);
        int count = 0;
        foreach (Policy policy in Policies.All)
        {
            if (!Directory.Exists(Path.Combine(folder, policy.Name())))
            {
                continue; // made at the first start
            }

            foreach (string name in sets.Names(policy))
            {
                count++;
                CheckSet(sets, policy, name, faults);
            }
        }

        return count;
    }

    private static void CheckSet(SetDirectory sets, Policy policy, string name, List<Fault> faults)
    {
        string path = sets.PathOf(policy, name);
        SetResult result = sets.ReadText(policy, name, out byte[] content);
        if (result.Outcome != SetOutcome.Ok)
        {
            faults.Add(new Fault(path, result.Message));
        }
        else if (!SetFile.IsText(content))
        {
            faults.Add(new Fault(path, SetFile.FindBadText(content), 0, "is not UTF-8"));
        }
        else
        {
            SetFile.Read(content, out List<SetFault> lines);
            faults.AddRange(lines.Select(line => new Fault(path, line.Line, 0, $"\"{line.Text}\": {line.Message}")));
        }
    }
}
