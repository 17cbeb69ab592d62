using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;

namespace Couic.Store;

#pragma warning disable CA1051 // it is filled in and answered in place, by reference

/// <summary>A change of one entry that is made together with others (<see cref="RuleStore.Apply"/>), and then what became of it.</summary>
public struct ChangeRequest
{
    private TagBytes _tag;
    private byte _tagLength;

    /// <summary>Whether the entry is to go; else it is to be added.</summary>
    public bool IsRemoval;

    /// <summary>Whether a removal is of what <see cref="Tag"/> claims alone.</summary>
    public bool IsUnderTag;

    public Policy Policy;
    public ConflictMode Mode;

    /// <summary>A network: host bits are clear.</summary>
    public Cidr Cidr;

    /// <summary>Seconds since 1970, 0 for never.</summary>
    public ulong Expiration;

    /// <summary>Name of the client, UTF-8.</summary>
    public byte[] Creator;

    /// <summary>The request's <c>metadata</c> object as JSON; null when there was none.</summary>
    public byte[]? Metadata;

    public StoreOutcome Outcome;

    /// <summary>The entry as it is afterwards, or as it was when it went.</summary>
    public Entry Entry;

    /// <summary>Why the data plane refused it.</summary>
    public PlaneRefusal? Refusal;

    internal int Slot;
    internal bool IsPlanned;

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
