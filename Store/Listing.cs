namespace Couic.Store;

/// <summary>
/// Entries that were copied for an answer, in an array that the next listing uses again: megabytes that would else be left to
/// the collector each time. To be disposed by who asked for it, and not used after that. Not thread-safe.
/// </summary>
public sealed class Listing : IDisposable
{
    /// <summary>Not ArrayPool's: that keeps one for each thread. The collector takes it when nobody listed for a while.</summary>
    private static readonly WeakReference<ListedEntry[]?> Spare = new(null);
    private static readonly Lock Gate = new();

    /// <summary>Up to so many are left to the collector.</summary>
    private const int LargeRows = 1_024;

    private ListedEntry[] _rows;
    private int _count;

    /// <param name="capacity">Entries that are expected; it grows when there are more.</param>
    internal Listing(int capacity) => _rows = Take(capacity);

    public Memory<ListedEntry> Rows => _rows.AsMemory(0, _count);

    public void Dispose()
    {
        GiveBack(_rows);
        _rows = [];
        _count = 0;
    }

    internal void Add(in ListedEntry row)
    {
        if (_count == _rows.Length)
        {
            Array.Resize(ref _rows, Math.Max(_count * 3 / 2, 16));
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

    private static ListedEntry[] Take(int capacity)
    {
        lock (Gate)
        {
            if (capacity > LargeRows && Spare.TryGetTarget(out ListedEntry[]? spare) && spare.Length >= capacity)
            {
                Spare.SetTarget(null);
                return spare;
            }
        }

        return new ListedEntry[capacity];
    }

    private static void GiveBack(ListedEntry[] rows)
    {
        if (rows.Length > LargeRows)
        {
            lock (Gate)
            {
                Spare.SetTarget(rows);
            }
        }
    }
}
