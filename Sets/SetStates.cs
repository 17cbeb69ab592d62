using Couic.Native;
using Couic.Store;

namespace Couic.Sets;

/// <summary>A set file compared with what is in force.</summary>
/// <param name="State">
/// <c>loaded</c>; <c>changed</c>, <c>new</c> or <c>gone</c> since sets were loaded; <c>faulty</c>; <c>ignored</c>: a file whose name is not
/// that of a set, with the file's name as <paramref name="Name"/>.
/// </param>
/// <param name="InForce">Entries in force under the tag of the set.</param>
/// <param name="Fault">Why it is faulty or ignored; null otherwise.</param>
public sealed record SetState(string Name, int EntryCount, long FileSize, string State, int InForce, string? Fault);

/// <summary>Finds the state of every set of a policy.</summary>
internal static class SetStates
{
    /// <summary>Other files that are listed; a folder may contain any number.</summary>
    private const int MaxIgnored = 100;

    /// <exception cref="IOException">A folder cannot be read.</exception>
    public static List<SetState> Of(SetDirectory directory, RuleStore store, SetMarks loaded, Policy policy)
    {
        Dictionary<string, string> changes = loaded.Compare(directory).ToDictionary(change => change.Path, change => change.Change, StringComparer.Ordinal);
        Dictionary<string, int> inForce = store.Tags(policy).ToDictionary(use => use.Tag, use => use.Entries, StringComparer.Ordinal);
        var states = new List<SetState>();
        foreach (SetSummary set in directory.List(policy))
        {
            SetResult result = directory.Read(policy, set.Name, out _);
            string? fault = result.Outcome is SetOutcome.Ok or SetOutcome.Absent ? null
                : result.Faults.Count > 0 ? $"line {result.Faults[0].Line}: {result.Faults[0].Message}" : result.Message;
            string state = fault is not null ? "faulty" : changes.GetValueOrDefault(directory.PathOf(policy, set.Name)) switch
            {
                null => "loaded",
                "is new" => "new",
                _ => "changed",
            };
            states.Add(new SetState(set.Name, set.EntryCount, set.FileSize, state, inForce.GetValueOrDefault(set.Name + SetFile.Suffix), fault));
        }

        string folder = directory.PathOf(policy);
        foreach ((string path, string change) in changes.Where(change => change.Value == "is gone" && Path.GetDirectoryName(change.Key) == folder))
        {
            string name = Path.GetFileNameWithoutExtension(path);
            states.Add(new SetState(name, 0, 0, "gone", inForce.GetValueOrDefault(name + SetFile.Suffix), null));
        }

        states.AddRange(directory.OtherNames(policy).Take(MaxIgnored).Select(name => new SetState(
            name,
            0,
            Files.TryStat(Path.Combine(folder, name), out FileState file) == Errno.None ? file.Size : 0,
            "ignored",
            0,
            name.EndsWith(SetFile.Suffix, StringComparison.Ordinal)
                ? $"a set's name has 1 to {SetName.MaxBytes} ASCII letters, digits, \"-\" and \"_\"" : $"its name does not end with \"{SetFile.Suffix}\"")));
        return states;
    }
}
