using Couic.Api.Metrics;
using Couic.Store;
using Xunit;

namespace Couic.Tests.Store;

/// <summary>More tags in turn than there are counters: each has a counter of its own as long as it has entries.</summary>
public sealed class TagTurnoverTests
{
    private const string Others = "(others)";

    [Theory]
    [InlineData(64, 300, 1)]
    [InlineData(4_096, 5_000, 500)]
    public void MoreTagsThanCounters_OverTime_LoseNoPacket(int counters, int tags, int look)
    {
        var rig = new StoreRig(new StoreLimits(MaxTags: counters));
        for (int i = 1; i <= tags; i++)
        {
            rig.Add("10.0.0.1/32", $"tag{i}");
            Count(rig, $"tag{i}", (ulong)i);
            rig.Clock.Advance(TimeSpan.FromSeconds(2));
            if (i % look == 0)
            {
                Dictionary<string, ulong> shown = Read(rig);
                Assert.Equal((ulong)i, shown[$"tag{i}"]);
                Assert.All(shown.Where(tag => tag.Key != Others), tag => Assert.Equal($"tag{tag.Value}", tag.Key));
                Assert.Equal((ulong)i * (ulong)(i + 1) / 2, shown.Values.Aggregate((a, b) => a + b));
                Assert.Equal(Math.Min(i, counters), shown.Keys.Count(tag => tag != Others));
            }

            rig.Remove("10.0.0.1/32");
        }
    }

    [Fact]
    public void Tag_WithoutEntriesForLessThanAPacketMayTake_KeepsItsCounter()
    {
        var rig = new StoreRig(new StoreLimits(MaxTags: 2));
        rig.Add("10.0.0.1/32", "a");
        rig.Add("10.0.0.2/32", "b");
        rig.Remove("10.0.0.1/32");
        rig.Clock.Advance(TimeSpan.FromMilliseconds(999));
        rig.Add("10.0.0.3/32", "c");
        Assert.Equal([("", 0), ("a", 1), ("b", 2), ("c", 3)], rig.Store.Tags(Policy.Drop).Select(t => (t.Tag, t.Counter)));
        rig.Remove("10.0.0.3/32");
        rig.Clock.Advance(TimeSpan.FromMilliseconds(1));
        rig.Add("10.0.0.3/32", "c");
        Assert.Equal([("", 0), ("c", 1), ("b", 2)], rig.Store.Tags(Policy.Drop).Select(t => (t.Tag, t.Counter)));
        rig.AssertPlaneAgrees();
    }

    [Fact]
    public void Tag_UsedAgain_IsEvictedAfterThoseUnusedForLonger()
    {
        var rig = new StoreRig(new StoreLimits(MaxTags: 3));
        foreach (string tag in (string[])["a", "b", "c", "a", "b"])
        {
            rig.Add("10.0.0.1/32", tag);
            rig.Remove("10.0.0.1/32");
            rig.Clock.Advance(TimeSpan.FromSeconds(1));
        }

        rig.Add("10.0.0.1/32", "a"); // held: not to be evicted at all
        rig.Clock.Advance(TimeSpan.FromSeconds(1));
        rig.Add("10.0.0.2/32", "d");
        rig.Add("10.0.0.3/32", "e");
        rig.Add("10.0.0.4/32", "f");
        Assert.Equal([("", 0), ("a", 1), ("e", 2), ("d", 3), ("f", 4)], rig.Store.Tags(Policy.Drop).Select(t => (t.Tag, t.Counter)));
    }

    [Fact]
    public void ReadTags_WhileACounterGoesToAnotherTag_ShowsNoneThePacketsOfTheOther()
    {
        var rig = new StoreRig(new StoreLimits(MaxTags: 1));
        rig.Add("10.0.0.1/32", "old");
        Count(rig, "old", 7);
        rig.Remove("10.0.0.1/32");
        rig.Clock.Advance(TimeSpan.FromSeconds(1));
        rig.Plane.AfterReadTags = () =>
        {
            rig.Plane.AfterReadTags = null;
            Count(rig, "old", 2); // after it was read, and before it was evicted
            rig.Add("10.0.0.1/32", "new");
            Count(rig, "new", 5);
        };
        Assert.Equal([(Others, 9ul), ("new", 0)], Read(rig).Select(tag => (tag.Key, tag.Value)));
        Assert.Equal([(Others, 9ul), ("new", 5)], Read(rig).Select(tag => (tag.Key, tag.Value)));
    }

    private static void Count(StoreRig rig, string tag, ulong packets)
    {
        (Policy, int) counter = (Policy.Drop, rig.Store.Tags(Policy.Drop).Single(use => use.Tag == tag).Counter);
        rig.Plane.TagCounters[counter] = rig.Plane.TagCounters.GetValueOrDefault(counter) + new Counter(packets, packets);
    }

    private static Dictionary<string, ulong> Read(StoreRig rig) =>
        new StatsReader(rig.Store, rig.Plane).ReadTags(Policy.Drop).ToDictionary(tag => tag.Tag, tag => tag.Count.Packets);
}
