namespace Couic.Bpf;

/// <summary>Finds in what the verifier wrote the one line that says why.</summary>
internal static class VerifierLog
{
    /// <summary>The last line that is neither an instruction, a source line nor a statistic; empty if there is none.</summary>
    public static string Summarize(string log)
    {
        string[] lines = log.Split('\n', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
        for (int i = lines.Length - 1; i >= 0; i--)
        {
            if (!IsNoise(lines[i]))
            {
                return lines[i];
            }
        }

        return "";
    }

    private static bool IsNoise(string line) =>
        line[0] == ';'
        || line.StartsWith("processed ", StringComparison.Ordinal)
        || line.StartsWith("verification time", StringComparison.Ordinal)
        || line.StartsWith("stack depth", StringComparison.Ordinal)
        || line.StartsWith("from ", StringComparison.Ordinal)
        || (char.IsAsciiDigit(line[0]) && line.Contains(": (", StringComparison.Ordinal));
}
