using System.Text;
using Couic.Store;
using Couic.Tests.Fakes;
using Xunit;
using static Couic.Tests.Store.StoreRig;

namespace Couic.Tests.Store;

public class RuleStoreTests
{
    private readonly StoreRig _rig = new();

    [Fact]
    public void AnAddedEntryIsInTheDataPlaneAndHasItsFields()
    {
        ulong later = _rig.Clock.Seconds + 60;
        Assert.Equal(StoreOutcome.Created, _rig.Add("192.0.2.1/24", "scan", later));

        Entry entry = _rig.Get("192.0.2.0/24");
        Assert.Equal("192.0.2.0/24", entry.Cidr.ToString());
        Assert.Equal(_rig.Clock.Seconds, entry.Creation);
        Assert.Equal(later, entry.Expiration);
        Assert.Equal("scan", Encoding.UTF8.GetString(entry.Tag.Span));
        Assert.Equal("tester", Encoding.UTF8.GetString(entry.Creator.Span));
        Assert.Equal(ChangeOrigin.Api, entry.Origin);
        Assert.Equal(Policy.Drop, _rig.Plane.Verdict(Net("192.0.2.77/32")));
        Assert.Null(_rig.Plane.Verdict(Net("192.0.3.0/32")));
    }

    [Theory]
    [InlineData("192.168.1.0/32", "192.168.1.0/32")]
    [InlineData("192.168.1.1/32", "192.168.1.1/32")]
    [InlineData("192.168.1.2/24", "192.168.1.0/24")]
    [InlineData("192.168.1.200/24", "192.168.1.0/24")]
    [InlineData("2001:db8::ff/64", "2001:db8::/64")]
    [InlineData("2001:db8::ff/120", "2001:db8::/120")]
    [InlineData("ff02::1/0", "::/0")]
    public void EntriesAreStoredByTheirNetworkAddress(string given, string stored)
    {
        Assert.Equal(StoreOutcome.Created, _rig.Add(given));
        Assert.Equal([stored], _rig.Store.SortedNetworks(Policy.Drop).Select(c => c.ToString()));
        Assert.Equal(StoreOutcome.Conflict, _rig.Add(stored));
    }

    [Fact]
    public void TheSameNetworkUnderAnotherHostAddressIsADuplicate()
    {
        Assert.Equal(StoreOutcome.Created, _rig.Add("192.168.0.1/24"));
        Assert.Equal(StoreOutcome.Conflict, _rig.Add("192.168.0.2/24"));
        Assert.Equal(1, _rig.Store.Count(Policy.Drop));
    }

    [Fact]
    public void PoliciesAndLengthsDoNotConflictWithEachOther()
    {
        Assert.Equal(StoreOutcome.Created, _rig.Add("192.168.0.0/24"));
        Assert.Equal(StoreOutcome.Created, _rig.Add("192.168.0.0/25"));
        Assert.Equal(StoreOutcome.Created, _rig.Add("192.168.0.0/24", policy: Policy.Ignore));
        Assert.Equal(2, _rig.Store.Count(Policy.Drop));
        Assert.Equal(1, _rig.Store.Count(Policy.Ignore));
    }

    [Fact]
    public void AConflictLeavesTheEntryAndTheDataPlaneAsTheyWere()
    {
        _rig.Add("192.0.2.0/24", "first");
        _rig.Clock.AdvanceSeconds(5);
        int applied = _rig.Plane.Applied;

        StoreOutcome outcome = _rig.Store.Add(
            Policy.Drop, Net("192.0.2.9/24"), "second"u8, 0, ConflictMode.Refuse, new ChangeContext(ChangeOrigin.Api, "x"u8), out Entry entry);

        Assert.Equal(StoreOutcome.Conflict, outcome);
        Assert.Equal("first", Encoding.UTF8.GetString(entry.Tag.Span));
        Assert.Equal(entry, _rig.Get("192.0.2.0/24"));
        Assert.Equal(applied, _rig.Plane.Applied);
    }

    [Fact]
    public void AnUpdateReplacesTagAndExpiryAndKeepsCreation()
    {
        _rig.Add("192.0.2.0/24", "first");
        ulong created = _rig.Clock.Seconds;
        _rig.Clock.AdvanceSeconds(5);
        ulong later = _rig.Clock.Seconds + 100;

        Assert.Equal(StoreOutcome.Updated, _rig.Add("192.0.2.0/24", "second", later, ConflictMode.Update));
        Entry entry = _rig.Get("192.0.2.0/24");
        Assert.Equal(created, entry.Creation);
        Assert.Equal(later, entry.Expiration);
        Assert.Equal("second", Encoding.UTF8.GetString(entry.Tag.Span));
        _rig.AssertPlaneAgrees();
        Assert.Equal(StoreOutcome.Unchanged, _rig.Add("192.0.2.0/24", "second", later, ConflictMode.Update));
        Assert.Equal(["Created Drop 192.0.2.0/24 Api", "Updated Drop 192.0.2.0/24 Api"], _rig.Feed.Drain());
    }

    [Fact]
    public void NewExpiryAlone_ChangesNothingInTheDataPlane()
    {
        _rig.Add("192.0.2.0/24", "t");
        int applied = _rig.Plane.Applied;
        Assert.Equal(StoreOutcome.Updated, _rig.Add("192.0.2.0/24", "t", _rig.Clock.Seconds + 9, ConflictMode.Update));
        Assert.Equal(applied, _rig.Plane.Applied);
        _rig.Clock.AdvanceSeconds(9);
        Assert.Equal(1, _rig.Store.Expire());
    }

    [Fact]
    public void Removal_ReturnsTheEntry_WhichIsAbsentAfterwards()
    {
        _rig.Add("192.0.2.0/24", "t");
        StoreOutcome outcome = _rig.Store.Remove(
            Policy.Drop, Net("192.0.2.200/24"), new ChangeContext(ChangeOrigin.Api, "x"u8), out Entry entry);
        Assert.Equal(StoreOutcome.Removed, outcome);
        Assert.Equal("192.0.2.0/24", entry.Cidr.ToString());
        Assert.Equal("t", Encoding.UTF8.GetString(entry.Tag.Span));
        Assert.Equal(StoreOutcome.Absent, _rig.Remove("192.0.2.0/24"));
        Assert.Equal(StoreOutcome.Absent, _rig.Remove("192.0.2.0/25"));
        Assert.Null(_rig.Plane.Verdict(Net("192.0.2.1/32")));
    }

    [Fact]
    public void AFullTableRefusesNewNetworksAndStillSeesDuplicates()
    {
        var rig = new StoreRig(new StoreLimits(MaxDropEntries: 2, MaxIgnoreEntries: 1));
        rig.Add("10.0.0.1/32");
        rig.Add("10.0.0.2/32");
        Assert.Equal(StoreOutcome.Full, rig.Add("10.0.0.3/32"));
        Assert.Equal(StoreOutcome.Conflict, rig.Add("10.0.0.2/32"));
        Assert.Equal(StoreOutcome.Updated, rig.Add("10.0.0.2/32", "t", mode: ConflictMode.Update));
        Assert.Equal(StoreOutcome.Created, rig.Add("::1/128"));
        Assert.Equal(StoreOutcome.Created, rig.Add("10.0.0.3/32", policy: Policy.Ignore));
        Assert.Equal(StoreOutcome.Removed, rig.Remove("10.0.0.1/32"));
        Assert.Equal(StoreOutcome.Created, rig.Add("10.0.0.3/32"));
        rig.AssertPlaneAgrees();
    }

    [Fact]
    public void ExpiredEntry_TakesNoSlotInAFullTable()
    {
        var rig = new StoreRig(new StoreLimits(MaxDropEntries: 1));
        rig.Add("10.0.0.1/32", expiration: rig.Clock.Seconds + 1);
        rig.Clock.AdvanceSeconds(1);
        Assert.Equal(StoreOutcome.Created, rig.Add("10.0.0.2/32"));
        Assert.Equal(
            ["Created Drop 10.0.0.1/32 Api", "Expired Drop 10.0.0.1/32 Expiry", "Created Drop 10.0.0.2/32 Api"], rig.Feed.Drain());
        rig.AssertPlaneAgrees();
    }

    [Fact]
    public void ARefusedAdditionLeavesBothSidesUnchanged()
    {
        _rig.Plane.RefuseAt = 1;
        Assert.Equal(StoreOutcome.Refused, _rig.Add("192.0.2.0/24", "t"));
        Assert.Equal(12, _rig.Store.LastRefusal?.Errno);
        Assert.False(_rig.Has("192.0.2.0/24"));
        Assert.Equal(0, _rig.Store.Count(Policy.Drop));
        Assert.Empty(_rig.Feed.Events);
        _rig.AssertPlaneAgrees();
        Assert.Equal(StoreOutcome.Created, _rig.Add("192.0.2.0/24", "t"));
    }

    [Fact]
    public void ARefusedUpdateOrRemovalLeavesBothSidesUnchanged()
    {
        _rig.Add("192.0.2.0/24", "t");
        Entry before = _rig.Get("192.0.2.0/24");
        _rig.Feed.Drain();

        _rig.Plane.RefuseAt = 1;
        Assert.Equal(StoreOutcome.Refused, _rig.Add("192.0.2.0/24", "u", 0, ConflictMode.Update));
        _rig.Plane.RefuseAt = 1;
        Assert.Equal(StoreOutcome.Refused, _rig.Remove("192.0.2.0/24"));

        Assert.Equal(before, _rig.Get("192.0.2.0/24"));
        Assert.Empty(_rig.Feed.Events);
        Assert.Equal(0, _rig.Store.Tags(Policy.Drop).Single(t => t.Tag == "u").Entries);
        _rig.AssertPlaneAgrees();
    }

    [Fact]
    public void Listeners_HearOfChanges_InTheOrderOfSubscription()
    {
        var second = new RecordingFeed();
        _rig.Store.Subscribe(second);
        _rig.Add("10.0.0.1/32");
        _rig.Add("10.0.0.1/32");
        _rig.Add("10.0.0.1/32", "t", mode: ConflictMode.Update);
        _rig.Remove("10.0.0.1/32");
        Assert.Equal(
            ["Created Drop 10.0.0.1/32 Api", "Updated Drop 10.0.0.1/32 Api", "Deleted Drop 10.0.0.1/32 Api"], second.Drain());
        Assert.Equal(3, _rig.Feed.Events.Count);
    }

    [Fact]
    public void MetadataGoesIntoTheEventOnly()
    {
        byte[] metadata = "{}"u8.ToArray();
        _rig.Store.Add(
            Policy.Drop, Net("10.0.0.1/32"), default, 0, ConflictMode.Refuse, new ChangeContext(ChangeOrigin.Api, "x"u8, metadata), out _);
        Assert.Same(metadata, _rig.Feed.Events.Single().Metadata);
    }

    [Fact]
    public void ListingsAreSortedByFamilyAddressAndLength()
    {
        string[] order = ["0.0.0.0/0", "10.0.0.0/8", "10.0.0.0/24", "10.0.0.0/32", "10.0.0.1/32", "255.255.255.255/32", "::/0", "::/1", "::1/128", "ff00::/8"];
        foreach (string cidr in order.Reverse())
        {
            _rig.Add(cidr);
        }

        Assert.Equal(order, _rig.Store.SortedNetworks(Policy.Drop).Select(c => c.ToString()));
    }

    [Fact]
    public void Read_SkipsEntriesRemovedSinceTheListing()
    {
        _rig.Add("10.0.0.1/32");
        _rig.Add("10.0.0.2/32", expiration: _rig.Clock.Seconds + 1);
        _rig.Add("10.0.0.3/32");
        Cidr[] networks = _rig.Store.SortedNetworks(Policy.Drop);
        _rig.Remove("10.0.0.1/32");
        _rig.Clock.AdvanceSeconds(1);
        var entries = new Entry[3];
        Assert.Equal(1, _rig.Store.Read(Policy.Drop, networks, entries));
        Assert.Equal("10.0.0.3/32", entries[0].Cidr.ToString());
    }

    [Fact]
    public void CoveringNamesTheLongestPrefixFirst()
    {
        foreach (string cidr in (string[])["0.0.0.0/0", "192.168.0.0/24", "192.168.0.0/25", "192.168.0.128/25", "192.168.0.10/32"])
        {
            _rig.Add(cidr);
        }

        Assert.Equal(
            ["192.168.0.10/32", "192.168.0.0/25", "192.168.0.0/24", "0.0.0.0/0"],
            _rig.Store.Covering(Policy.Drop, Net("192.168.0.10/32")).Select(e => e.Cidr.ToString()));
        Assert.Equal("192.168.0.128/25", _rig.Store.Covering(Policy.Drop, Net("192.168.0.200/32"))[0].Cidr.ToString());
        Assert.Equal(["0.0.0.0/0"], _rig.Store.Covering(Policy.Drop, Net("10.0.0.1/32")).Select(e => e.Cidr.ToString()));
        Assert.Empty(_rig.Store.Covering(Policy.Drop, Net("::1/128")));
    }

    [Fact]
    public void TagsBeyondTheLimitShareOneCounter()
    {
        var rig = new StoreRig(new StoreLimits(MaxTags: 2));
        rig.Add("10.0.0.1/32", "a");
        rig.Add("10.0.0.2/32", "b");
        rig.Add("10.0.0.3/32", "c");
        rig.Add("10.0.0.4/32", "d");
        rig.Add("10.0.0.5/32");
        rig.AssertPlaneAgrees();
        Assert.Equal(
            [("", 0, 1), ("a", 1, 1), ("b", 2, 1), ("c", 3, 1), ("d", 3, 1)],
            rig.Store.Tags(Policy.Drop).Select(t => (t.Tag, t.Counter, t.Entries)));

        rig.Remove("10.0.0.1/32");
        rig.Remove("10.0.0.3/32");
        Assert.Equal(
            [("", 0, 1), ("a", 1, 0), ("b", 2, 1), ("d", 3, 1)],
            rig.Store.Tags(Policy.Drop).Select(t => (t.Tag, t.Counter, t.Entries)));
    }

    [Fact]
    public void EachPolicyCountsItsOwnTags()
    {
        _rig.Add("10.0.0.1/32", "a");
        _rig.Add("10.0.0.1/32", "b", policy: Policy.Ignore);
        Assert.Equal(["", "a"], _rig.Store.Tags(Policy.Drop).Select(t => t.Tag));
        Assert.Equal(["", "b"], _rig.Store.Tags(Policy.Ignore).Select(t => t.Tag));
    }

    [Fact]
    public void Listing_ReusesItsMemory()
    {
        for (uint i = 0; i < 10_000; i++)
        {
            _rig.Add(Cidr.FromV4(0x0a000000 + (i * 7919 % 65_536)), "a");
        }

        long used = long.MaxValue;
        for (int round = 0; round < 50 && used > 1024; round++)
        {
            Thread.Sleep(20); // code that was not compiled with optimizations yet puts structs in boxes
            long before = GC.GetAllocatedBytesForCurrentThread();
            using (EntrySnapshot listing = _rig.Store.List(Policy.Drop))
            {
                Assert.Equal(10_000, listing.Rows.Length);
            }

            used = GC.GetAllocatedBytesForCurrentThread() - before;
        }

        Assert.True(used <= 1024, $"{used} bytes for a listing");
    }

    [Fact]
    public async Task Hold_KeepsOtherThreadsOut_AndLetsItsHolderChange()
    {
        Task<bool> other;
        using (_rig.Store.Hold())
        {
            other = Task.Run(() => _rig.Has("10.0.0.1/32"));
            Assert.Equal(StoreOutcome.Created, _rig.Add("10.0.0.1/32"));
            Assert.Equal(StoreOutcome.Removed, _rig.Remove("10.0.0.1/32"));
            Assert.Equal(StoreOutcome.Created, _rig.Add("10.0.0.1/32"));
        }

        Assert.True(await other);
    }

    [Theory]
    [InlineData(ConflictMode.Refuse)]
    [InlineData(ConflictMode.Update)]
    public void TimeLeft_TakesPrecedenceOverTheWallClock(ConflictMode mode)
    {
        if (mode == ConflictMode.Update)
        {
            _rig.Add("10.0.0.1/32");
        }

        ulong expiration = _rig.Clock.Seconds - 3_600;
        var context = new ChangeContext(ChangeOrigin.Peer, "peer"u8, left: TimeSpan.FromSeconds(10));
        _rig.Store.Add(Policy.Drop, Net("10.0.0.1/32"), default, expiration, mode, context, out Entry entry);

        Assert.Equal(expiration, entry.Expiration);
        _rig.Clock.AdvanceSeconds(9.999);
        Assert.True(_rig.Has("10.0.0.1/32"));
        _rig.Clock.AdvanceSeconds(0.001);
        Assert.False(_rig.Has("10.0.0.1/32"));
    }
}
