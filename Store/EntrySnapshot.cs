using System.Buffers;
using System.Numerics;
using System.Runtime.CompilerServices;

namespace Couic.Store;

/// <summary>
/// A copy of entries for a response, in an array that the next snapshot reuses: otherwise each would leave megabytes of garbage. The
/// caller disposes it and does not use it afterwards. Not thread-safe.
/// </summary>
public sealed class EntrySnapshot : IDisposable
{
    /// <summary>Not ArrayPool's, which keeps arrays per thread. The collector takes them when none was used for a while.</summary>
    private static readonly WeakReference<ListedEntry[]?>[] Spares = [.. Enumerable.Range(0, MaxSpares).Select(_ => new WeakReference<ListedEntry[]?>(null))];
    private static readonly Lock Gate = new();

    /// <summary>Arrays up to this size come from ArrayPool. Larger ones are multiples of it, so that the array fits the next snapshot, of a few more entries.</summary>
    private const int LargeRows = 16_384;

    /// <summary>Snapshots that exist at a time by default.</summary>
    private const int MaxSpares = 2;

    private readonly PlacedNames _tags = new();
    private readonly PlacedNames _reasons = new();
    private Dictionary<Cidr, Claim[]>? _claims;
    private ListedEntry[] _rows;
    private int _count;

    /// <param name="capacity">Expected entries; it grows if there are more.</param>
    internal EntrySnapshot(int capacity)
    {
        _rows = Take(capacity);
        PlaceReason([]);
    }

    public int Count => _count;

    /// <summary>Memory of the array.</summary>
    public int Bytes => _rows.Length * Unsafe.SizeOf<ListedEntry>();

    public Memory<ListedEntry> Rows => _rows.AsMemory(0, _count);

    /// <summary>The tag of a row: UTF-8, empty for none; shared.</summary>
    public byte[] Tag(in ListedEntry row) => _tags[row.Tag];

    /// <summary>The reason of a row: UTF-8, empty for none; shared.</summary>
    public byte[] Reason(in ListedEntry row) => _reasons[row.Reason];

    /// <inheritdoc cref="Entry.Claims"/>
    public Claim[]? Claims(in ListedEntry row) => _claims?.GetValueOrDefault(row.Cidr);

    public void Dispose()
    {
        GiveBack(_rows);
        _rows = [];
        _count = 0;
    }

    /// <summary>The number by which a row refers to a tag.</summary>
    internal int Place(byte[] tag) => _tags.Place(tag);

    /// <summary>As <see cref="Place(byte[])"/>, once for all rows with a tag of the store.</summary>
    /// <param name="tag">The store's array.</param>
    /// <param name="number">The store's number of it, which may belong to another tag once the store has changed.</param>
    internal int Place(byte[] tag, int number) => _tags.Place(tag, number);

    /// <summary>The number by which a row refers to a reason; that of no reason is 0.</summary>
    internal int PlaceReason(byte[] reason) => _reasons.Place(reason);

    /// <inheritdoc cref="Place(byte[], int)"/>
    internal int PlaceReason(byte[] reason, int number) => _reasons.Place(reason, number);

    internal void NoteClaims(Cidr cidr, Claim[]? claims)
    {
        if (claims is not null)
        {
            (_claims ??= [])[cidr] = claims;
        }
    }

    internal void Add(in ListedEntry row)
    {
        if (_count == _rows.Length)
        {
            ListedEntry[] larger = Take(Math.Clamp(_count * 2, 16, _count + LargeRows));
            Rows.CopyTo(larger);
            GiveBack(_rows);
            _rows = larger;
        }

        _rows[_count++] = row;
    }

    /// <summary>Sorts by network. Of equal networks, which result from an entry that was removed and added again, one is kept.</summary>
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
        if (capacity <= LargeRows)
        {
            return ArrayPool<ListedEntry>.Shared.Rent(capacity);
        }

        lock (Gate)
        {
            foreach (WeakReference<ListedEntry[]?> spare in Spares)
            {
                if (spare.TryGetTarget(out ListedEntry[]? rows) && rows.Length >= capacity)
                {
                    spare.SetTarget(null);
                    return rows;
                }
            }
        }

        return new ListedEntry[((capacity / LargeRows) + 1) * LargeRows];
    }

    private static void GiveBack(ListedEntry[] rows)
    {
        if (rows.Length > LargeRows)
        {
            lock (Gate)
            {
                (Array.Find(Spares, spare => !spare.TryGetTarget(out _)) ?? Spares[0]).SetTarget(rows);
            }
        }
        else if (rows.Length > 0)
        {
            ArrayPool<ListedEntry>.Shared.Return(rows);
        }
    }
}

/// <summary>Texts of the store that a snapshot refers to by its own numbers. Not thread-safe.</summary>
internal sealed class PlacedNames
{
    private readonly List<byte[]> _names = [];
    private int[] _placeOfName = [];

    public byte[] this[int place] => _names[place];

    public int Place(byte[] name)
    {
        _names.Add(name);
        return _names.Count - 1;
    }

    /// <inheritdoc cref="EntrySnapshot.Place(byte[], int)"/>
    public int Place(byte[] name, int number)
    {
        if (number >= _placeOfName.Length)
        {
            int known = _placeOfName.Length;
            Array.Resize(ref _placeOfName, (int)BitOperations.RoundUpToPowerOf2((uint)Math.Max(number + 1, 16)));
            _placeOfName.AsSpan(known).Fill(-1);
        }

        ref int place = ref _placeOfName[number];
        if (place < 0 || _names[place] != name)
        {
            place = Place(name);
        }

        return place;
    }
}

/// <summary>
/// One entry of a snapshot, in 48 bytes. It has no references: with them, the collector would take 10 ms to trace 262,144 entries.
/// </summary>
/// <param name="tag">The number for <see cref="EntrySnapshot.Tag"/>.</param>
/// <param name="reason">The number for <see cref="EntrySnapshot.Reason"/>.</param>
public readonly struct ListedEntry(Cidr cidr, ulong creation, ulong expiration, int tag, int reason = 0)
{
    /// <summary>By network.</summary>
    public static readonly Comparison<ListedEntry> Order = static (a, b) => a.Cidr.CompareTo(b.Cidr);

    private readonly ulong _high = cidr.High;
    private readonly ulong _low = cidr.Low;
    private readonly byte _length = cidr.Length;
    private readonly IpFamily _family = cidr.Family;

    public Cidr Cidr => new(_family, _high, _low, _length);

    public ulong Creation { get; } = creation;

    public ulong Expiration { get; } = expiration;

    public int Tag { get; } = tag;

    public int Reason { get; } = reason;
}
