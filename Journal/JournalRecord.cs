using Couic.Peering;
using Couic.Store;

namespace Couic.Journal;

/// <summary>
/// What one slot of a table holds: nothing, or a value as peers know it, with its version. A later record of the same slot replaces an
/// earlier one, so a slot that is used again ends its former value. While a record is read, its texts lie in the reader's buffer.
/// </summary>
internal struct JournalRecord
{
    public SlotId Slot;

    /// <summary>Whether the slot is empty; then nothing else counts.</summary>
    public bool IsEmpty;
    public RegisterState State;
    public Cidr Cidr;
    public RuleVersion Version;

    /// <summary>How the entry came in: through the API or from a peer.</summary>
    public ChangeOrigin Origin;

    /// <summary>Seconds since 1970; 0 where the store holds no entry for the value.</summary>
    public ulong Creation;

    /// <summary>Seconds since 1970 as the client gave it; 0 for never.</summary>
    public ulong Expiration;

    /// <summary>Milliseconds since 1970 at which it expires by this machine's clock; 0 for never.</summary>
    public long Ends;
    public ReadOnlyMemory<byte> Tag;
    public ReadOnlyMemory<byte> Creator;
    public ReadOnlyMemory<byte> Reason;

    /// <summary>Claims of other tags; null for none.</summary>
    public List<KeptClaim>? Claims;
}

/// <summary>A claim of another tag on the entry of a record.</summary>
internal readonly record struct KeptClaim(
    ReadOnlyMemory<byte> Tag, ReadOnlyMemory<byte> Creator, ReadOnlyMemory<byte> Reason, ChangeOrigin Origin, ulong Expiration, long Ends);

/// <summary>A slot of one of the tables that the journal follows.</summary>
/// <param name="Table">0 to 3: entries of the store by policy and family; 4 and 5: registers of peering by policy.</param>
internal readonly record struct SlotId(byte Table, int Slot)
{
    public const int Tables = 6;
    private const int FirstOfRegisters = 4;

    /// <summary>Slots of a table, above any limit that the configuration accepts.</summary>
    public const int MaxSlots = 1 << 26;

    public static byte OfEntries(Policy policy, IpFamily family) => (byte)(((int)policy * 2) + (int)family);

    public static byte OfRegisters(Policy policy) => (byte)(FirstOfRegisters + (int)policy);

    public Policy Policy => (Policy)(Table >= FirstOfRegisters ? Table - FirstOfRegisters : Table / 2);

    public bool IsValid => Table < Tables && Slot is >= 0 and < MaxSlots;
}

/// <summary>The time at which records were written.</summary>
/// <param name="Wall">Milliseconds since 1970.</param>
/// <param name="Logical">The hybrid logical clock, ahead of every version that was known then.</param>
internal readonly record struct JournalTime(long Wall, ulong Logical);
