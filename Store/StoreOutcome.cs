namespace Couic.Store;

/// <summary>How a change to one entry ended. Everything but the first three left store and kernel as they were.</summary>
public enum StoreOutcome : byte
{
    Created,
    Updated,
    Removed,

    /// <summary>An update that asked for what is there already.</summary>
    Unchanged,

    /// <summary>The CIDR is in the policy already.</summary>
    Conflict,

    /// <summary>The CIDR is not in the policy.</summary>
    Absent,

    /// <summary>A set defines the entry.</summary>
    OwnedBySet,

    /// <summary>The table of that policy and family is at its limit.</summary>
    Full,

    /// <summary>The data plane refused; <see cref="RuleStore.LastRefusal"/> says why.</summary>
    Refused,
}

public enum ConflictMode : byte
{
    /// <summary>An entry that is there is a <see cref="StoreOutcome.Conflict"/>.</summary>
    Refuse,

    /// <summary>Tag and expiry of an entry that is there are replaced in place; its creation time stays.</summary>
    Update,

    /// <summary>Of the entry that is there and the new one, the one that expires later is in force; the other is kept as a claim under its tag.</summary>
    Extend,
}
