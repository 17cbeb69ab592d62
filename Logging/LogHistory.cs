using System.Globalization;
using System.Text;
using System.Text.Json;
using Couic.Native;

namespace Couic.Logging;

/// <summary>A line of the log, read back from a file.</summary>
/// <param name="Fields">Its fields by name, as text.</param>
internal sealed record LogLine(DateTimeOffset Time, string Area, string Event, string Message, IReadOnlyDictionary<string, string> Fields)
{
    private static readonly string[] Own = ["timestamp", "level", "area", "message", "event"];

    /// <summary>Reads a line of either format, without its end. Null for a line that is neither, or that has no event.</summary>
    public static LogLine? Parse(ReadOnlySpan<byte> line) => line.StartsWith("{"u8) ? ParseJson(line) : ParseText(Encoding.UTF8.GetString(line));

    private static LogLine? ParseJson(ReadOnlySpan<byte> line)
    {
        try
        {
            var reader = new Utf8JsonReader(line);
            using var document = JsonDocument.ParseValue(ref reader);
            var members = document.RootElement.EnumerateObject().ToDictionary(member => member.Name, member => member.Value.ToString(), StringComparer.Ordinal);
            return members.TryGetValue("timestamp", out string? at) && TryParseTime(at, out DateTimeOffset time)
                && members.TryGetValue("area", out string? area) && members.TryGetValue("event", out string? name) && members.TryGetValue("message", out string? message)
                ? new LogLine(time, area, name, message, members.Where(member => !Own.Contains(member.Key)).ToDictionary(StringComparer.Ordinal))
                : null;
        }
        catch (Exception e) when (e is JsonException or ArgumentException or InvalidOperationException)
        {
            return null; // cut off, a member that occurs twice, or a lone surrogate
        }
    }

    /// <summary>
    /// <c>TIME LEVEL AREA MESSAGE event=NAME KEY=VALUE…</c>. The message may hold anything, so the event is the last one from which on the line
    /// consists of fields: within a quoted value, none does.
    /// </summary>
    private static LogLine? ParseText(string line)
    {
        const string Mark = " event=";
        string[] start = line.Split(' ', 4);
        if (start.Length < 4 || !TryParseTime(start[0], out DateTimeOffset time))
        {
            return null;
        }

        int message = line.Length - start[3].Length;
        for (int mark = line.Length; (mark = line.LastIndexOf(Mark, mark - 1, StringComparison.Ordinal)) >= message - 1;)
        {
            if (ReadFields(line, mark + 1) is { } fields && fields.Remove("event", out string? name))
            {
                return new LogLine(time, start[2], name, mark < message ? string.Empty : line[message..mark], fields);
            }
        }

        return null;
    }

    /// <summary>The fields up to the end of the line; null when it is not made of fields.</summary>
    private static Dictionary<string, string>? ReadFields(string line, int at)
    {
        var fields = new Dictionary<string, string>(StringComparer.Ordinal);
        while (at < line.Length)
        {
            int sign = line.IndexOf('=', at);
            if (sign < 0 || ReadValue(line, sign + 1, out int end) is not { } value || !fields.TryAdd(line[at..sign], value))
            {
                return null;
            }

            at = end + 1;
        }

        return fields;
    }

    /// <param name="end">The end of the value: a blank, or the end of the line.</param>
    /// <returns>Null for what is not a value.</returns>
    private static string? ReadValue(string line, int start, out int end)
    {
        if (start >= line.Length || line[start] != '"')
        {
            end = line.IndexOf(' ', start);
            end = end < 0 ? line.Length : end;
            return line.AsSpan(start, end - start).IndexOfAny('"', '=', '\\') < 0 ? line[start..end] : null;
        }

        var value = new StringBuilder();
        for (end = start + 1; end < line.Length && line[end] != '"'; end++)
        {
            end += line[end] == '\\' ? 1 : 0;
            value.Append(end < line.Length ? line[end] : ' ');
        }

        return ++end == line.Length || (end < line.Length && line[end] == ' ') ? value.ToString() : null;
    }

    private static bool TryParseTime(string text, out DateTimeOffset time) =>
        DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal, out time);
}

/// <summary>Reads the lines of the log files from the newest one backwards.</summary>
internal static class LogHistory
{
    /// <summary>Bytes that are read for one question; older lines are left out.</summary>
    public const long MaxBytes = 64 * 1024 * 1024;

    private const int BlockBytes = 256 * 1024;

    /// <summary>
    /// The lines, newest first, each without its end. A file that cannot be read is skipped, and so is what is larger than a block without
    /// a line end.
    /// </summary>
    public static IEnumerable<byte[]> ReadBackwards(string folder)
    {
        long left = MaxBytes;
        foreach (string path in Files(folder))
        {
            foreach (byte[] line in ReadFile(path, left))
            {
                left -= line.Length + 1;
                if (left <= 0)
                {
                    yield break;
                }

                yield return line;
            }
        }
    }

    private static string[] Files(string folder)
    {
        try
        {
            return [.. new DirectoryInfo(folder).EnumerateFiles()
                .Where(file => LogFileNames.IsOurs(file.Name) && file.LinkTarget is null)
                .OrderByDescending(file => file.LastWriteTimeUtc).Select(file => file.FullName)];
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new IOException($"read the log folder \"{folder}\": {IoErrors.Cause(e)}", e);
        }
    }

    private static IEnumerable<byte[]> ReadFile(string path, long limit)
    {
        FileStream? file = TryOpen(path);
        if (file is null)
        {
            yield break;
        }

        using (file)
        {
            byte[] block = new byte[BlockBytes];
            long start = file.Length, stop = Math.Max(0, start - limit);
            int kept = 0; // bytes at the beginning of the block that belong to a line whose start is still to be read
            while (start > stop && kept < BlockBytes)
            {
                int count = (int)Math.Min(BlockBytes - kept, start - stop);
                start -= count;
                block.AsSpan(0, kept).CopyTo(block.AsSpan(count));
                if (!TryRead(file, start, block.AsSpan(0, count)))
                {
                    yield break;
                }

                int end = count + kept;
                while (block.AsSpan(0, end).LastIndexOf((byte)'\n') is >= 0 and var at)
                {
                    if (at + 1 < end)
                    {
                        yield return block[(at + 1)..end];
                    }

                    end = at;
                }

                kept = end;
            }

            if (start == 0 && kept > 0 && kept < BlockBytes)
            {
                yield return block[..kept];
            }
        }
    }

    private static FileStream? TryOpen(string path)
    {
        try
        {
            return new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, bufferSize: 0);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    private static bool TryRead(FileStream file, long offset, Span<byte> buffer)
    {
        try
        {
            file.Position = offset;
            file.ReadExactly(buffer);
            return true;
        }
        catch (IOException)
        {
            return false; // truncated, or the disk fails
        }
    }
}
