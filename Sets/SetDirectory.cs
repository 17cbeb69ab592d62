using Couic.Native;
using Couic.Store;

namespace Couic.Sets;

/// <summary>
/// The set files: <c>POLICY/NAME.couic</c> under one folder, mode 600, one owner, never a link. Changes are atomic and do not
/// affect the filter: <see cref="SetLoader"/> does. Thread-safe.
/// </summary>
/// <param name="folder">The folder that holds <c>drop</c> and <c>ignore</c>.</param>
/// <param name="owner">The required owner of the files.</param>
/// <param name="limits">How much is written and read.</param>
public sealed class SetDirectory(string folder, FileOwner owner, SetLimits? limits = null)
{
    private readonly Lock _changes = new();

    public SetLimits Limits { get; } = limits ?? SetLimits.Default;

    /// <summary>The folder of a policy's sets.</summary>
    public string PathOf(Policy policy) => Path.Combine(folder, policy.Name());

    /// <summary>The path of a set's file. The name must be good (<see cref="SetName.IsGood"/>).</summary>
    public string PathOf(Policy policy, string name) => SetName.IsGood(name)
        ? Path.Combine(folder, policy.Name(), name + SetFile.Suffix)
        : throw new ArgumentException($"\"{name}\" is not a valid name of a set", nameof(name));

    /// <summary>Removes the leftovers of interrupted writes; at startup, when no other process writes there.</summary>
    public void RemoveLeftovers()
    {
        foreach (Policy policy in Policies.All)
        {
            GuardedFile.RemoveLeftovers(PathOf(policy));
        }
    }

    /// <summary>The names of a policy's sets in order (ordinal), at most <see cref="SetLimits.MaxFiles"/>; files with other names are skipped.</summary>
    /// <param name="beyond">The number of further sets.</param>
    /// <exception cref="IOException">The folder cannot be read.</exception>
    public List<string> Names(Policy policy, out int beyond)
    {
        string path = PathOf(policy);
        var names = new List<string>();
        beyond = 0;
        try
        {
            foreach (string file in Directory.EnumerateFileSystemEntries(path))
            {
                if (SetName.TryFromFile(Path.GetFileName(file), out string name))
                {
                    names.Add(name);
                }

                if (names.Count >= 2L * Limits.MaxFiles)
                {
                    beyond += KeepFirst(names);
                }
            }
        }
        catch (Exception e) when (e is UnauthorizedAccessException or IOException)
        {
            // Retried for the reason: the framework's message may be a resource key.
            Errno error = Files.TryOpenFolder(path, out Microsoft.Win32.SafeHandles.SafeFileHandle? handle);
            handle?.Dispose();
            throw new IOException($"list sets \"{path}\": {(error == Errno.None ? "cannot be listed" : error.Text())}", e);
        }

        beyond += KeepFirst(names);
        return names;
    }

    /// <summary>Names of the files beside the sets, which are never read; hidden files and leftovers of interrupted writes are not among them.</summary>
    /// <exception cref="IOException">The folder cannot be read.</exception>
    public IEnumerable<string> OtherNames(Policy policy) => Directory.EnumerateFileSystemEntries(PathOf(policy))
        .Select(path => Path.GetFileName(path)).Where(name => !name.StartsWith('.') && !SetName.TryFromFile(name, out _));

    /// <summary>Every set of a policy, sorted by name, valid or not: owner and mode are not checked.</summary>
    /// <exception cref="IOException">The folder cannot be read.</exception>
    public List<SetSummary> List(Policy policy)
    {
        var sets = new List<SetSummary>();
        using var buffer = new ScratchMemory(Limits.MaxFileBytes + 1);
        foreach (string name in Names(policy, out _))
        {
            string path = PathOf(policy, name);
            if (Files.TryStat(path, out FileState state) == Errno.ENOENT)
            {
                continue; // deleted since the folder was listed
            }

            bool isRead = GuardedFile.Read(path, null, buffer.Bytes, out int length).IsOk && SetFile.IsText(buffer.Bytes[..length]);
            sets.Add(new SetSummary(name, isRead ? SetFile.CountLines(buffer.Bytes[..length]) : 0, state.Size));
        }

        return sets;
    }

    /// <summary>The text of a set whose file and lines are all valid.</summary>
    public SetResult Read(Policy policy, string name, out ReadOnlyMemory<byte> text)
    {
        text = default;
        SetResult result = Answer(name, GuardedFile.Read(PathOf(policy, name), Limits.MaxFileBytes, owner, out byte[] content));
        if (result.Outcome != SetOutcome.Ok)
        {
            return result;
        }

        if (!SetFile.IsText(content))
        {
            return new SetResult(SetOutcome.NotText, $"set \"{name}\": line {SetFile.FindBadText(content)} is not UTF-8");
        }

        List<SetFault> faults = SetFile.FindFaults(content);
        if (faults.Count > 0)
        {
            return new SetResult(SetOutcome.BadLines, $"set \"{name}\": {faults.Count} lines cannot be read", faults);
        }

        text = content;
        return result;
    }

    /// <summary>The bytes of a set's file whose owner, mode, kind and size are valid.</summary>
    /// <param name="buffer">One byte longer than the longest accepted file.</param>
    internal GuardResult ReadFile(Policy policy, string name, Span<byte> buffer, out int length) =>
        GuardedFile.Read(PathOf(policy, name), owner, buffer, out length);

    /// <summary>Writes a new set; of two concurrent creations of one name, one succeeds.</summary>
    public SetResult Create(Policy policy, string name, ReadOnlySpan<byte> text)
    {
        lock (_changes)
        {
            return CheckRoom(policy, name, text.Length, isNew: true)
                ?? Answer(name, GuardedFile.Create(PathOf(policy, name), text, owner));
        }
    }

    /// <summary>Replaces the content of an existing set.</summary>
    public SetResult Replace(Policy policy, string name, ReadOnlySpan<byte> text)
    {
        lock (_changes)
        {
            return CheckRoom(policy, name, text.Length, isNew: false)
                ?? Answer(name, GuardedFile.Replace(PathOf(policy, name), text, owner));
        }
    }

    /// <summary>Removes a set's file. Its entries stay in force until the next reload.</summary>
    public SetResult Delete(Policy policy, string name)
    {
        lock (_changes)
        {
            return Answer(name, GuardedFile.Delete(PathOf(policy, name)));
        }
    }

    internal static SetResult Answer(string name, GuardResult result) => result.Status switch
    {
        GuardStatus.Ok => SetResult.Ok,
        GuardStatus.Absent => new(SetOutcome.Absent, $"no set \"{name}\""),
        GuardStatus.Exists => new(SetOutcome.Exists, $"set \"{name}\" exists already"),
        GuardStatus.Failed => new(SetOutcome.Failed, result.Message),
        _ => new(SetOutcome.Unusable, $"set \"{name}\": {result.Message}"),
    };

    /// <summary>Whether the policy's files stay within their limits with that file; null when they do.</summary>
    private SetResult? CheckRoom(Policy policy, string name, int size, bool isNew)
    {
        if (size > Limits.MaxFileBytes)
        {
            return new SetResult(
                SetOutcome.TooLarge, $"the set's text would be over {Limits.MaxFileBytes} bytes ([limits] max_set_file_bytes; split it into several sets)");
        }

        if (Files.TryStat(PathOf(policy, name), out FileState present) == Errno.None == isNew)
        {
            return null; // the attempt says that it exists, or that it does not
        }

        try
        {
            List<string> names = Names(policy, out int beyond);
            if (isNew && names.Count + beyond >= Limits.MaxFiles)
            {
                return new SetResult(
                    SetOutcome.NoRoom, $"{policy.Name()} has {names.Count + beyond} set files already, at most {Limits.MaxFiles} ([limits] max_set_files)");
            }

            long others = names.Sum(other => Files.TryStat(PathOf(policy, other), out FileState state) == Errno.None ? state.Size : 0) - present.Size;
            return others + size > Limits.MaxTotalBytes && size > present.Size
                ? new SetResult(
                    SetOutcome.NoRoom, $"the set files of {policy.Name()} would have {others + size} bytes in total, at most {Limits.MaxTotalBytes} (4 times [limits] max_set_file_bytes)")
                : null;
        }
        catch (IOException)
        {
            return null; // the attempt fails with the reason
        }
    }

    /// <returns>The number of removed names.</returns>
    private int KeepFirst(List<string> names)
    {
        names.Sort(StringComparer.Ordinal);
        int surplus = Math.Max(0, names.Count - Limits.MaxFiles);
        names.RemoveRange(names.Count - surplus, surplus);
        return surplus;
    }
}

/// <summary>Limits of the set files of one policy. What exceeds them is neither written nor read.</summary>
/// <param name="MaxFileBytes">Bytes of one file. Default: 262,144 IPv6 hosts, 48 bytes each with room for comments.</param>
/// <param name="MaxFiles">Files of a policy.</param>
public sealed record SetLimits(int MaxFileBytes = 262_144 * SetLimits.BytesPerEntry, int MaxFiles = 4_096)
{
    /// <summary>The longest line of an IPv6 network has 44 bytes with its end.</summary>
    public const int BytesPerEntry = 48;

    public static readonly SetLimits Default = new();

    /// <summary>Bytes of all files of a policy: what a reload reads, and what a client can occupy of the disk.</summary>
    public long MaxTotalBytes => 4L * MaxFileBytes;
}

/// <summary>The names of sets. They become file names, so only these bytes are allowed.</summary>
public static class SetName
{
    /// <summary>Bytes; as in couic 1.x.</summary>
    public const int MaxBytes = 48;

    public static bool IsGood(ReadOnlySpan<char> name)
    {
        foreach (char c in name)
        {
            if (c > 127 || !TagRule.IsNameByte((byte)c))
            {
                return false;
            }
        }

        return name.Length is > 0 and <= MaxBytes;
    }

    /// <summary>The set of a file's name (<c>NAME.couic</c>); false for another file.</summary>
    public static bool TryFromFile(string fileName, out string name)
    {
        bool isSet = fileName.EndsWith(SetFile.Suffix, StringComparison.Ordinal);
        name = isSet ? fileName[..^SetFile.Suffix.Length] : string.Empty;
        return isSet && IsGood(name);
    }
}

/// <summary>How an operation on a set file ended.</summary>
public enum SetOutcome : byte
{
    Ok,

    /// <summary>Creating: the name is taken.</summary>
    Exists,

    /// <summary>The set does not exist.</summary>
    Absent,

    /// <summary>Wrong owner, group or mode, not a regular file (a link is not one), or over <see cref="SetLimits.MaxFileBytes"/>.</summary>
    Unusable,

    /// <summary>Lines that are not a CIDR; <see cref="SetResult.Faults"/> has them.</summary>
    BadLines,

    /// <summary>Reading: the file is not UTF-8.</summary>
    NotText,

    /// <summary>Writing: the text would be over <see cref="SetLimits.MaxFileBytes"/>.</summary>
    TooLarge,

    /// <summary>Writing: the policy would have too many files, or too many bytes in total.</summary>
    NoRoom,

    /// <summary>The system refused (disk full, no permission); <see cref="SetResult.Message"/> says what.</summary>
    Failed,
}

/// <param name="Message">Empty on success.</param>
/// <param name="Faults">Bad lines; empty but for <see cref="SetOutcome.BadLines"/>.</param>
public sealed record SetResult(SetOutcome Outcome, string Message, IReadOnlyList<SetFault> Faults)
{
    public static readonly SetResult Ok = new(SetOutcome.Ok, string.Empty, []);

    public SetResult(SetOutcome outcome, string message)
        : this(outcome, message, [])
    {
    }
}

/// <param name="EntryCount">Lines that are neither blank nor comments, valid or not; 0 for a file that cannot be read.</param>
/// <param name="FileSize">Bytes.</param>
public sealed record SetSummary(string Name, int EntryCount, long FileSize);
