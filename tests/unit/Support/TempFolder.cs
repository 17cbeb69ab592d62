namespace Couic.Tests.Support;

/// <summary>A folder of a test's own, gone with the test.</summary>
public sealed class TempFolder : IDisposable
{
    public string Path { get; } = Directory.CreateTempSubdirectory("couic-test-").FullName;

    public string this[string name] => System.IO.Path.Combine(Path, name);

    /// <summary>Writes a file with the given permission bits (octal digits as written in chmod).</summary>
    public string Write(string name, string content, string mode = "600")
    {
        string path = this[name];
        File.WriteAllText(path, content);
        File.SetUnixFileMode(path, (UnixFileMode)Convert.ToInt32(mode, 8));
        return path;
    }

    public void Dispose() => Directory.Delete(Path, recursive: true);
}
