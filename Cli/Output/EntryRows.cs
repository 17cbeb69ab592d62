using System.Text;
using Couic.Cli.Api;
using Couic.Cli.Values;
using Couic.Store;

namespace Couic.Cli.Output;

/// <summary>Entries on their way into a table, kept small: 48 bytes each, a tag's text once.</summary>
internal sealed class EntryRows
{
    private static readonly string[] Headers = ["Policy", "CIDR", "Tag", "Expiration"];

    private readonly List<Row> _rows = [];
    private readonly List<string> _tags = [""];
    private readonly Dictionary<string, int> _tagNumbers = new(StringComparer.Ordinal) { [""] = 0 };

    public void Add(in EntryLine entry) => _rows.Add(new Row(entry.Cidr, entry.Expiration, TagNumber(entry.Tag)));

    /// <summary>Prints the table; the time that is left is counted from now.</summary>
    public void Write(TextWriter output, Policy policy, DateTimeOffset now)
    {
        string name = policy.Name();
        Table.Write(output, Headers, _rows, (row, column) => column switch
        {
            0 => name,
            1 => row.Cidr.ToString(),
            2 => _tags[row.Tag],
            _ => ExpirationCell.Format(row.Expiration, now),
        });
    }

    private int TagNumber(ReadOnlySpan<byte> tag)
    {
        if (tag.IsEmpty)
        {
            return 0;
        }

        Span<char> text = stackalloc char[256];
        if (tag.Length > text.Length)
        {
            throw new System.Text.Json.JsonException();
        }

        ReadOnlySpan<char> key = text[..Encoding.UTF8.GetChars(tag, text)];
        Dictionary<string, int>.AlternateLookup<ReadOnlySpan<char>> numbers = _tagNumbers.GetAlternateLookup<ReadOnlySpan<char>>();
        if (!numbers.TryGetValue(key, out int number))
        {
            number = _tags.Count;
            _tags.Add(Printable.Escape(key.ToString()));
            _tagNumbers.Add(key.ToString(), number);
        }

        return number;
    }

    private readonly record struct Row(Cidr Cidr, ulong Expiration, int Tag);
}
