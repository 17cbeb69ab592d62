using Couic.Native;
using Couic.Store;

namespace Couic.Sets;

/// <summary>
/// The set files: <c>POLICY/NAME.couic</c> under one folder, mode 600, one owner, never a link. Changes are whole or did not
/// happen, and do not touch the filter: <see cref="SetLoader"/> does. Thread-safe.
/// </summary>
/// <param name="folder">The folder that holds <c>drop</c> and <c>ignore</c>.</param>
/// <param name="owner">Who has to own the files.</param>
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
        : throw new ArgumentException($"\"{name}\" is no name of a set", nameof(name));

    /// <summary>Removes what writes that broke off have left; for a start, when no other process writes there.</summary>
    public void RemoveLeftovers()
    {
        foreach (Policy policy in Policies.All)
        {
            GuardedFile.RemoveLeftovers(PathOf(policy));
        }
    }

    /// <summary>The names of a policy's sets in order (ordinal), at most <see cref="SetLimits.MaxFiles"/>; files with other names are left out.</summary>
    /// <param name="beyond">How many sets there are besides.</param>
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
            // Asked again for the reason: the framework's own text may be a mere key.
            Errno error = Files.TryOpenFolder(path, out Microsoft.Win32.SafeHandles.SafeFileHandle? handle);
            handle?.Dispose();
            throw new IOException($"list sets \"{path}\": {(error == Errno.None ? "cannot be listed" : error.Text())}", e);
        }

        beyond += KeepFirst(names);
        return names;
    }

    /// <summary>Every set of a policy, sorted by name, good or not: owner and mode are not looked at.</summary>
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
                continue; // deleted meanwhile
            }

            bool isRead = GuardedFile.Read(path, null, buffer.Bytes, out int length).IsOk && SetFile.IsText(buffer.Bytes[..length]);
            sets.Add(new SetSummary(name, isRead ? SetFile.CountLines(buffer.Bytes[..length]) : 0, state.Size));
        }

        return sets;
    }

    /// <summary>The text of a set after the look at its file and at every line.</summary>
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

    /// <summary>The bytes of a set's file after the look at its owner, mode, kind and size.</summary>
    /// <param name="buffer">One byte longer than the longest file that is taken.</param>
    internal GuardResult ReadFile(Policy policy, string name, Span<byte> buffer, out int length) =>
        GuardedFile.Read(PathOf(policy, name), owner, buffer, out length);

    /// <summary>Writes a set that was not there; of two creations of one name, one succeeds.</summary>
    public SetResult Create(Policy policy, string name, ReadOnlySpan<byte> text)
    {
        lock (_changes)
        {
            return CheckRoom(policy, name, text.Length, isNew: true)
                ?? Answer(name, GuardedFile.Create(PathOf(policy, name), text, owner));
        }
    }

    /// <summary>Replaces everything in a set that is there.</summary>
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
                    SetOutcome.NoRoom, $"the set files of {policy.Name()} would have {others + size} bytes together, at most {Limits.MaxTotalBytes} (4 times [limits] max_set_file_bytes)")
                : null;
        }
        catch (IOException)
        {
            return null; // the attempt fails with the reason
        }
    }

    /// <returns>How many were taken away.</returns>
    private int KeepFirst(List<string> names)
    {
        names.Sort(StringComparer.Ordinal);
        int surplus = Math.Max(0, names.Count - Limits.MaxFiles);
        names.RemoveRange(names.Count - surplus, surplus);
        return surplus;
    }
}
