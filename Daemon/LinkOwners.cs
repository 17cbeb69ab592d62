using System.Globalization;
using Couic.Native;

namespace Couic.Daemon;

/// <summary>The holders of a link: processes that have it open, as /proc shows them.</summary>
internal static class LinkOwners
{
    /// <summary>The inode of the first PID namespace (PROC_PID_INIT_INO of linux/proc_ns.h): only there does /proc show every process.</summary>
    private const string FirstPidNamespace = "pid:[4026531836]";

    /// <summary>Whether this process sees every process of the machine.</summary>
    public static bool AreAllVisible => new FileInfo("/proc/self/ns/pid").LinkTarget == FirstPidNamespace;

    /// <summary>The name of a link's program; null where the kernel does not report it (without CAP_SYS_ADMIN).</summary>
    public static string? ProgramOf(LinkDescription link) => ProgramOf(link.Program);

    public static string? ProgramOf(uint id)
    {
        Errno errno = BpfSyscall.ProgramById(id, out FileDescriptor program);
        using (program)
        {
            return errno == Errno.None && BpfSyscall.ProgramInfo(program, out string name, out _) == Errno.None ? name : null;
        }
    }

    /// <summary>The ids of links and programs that other processes have open, with one process of each.</summary>
    public static (Dictionary<uint, int> Links, Dictionary<uint, int> Programs) Find()
    {
        var links = new Dictionary<uint, int>();
        var programs = new Dictionary<uint, int>();
        foreach (string folder in Directory.GetDirectories("/proc"))
        {
            if (int.TryParse(Path.GetFileName(folder), NumberStyles.None, CultureInfo.InvariantCulture, out int process) && process != Environment.ProcessId)
            {
                Read(process, links, programs);
            }
        }

        return (links, programs);
    }

    private static void Read(int process, Dictionary<uint, int> links, Dictionary<uint, int> programs)
    {
        try
        {
            foreach (string file in Directory.GetFiles($"/proc/{process}/fdinfo"))
            {
                foreach (string line in File.ReadLines(file))
                {
                    _ = Take(line, "link_id:", links, process) || Take(line, "prog_id:", programs, process);
                }
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // The process or the descriptor is gone.
        }
    }

    private static bool Take(string line, string key, Dictionary<uint, int> ids, int process)
    {
        bool isKey = line.StartsWith(key, StringComparison.Ordinal);
        if (isKey && uint.TryParse(line.AsSpan(key.Length).Trim(), NumberStyles.None, CultureInfo.InvariantCulture, out uint id))
        {
            ids.TryAdd(id, process);
        }

        return isKey;
    }
}
