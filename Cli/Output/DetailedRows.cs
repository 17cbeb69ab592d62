using System.Globalization;
using System.Text;
using Couic.Cli.Api;
using Couic.Cli.Values;
using Couic.CommandLine;
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

/// <summary>Compact rows of a table of entries with their details: 96 bytes each, and each name's text once.</summary>
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
        _rows.Add(new Row(entry.Cidr, entry.Creation, entry.Expiration, entry.Packets ?? 0, entry.LastHit ?? 0, Name(entry.Tag), Name(entry.AddedBy), Name(entry.Reason), Math.Max(0, entry.ReadClaims().Length - 1)));
        _hasReasons |= !entry.Reason.IsEmpty;
    }

    /// <summary>Prints the table; times count from now.</summary>
    public void Write(Invocation invocation, Policy policy, DateTimeOffset now)
    {
        ulong second = (ulong)now.ToUnixTimeSeconds();
        string name = policy.Name();
        var shown = new List<Column<Row>>
        {
            new("Policy", _ => name) { Drop = 1 },
            new("CIDR", row => row.Cidr.ToString()),
            new("Tag", row => ClaimTable.TagCell(row.Tag, row.MoreClaims)) { IsText = true, Exact = row => row.Tag, Drop = 6 },
            new("Expiration", row => ExpirationCell.Format(row.Expiration, now)) { Exact = row => PointInTime.Text(row.Expiration), Drop = 5 },
        };
        if (columns.HasFlag(EntryColumns.Hits) && IsCounted)
        {
            shown.Add(new("Packets", row => Quantity.Grouped(row.Packets)) { IsNumber = true, Exact = row => row.Packets.ToString(CultureInfo.InvariantCulture) });
            shown.Add(new("Last hit", row => row.LastHit == 0 ? "never" : Ago.Text(row.LastHit, second)) { Exact = row => PointInTime.Text(row.LastHit), Drop = 4 });
        }

        if (columns.HasFlag(EntryColumns.Added))
        {
            shown.Add(new("Added", row => Ago.Text(row.Creation, second)) { Exact = row => PointInTime.Text(row.Creation), Drop = 3 });
        }

        if (columns.HasFlag(EntryColumns.AddedBy))
        {
            shown.Add(new("Added by", row => row.AddedBy) { IsText = true, Drop = 2 });
        }

        if (_hasReasons || invocation.Style.Format == OutputFormat.Tsv)
        {
            shown.Add(new("Reason", row => row.Reason) { IsText = true, Drop = 3 });
        }

        Table.Write(invocation, _rows, [.. shown]);
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

    private readonly record struct Row(Cidr Cidr, ulong Creation, ulong Expiration, ulong Packets, ulong LastHit, string Tag, string AddedBy, string Reason, int MoreClaims);
}
