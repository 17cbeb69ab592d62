namespace Couic.Store;

/// <summary>How <see cref="RuleStore.ReplaceSets"/> ended. Everything but <see cref="Done"/> changed nothing.</summary>
public enum SetReplacementStatus : byte
{
    Done,

    /// <summary>The entries of the sets and the others do not fit into the table.</summary>
    Full,

    /// <summary>They fit, but there is no order of changes that needs no more room on the way and leaves no gap.</summary>
    NoRoomToReplace,

    /// <summary>The data plane refused a change; <see cref="RuleStore.LastRefusal"/> says why.</summary>
    Refused,
}

/// <param name="TakenOver">Entries that were there under another tag, a set's or one from the API.</param>
public readonly record struct SetReplacementCounts(int Added, int Removed, int TakenOver, int Unchanged)
{
    /// <summary>Entries that the sets define now.</summary>
    public int Total => Added + TakenOver + Unchanged;

    public static SetReplacementCounts operator +(SetReplacementCounts a, SetReplacementCounts b) =>
        new(a.Added + b.Added, a.Removed + b.Removed, a.TakenOver + b.TakenOver, a.Unchanged + b.Unchanged);

    public static SetReplacementCounts Add(SetReplacementCounts left, SetReplacementCounts right) => left + right;
}

/// <param name="Message">Empty when done, else what was in the way.</param>
public sealed record SetReplacementResult(SetReplacementStatus Status, SetReplacementCounts Ignore, SetReplacementCounts Drop, string Message = "")
{
    public SetReplacementCounts Of(Policy policy) => policy == Policy.Ignore ? Ignore : Drop;
}
