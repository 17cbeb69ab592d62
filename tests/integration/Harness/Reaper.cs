using System.Diagnostics;

namespace Couic.IntegrationTests.Harness;

/// <summary>
/// A shell that outlives a killed test run by a moment: when its standard input ends it kills what was started and is
/// still there, and removes the temporary folders. It gets process id and start time, so a reused id is not killed.
/// </summary>
internal sealed class Reaper
{
    private const string Script = """
        set -u
        kept=()
        while IFS= read -r line; do kept+=("$line"); done
        for line in "${kept[@]:-}"; do
          case $line in
            pid*) read -r _ pid born <<<"$line"
              stat=$(cat "/proc/$pid/stat" 2>/dev/null) || continue
              rest=(${stat##*) }); [ "${rest[19]}" = "$born" ] && kill -9 "$pid" 2>/dev/null;;
          esac
        done
        sleep 0.2
        for line in "${kept[@]:-}"; do
          case $line in
            dir*) folder=${line#dir }
              while read -r _ mounted _; do [[ $mounted == "$folder"/* ]] && umount -l "$mounted"; done </proc/mounts
              rm -rf --one-file-system -- "$folder";;
          esac
        done
        """;

    private readonly StreamWriter _orders;

    public static Reaper Instance { get; } = new();

    private Reaper()
    {
        // In its own session, so that an interrupt from the terminal does not end it with the tests.
        ProcessStartInfo start = new("setsid", ["bash", "-c", Script]) { RedirectStandardInput = true };
        _orders = Process.Start(start)!.StandardInput;
        _orders.AutoFlush = true;
    }

    public void Watch(int pid)
    {
        string? born = StartTime(pid);
        if (born != null)
        {
            Tell($"pid {pid} {born}");
        }
    }

    public void Remove(string folder) => Tell($"dir {folder}");

    private void Tell(string order)
    {
        lock (_orders)
        {
            _orders.WriteLine(order);
        }
    }

    /// <summary>Field 22 of /proc/PID/stat, see proc(5); the fields after the name are counted from the last bracket.</summary>
    private static string? StartTime(int pid)
    {
        try
        {
            string stat = File.ReadAllText($"/proc/{pid}/stat");
            return stat[(stat.LastIndexOf(')') + 2)..].Split(' ')[19];
        }
        catch (IOException)
        {
            return null;
        }
    }
}
