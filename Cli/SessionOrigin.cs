using System.Globalization;
using System.Text;

namespace Couic.Cli;

/// <summary>The address from which the operator logged in.</summary>
internal static class SessionOrigin
{
    /// <summary>Set by sshd(8): the client's address and port, the server's address and port.</summary>
    private const string Variable = "SSH_CONNECTION";

    /// <summary>Ancestors to examine; a shell in sudo in a shell has five.</summary>
    private const int MaxDepth = 32;

    /// <summary>
    /// The variable of this process, or of the nearest ancestor that has it: sudo(8) removes it from the environment. Null when
    /// the session does not come over SSH.
    /// </summary>
    public static string? Find()
    {
        if (Environment.GetEnvironmentVariable(Variable) is { Length: > 0 } own)
        {
            return own;
        }

        int process = Environment.ProcessId;
        for (int depth = 0; depth < MaxDepth && TryParent(process, out process) && process > 1; depth++)
        {
            if (FromEnvironmentOf(process) is { Length: > 0 } found)
            {
                return found;
            }
        }

        return null;
    }

    private static bool TryParent(int process, out int parent)
    {
        parent = 0;
        string text = Read($"/proc/{process}/stat");

        // The name in parentheses may contain any character; state and parent follow it (proc(5)).
        string[] fields = text[(text.LastIndexOf(')') + 1)..].Split(' ', StringSplitOptions.RemoveEmptyEntries);
        return fields.Length > 1 && int.TryParse(fields[1], NumberStyles.None, CultureInfo.InvariantCulture, out parent);
    }

    private static string? FromEnvironmentOf(int process)
    {
        string? entry = Array.Find(Read($"/proc/{process}/environ").Split('\0'), e => e.StartsWith(Variable + "=", StringComparison.Ordinal));
        return entry?[(Variable.Length + 1)..];
    }

    private static string Read(string path)
    {
        try
        {
            return File.ReadAllText(path, Encoding.Latin1);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return ""; // gone, or another user's
        }
    }
}
