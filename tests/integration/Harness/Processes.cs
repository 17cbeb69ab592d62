namespace Couic.IntegrationTests.Harness;

/// <summary>Processes as /proc shows them.</summary>
public static class Processes
{
    public static IEnumerable<int> Children(int parent) =>
        Directory.GetDirectories("/proc").Select(d => int.TryParse(Path.GetFileName(d), out int pid) ? pid : 0)
            .Where(pid => pid != 0 && ParentOf(pid) == parent);

    /// <summary>The fields of a <c>status</c> file, of a process or of a thread.</summary>
    public static Dictionary<string, string> Status(string folder) =>
        File.ReadLines(folder + "/status").Select(l => l.Split(':', 2)).ToDictionary(f => f[0], f => f[1].Trim());

    /// <summary>Processor time of a process and of its children.</summary>
    public static TimeSpan CpuTime(int process)
    {
        const int TicksPerSecond = 100; // USER_HZ, on every architecture
        long ticks = Children(process).Append(process).Sum(pid =>
        {
            string[] fields = File.ReadAllText($"/proc/{pid}/stat").Split(')')[^1].Split(' ');
            return long.Parse(fields[12]) + long.Parse(fields[13]);
        });
        return TimeSpan.FromSeconds((double)ticks / TicksPerSecond);
    }

    private static int ParentOf(int pid)
    {
        try
        {
            return int.Parse(Status($"/proc/{pid}")["PPid"]);
        }
        catch (IOException)
        {
            return 0;
        }
    }
}
