using Couic.Store;
using Couic.Tests.Fakes;
using Xunit;
using static Couic.Tests.Store.StoreRig;

namespace Couic.Tests.Store;

public class ExpiryTests
{
    private readonly StoreRig _rig = new();

    [Fact]
    public void Entry_ExpiresAtItsSecond_NotEarlier()
    {
        _rig.Add("10.0.0.1/32", expiration: _rig.Clock.Seconds + 10);
        _rig.Add("10.0.0.2/32");
        _rig.Clock.AdvanceSeconds(9.999);
        Assert.Equal(0, _rig.Store.Expire());
        Assert.True(_rig.Has("10.0.0.1/32"));
        Assert.Equal(TimeSpan.FromMilliseconds(1), _rig.Store.UntilNextExpiry());

        _rig.Clock.AdvanceSeconds(0.001);
        Assert.Equal(1, _rig.Store.Expire());
        Assert.Null(_rig.Plane.Verdict(Net("10.0.0.1/32")));
        Assert.Equal(Policy.Drop, _rig.Plane.Verdict(Net("10.0.0.2/32")));
        Assert.Equal("Expired Drop 10.0.0.1/32 Expiry", _rig.Feed.Drain()[^1]);
        Assert.Null(_rig.Store.UntilNextExpiry());
    }

    [Fact]
    public void TimeLeftOfAPeer_Applies_EvenForTheSameSecond()
    {
        ulong expiration = _rig.Clock.Seconds + 10;
        _rig.Add("10.0.0.1/32", expiration: expiration);
        var peer = new ChangeContext(ChangeOrigin.Peer, "peer"u8, left: TimeSpan.FromSeconds(8.5));
        Assert.Equal(StoreOutcome.Unchanged, _rig.Store.Add(Policy.Drop, Net("10.0.0.1/32"), default, expiration, ConflictMode.Update, peer, out _));
        _rig.Clock.AdvanceSeconds(8.5);
        Assert.Equal(1, _rig.Store.Expire());
        Assert.Null(_rig.Plane.Verdict(Net("10.0.0.1/32")));
    }

    [Fact]
    public void ExpiredEntry_IsAbsent_BeforeTheTimerRuns()
    {
        _rig.Add("10.0.0.0/24", expiration: _rig.Clock.Seconds + 10);
        _rig.Clock.AdvanceSeconds(10);
        Assert.False(_rig.Has("10.0.0.0/24"));
        Assert.Empty(_rig.Store.Covering(Policy.Drop, Net("10.0.0.1/32")));
        Assert.Equal(StoreOutcome.Absent, _rig.Remove("10.0.0.0/24"));
        Assert.Equal(0, _rig.Store.Read(Policy.Drop, [Net("10.0.0.0/24")], new Entry[1]));
    }

    [Fact]
    public void ExpiredEntry_CanBeAddedAgain()
    {
        _rig.Add("10.0.0.0/24", "old", _rig.Clock.Seconds + 10);
        _rig.Clock.AdvanceSeconds(10);
        Assert.Equal(StoreOutcome.Created, _rig.Add("10.0.0.0/24", "new"));
        Assert.Equal(_rig.Clock.Seconds, _rig.Get("10.0.0.0/24").Creation);
        Assert.Equal(
            ["Created Drop 10.0.0.0/24 Api", "Expired Drop 10.0.0.0/24 Expiry", "Created Drop 10.0.0.0/24 Api"], _rig.Feed.Drain());
        Assert.Equal(0, _rig.Store.Expire());
    }

    [Theory]
    [InlineData(1)]
    [InlineData(-1)]
    public void StepOfTheWallClock_ChangesNoExpiry(int days)
    {
        _rig.Add("10.0.0.1/32", expiration: _rig.Clock.Seconds + 10);
        _rig.Clock.StepWallClock(TimeSpan.FromDays(days));
        Assert.Equal(0, _rig.Store.Expire());
        Assert.True(_rig.Has("10.0.0.1/32"));
        _rig.Clock.AdvanceSeconds(10);
        Assert.False(_rig.Has("10.0.0.1/32"));
        Assert.Equal(1, _rig.Store.Expire());
    }

    [Theory]
    [InlineData(11_100_000_000)] // 292 years on, where nanoseconds leave 63 bits
    [InlineData(253_402_300_799)]
    [InlineData(253_402_300_800)]
    [InlineData(ulong.MaxValue)]
    public void ExpiryInTheFarFuture_IsKept(ulong expiration)
    {
        _rig.Add("10.0.0.1/32", expiration: _rig.Clock.Seconds + 1);
        Assert.Equal(StoreOutcome.Created, _rig.Add("10.0.0.2/32", expiration: expiration));
        _rig.Clock.AdvanceSeconds(1_000_000);
        Assert.Equal(1, _rig.Store.Expire());
        Assert.Equal(expiration, _rig.Get("10.0.0.2/32").Expiration);
    }

    [Fact]
    public void EntryWithAnExpiryInThePast_ExpiresAtOnce()
    {
        Assert.Equal(StoreOutcome.Created, _rig.Add("10.0.0.1/32", expiration: 1));
        Assert.False(_rig.Has("10.0.0.1/32"));
        Assert.Equal(1, _rig.Store.Expire());
    }

    [Fact]
    public void RenewedEntry_ExpiresAtItsNewTimeOnly()
    {
        _rig.Add("10.0.0.1/32", expiration: _rig.Clock.Seconds + 5);
        _rig.Add("10.0.0.1/32", expiration: _rig.Clock.Seconds + 50, mode: ConflictMode.Update);
        _rig.Clock.AdvanceSeconds(49);
        Assert.Equal(0, _rig.Store.Expire());
        _rig.Clock.AdvanceSeconds(1);
        Assert.Equal(1, _rig.Store.Expire());
    }

    [Fact]
    public void RefusedExpiry_IsRetried_AndDelaysNoOther()
    {
        _rig.Add("10.0.0.1/32", expiration: _rig.Clock.Seconds + 1);
        _rig.Add("10.0.0.2/32", expiration: _rig.Clock.Seconds + 2);
        _rig.Clock.AdvanceSeconds(2);
        _rig.Plane.Refuses = change => change.Cidr == Net("10.0.0.1/32");
        Assert.Equal(1, _rig.Store.Expire());
        Assert.Null(_rig.Plane.Verdict(Net("10.0.0.2/32")));
        _rig.AssertPlaneAgrees();
        Assert.False(_rig.Has("10.0.0.1/32"));

        _rig.Plane.Refuses = null;
        _rig.Clock.AdvanceSeconds(1);
        Assert.Equal(1, _rig.Store.Expire());
        Assert.Equal(0, _rig.Store.Count(Policy.Drop));
        _rig.AssertPlaneAgrees();
    }

    [Fact]
    public void IndexedHeap_RandomOperations_AgreeWithAModel()
    {
        var random = new Random(20260301);
        var table = new SlotTable<EntrySlot>();
        var heap = new IndexedHeap<EntrySlot>(table);
        var deadlines = new Dictionary<int, long>();
        for (uint i = 0; i < 2_000; i++)
        {
            table.Insert(Cidr.FromV4(i));
        }

        for (int round = 0; round < 50_000; round++)
        {
            int slot = random.Next(2_000);
            switch (random.Next(4))
            {
                case 0:
                    heap.Remove(slot);
                    deadlines.Remove(slot);
                    break;
                case 1 when deadlines.Count > 0:
                    Assert.Equal(deadlines.Values.Min(), heap.NextDeadline);
                    Assert.Equal(heap.NextDeadline, deadlines[heap.First]);
                    deadlines.Remove(heap.First);
                    heap.Remove(heap.First);
                    break;
                default:
                    long deadline = random.Next(10) == 0 ? long.MaxValue : random.Next(500);
                    heap.Schedule(slot, deadline);
                    deadlines.Remove(slot);
                    if (deadline != long.MaxValue)
                    {
                        deadlines[slot] = deadline;
                    }

                    break;
            }
        }

        foreach (long expected in deadlines.Values.Order())
        {
            Assert.Equal(expected, heap.NextDeadline);
            heap.Remove(heap.First);
        }

        Assert.Equal(long.MaxValue, heap.NextDeadline);
    }
}
