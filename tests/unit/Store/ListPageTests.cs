using System.Text;
using Couic.Store;
using Xunit;

namespace Couic.Tests.Store;

/// <summary>Pages of a list against the whole list, while entries come and go and expire.</summary>
public class ListPageTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Pages_AreThoseOfTheWholeList_WhateverChangesBetweenThem(int seed)
    {
        var random = new Random(seed);
        var rig = new StoreRig();
        rig.Plane.Checks = false;
        for (int i = 0; i < 6_000; i++)
        {
            rig.Add(RandomNetwork(random), i % 3 == 0 ? "scan" : "", random.Next(4) == 0 ? rig.Clock.Seconds + 1 + (ulong)random.Next(60) : 0);
        }

        for (int round = 0; round < 300; round++)
        {
            Change(rig, random, random.Next(60));
            Row[] whole = Rows(rig.Store.List(Policy.Drop));
            Cidr? after = random.Next(4) switch
            {
                0 => null,
                1 => StoreRig.Net(RandomNetwork(random)),
                _ => whole[random.Next(whole.Length)].Cidr,
            };
            bool picks = random.Next(2) == 0;
            int limit = random.Next(3) == 0 ? 10_000 : random.Next(700);
            Assert.Equal(
                whole.Where(row => (after is null || row.Cidr > after) && (!picks || row.Tag.Length > 0)).Take(limit),
                Rows(rig.Store.ListPage(Policy.Drop, after, limit, picks ? tag => tag.Length > 0 : null)!));
        }
    }

    [Fact]
    public async Task Page_IsRead_WhileTheTableIsFilled()
    {
        var rig = new StoreRig();
        rig.Plane.Checks = false;
        Task filling = Task.Run(() =>
        {
            for (uint i = 0; i < 60_000; i++)
            {
                rig.Store.Add(Policy.Drop, Cidr.FromV4(i * 7919), default, 0, ConflictMode.Refuse, new ChangeContext(ChangeOrigin.Api, "x"u8), out _);
            }
        }, TestContext.Current.CancellationToken);
        do
        {
            using EntrySnapshot? page = rig.Store.ListPage(Policy.Drop, null, 500, null);
            Cidr[] networks = page is null ? [] : [.. Rows(page).Select(row => row.Cidr)];
            Assert.Equal(networks.Order().Distinct(), networks);
        }
        while (!filling.IsCompleted);

        await filling;
        Assert.Equal(Rows(rig.Store.List(Policy.Drop)).Take(500), Rows(rig.Store.ListPage(Policy.Drop, null, 500, null)!));
    }

    private static void Change(StoreRig rig, Random random, int count)
    {
        if (random.Next(10) == 0)
        {
            rig.Clock.AdvanceSeconds(1);
        }

        for (int i = 0; i < count; i++)
        {
            switch (random.Next(4))
            {
                case 0:
                    rig.Store.Remove(Policy.Drop, StoreRig.Net(RandomNetwork(random)), new ChangeContext(ChangeOrigin.Api, "x"u8), out _);
                    break;
                case 1 when random.Next(20) == 0:
                    rig.Store.Expire();
                    break;
                default:
                    rig.Add(RandomNetwork(random), random.Next(2) == 0 ? "scan" : "");
                    break;
            }
        }
    }

    // Few enough that removals hit, in three lengths and both families.
    private static string RandomNetwork(Random random) => random.Next(3) switch
    {
        0 => $"10.{random.Next(4)}.{random.Next(256)}.{random.Next(4)}/32",
        1 => $"10.{random.Next(4)}.{random.Next(256)}.0/24",
        _ => $"2001:db8:{random.Next(8):x}::{random.Next(512):x}/128",
    };

    /// <summary>The store gives the number of a tag that nobody has any more to another one, also while it is listed.</summary>
    [Fact]
    public void Tag_IsIdentifiedByItsName_NotOnlyItsNumber()
    {
        using var listing = new EntrySnapshot(4);
        byte[] scan = [.. "scan"u8], probe = [.. "probe"u8];
        foreach ((byte[] tag, int number) in new[] { (scan, 3), (scan, 3), (probe, 3), (scan, 40), (probe, 3) })
        {
            listing.Add(new ListedEntry(Cidr.FromV4(1), 0, 0, listing.Place(tag, number)));
        }

        Assert.Equal([scan, scan, probe, scan, probe], listing.Rows.ToArray().Select(row => listing.Tag(row)));
        Assert.Equal(listing.Rows.Span[0].Tag, listing.Rows.Span[1].Tag);
        Assert.Equal(listing.Rows.Span[2].Tag, listing.Rows.Span[4].Tag);
    }

    private static Row[] Rows(EntrySnapshot listing)
    {
        using (listing)
        {
            return [.. listing.Rows.ToArray().Select(row => new Row(row.Cidr, row.Creation, row.Expiration, Encoding.ASCII.GetString(listing.Tag(row))))];
        }
    }

    private sealed record Row(Cidr Cidr, ulong Creation, ulong Expiration, string Tag);
}
