using Couic.Store;
using Xunit;

namespace Couic.Tests.Store;

/// <summary>Pages of a list against the whole list, while entries come and go and expire.</summary>
public class PageTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void PagesAreThoseOfTheWholeListWhateverChangesBetweenThem(int seed)
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
            ListedEntry[] whole = Rows(rig.Store.List(Policy.Drop));
            Cidr? after = random.Next(4) switch
            {
                0 => null,
                1 => StoreRig.Net(RandomNetwork(random)),
                _ => whole[random.Next(whole.Length)].Cidr,
            };
            bool picks = random.Next(2) == 0;
            int limit = random.Next(3) == 0 ? 10_000 : random.Next(700);
            Assert.Equal(
                whole.Where(row => (after is null || row.Cidr > after) && (!picks || row.Tag.Length > 0)).Take(limit).Select(Text),
                Rows(rig.Store.ListPage(Policy.Drop, after, limit, picks ? tag => tag.Length > 0 : null)!).Select(Text));
        }
    }

    [Fact]
    public async Task APageIsReadWhileTheTableIsFilled()
    {
        var rig = new StoreRig();
        rig.Plane.Checks = false;
        Task filling = Task.Run(() =>
        {
            for (uint i = 0; i < 60_000; i++)
            {
                rig.Store.Add(Policy.Drop, Cidr.FromV4(i * 7919), default, 0, ConflictMode.Refuse, new ChangeContext(ChangeOrigin.Api, "x"u8), out _);
            }
        });
        do
        {
            using Listing? page = rig.Store.ListPage(Policy.Drop, null, 500, null);
            Cidr[] networks = page is null ? [] : [.. Rows(page).Select(row => row.Cidr)];
            Assert.Equal(networks.Order().Distinct(), networks);
        }
        while (!filling.IsCompleted);

        await filling;
        Assert.Equal(Rows(rig.Store.List(Policy.Drop)).Take(500).Select(Text), Rows(rig.Store.ListPage(Policy.Drop, null, 500, null)!).Select(Text));
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

    private static ListedEntry[] Rows(Listing listing)
    {
        ListedEntry[] rows = listing.Rows.ToArray();
        listing.Dispose();
        return rows;
    }

    private static string Text(ListedEntry row) => $"{row.Cidr} {row.Creation} {row.Expiration} {System.Text.Encoding.ASCII.GetString(row.Tag)}";
}
