using System.Text;
using Couic.Config;

namespace Couic.Cli.Api;

/// <summary>Small files that couicctl reads before it can ask anything.</summary>
internal static class ConfigFile
{
    /// <summary>Bytes; ours have a few hundred.</summary>
    private const int MaxBytes = 64 * 1024;

    /// <param name="what">Such as <c>configuration</c>, for the error message.</param>
    /// <exception cref="CliException">It cannot be read.</exception>
    public static byte[] Read(string path, string what)
    {
        try
        {
            using FileStream file = File.OpenRead(path);
            byte[] content = new byte[MaxBytes + 1];
            int length = file.ReadAtLeast(content, content.Length, throwOnEndOfStream: false);
            return length <= MaxBytes ? content[..length] : throw new CliException($"read {what} \"{path}\": more than {MaxBytes} bytes");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            string cause = Directory.Exists(path) ? "is a directory" : SystemErrors.Text(e);
            throw new CliException($"read {what} \"{path}\": {cause}{Hint(what, e)}");
        }
    }

    /// <summary>What the TOML reader quotes of a line that it does not understand may be the token.</summary>
    public static void HideSecrets(byte[] content, List<Fault> faults)
    {
        string[] lines = Encoding.UTF8.GetString(content).Split('\n');
        for (int i = 0; i < faults.Count; i++)
        {
            if (faults[i].Line >= 1 && faults[i].Line <= lines.Length && lines[faults[i].Line - 1].Contains("token", StringComparison.OrdinalIgnoreCase))
            {
                faults[i] = faults[i] with { Message = "not understood (expected token = \"UUID\")" };
            }
        }
    }

    private static string Hint(string what, Exception e) => (what, e) switch
    {
        (_, UnauthorizedAccessException) => " (run as root, or as the user that the daemon runs as)",
        ("client file", FileNotFoundException or DirectoryNotFoundException) => " (the daemon makes it at its first start; systemctl status couic)",
        _ => " (-c names another)",
    };
}
