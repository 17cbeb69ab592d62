using System.Globalization;
using Couic.Cli.Values;
using Couic.Http.Wire;
using Couic.Store;

namespace Couic.Cli.Output;

/// <summary>An entry that covers an address.</summary>
/// <param name="Json">As the API gave it.</param>
internal sealed record CoveringEntry(Policy Policy, Cidr Cidr, EntryRecord Entry, byte[] Json);

/// <summary>The table of <c>why</c>; columns that a daemon has nothing to say in are left out.</summary>
internal static class CoveringTable
{
    private sealed record Column(string Header, Func<CoveringEntry, string> Cell);

    /// <param name="entries">The first one decides.</param>
    public static void Write(TextWriter output, IReadOnlyList<CoveringEntry> entries, DateTimeOffset now)
    {
        ulong second = (ulong)now.ToUnixTimeSeconds();
        Column[] columns =
        [
            new("Policy", e => e.Policy.Name()),
            new("CIDR", e => e.Cidr.ToString()),
            new("Decides", e => ReferenceEquals(e, entries[0]) ? "yes" : "no"),
            new("Tag", e => Printable.Escape(e.Entry.Tag ?? "")),
            new("Expiration", e => ExpirationCell.Format(e.Entry.Expiration, now)),
            new("Added", e => Ago.Text(e.Entry.Creation, second)),
            new("Added by", e => Printable.Escape(e.Entry.AddedBy ?? "")),
            new("Packets", e => e.Entry.Packets?.ToString(CultureInfo.InvariantCulture) ?? ""),
            new("Last hit", e => e.Entry.LastHit is { } hit ? hit == 0 ? "never" : Ago.Text(hit, second) : ""),
        ];
        columns = Array.FindAll(columns, c => c.Header == "Tag" || entries.Any(e => c.Cell(e).Length > 0));
        Table.Write(output, Array.ConvertAll(columns, c => c.Header), entries, (entry, i) => columns[i].Cell(entry));
    }
}
