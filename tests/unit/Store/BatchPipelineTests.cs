using System.Text;
using Couic.Store;
using Xunit;
using static Couic.Tests.Store.StoreRig;

namespace Couic.Tests.Store;

/// <summary>Many changes by one call.</summary>
public class BatchPipelineTests
{
    private readonly StoreRig _rig = new(new StoreLimits(MaxDropEntries: 300, MaxIgnoreEntries: 100, MaxTags: 8));

    [Fact]
    public void Changes_OfOneEntry_AreMadeInTheirOrder()
    {
        Assert.Equal(
            [StoreOutcome.Created, StoreOutcome.Conflict, StoreOutcome.Removed, StoreOutcome.Absent, StoreOutcome.Created, StoreOutcome.Updated],
            Apply(
                Addition("10.0.0.1/32", "a"), Addition("10.0.0.1/32", "b"), Removal("10.0.0.1/32"), Removal("10.0.0.1/32"),
                Addition("10.0.0.1/32", "c"), Addition("10.0.0.1/32", "d") with { Mode = ConflictMode.Update }));
        Assert.Equal("d", Encoding.UTF8.GetString(_rig.Get("10.0.0.1/32").Tag.Span));
        Assert.Equal(
            [RuleEventKind.Created, RuleEventKind.Deleted, RuleEventKind.Created, RuleEventKind.Updated], _rig.Feed.Events.Select(e => e.Kind));
        _rig.AssertPlaneAgrees();
    }

    [Fact]
    public void RefusedChange_LeavesItsEntry_AndTheOthersAreMade()
    {
        _rig.Add("10.0.0.9/32", "old");
        _rig.Plane.Refuses = change => change.Cidr == Net("10.0.0.2/32") || change.Cidr == Net("10.0.0.9/32");
        ChangeRequest[] changes = [Addition("10.0.0.1/32", "t"), Addition("10.0.0.2/32", "gone"), Removal("10.0.0.9/32"), Addition("10.0.0.3/32", "t")];
        _rig.Store.Apply(changes);

        Assert.Equal([StoreOutcome.Created, StoreOutcome.Refused, StoreOutcome.Refused, StoreOutcome.Created], changes.Select(c => c.Outcome));
        Assert.Contains("ENOMEM", changes[1].Refusal!.Message, StringComparison.Ordinal);
        Assert.False(_rig.Has("10.0.0.2/32"));
        Assert.Equal("old", Encoding.UTF8.GetString(_rig.Get("10.0.0.9/32").Tag.Span));
        Assert.Equal(3, _rig.Feed.Events.Count);
        _rig.AssertPlaneAgrees();

        // Nothing of what was refused stands in the way of the next attempt.
        _rig.Plane.Refuses = null;
        Assert.Equal([StoreOutcome.Created, StoreOutcome.Removed], Apply(Addition("10.0.0.2/32", "x"), Removal("10.0.0.9/32")));
        _rig.AssertPlaneAgrees();
    }

    [Theory]
    [InlineData(1)]
    [InlineData(40)]
    [InlineData(64)]
    [InlineData(65)]
    [InlineData(200)]
    public void ExceptionInPrepare_LeavesNoEntryBusy(int at)
    {
        _rig.Add("10.0.0.9/32", "old");
        ChangeRequest[] changes = [Removal("10.0.0.9/32"), .. Enumerable.Range(0, 250).Select(i => Addition($"10.0.1.{i}/32"))];
        _rig.Plane.BeforePlan = () => at-- > 0 ? null : new InvalidOperationException("as the test asked");
        Assert.Throws<InvalidOperationException>(() => _rig.Store.Apply(changes));
        _rig.Plane.BeforePlan = null;
        AssertGoesOn(changes);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(5)]
    [InlineData(100)]
    public void ExceptionInAListener_LeavesNoEntryBusy(int at)
    {
        _rig.Add("10.0.0.9/32", "old");
        ChangeRequest[] changes = [Removal("10.0.0.9/32"), .. Enumerable.Range(0, 250).Select(i => Addition($"10.0.1.{i}/32"))];
        _rig.Store.Subscribe(new ThrowingFeed(() => at-- == 0));
        Assert.Throws<InvalidOperationException>(() => _rig.Store.Apply(changes));
        AssertGoesOn(changes);
    }

    /// <summary>Every way of changing waits until no change is on its way: one that never ends would keep it waiting for ever.</summary>
    private void AssertGoesOn(ChangeRequest[] changes)
    {
        _rig.AssertPlaneAgrees();
        Task all = Task.Run(() =>
        {
            _rig.Store.Apply(changes);
            _rig.Add("10.9.0.0/16", "alone");
            _rig.Store.Apply([.. changes.Skip(1).Select(change => Removal(change.Cidr.ToString()))]);
            _rig.Store.Expire();
        });
        Assert.True(all.Wait(TimeSpan.FromSeconds(30)));
        Assert.Equal(1, _rig.Store.Count(Policy.Drop));
        _rig.AssertPlaneAgrees();
    }

    private sealed class ThrowingFeed(Func<bool> throws) : IChangeListener
    {
        public void OnChange(in RuleEvent change)
        {
            if (throws())
            {
                throw new InvalidOperationException("as the test asked");
            }
        }
    }

    [Fact]
    public void RefusedChanges_AmongMany_LeaveTheirEntries()
    {
        _rig.Plane.Refuses = change => change.Cidr.V4 % 7 == 0;
        ChangeRequest[] changes = [.. Enumerable.Range(0, 250).Select(i => Addition($"10.0.0.{i}/32"))];
        for (int round = 0; round < 20; round++)
        {
            _rig.Store.Apply(changes);
            Assert.All(changes, change => Assert.Equal(change.Cidr.V4 % 7 == 0 ? StoreOutcome.Refused : StoreOutcome.Created, change.Outcome));
            _rig.AssertPlaneAgrees();
            ChangeRequest[] removals = [.. changes.Where(change => change.Outcome == StoreOutcome.Created).Select(change => Removal(change.Cidr.ToString()))];
            _rig.Store.Apply(removals);
            Assert.All(removals, change => Assert.Equal(StoreOutcome.Removed, change.Outcome));
            _rig.AssertPlaneAgrees();
        }
    }

    [Fact]
    public void SlotFreedByAChange_IsFreeForTheNextOne()
    {
        var full = new StoreRig(new StoreLimits(MaxDropEntries: 1, MaxIgnoreEntries: 1, MaxTags: 8));
        ChangeRequest[] changes =
            [Addition("10.0.0.1/32"), Addition("10.0.0.2/32"), Removal("10.0.0.1/32"), Addition("10.0.0.3/32") with { Expiration = full.Clock.Seconds + 1 }];
        full.Store.Apply(changes);
        Assert.Equal([StoreOutcome.Created, StoreOutcome.Full, StoreOutcome.Removed, StoreOutcome.Created], changes.Select(c => c.Outcome));

        // So is that of an entry whose time has come.
        full.Clock.AdvanceSeconds(1);
        changes = [Removal("10.0.0.3/32"), Addition("10.0.0.4/32"), Addition("10.0.0.3/32")];
        full.Store.Apply(changes);
        Assert.Equal([StoreOutcome.Absent, StoreOutcome.Created, StoreOutcome.Full], changes.Select(c => c.Outcome));
        full.AssertPlaneAgrees();
    }

    [Fact]
    public void EntryOfASet_IsNotRemoved()
    {
        var drop = new SetImage(Policy.Drop);
        drop.BeginSet("list.couic"u8);
        drop.Add(Net("10.0.0.1/32"));
        _rig.Store.ReplaceSets(new SetImage(Policy.Ignore), drop);
        Assert.Equal([StoreOutcome.OwnedBySet, StoreOutcome.Conflict], Apply(Removal("10.0.0.1/32"), Addition("10.0.0.1/32")));
    }

    [Fact]
    public async Task DuringTheWrite_ReadersContinue_AndOtherChangesWait()
    {
        Task<StoreOutcome>? other = null;
        _rig.Plane.AfterWrite = () =>
        {
            _rig.Plane.AfterWrite = null;
            Assert.Equal(1, Task.Run(() => _rig.Store.Count(Policy.Drop)).Result);
            other = Task.Run(() => _rig.Remove("10.0.0.1/32"));
            Assert.False(other.Wait(TimeSpan.FromMilliseconds(50)));
        };
        Assert.Equal([StoreOutcome.Created], Apply(Addition("10.0.0.1/32")));
        Assert.Equal(StoreOutcome.Removed, await other!);
        _rig.AssertPlaneAgrees();
    }

    [Theory]
    [InlineData(1, 150, 2)]
    [InlineData(2, 150, 2)]
    [InlineData(3, 700, 250)]
    public void BatchedChanges_EndAsSingleOnes(int seed, int most, int networks)
    {
        var random = new Random(seed);
        var alone = new StoreRig(_rig.Limits);
        for (int round = 0; round < 400; round++)
        {
            var changes = new ChangeRequest[random.Next(1, most)];
            foreach (ref ChangeRequest change in changes.AsSpan())
            {
                string cidr = random.Next(3) == 0 ? $"2001:db8::{random.Next(400):x}/128" : $"10.0.{random.Next(networks)}.{random.Next(256)}/{random.Next(30, 33)}";
                ulong expiration = random.Next(3) == 0 ? _rig.Clock.Seconds + (ulong)random.Next(1, 4) : 0;
                change = random.Next(5) < 2
                    ? Removal(cidr)
                    : Addition(cidr, $"t{random.Next(12)}") with { Expiration = expiration, Mode = (ConflictMode)random.Next(2) };
                change.Policy = random.Next(3) == 0 ? Policy.Ignore : Policy.Drop;
            }

            _rig.Store.Apply(changes);
            Assert.Equal(changes.Select(c => One(alone, c)), changes.Select(c => c.Outcome));
            _rig.AssertPlaneAgrees();
            _rig.Clock.AdvanceSeconds(random.Next(2));
            alone.Clock.AdvanceSeconds((long)(_rig.Clock.Seconds - alone.Clock.Seconds));
            Assert.Equal(alone.Store.Expire(), _rig.Store.Expire());
            Assert.Equal(Told(alone), Told(_rig));
            alone.Feed.Events.Clear();
            _rig.Feed.Events.Clear();
        }
    }

    [Fact]
    public void BatchedChanges_AllocateNothing()
    {
        _rig.Plane.Checks = false;
        ChangeRequest[] changes = [.. Enumerable.Range(0, 200).Select(i => Addition($"10.0.0.{i}/32", "scan"))];
        ChangeRequest[] removals = [.. Enumerable.Range(0, 200).Select(i => Removal($"10.0.0.{i}/32"))];
        long allocated = long.MaxValue;
        _rig.Feed.Events.Capacity = 10_000;
        _rig.Add("10.1.0.1/32"); // a client without any entry is forgotten by name
        for (int round = 0; round < 10 && allocated > 0; round++)
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            _rig.Store.Apply(changes);
            _rig.Store.Apply(removals);
            allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        }

        Assert.Equal(0, allocated);
    }

    private static ChangeRequest Addition(string cidr, string tag = "") =>
        new() { Policy = Policy.Drop, Cidr = Net(cidr).Network, Tag = Encoding.UTF8.GetBytes(tag), Creator = "tester"u8.ToArray() };

    private static ChangeRequest Removal(string cidr) =>
        new() { IsRemoval = true, Policy = Policy.Drop, Cidr = Net(cidr).Network, Creator = "tester"u8.ToArray() };

    private static StoreOutcome One(StoreRig rig, ChangeRequest change) => change.IsRemoval
        ? rig.Remove(change.Cidr, change.Policy)
        : rig.Add(change.Cidr, Encoding.UTF8.GetString(change.Tag), change.Expiration, change.Mode, change.Policy);

    /// <summary>Which of two entries with the same deadline goes first is nobody's business.</summary>
    private static IEnumerable<(RuleEventKind, Policy, Cidr, string, ulong)> Told(StoreRig rig) => rig.Feed.Events
        .Select(e => (e.Kind, e.Policy, e.Entry.Cidr, Encoding.UTF8.GetString(e.Entry.Tag.Span), e.Entry.Expiration))
        .OrderBy(e => e.Kind == RuleEventKind.Expired).ThenBy(e => e.Kind == RuleEventKind.Expired ? e.Cidr : default);

    private StoreOutcome[] Apply(params ChangeRequest[] changes)
    {
        _rig.Store.Apply(changes);
        return [.. changes.Select(c => c.Outcome)];
    }
}
