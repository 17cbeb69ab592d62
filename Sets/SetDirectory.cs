using Couic.Native;
using Couic.Store;

namespace Couic.Sets;

/// <summary>
/// The set files: <c>POLICY/NAME.couic</c> under one folder, mode 600, one owner, never a link. Changes are whole or did not
/// happen, and do not touch the filter: <see cref="SetLoader"/> does. Thread-safe.
/// </summary>
/// <param name="folder">The folder that holds <c>drop</c> and <c>ignore</c>.</param>
/// <param name="owner">Who has to own the files.</param>
public sealed class SetDirectory(string folder, FileOwner owner)
{
    private readonly Lock _changes = new();

    /// <summary>The path of a set's file. The name must be good (<see cref="SetName.IsGood"/>).</summary>
    public string PathOf(Policy policy, string name) => SetName.IsGood(name)
        ? Path.Combine(folder, policy.Name(), name + SetFile.Suffix)
        : throw new ArgumentException($"\"{name}\" is no name of a set", nameof(name));

    /// <summary>The names of a policy's sets in order (ordinal); files with other names are left out.</summary>
    /// <exception cref="IOException">The folder cannot be read.</exception>
    public List<string> Names(Policy policy)
    {
        string path = Path.Combine(folder, policy.Name());
        var names = new List<string>();
        try
        {
            foreach (string file in Directory.EnumerateFileSystemEntries(path))
            {
                if (SetName.TryFromFile(Path.GetFileName(file), out string name))
                {
                    names.Add(name);
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

        names.Sort(StringComparer.Ordinal);
        return names;
    }

    /// <summary>Every set of a policy, sorted by name, good or not: owner and mode are not looked at.</summary>
    /// <exception cref="IOException">The folder cannot be read.</exception>
    public List<SetSummary> List(Policy policy)
    {
        var sets = new List<SetSummary>();
        foreach (string name in Names(policy))
        {
            string path = PathOf(policy, name);
            if (Files.TryStat(path, out FileState state) == Errno.ENOENT)
            {
                continue; // deleted meanwhile
            }

            bool isRead = GuardedFile.Read(path, SetFile.MaxBytes, null, out byte[] content).IsOk && SetFile.IsText(content);
            sets.Add(new SetSummary(name, isRead ? SetFile.CountLines(content) : 0, state.Size));
        }

        return sets;
    }

    /// <summary>The entries of a set in the order of its file, host bits and duplicates kept.</summary>
    public SetResult Read(Policy policy, string name, out IReadOnlyList<Cidr> entries)
    {
        entries = [];
        SetResult result = ReadText(policy, name, out byte[] content);
        if (result.Outcome != SetOutcome.Ok)
        {
            return result;
        }

        if (!SetFile.IsText(content))
        {
            return new SetResult(SetOutcome.NotText, $"set \"{name}\": line {SetFile.FindBadText(content)} is not UTF-8");
        }

        List<Cidr> read = SetFile.Read(content, out List<SetFault> faults);
        if (faults.Count > 0)
        {
            return new SetResult(SetOutcome.BadLines, $"set \"{name}\": {faults.Count} lines cannot be read", faults);
        }

        entries = read;
        return result;
    }

    /// <summary>The bytes of a set's file after the look at its owner, mode, kind and size.</summary>
    public SetResult ReadText(Policy policy, string name, out byte[] content) =>
        Answer(name, GuardedFile.Read(PathOf(policy, name), SetFile.MaxBytes, owner, out content));

    /// <summary>The same into a buffer for many files one after the other.</summary>
    /// <param name="buffer">Of <see cref="SetFile.MaxBytes"/> and one.</param>
    internal SetResult ReadText(Policy policy, string name, Span<byte> buffer, out int length) =>
        Answer(name, GuardedFile.Read(PathOf(policy, name), owner, buffer, out length));

    /// <summary>Writes a set that was not there; of two creations of one name, one succeeds.</summary>
    public SetResult Create(Policy policy, string name, ReadOnlySpan<Cidr> entries)
    {
        byte[]? text = SetFile.Format(entries);
        if (text is null)
        {
            return TooLarge;
        }

        lock (_changes)
        {
            return Answer(name, GuardedFile.Create(PathOf(policy, name), text, owner));
        }
    }

    /// <summary>Replaces everything in a set that is there.</summary>
    public SetResult Replace(Policy policy, string name, ReadOnlySpan<Cidr> entries)
    {
        byte[]? text = SetFile.Format(entries);
        if (text is null)
        {
            return TooLarge;
        }

        lock (_changes)
        {
            return Answer(name, GuardedFile.Replace(PathOf(policy, name), text, owner));
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

    private static SetResult TooLarge =>
        new(SetOutcome.TooLarge, $"the set's text would be over {SetFile.MaxBytes} bytes (split it into several sets)");

    private static SetResult Answer(string name, GuardResult result) => result.Status switch
    {
        GuardStatus.Ok => SetResult.Ok,
        GuardStatus.Absent => new(SetOutcome.Absent, $"no set \"{name}\""),
        GuardStatus.Exists => new(SetOutcome.Exists, $"set \"{name}\" exists already"),
        GuardStatus.Failed => new(SetOutcome.Failed, result.Message),
        _ => new(SetOutcome.Unusable, $"set \"{name}\": {result.Message}"),
    };
}
