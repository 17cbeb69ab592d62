using System.Runtime.InteropServices;
using Couic.Store;
using Xunit;

namespace Couic.Tests.Store;

/// <summary>The memory of long listings.</summary>
public class EntrySnapshotTests
{
    /// <summary>Ten megabytes at a full policy. Other tests list as well and may come in between, so a few attempts are made.</summary>
    [Fact]
    public void NextSnapshot_OfSlightlyMoreEntries_ReusesTheArray()
    {
        bool isSame = false;
        for (int attempt = 0; attempt < 5 && !isSame; attempt++)
        {
            int entries = 300_000 + (attempt * 600); // more than any other test lists
            ListedEntry[] first = ArrayOf(entries);
            isSame = ArrayOf(entries + 300) == first;
        }

        Assert.True(isSame, "each listing took memory of its own");
    }

    /// <summary>Entries that are added while it is copied.</summary>
    [Theory]
    [InlineData(0)]
    [InlineData(10)]
    [InlineData(16_000)]
    [InlineData(20_000)]
    public void Snapshot_ThatGrows_KeepsItsRows(int expected)
    {
        using var listing = new EntrySnapshot(expected);
        for (int i = 0; i < 70_000; i++)
        {
            listing.Add(new ListedEntry(new Cidr(IpFamily.V6, 0x2001_0db8_0000_0000, (ulong)i, 128), 1, 0, 0));
        }

        Assert.Equal(Enumerable.Range(0, 70_000).Select(i => (ulong)i), listing.Rows.ToArray().Select(row => row.Cidr.Low));
    }

    private static ListedEntry[] ArrayOf(int entries)
    {
        using var listing = new EntrySnapshot(entries);
        for (int i = 0; i < entries; i++)
        {
            listing.Add(default);
        }

        MemoryMarshal.TryGetArray<ListedEntry>(listing.Rows, out ArraySegment<ListedEntry> rows);
        return rows.Array!;
    }
}
