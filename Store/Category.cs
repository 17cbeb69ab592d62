namespace Couic.Store;

/// <summary>One of the four tables: the entries of a policy and family, and when they expire. Not thread-safe.</summary>
internal sealed class Category
{
    public Category(Policy policy, IpFamily family, int limit)
    {
        Policy = policy;
        Family = family;
        Entries = new EntryTable(limit);
        Expiry = new ExpiryHeap(Entries);
    }

    public Policy Policy { get; }

    public IpFamily Family { get; }

    public EntryTable Entries { get; }

    public ExpiryHeap Expiry { get; }

    /// <summary>Entries per prefix length, so that a search by address looks only where there is something.</summary>
    public int[] PerLength { get; } = new int[129];

    public bool IsFull => Entries.Count >= Entries.Limit;
}
