namespace Couic.Store;

/// <summary>
/// What one writer may do to entries that exist. The store asks where it decides a change, so that changes in flight count. For any thread.
/// </summary>
public interface IChangeLimits
{
    /// <summary>Entries of both policies that may show the writer as their creator; 0 for no limit.</summary>
    int MaxEntries { get; }

    /// <summary>Whether the writer may remove or replace an entry, or a claim, under this tag.</summary>
    bool MayChange(ReadOnlySpan<byte> tag);
}
