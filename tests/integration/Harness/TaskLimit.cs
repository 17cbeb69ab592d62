namespace Couic.IntegrationTests.Harness;

/// <summary>A control group that bounds the number of threads, as <c>TasksMax</c> of a unit does; version 1 or 2, whichever is mounted.</summary>
internal sealed class TaskLimit : IDisposable
{
    private readonly string _folder;

    public TaskLimit(int most)
    {
        const string first = "/sys/fs/cgroup/pids";
        string root = Directory.Exists(first) ? first : "/sys/fs/cgroup";
        if (root != first)
        {
            File.WriteAllText(Path.Combine(root, "cgroup.subtree_control"), "+pids");
        }

        _folder = Path.Combine(root, $"couic-it-{Environment.ProcessId}-{Guid.NewGuid():N}");
        Directory.CreateDirectory(_folder);
        File.WriteAllText(Path.Combine(_folder, "pids.max"), $"{most}");
    }

    /// <summary>Who writes its process number there is in the group, with all its threads and children.</summary>
    public string Members => Path.Combine(_folder, "cgroup.procs");

    /// <summary>Threads in the group now.</summary>
    public int Count => int.Parse(File.ReadAllText(Path.Combine(_folder, "pids.current")), null);

    public void Dispose() => Eventually.Holds(IsRemoved, "the control group is empty and removed");

    private bool IsRemoved()
    {
        try
        {
            Directory.Delete(_folder);
            return true;
        }
        catch (IOException)
        {
            return false;
        }
    }
}
