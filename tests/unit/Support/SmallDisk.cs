using System.Diagnostics;

namespace Couic.Tests.Support;

/// <summary>A file system of 64 KiB, to be filled. Needs root.</summary>
public sealed class SmallDisk : IDisposable
{
    private readonly TempFolder _folder = new();

    public SmallDisk() => Run("mount", "-t", "tmpfs", "-o", "size=64k,mode=755", "couic-test", _folder.Path);

    public string this[string name] => _folder[name];

    public string Path => _folder.Path;

    /// <summary>Takes all the room but a few bytes that a page may still have.</summary>
    public void Fill()
    {
        using FileStream file = new(_folder["fill"], FileMode.Create, FileAccess.Write, FileShare.None, bufferSize: 0);
        byte[] page = new byte[4096];
        try
        {
            while (true)
            {
                file.Write(page);
            }
        }
        catch (IOException)
        {
            // full, as wanted
        }
    }

    public void Free() => File.Delete(_folder["fill"]);

    public void Dispose()
    {
        Run("umount", "--lazy", _folder.Path); // a test that fails may still have a file open
        _folder.Dispose();
    }

    private static void Run(string program, params string[] arguments)
    {
        using Process process = Process.Start(program, arguments);
        process.WaitForExit();
        if (process.ExitCode != 0)
        {
            throw new InvalidOperationException($"{program} {string.Join(' ', arguments)}: exit status {process.ExitCode} (these tests run as root)");
        }
    }
}
