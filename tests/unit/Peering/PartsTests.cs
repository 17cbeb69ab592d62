using Couic.Peering;
using Xunit;

namespace Couic.Tests.Peering;

/// <summary>The small parts that the rest is made of.</summary>
public class PartsTests
{
    [Fact]
    public void ARecordIsSafeToForgetAfterAsManyRoundsAsThereArePeers()
    {
        var rounds = new Rounds();
        rounds.Update(now: 10, comparedAt: 0, peers: 3);
        for (int round = 1; round < 3; round++)
        {
            rounds.Update(now: 10 * (round + 1), comparedAt: (10 * round) + 1, peers: 3);
            Assert.Equal(long.MinValue, rounds.SafeBefore);
        }

        rounds.Update(now: 35, comparedAt: 30, peers: 3);
        Assert.Equal(long.MinValue, rounds.SafeBefore); // one of them has not compared since the third round began
        rounds.Update(now: 40, comparedAt: 31, peers: 3);
        Assert.Equal(10, rounds.SafeBefore);
    }

    [Fact]
    public void ABackOffDoublesWithJitterFromAQuarterToHalfAMinute()
    {
        var backoff = new Backoff(new Random(1));
        for (int i = 0; i < 40; i++)
        {
            double whole = Math.Min(30_000, 250 * Math.Pow(2, i));
            Assert.InRange(backoff.Fail().TotalMilliseconds, Math.Max(250, whole / 2), whole);
        }

        backoff.Reset();
        Assert.Equal(TimeSpan.FromMilliseconds(250), backoff.Fail());
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
        Assert.InRange(clock.Next(), HybridClock.MaxTime, HybridClock.MaxTime + 1);
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
