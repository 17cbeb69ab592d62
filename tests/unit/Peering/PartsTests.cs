using Couic.Peering;
using Xunit;

namespace Couic.Tests.Peering;

/// <summary>The small parts that the rest is made of.</summary>
public class PartsTests
{
    [Fact]
    public void ARecordIsSafeToForgetAfterAsManyRoundsAsThereArePeersAndSomeForWhatIsOnItsWay()
    {
        const int Peers = 2;
        var rounds = new StabilityTracker(gap: 5);
        rounds.Update(now: 10, comparedAt: 0, Peers);
        long now = 20;
        for (int round = 0; round < StabilityTracker.OnTheWay + Peers; round++)
        {
            rounds.Update(now, comparedAt: now, Peers);
            rounds.Update(now + 5, comparedAt: now + 5, Peers); // the next round begins now: this is no part of it
            rounds.Update(now + 9, comparedAt: now + 5, Peers); // one of them has not compared since it began
            Assert.Equal(long.MinValue, rounds.StableBefore);
            now += 10;
        }

        rounds.Update(now, comparedAt: now, Peers);
        Assert.Equal(10, rounds.StableBefore);
    }

    [Fact]
    public void RoundsTakeTheirTimeAlsoWhereNobodyHasToCompare()
    {
        var rounds = new StabilityTracker(gap: 5);
        int due = 1 + (6 * StabilityTracker.OnTheWay); // each round is seen to be over a moment after it began
        for (int now = 0; now < due; now++)
        {
            Assert.Equal(long.MinValue, rounds.StableBefore);
            rounds.Update(now, long.MaxValue, peers: 0);
        }

        rounds.Update(due, long.MaxValue, peers: 0);
        Assert.Equal(0, rounds.StableBefore);
    }

    [Fact]
    public void TheShortestRoundTripTellsTheClock()
    {
        var offset = new ClockOffset();
        DateTimeOffset ours = DateTimeOffset.UnixEpoch.AddDays(20_000);
        offset.Add(ours, ours.AddSeconds(3_600).AddSeconds(-0.9), TimeSpan.FromSeconds(2));
        Assert.True(offset.IsPoor);
        offset.Add(ours, ours.AddSeconds(3_600).AddMilliseconds(-1), TimeSpan.FromMilliseconds(2));
        Assert.False(offset.IsPoor);
        Assert.Equal(3_600, offset.Value!.Value.TotalSeconds, 3);
    }

    [Fact]
    public void AHybridClockNeverGoesBackAndIsAheadOfAllItHasSeen()
    {
        var time = new Fakes.ManualClock();
        var clock = new HybridClock(time);
        ulong first = clock.Next();
        time.StepWallClock(TimeSpan.FromHours(-2));
        ulong second = clock.Next();
        Assert.True(second > first);
        clock.Observe(second + 1_000_000_000);
        Assert.Equal(second + 1_000_000_001, clock.Next());
        clock.Observe(ulong.MaxValue);
        Assert.Equal(second + 1_000_000_002, clock.Next());
    }

    [Fact]
    public void AQueueKeepsItsOrderAroundItsEnd()
    {
        var queue = new PeerQueue();
        for (int i = 0; i < 1_000; i++)
        {
            queue.Append(new PeerQueue.Item(i, i));
        }

        PeerQueue.Item[] batch = [.. Enumerable.Range(0, 600).Select(_ => queue.Take())];
        Assert.Equal(600, queue.OldestSince);
        foreach (PeerQueue.Item item in batch.Reverse())
        {
            queue.Prepend(item);
        }

        Assert.Equal(Enumerable.Range(0, 1_000), Enumerable.Range(0, 1_000).Select(_ => queue.Take().Slot));
        Assert.Equal(0, queue.Length);
    }
}
