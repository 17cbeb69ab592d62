using System.Text;
using Couic.Cli.Api;
using Couic.Cli.Values;
using Couic.Store;

namespace Couic.Cli.Output;

/// <summary>Columns that a list of entries shows besides those of couic 1.x.</summary>
[Flags]
internal enum EntryColumns
{
    None = 0,
    Hits = 1,
    Added = 2,
    AddedBy = 4,
    All = Hits | Added | AddedBy,
}

/// <summary>Compact rows of a table of entries with their details: 88 bytes each, and each name's text once.</summary>
internal sealed class DetailedRows(EntryColumns columns)
{
    private readonly List<Row> _rows = [];
    private readonly Dictionary<string, string> _names = new(StringComparer.Ordinal);

    private bool _hasReasons;

    public int Count => _rows.Count;

    /// <summary>Whether the daemon counts the packets of entries; true without entries.</summary>
    public bool IsCounted { get; private set; } = true;

    public void Add(in EntryLine entry)
    {
        IsCounted = entry.Packets is not null;
        _rows.Add(new Row(entry.Cidr, entry.Creation, entry.Expiration, entry.Packets ?? 0, entry.LastHit ?? 0, Name(entry.Tag), Name(entry.AddedBy), Name(entry.Reason)));
        _hasReasons |= !entry.Reason.IsEmpty;
    }

    /// <summary>Prints the table; times count from now.</summary>
    public void Write(TextWriter output, Policy policy, DateTimeOffset now)
    {
        ulong second = (ulong)now.ToUnixTimeSeconds();
        string name = policy.Name();
        var shown = new List<(string Header, Func<Row, string> Cell)>
        {
            ("Policy", _ => name),
            ("CIDR", row => row.Cidr.ToString()),
            ("Tag", row => row.Tag),
            ("Expiration", row => ExpirationCell.Format(row.Expiration, now)),
        };
        if (columns.HasFlag(EntryColumns.Hits) && IsCounted)
        {
            int width = Math.Max("Packets".Length, Quantity.Grouped(_rows.Aggregate(0ul, (most, row) => Math.Max(most, row.Packets))).Length);
            shown.Add(("Packets", row => Quantity.Grouped(row.Packets).PadLeft(width)));
            shown.Add(("Last hit", row => row.LastHit == 0 ? "never" : Ago.Text(row.LastHit, second)));
        }

        if (columns.HasFlag(EntryColumns.Added))
        {
            shown.Add(("Added", row => Ago.Text(row.Creation, second)));
        }

        if (columns.HasFlag(EntryColumns.AddedBy))
        {
            shown.Add(("Added by", row => row.AddedBy));
        }

        if (_hasReasons)
        {
            shown.Add(("Reason", row => row.Reason));
        }

        Table.Write(output, [.. shown.Select(column => column.Header)], _rows, (row, i) => shown[i].Cell(row));
    }

    private string Name(ReadOnlySpan<byte> utf8)
    {
        Span<char> text = stackalloc char[256];
        if (utf8.Length > text.Length)
        {
            throw new System.Text.Json.JsonException();
        }

        ReadOnlySpan<char> key = text[..Encoding.UTF8.GetChars(utf8, text)];
        Dictionary<string, string>.AlternateLookup<ReadOnlySpan<char>> names = _names.GetAlternateLookup<ReadOnlySpan<char>>();
        if (!names.TryGetValue(key, out string? name))
        {
            name = Printable.Escape(key.ToString());
            _names.Add(key.ToString(), name);
        }

        return name;
    }

    private readonly record struct Row(Cidr Cidr, ulong Creation, ulong Expiration, ulong Packets, ulong LastHit, string Tag, string AddedBy, string Reason);
}
