using System.Globalization;
using Couic.Config;
using Couic.Native;
using Microsoft.Win32.SafeHandles;

namespace Couic.Logging;

/// <summary>
/// The current log file. A full disk or a missing folder costs lines, which are counted; the file is retried once per second. A file that
/// was moved or deleted is created again. For the writer's thread only.
/// </summary>
internal sealed class LogFile(TimeProvider time) : IDisposable
{
    /// <summary>Permission bits of log files.</summary>
    public const int Mode = 0x1a0; // 0640

    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);

    private SafeFileHandle? _file;
    private string _path = string.Empty;
    private ulong _inode;
    private long _size;
    private bool _isBroken;
    private long? _failedAt;

    /// <summary>Why the last lines could not be written; null after success.</summary>
    public string? Fault { get; private set; }

    /// <summary>Writes whole lines to the file of that name. False when some or all of them are lost.</summary>
    /// <param name="keep">Days whose files are kept.</param>
    /// <param name="maxBytes">A file that would exceed it gets a number, and a new one is started.</param>
    /// <param name="maxTotalBytes">The limit of all files.</param>
    public bool TryWrite(
        string folder, string name, int keep, ReadOnlySpan<byte> lines, long maxBytes = long.MaxValue, long maxTotalBytes = long.MaxValue)
    {
        if (_failedAt is { } failed && time.GetElapsedTime(failed) < Pause)
        {
            return false;
        }

        Errno error = Ready(folder, name, keep, maxBytes, maxTotalBytes);
        if (error == Errno.None && _size > 0 && _size + lines.Length > maxBytes)
        {
            Number(folder, name);
            error = Ready(folder, name, keep, maxBytes, maxTotalBytes);
        }

        if (error == Errno.None && _isBroken)
        {
            error = Files.TryWrite(_file!, "\n"u8); // the last line before the failure may be incomplete
        }

        int written = 0;
        if (error == Errno.None)
        {
            _isBroken = false;
            error = Files.TryWrite(_file!, lines, out written);
            _size += written;
        }

        if (error == Errno.None)
        {
            (_failedAt, Fault) = (null, null);
            return true;
        }

        _isBroken |= written > 0;
        Close();
        _failedAt = time.GetTimestamp();
        Fault = $"write \"{_path}\": {error.Text()}";
        return false;
    }

    public void Close()
    {
        _file?.Dispose();
        _file = null;
    }

    public void Dispose() => Close();

    private Errno Ready(string folder, string name, int keep, long maxBytes, long maxTotalBytes)
    {
        string path = Path.Combine(folder, name);
        if (_file is not null && path == _path && Files.TryStat(path, out FileState state) == Errno.None && state.Inode == _inode)
        {
            return Errno.None;
        }

        Close();
        _isBroken &= path == _path;
        _path = path;
        Errno error = Open(folder, path);
        if (error == Errno.None)
        {
            Prune(folder, name, keep, maxTotalBytes - Math.Min(maxBytes, maxTotalBytes));
        }

        return error;
    }

    private Errno Open(string folder, string path)
    {
        Errno error = Files.TryOpenAppend(path, Mode, out _file);
        if (error == Errno.ENOENT)
        {
            try
            {
                Directory.CreateDirectory(folder);
                error = Files.TryOpenAppend(path, Mode, out _file);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                return Errno.ENOENT;
            }
        }

        if (error != Errno.None || (error = Files.TryStat(_file!, out FileState state)) != Errno.None)
        {
            return error;
        }

        (_inode, _size) = (state.Inode, state.Size);
        return state.Kind == FileKind.Regular ? Errno.None : Errno.EINVAL;
    }

    /// <summary>Gives a full file its number. After a failure the file is used further: exceeding the limit is better than losing lines.</summary>
    private void Number(string folder, string name)
    {
        try
        {
            string next = LogFileNames.Next(Directory.EnumerateFiles(folder).Select(path => Path.GetFileName(path)), name);
            if (Files.TryRename(_path, Path.Combine(folder, next)) == Errno.None)
            {
                Close();
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // A folder that can be written but not listed: no number can be chosen.
        }
    }

    private static void Prune(string folder, string name, int keep, long maxBytes)
    {
        try
        {
            IEnumerable<(string, long)> files = new DirectoryInfo(folder).EnumerateFiles().Select(file => (file.Name, file.Length));
            foreach (string surplus in LogFileNames.Surplus(files, name, keep, maxBytes).ToList())
            {
                _ = Files.TryUnlink(Path.Combine(folder, surplus)); // retried with the next file
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // A folder that can be written but not listed: old files stay.
        }
    }
}

/// <summary>
/// Names of log files: <c>couic.log</c>, or <c>couic.YYYY-MM-DD.log</c> with a UTC day. A full file has a number too,
/// <c>couic.YYYY-MM-DD.3.log</c>; higher is later.
/// </summary>
internal static class LogFileNames
{
    private const string Undated = "couic.log";
    private const string DayFormat = "yyyy-MM-dd";
    private const string Suffix = ".log";

    /// <summary>The file for a line of that time; a week has the date of its first day, a Sunday.</summary>
    public static string For(LogRotation rotation, DateTime utc) => rotation switch
    {
        LogRotation.Daily => Dated(utc.Date),
        LogRotation.Weekly => Dated(utc.Date.AddDays(-(int)utc.DayOfWeek)),
        _ => Undated,
    };

    /// <summary>Whether a file is a log file of couic; other files are left alone.</summary>
    public static bool IsOurs(string name) => TryParse(name, out _, out _);

    /// <summary>The name of a full file, with the next free number.</summary>
    public static string Next(IEnumerable<string> names, string current)
    {
        _ = TryParse(current, out DateTime day, out _);
        int last = names.Select(name => TryParse(name, out DateTime of, out int number) && of == day && number < int.MaxValue ? number : 0).Append(0).Max();
        return string.Create(CultureInfo.InvariantCulture, $"{current[..^Suffix.Length]}.{last + 1}{Suffix}");
    }

    /// <summary>
    /// The files to remove, oldest first, so that the rest covers at most the given days and bytes, without the current file. Files without
    /// a date count as oldest.
    /// </summary>
    public static IEnumerable<string> Surplus(IEnumerable<(string Name, long Bytes)> files, string current, int keep, long maxBytes)
    {
        _ = TryParse(current, out DateTime today, out _);
        var days = new HashSet<DateTime> { today };
        foreach ((string name, long bytes, DateTime day, _) in files.Where(file => IsOurs(file.Name) && file.Name != current).Select(Place)
            .OrderByDescending(file => file.Day).ThenByDescending(file => file.Number))
        {
            maxBytes -= bytes;
            if (maxBytes < 0 || (!days.Contains(day) && days.Count >= keep))
            {
                yield return name;
            }
            else
            {
                days.Add(day);
            }
        }
    }

    private static (string Name, long Bytes, DateTime Day, int Number) Place((string Name, long Bytes) file) =>
        TryParse(file.Name, out DateTime day, out int number) ? (file.Name, file.Bytes, day, number) : default;

    private static string Dated(DateTime day) => $"couic.{day.ToString(DayFormat, CultureInfo.InvariantCulture)}{Suffix}";

    /// <param name="number">The number of a full file; for others the maximum.</param>
    private static bool TryParse(string name, out DateTime day, out int number)
    {
        day = DateTime.MinValue;
        number = int.MaxValue;
        string[] parts = name.Split('.');
        if (parts.Length is < 2 or > 4 || parts[0] != "couic" || parts[^1] != "log")
        {
            return false;
        }

        ReadOnlySpan<string> middle = parts.AsSpan(1, parts.Length - 2);
        if (middle.Length > 0 && DateTime.TryParseExact(middle[0], DayFormat, CultureInfo.InvariantCulture, DateTimeStyles.None, out DateTime dated))
        {
            day = dated;
            middle = middle[1..];
        }

        return middle.IsEmpty || (middle.Length == 1 && middle[0] is [>= '1' and <= '9', ..]
            && int.TryParse(middle[0], NumberStyles.None, CultureInfo.InvariantCulture, out number));
    }
}
