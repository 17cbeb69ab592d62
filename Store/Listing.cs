using System.Buffers;

namespace Couic.Store;

/// <summary>
/// Entries that were copied for an answer, in an array that the next listing uses again: megabytes that would else be left to
/// the collector each time. To be disposed by who asked for it, and not used after that. Not thread-safe.
/// </summary>
public sealed class Listing : IDisposable
{
    private ListedEntry[] _rows;
    private int _count;

    /// <param name="capacity">Entries that are expected; it grows when there are more.</param>
    internal Listing(int capacity) => _rows = ArrayPool<ListedEntry>.Shared.Rent(capacity);

    public Memory<ListedEntry> Rows => _rows.AsMemory(0, _count);

    public void Dispose()
    {
        ArrayPool<ListedEntry>.Shared.Return(_rows);
        _rows = [];
        _count = 0;
    }

    internal void Add(in ListedEntry row)
    {
        if (_count == _rows.Length)
        {
            ListedEntry[] larger = ArrayPool<ListedEntry>.Shared.Rent(_count * 2);
            Rows.Span.CopyTo(larger);
            ArrayPool<ListedEntry>.Shared.Return(_rows);
            _rows = larger;
        }

        _rows[_count++] = row;
    }

    /// <summary>By network; of equal ones, which an entry that was removed and added again can be, one is kept.</summary>
    internal void Sort()
    {
        Span<ListedEntry> rows = Rows.Span;
        rows.Sort(ListedEntry.Order);
        int kept = 0;
        for (int i = 0; i < rows.Length; i++)
        {
            kept -= kept > 0 && rows[kept - 1].Cidr == rows[i].Cidr ? 1 : 0;
            rows[kept++] = rows[i];
        }

        _count = kept;
    }
}
