using Couic.Native;
using Couic.Store;

namespace Couic.Sets;

/// <summary>The state of the set files when they were loaded, to find those that differ now. A file is read again only when its state differs.</summary>
internal sealed class SetMarks
{
    private readonly Lock _gate = new();
    private readonly Dictionary<string, Mark> _marks = new(StringComparer.Ordinal);

    /// <param name="state">From before the content was read, so that a change in between is found.</param>
    public void Add(string path, in FileState state, ReadOnlySpan<byte> content) => _marks[path] = new Mark(state, ContentHash.Of(content));

    /// <summary>Paths and what happened to them: <c>has changed</c>, <c>is new</c>, <c>is gone</c>.</summary>
    /// <exception cref="IOException">A folder cannot be read.</exception>
    public List<(string Path, string Change)> Compare(SetDirectory directory)
    {
        lock (_gate)
        {
            var changes = new List<(string, string)>();
            var seen = new HashSet<string>(StringComparer.Ordinal);
            foreach (Policy policy in Policies.All)
            {
                foreach (string name in directory.Names(policy, out _))
                {
                    string path = directory.PathOf(policy, name);
                    if (Files.TryStat(path, out FileState state) == Errno.ENOENT)
                    {
                        continue;
                    }

                    seen.Add(path);
                    if (!_marks.TryGetValue(path, out Mark mark))
                    {
                        changes.Add((path, "is new"));
                    }
                    else if (!IsSame(path, state, mark, directory.Limits.MaxFileBytes))
                    {
                        changes.Add((path, "has changed"));
                    }
                }
            }

            changes.AddRange(_marks.Keys.Where(path => !seen.Contains(path)).Order(StringComparer.Ordinal).Select(path => (path, "is gone")));
            return changes;
        }
    }

    private bool IsSame(string path, in FileState state, in Mark mark, int maxBytes)
    {
        if (state == mark.State)
        {
            return true;
        }

        if (state == mark.Other)
        {
            return false;
        }

        using var buffer = new ScratchMemory(maxBytes + 1);
        bool isSame = state.Owner == mark.State.Owner && state.Mode == mark.State.Mode && GuardedFile.Read(path, null, buffer.Bytes, out int length).IsOk
            && ContentHash.Of(buffer.Bytes[..length]) == mark.Hash;
        _marks[path] = isSame ? mark with { State = state } : mark with { Other = state };
        return isSame;
    }

    /// <param name="Other">The state in which the content was found to differ.</param>
    private readonly record struct Mark(FileState State, ulong Hash, FileState Other = default);
}
