using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;

namespace Couic.Store;

#pragma warning disable CA1051 // both structs are filled in and answered in place, by reference

/// <summary>A client's change of one entry, for <see cref="RuleStore.Apply"/>, and then its outcome.</summary>
public struct ChangeRequest
{
    private TagBytes _tag;
    private byte _tagLength;

    /// <summary>Whether the entry is to be removed; otherwise it is to be added.</summary>
    public bool IsRemoval;

    /// <summary>Whether a removal concerns only the claim of <see cref="Tag"/>.</summary>
    public bool IsUnderTag;

    /// <summary>Whether it is one of many of a request.</summary>
    public bool IsBulk;

    public Policy Policy;
    public ConflictMode Mode;

    /// <summary>What <see cref="ConflictMode.Update"/> leaves as it is.</summary>
    public EntryFields Keeps;

    /// <summary>A network: host bits are clear.</summary>
    public Cidr Cidr;

    /// <summary>Seconds since 1970, 0 for never.</summary>
    public ulong Expiration;

    /// <summary>Name of the client, UTF-8.</summary>
    public byte[] Creator;

    /// <summary>The request's <c>metadata</c> object as JSON; null when there was none.</summary>
    public byte[]? Metadata;

    /// <summary>What its writer may do; null for no limits.</summary>
    public IChangeLimits? Limits;

    /// <summary>Why the entry exists, valid by <see cref="ReasonRule"/>; null for none.</summary>
    public byte[]? Reason;
    /// <summary>For an entry that is restored at the start; null for a client's change.</summary>
    public KeptFacts? Kept;

    public StoreOutcome Outcome;

    /// <summary>The entry as it is afterwards, or as it was when it was removed.</summary>
    public Entry Entry;

    /// <summary>Why the data plane refused it.</summary>
    public PlaneRefusal? Refusal;

    /// <summary>At most <see cref="TagRule.MaxBytes"/>, a copy; empty for none.</summary>
    [UnscopedRef]
    public ReadOnlySpan<byte> Tag
    {
        readonly get => ((ReadOnlySpan<byte>)_tag)[.._tagLength];
        set
        {
            value.CopyTo(_tag);
            _tagLength = (byte)value.Length;
        }
    }

    [InlineArray(TagRule.MaxBytes)]
    private struct TagBytes
    {
        private byte _first;
    }
}

/// <summary>One change of one entry on its way through a <see cref="ChangeBatch"/>: from what the slot holds to <see cref="After"/>.</summary>
public struct EntryMutation
{
    public MutationKind Kind;
    public Policy Policy;
    public Cidr Cidr;

    /// <summary>Index of the tag's counter; see <see cref="RuleStore.Tags(Policy)"/>.</summary>
    public int Counter;

    /// <summary>Number of the entry's slot within its policy and family, below that table's limit, stable while the entry lives.</summary>
    public int Slot;

    /// <summary>Owned by the data plane.</summary>
    public uint Rule;

    /// <summary>Owned by the data plane: whether it holds the change already, so that nothing is to be written.</summary>
    public bool IsWritten;

    /// <summary>Why the data plane refused it; null otherwise.</summary>
    public PlaneRefusal? Refusal;

    /// <summary>Whether the network has no entry yet.</summary>
    internal bool IsNew;

    /// <summary>Whether it ends a set's entry early that a replacement is about to remove, and starts a client's entry in its slot.</summary>
    internal bool EndsSetEntry;

    internal ClaimEdit Claims;

    /// <summary>What the slot holds afterwards; its names are held until it is committed or rolled back.</summary>
    internal EntryImage After;

    internal RuleEventKind Event;
    internal ChangeOrigin Origin;
    internal byte[]? Metadata;

    /// <summary>Null for expiries and sets.</summary>
    internal byte[]? Actor;
    internal bool IsBulk;

    /// <summary>Index of the request or step that asked for it.</summary>
    internal int Source;
}
#pragma warning restore CA1051

public enum MutationKind : byte
{
    /// <summary>Adds an entry or replaces one.</summary>
    Put,
    Remove,
}

/// <summary>What a committed replacement does to the claims on its entry.</summary>
internal enum ClaimEdit : byte
{
    Keep,
    Clear,

    /// <summary>The tag that the entry shows now gives up its claim.</summary>
    Promote,

    /// <summary>As <see cref="Promote"/>, and what the entry showed before becomes a claim.</summary>
    Exchange,
}

/// <summary>What an entry holds beside its network. Tag, creator and reason are numbers, each held once on behalf of the image.</summary>
internal readonly record struct EntryImage(int Tag, int Creator, int Reason, ChangeOrigin Origin, ulong Creation, ulong Expiration, long Deadline);

/// <summary>A change as the store decides it.</summary>
/// <param name="isUnderTag">Whether a removal concerns only the claim of <paramref name="tag"/>.</param>
internal readonly ref struct ChangeSpec(
    bool isRemoval, Policy policy, Cidr cidr, ReadOnlySpan<byte> tag, ulong expiration, ConflictMode mode, in ChangeContext context, bool isUnderTag = false,
    IChangeLimits? limits = null, EntryFields keeps = EntryFields.None)
{
    public readonly bool IsRemoval = isRemoval;
    public readonly bool IsUnderTag = isUnderTag;
    public readonly Policy Policy = policy;
    public readonly Cidr Cidr = cidr;
    public readonly ReadOnlySpan<byte> Tag = tag;
    public readonly ulong Expiration = expiration;
    public readonly ConflictMode Mode = mode;
    public readonly ChangeContext Context = context;
    public readonly IChangeLimits? Limits = limits;
    public readonly EntryFields Keeps = keeps;
}

/// <summary>What a client decides about an entry, besides its network.</summary>
[Flags]
public enum EntryFields : byte
{
    None,
    Tag,
    Expiration,
    Reason = 4,
}

/// <summary>How a change of one entry ended. All but the first three left store and kernel as they were.</summary>
public enum StoreOutcome : byte
{
    Created,
    Updated,
    Removed,

    /// <summary>The entry is already as an update asked for.</summary>
    Unchanged,

    /// <summary>The entry stays as it is; a claim that it does not show was added, changed or removed.</summary>
    ClaimChanged,

    /// <summary>The CIDR is in the policy already, or with <see cref="ConflictMode.Claim"/> the tag has a claim on it.</summary>
    Conflict,

    /// <summary>The CIDR is not in the policy.</summary>
    Absent,

    /// <summary>A set defines the entry.</summary>
    OwnedBySet,

    /// <summary>The table of that policy and family is at its limit.</summary>
    Full,

    /// <summary>The entry has as many claims as it may have, or the table has.</summary>
    TooManyClaims,

    /// <summary>The writer has as many entries as <see cref="IChangeLimits.MaxEntries"/> allows.</summary>
    OverQuota,

    /// <summary>The entry has a tag that <see cref="IChangeLimits.MayChange"/> refuses.</summary>
    ForeignTag,

    /// <summary>The data plane refused; <see cref="RuleStore.LastRefusal"/> says why.</summary>
    Refused,
}

public enum ConflictMode : byte
{
    /// <summary>An existing entry is a <see cref="StoreOutcome.Conflict"/>.</summary>
    Refuse,

    /// <summary>Replaces tag, expiry and reason of an existing entry in place; its creation time stays.</summary>
    Update,

    /// <summary>Of the existing entry and the new one, the one that expires later is in force; the other is kept as a claim under its tag.</summary>
    Extend,

    /// <summary>Adds a claim of a tag that has none on an existing entry. Of all claims, the one that lasts longest is in force.</summary>
    Claim,
}
