namespace Couic.IntegrationTests.Harness;

/// <summary>A temporary folder that is removed with all it holds, also when the run is killed.</summary>
public sealed class Scratch : IDisposable
{
    private static int s_count;

    public Scratch()
    {
        // Short, because a socket's path must fit into 108 bytes.
        Root = $"/tmp/couic-it-{Environment.ProcessId}-{Interlocked.Increment(ref s_count)}";
        Directory.CreateDirectory(Root);
        Reaper.Instance.Remove(Root);
    }

    public string Root { get; }

    public string this[string name] => Path.Combine(Root, name);

    public string Folder(string name, Owner? owner = null)
    {
        string path = this[name];
        Directory.CreateDirectory(path);
        System.IO.File.SetUnixFileMode(path, (UnixFileMode)0b111_101_101);
        (owner ?? Owner.Root).Take(path);
        return path;
    }

    public string File(string name, string text, UnixFileMode? mode = null, Owner? owner = null)
    {
        string path = this[name];
        System.IO.File.WriteAllText(path, text);
        (owner ?? Owner.Root).Take(path);
        if (mode != null)
        {
            System.IO.File.SetUnixFileMode(path, mode.Value);
        }

        return path;
    }

    public void Dispose()
    {
        if (Directory.Exists(Root))
        {
            Directory.Delete(Root, recursive: true);
        }
    }
}
