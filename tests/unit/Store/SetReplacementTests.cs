using System.Text;
using Couic.Store;
using Couic.Tests.Fakes;
using Xunit;
using static Couic.Tests.Store.StoreRig;

namespace Couic.Tests.Store;

public class SetReplacementTests
{
    private readonly StoreRig _rig = new();

    [Fact]
    public void EntriesOfSetsCarryTheFileNameAndNeverExpire()
    {
        SetReplacementResult result = Swap(_rig, drop: [("scanners", ["192.0.2.9/24", "2001:db8::1/32"])], ignore: [("office", ["198.51.100.1/32"])]);

        Assert.Equal(SetReplacementStatus.Done, result.Status);
        Assert.Equal(new SetReplacementCounts(2, 0, 0, 0), result.Drop);
        Assert.Equal(new SetReplacementCounts(1, 0, 0, 0), result.Ignore);
        Entry entry = _rig.Get("192.0.2.0/24");
        Assert.Equal("scanners.couic", Encoding.UTF8.GetString(entry.Tag.Span));
        Assert.Equal((_rig.Clock.Seconds, 0UL, ChangeOrigin.Set), (entry.Creation, entry.Expiration, entry.Origin));
        Assert.Equal(StoreOutcome.OwnedBySet, _rig.Remove("192.0.2.0/24"));
        Assert.Equal(StoreOutcome.OwnedBySet, _rig.Add("192.0.2.0/24", mode: ConflictMode.Update));
        Assert.Equal(StoreOutcome.Conflict, _rig.Add("192.0.2.0/24"));
        Assert.Equal(
            ["Created Ignore 198.51.100.1/32 Set", "Created Drop 192.0.2.0/24 Set", "Created Drop 2001:db8::/32 Set"], _rig.Feed.Drain());
        _rig.AssertPlaneAgrees();
    }

    [Fact]
    public void AnUnchangedReloadTouchesNothing()
    {
        Swap(_rig, drop: [("a", ["10.0.0.0/8", "10.0.0.1/32"]), ("b", ["::1/128"])]);
        ulong created = _rig.Clock.Seconds;
        int calls = _rig.Plane.Calls;
        _rig.Feed.Drain();
        _rig.Clock.AdvanceSeconds(10);

        SetReplacementResult result = Swap(_rig, drop: [("a", ["10.0.0.1/32", "10.0.0.0/8", "10.0.0.0/8"]), ("b", ["::1/128"])]);

        Assert.Equal(new SetReplacementCounts(0, 0, 0, 3), result.Drop);
        Assert.Equal(calls, _rig.Plane.Calls);
        Assert.Equal(created, _rig.Get("10.0.0.0/8").Creation);
        Assert.Empty(_rig.Feed.Events);
    }

    [Fact]
    public void TheFirstSetByNameGivesTheTag()
    {
        Swap(_rig, drop: [("a", ["10.0.0.2/31"]), ("b", ["10.0.0.2/31", "10.0.0.3/31"])]);
        Assert.Equal("a.couic", Encoding.UTF8.GetString(_rig.Get("10.0.0.2/31").Tag.Span));
        Assert.Equal(1, _rig.Store.Count(Policy.Drop));
    }

    [Fact]
    public void EntriesUnderAnotherTagAreTakenOverInPlace()
    {
        _rig.Add("10.0.0.1/32", "mine", _rig.Clock.Seconds + 5);
        Swap(_rig, drop: [("a", ["10.0.0.2/32"])]);
        _rig.Feed.Drain();
        _rig.Clock.AdvanceSeconds(1);

        SetReplacementResult result = Swap(_rig, drop: [("b", ["10.0.0.1/32", "10.0.0.2/32"])]);

        Assert.Equal(new SetReplacementCounts(0, 0, 2, 0), result.Drop);
        Assert.Equal(["Updated Drop 10.0.0.1/32 Set", "Updated Drop 10.0.0.2/32 Set"], _rig.Feed.Drain());
        foreach (string cidr in (string[])["10.0.0.1/32", "10.0.0.2/32"])
        {
            Entry entry = _rig.Get(cidr);
            Assert.Equal("b.couic", Encoding.UTF8.GetString(entry.Tag.Span));
            Assert.Equal((_rig.Clock.Seconds, 0UL, ChangeOrigin.Set), (entry.Creation, entry.Expiration, entry.Origin));
        }

        _rig.Clock.AdvanceSeconds(100);
        Assert.Equal(0, _rig.Store.Expire());
        _rig.AssertPlaneAgrees();
        Assert.Equal(0, _rig.Store.Tags(Policy.Drop).Single(t => t.Tag == "mine").Entries);
    }

    [Fact]
    public void AnEntryThatASetTookOverDoesNotComeBackWhenTheSetGoes()
    {
        _rig.Add("10.0.0.1/32", "mine");
        Swap(_rig, drop: [("b", ["10.0.0.1/32"])]);
        SetReplacementResult result = Swap(_rig);
        Assert.Equal(new SetReplacementCounts(0, 1, 0, 0), result.Drop);
        Assert.False(_rig.Has("10.0.0.1/32"));
        _rig.AssertPlaneAgrees();
    }

    [Fact]
    public void OtherEntriesStayWhenSetsGo()
    {
        _rig.Add("10.0.0.9/32", "mine");
        Swap(_rig, drop: [("a", ["10.0.0.1/32"])], ignore: [("a", ["10.0.0.1/32"])]);
        Swap(_rig);
        Assert.Equal(["10.0.0.9/32"], _rig.Store.SortedNetworks(Policy.Drop).Select(c => c.ToString()));
        Assert.Equal(0, _rig.Store.Count(Policy.Ignore));
    }

    [Fact]
    public void ExpiredEntry_IsNotTakenOver_ButNew()
    {
        _rig.Add("10.0.0.1/32", expiration: _rig.Clock.Seconds + 1);
        _rig.Clock.AdvanceSeconds(1);
        Assert.Equal(new SetReplacementCounts(1, 0, 0, 0), Swap(_rig, drop: [("a", ["10.0.0.1/32"])]).Drop);
    }

    [Fact]
    public void IgnoreIsAddedToBeforeDropChanges_AndRemovedFromAfterIt()
    {
        Swap(_rig, drop: [("a", ["10.0.0.0/24"])], ignore: [("a", ["10.0.0.7/32"])]);
        var order = new List<string>();
        _rig.Plane.AfterChange = change => order.Add($"{change.Kind} {change.Policy} {change.Cidr}");
        Swap(_rig, drop: [("a", ["10.0.0.0/25", "10.0.0.128/25"])], ignore: [("a", ["10.0.0.8/32"])]);
        Assert.Equal(
            ["Put Ignore 10.0.0.8/32", "Put Drop 10.0.0.0/25", "Put Drop 10.0.0.128/25", "Remove Drop 10.0.0.0/24", "Remove Ignore 10.0.0.7/32"],
            order);
    }

    [Fact]
    public void SetsThatDoNotFit_ChangeNothing()
    {
        var rig = new StoreRig(new StoreLimits(MaxDropEntries: 3));
        rig.Add("10.1.0.1/32");
        Swap(rig, drop: [("a", ["10.0.0.1/32"])]);
        int calls = rig.Plane.Calls;

        SetReplacementResult result = Swap(rig, drop: [("a", ["10.0.0.1/32", "10.0.0.2/32", "10.0.0.3/32"])], ignore: [("i", ["10.0.0.1/32"])]);

        Assert.Equal(SetReplacementStatus.Full, result.Status);
        Assert.Equal("the sets define 3 entries of drop IPv4 and 1 others are there: more than the limit of 3", result.Message);
        Assert.Equal(calls, rig.Plane.Calls);
        Assert.Equal(0, rig.Store.Count(Policy.Ignore));
        Assert.Equal(SetReplacementStatus.Done, Swap(rig, drop: [("a", ["10.0.0.2/32", "10.0.0.3/32"])]).Status);
    }

    [Fact]
    public void AFullTableIsReplacedByAnotherFullOne()
    {
        var rig = new StoreRig(new StoreLimits(MaxDropEntries: 3_000));
        Swap(rig, drop: [("a", Hosts(0, 3_000))]);
        Assert.Equal(new SetReplacementCounts(2_999, 2_999, 0, 1), Swap(rig, drop: [("a", Hosts(2_999, 3_000))]).Drop);
        rig.AssertPlaneAgrees();
    }

    [Fact]
    public void FullTableOfOverlappingNetworks_IsReplaced_IfAnOrderFits()
    {
        var rig = new StoreRig(new StoreLimits(MaxDropEntries: 4));
        Swap(rig, drop: [("a", ["10.0.0.0/24", "10.0.1.0/24", "10.0.2.0/24", "10.0.3.0/24"])]);
        SetReplacementResult stuck = Swap(rig, drop: [("a", ["10.0.0.0/23", "10.0.2.0/23"])]);
        Assert.Equal(SetReplacementStatus.NoRoomToReplace, stuck.Status);
        Assert.Equal(4, rig.Store.Count(Policy.Drop));

        Swap(rig, drop: [("a", ["10.0.0.0/24", "10.0.1.0/24", "10.0.2.0/24"])]);
        Assert.Equal(SetReplacementStatus.Done, Swap(rig, drop: [("a", ["10.0.0.0/23", "10.0.2.0/23"])]).Status);
        rig.AssertPlaneAgrees();
    }

    [Fact]
    public void Refusal_AtEachStep_RollsTheReplacementBack()
    {
        for (int at = 1; ; at++)
        {
            var rig = new StoreRig(new StoreLimits(MaxTags: 3));
            var told = new SetFeed();
            rig.Store.Subscribe(told);
            Prepare(rig);
            string before = Describe(rig);
            rig.Plane.RefuseAt = at;
            SetReplacementResult result = SwapToSecond(rig);
            if (rig.Plane.RefuseAt > 0)
            {
                Assert.Equal(SetReplacementStatus.Done, result.Status);
                Assert.Equal(8, at); // the seven changes of the swap were each refused once
                return;
            }

            Assert.Equal(SetReplacementStatus.Refused, result.Status);
            Assert.Equal("the data plane refused: set key: ENOMEM (as the test asked)", result.Message);
            Assert.Equal(before, Describe(rig));
            Assert.Equal(["10.0.0.2/32", "10.0.0.3/32", "::2/128"], told.Networks(Policy.Drop).Select(c => c.ToString()));
            Assert.Equal(["10.0.0.2/32", "10.0.0.3/32"], told.Networks(Policy.Ignore).Select(c => c.ToString()));
            rig.AssertPlaneAgrees();
            rig.Plane.RefuseAt = 0;
            Assert.Equal(SetReplacementStatus.Done, SwapToSecond(rig).Status);
            rig.AssertPlaneAgrees();
        }
    }

    [Fact]
    public void Step_ThatCannotBeRolledBack_IsHeldAsItIsEnforced()
    {
        for (int at = 1; at <= 7; at++)
        {
            var rig = new StoreRig();
            Prepare(rig);
            int seen = 0;
            rig.Plane.Refuses = _ => ++seen >= at; // this one and every one after it
            SetReplacementResult result = SwapToSecond(rig);
            Assert.Equal(SetReplacementStatus.Refused, result.Status);
            Assert.Equal(at > 1, result.Message.EndsWith($"; {at - 1} changes could not be taken back", StringComparison.Ordinal));
            Assert.Equal(at - 1, rig.Feed.Drain().Count);
            rig.AssertPlaneAgrees();

            rig.Plane.Refuses = null;
            Assert.Equal(SetReplacementStatus.Done, SwapToSecond(rig).Status);
            rig.AssertPlaneAgrees();
        }
    }

    [Fact]
    public void IgnoreAndDropEntries_RemovedInOneReload_DropNothingBetween()
    {
        Swap(_rig, drop: [("a", ["10.0.0.0/24"])], ignore: [("a", ["10.0.0.7/32"])]);
        _rig.Plane.AfterChange = _ => Assert.NotEqual(Policy.Drop, _rig.Plane.Verdict(Net("10.0.0.7/32")));
        Assert.Equal(SetReplacementStatus.Done, Swap(_rig).Status);
        Assert.Equal(SetReplacementStatus.Done, Swap(_rig, drop: [("a", ["10.0.0.0/24"])], ignore: [("a", ["10.0.0.7/32"])]).Status);
        _rig.Plane.AfterChange = null;
    }

    [Fact]
    public void AFullIgnoreTable_IsReplaced_UnlessASourceWouldBeDroppedBetween()
    {
        var rig = new StoreRig(new StoreLimits(MaxIgnoreEntries: 2));
        Swap(rig, drop: [("a", ["10.0.0.0/24"])], ignore: [("a", ["10.0.0.7/32", "10.0.1.7/32"])]);
        Assert.Equal(SetReplacementStatus.Done, Swap(rig, drop: [("a", ["10.0.0.0/24"])], ignore: [("a", ["10.0.0.8/32", "10.0.1.7/32"])]).Status);
        SetReplacementResult stuck = Swap(rig, ignore: [("a", ["10.0.0.9/32", "10.0.1.7/32"])]);
        Assert.Equal(SetReplacementStatus.NoRoomToReplace, stuck.Status);
        Assert.Equal("ignore IPv4 is too full (2 of 2 entries) to replace overlapping networks without a gap; reload in two steps", stuck.Message);
        Assert.Equal(SetReplacementStatus.Done, Swap(rig, ignore: [("a", ["10.0.0.8/32", "10.0.1.7/32"])]).Status);
        Assert.Equal(SetReplacementStatus.Done, Swap(rig, ignore: [("a", ["10.0.0.9/32", "10.0.1.7/32"])]).Status);
        rig.AssertPlaneAgrees();
    }

    [Theory]
    [InlineData(1, 1_000, 1_000)]
    [InlineData(2, 1_000, 1_000)]
    [InlineData(3, 32, 1_000)]
    [InlineData(4, 27, 1_000)]
    [InlineData(5, 1_000, 11)]
    [InlineData(6, 30, 12)]
    public void ASourceWithOneVerdictBeforeAndAfter_HasItAtEveryMoment(int seed, int maxDrop, int maxIgnore)
    {
        var random = new Random(seed);
        var rig = new StoreRig(new StoreLimits(MaxDropEntries: maxDrop, MaxIgnoreEntries: maxIgnore));
        Cidr[] probes = [.. Enumerable.Range(0, 64).Select(i => Cidr.FromV4(0x0a000000u + (uint)i))];
        int done = 0, refused = 0, dropped = 0, passed = 0;
        for (int round = 0; round < 120; round++)
        {
            (string, string[])[] drop = [("a", RandomNetworks(random, 15)), ("b", RandomNetworks(random, 15))];
            (string, string[])[] ignore = [("a", RandomNetworks(random, 4)), ("b", RandomNetworks(random, 4))];
            bool[] before = Dropped(rig, probes);
            bool[] after = [.. probes.Select(p => Covers(drop, p) && !Covers(ignore, p))];
            int[] kept = [.. Enumerable.Range(0, probes.Length).Where(i => before[i] == after[i])];
            rig.Plane.AfterChange = _ =>
            {
                foreach (int i in kept)
                {
                    bool isDropped = rig.Plane.Verdict(probes[i]) == Policy.Drop;
                    Assert.True(isDropped == before[i], $"{probes[i]} {(isDropped ? "is dropped" : "passes")}");
                }
            };
            bool refuse = random.Next(4) == 0;
            rig.Plane.RefuseAt = refuse ? random.Next(1, 30) : 0;
            string old = Describe(rig);
            SetReplacementResult result = Swap(rig, drop, ignore);
            rig.Plane.RefuseAt = 0;
            rig.AssertPlaneAgrees();
            bool isDone = result.Status == SetReplacementStatus.Done;
            done += isDone ? 1 : 0;
            refused += isDone ? 0 : 1;
            dropped += isDone ? kept.Count(i => before[i]) : 0;
            passed += isDone ? kept.Count(i => !before[i]) : 0;
            Assert.Equal(isDone ? after : before, Dropped(rig, probes));
            Assert.True(isDone || old == Describe(rig));
        }

        Assert.True(done > 10 && refused > 5 && dropped > 10 && passed > 100, $"{done} done, {refused} refused, {dropped} dropped, {passed} passed");
    }

    [Fact]
    public void ConcurrentChanges_Succeed_AsFarAsTheReplacementNeedsNoneOfTheSlots()
    {
        var rig = new StoreRig(new StoreLimits(MaxDropEntries: 3_000));
        Swap(rig, drop: [("a", Hosts(0, 2_890))]);
        for (int i = 0; i < 10; i++)
        {
            rig.Add(Hosts(100_000 + i, 1)[0], "before");
        }

        var outcomes = new List<StoreOutcome>();
        rig.Store.Replacement.BetweenSlices = () =>
        {
            int n = outcomes.Count;
            outcomes.Add(n % 12 > 0 ? rig.Add(Hosts(200_000 + n, 1)[0], "between") : rig.Remove(Hosts(n == 0 ? 100_000 : 200_000 + n - 1, 1)[0]));
        };
        rig.Store.Replacement.SliceSize = 16;

        SetReplacementResult result = Swap(rig, drop: [("a", Hosts(1_000_000, 2_890))]);

        Assert.Equal(new SetReplacementCounts(2_890, 2_890, 0, 0), result.Drop);
        Assert.Equal([StoreOutcome.Removed, StoreOutcome.Created], outcomes[..2]);
        Assert.Equal(100, outcomes.Count(o => o == StoreOutcome.Created) - outcomes.Count(o => o == StoreOutcome.Removed));
        Assert.Contains(StoreOutcome.Full, outcomes);
        Assert.Equal(3_000, rig.Store.Count(Policy.Drop));
        rig.AssertPlaneAgrees();
    }

    [Fact]
    public void ReloadThatDoesNotFit_IsRefused_WhateverChangesConcurrently()
    {
        var rig = new StoreRig(new StoreLimits(MaxDropEntries: 3));
        int n = 0;
        rig.Store.Replacement.BetweenSlices = () => _ = n++ % 2 == 0 ? rig.Add("10.1.0.1/32") : rig.Remove("10.1.0.1/32");
        Assert.Equal(SetReplacementStatus.Full, Swap(rig, drop: [("a", Hosts(0, 4))]).Status);
        Assert.Equal(SetReplacementStatus.Done, Swap(rig, drop: [("a", Hosts(0, 2))]).Status);
        rig.AssertPlaneAgrees();
    }

    [Theory]
    [InlineData(1, 1_000)]
    [InlineData(2, 60)]
    [InlineData(3, 40)]
    public void ConcurrentChanges_BetweenSlices_KeepStoreKernelAndListenersInAgreement(int seed, int limit)
    {
        var random = new Random(seed);
        var rig = new StoreRig(new StoreLimits(MaxDropEntries: limit, MaxIgnoreEntries: limit));
        var told = new SetFeed();
        rig.Store.Subscribe(told);
        int done = 0, between = 0;
        for (int round = 0; round < 300; round++)
        {
            (string, string[])[] next = [("a", RandomNetworks(random, 12)), ("b", RandomNetworks(random, 12))];
            rig.Store.Replacement.BetweenSlices = () =>
            {
                string cidr = RandomNetworks(random, 1)[0];
                StoreOutcome outcome = random.Next(2) == 0 ? rig.Add(cidr, "mine") : rig.Remove(cidr);
                between += outcome is StoreOutcome.Created or StoreOutcome.Removed ? 1 : 0;
            };
            rig.Store.Replacement.SliceSize = random.Next(1, 4);
            rig.Plane.RefuseAt = random.Next(4) == 0 ? random.Next(1, 30) : 0;
            SetReplacementResult result = Swap(rig, drop: next);
            rig.Plane.RefuseAt = 0;
            rig.Store.Replacement.BetweenSlices = () => { };
            rig.AssertPlaneAgrees();
            if (result.Status == SetReplacementStatus.Done)
            {
                done++;
                HashSet<Cidr> wanted = [.. next.SelectMany(set => set.Item2).Select(n => Net(n).Network)];
                Assert.Equal(wanted.Order(), SetEntries(rig).Order());
            }
            else
            {
                Assert.True(result.Status is SetReplacementStatus.Refused or SetReplacementStatus.Full or SetReplacementStatus.NoRoomToReplace, result.Message);
            }

            Assert.Equal(SetEntries(rig).Order(), told.Networks(Policy.Drop));
        }

        Assert.True(done > 50 && between > 50, $"{done} done, {between} changes between");
    }

    [Theory]
    [InlineData(1, 1_000)]
    [InlineData(2, 1_000)]
    [InlineData(3, 50)]
    public void Replacement_IsOneStep_ForEveryConcurrentChange(int seed, int limit)
    {
        var random = new Random(seed);
        var rig = new StoreRig(new StoreLimits(MaxDropEntries: limit, MaxIgnoreEntries: limit));
        int done = 0, before = 0, after = 0;
        for (int round = 0; round < 400; round++)
        {
            (string, string[])[] next = [("a", RandomNetworks(random, 12)), ("b", RandomNetworks(random, 12))];
            HashSet<Cidr> wanted = [.. next.SelectMany(set => set.Item2).Select(n => Net(n).Network)];
            var changes = new List<ChangeBeside>();
            var owners = new Dictionary<Cidr, bool>(OwnersOf(rig));
            rig.Store.Replacement.BetweenSlices = () => changes.Add(ChangeBeside.Make(rig, random, RandomNetworks(random, 1)[0]));
            rig.Store.Replacement.SliceSize = random.Next(1, 4);
            SetReplacementResult result = Swap(rig, drop: next);
            rig.Store.Replacement.BetweenSlices = () => { };
            rig.AssertPlaneAgrees();
            if (result.Status == SetReplacementStatus.Done)
            {
                done++;
                int moment = Enumerable.Range(0, changes.Count + 1).Cast<int?>().FirstOrDefault(at => Explains(owners, changes, wanted, at!.Value, OwnersOf(rig)))
                    ?? throw new Xunit.Sdk.XunitException($"no moment of the swap explains {string.Join(", ", changes)}");
                before += moment;
                after += changes.Count - moment;
            }
        }

        Assert.True(done > 50 && before > 50 && after > 50, $"{done} done, {before} changes before, {after} after");
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void EntryAboutToBeTakenOver_StaysCovered_WhenItExpires(bool isRefused)
    {
        _rig.Add("10.0.0.9/32", expiration: _rig.Clock.Seconds + 5);
        _rig.Store.Replacement.SliceSize = 1;
        bool isOver = false;
        _rig.Store.Replacement.BetweenSlices = () =>
        {
            if (!isOver && _rig.Plane.Table(Policy.Drop, IpFamily.V4).Count == 2)
            {
                isOver = true;
                _rig.Clock.AdvanceSeconds(6);
                Assert.Equal(0, _rig.Store.Expire());
                Assert.NotNull(_rig.Plane.Verdict(Net("10.0.0.9/32")));
                Assert.Equal(StoreOutcome.Conflict, _rig.Add("10.0.0.9/32"));
                _rig.Plane.RefuseAt = isRefused ? 1 : 0;
            }
        };

        SetReplacementResult result = Swap(_rig, drop: [("a", ["10.0.0.1/32", "10.0.0.9/32"])]);

        Assert.Equal(isRefused ? SetReplacementStatus.Refused : SetReplacementStatus.Done, result.Status);
        Assert.True(isOver);
        _rig.Clock.AdvanceSeconds(2);
        Assert.Equal(isRefused ? 1 : 0, _rig.Store.Expire());
        Assert.Equal(!isRefused, _rig.Has("10.0.0.9/32"));
        _rig.AssertPlaneAgrees();
    }

    [Fact]
    public void EntryAboutToBeRemoved_CanBeAddedByAClient_AndStaysCovered()
    {
        Swap(_rig, drop: [("a", ["10.0.0.1/32", "10.0.0.2/32"])]);
        _rig.Store.Replacement.SliceSize = 1;
        bool isMade = false;
        _rig.Store.Replacement.BetweenSlices = () =>
        {
            if (!isMade && _rig.Plane.Table(Policy.Drop, IpFamily.V4).Count == 3)
            {
                isMade = true;
                Assert.Equal(StoreOutcome.Absent, _rig.Remove("10.0.0.2/32"));
                Assert.Equal(StoreOutcome.Created, _rig.Add("10.0.0.2/32", "mine", _rig.Clock.Seconds + 5));
            }

            Assert.NotNull(_rig.Plane.Verdict(Net("10.0.0.2/32")));
        };

        Assert.Equal(new SetReplacementCounts(1, 1, 0, 0), Swap(_rig, drop: [("b", ["10.0.0.3/32"])]).Drop);

        Assert.True(isMade);
        Entry entry = _rig.Get("10.0.0.2/32");
        Assert.Equal(("mine", ChangeOrigin.Api), (Encoding.UTF8.GetString(entry.Tag.Span), entry.Origin));
        _rig.AssertPlaneAgrees();
        _rig.Clock.AdvanceSeconds(6);
        Assert.Equal(1, _rig.Store.Expire());
    }

    /// <summary>The networks in drop and whether each is a set's.</summary>
    private static Dictionary<Cidr, bool> OwnersOf(StoreRig rig) =>
        rig.Store.SortedNetworks(Policy.Drop).ToDictionary(cidr => cidr, cidr => rig.Store.TryGet(Policy.Drop, cidr, out Entry e) && e.IsOfSet);

    /// <summary>Whether the changes come out as they did, and the table as it is, when the swap is made before the change of this number.</summary>
    private static bool Explains(Dictionary<Cidr, bool> start, List<ChangeBeside> changes, HashSet<Cidr> wanted, int at, Dictionary<Cidr, bool> end)
    {
        var owners = new Dictionary<Cidr, bool>(start);
        for (int i = 0; i <= changes.Count; i++)
        {
            if (i == at)
            {
                foreach (Cidr gone in owners.Where(o => o.Value && !wanted.Contains(o.Key)).Select(o => o.Key).ToArray())
                {
                    owners.Remove(gone);
                }

                foreach (Cidr cidr in wanted)
                {
                    owners[cidr] = true;
                }
            }

            if (i < changes.Count && !changes[i].Follows(owners))
            {
                return false;
            }
        }

        return owners.Count == end.Count && owners.All(o => end.TryGetValue(o.Key, out bool isOfSet) && isOfSet == o.Value);
    }

    /// <summary>A single change, made one way or the other, and how it came out.</summary>
    private sealed record ChangeBeside(Cidr Cidr, bool IsRemoval, ConflictMode Mode, StoreOutcome Outcome)
    {
        public static ChangeBeside Make(StoreRig rig, Random random, string cidr)
        {
            Cidr network = Net(cidr).Network;
            bool isRemoval = random.Next(2) == 0;
            ConflictMode mode = random.Next(2) == 0 ? ConflictMode.Refuse : ConflictMode.Update;
            if (random.Next(2) == 0)
            {
                return new ChangeBeside(network, isRemoval, mode, isRemoval ? rig.Remove(network) : rig.Add(network, "mine", 0, mode));
            }

            ChangeRequest[] changes =
                [new ChangeRequest { IsRemoval = isRemoval, Policy = Policy.Drop, Cidr = network, Mode = mode, Creator = [], Tag = "mine"u8 }];
            rig.Store.Apply(changes);
            return new ChangeBeside(network, isRemoval, mode, changes[0].Outcome);
        }

        /// <summary>Whether that is how it comes out with these owners; then it is done to them.</summary>
        public bool Follows(Dictionary<Cidr, bool> owners)
        {
            bool isThere = owners.TryGetValue(Cidr, out bool isOfSet);
            if (Outcome == StoreOutcome.Created)
            {
                owners[Cidr] = false;
            }
            else if (Outcome == StoreOutcome.Removed)
            {
                owners.Remove(Cidr);
            }

            return Outcome switch
            {
                StoreOutcome.Created => !isThere,
                StoreOutcome.Full => !isThere, // the swap keeps the room it needs on its way
                StoreOutcome.Absent => IsRemoval && !isThere,
                StoreOutcome.Removed => isThere && !isOfSet,
                StoreOutcome.Conflict => isThere && Mode == ConflictMode.Refuse,
                StoreOutcome.OwnedBySet => isOfSet && (IsRemoval || Mode == ConflictMode.Update),
                StoreOutcome.Unchanged => isThere && !isOfSet,
                _ => false,
            };
        }
    }

    /// <summary>The networks of sets in drop, as the store has them.</summary>
    private static List<Cidr> SetEntries(StoreRig rig) =>
        [.. rig.Store.SortedNetworks(Policy.Drop).Where(cidr => rig.Store.TryGet(Policy.Drop, cidr, out Entry e) && e.IsOfSet)];

    private static void Prepare(StoreRig rig)
    {
        rig.Add("10.0.0.1/32", "mine", rig.Clock.Seconds + 50);
        rig.Add("10.0.0.9/32");
        Swap(rig, drop: [("a", ["10.0.0.2/32", "10.0.0.3/32", "::2/128"])], ignore: [("a", ["10.0.0.2/32", "10.0.0.3/32"])]);
        rig.Feed.Drain();
        rig.Clock.AdvanceSeconds(3);
    }

    private static SetReplacementResult SwapToSecond(StoreRig rig) => Swap(
        rig,
        drop: [("a", ["10.0.0.2/32"]), ("b", ["10.0.0.1/32", "10.0.0.4/32", "::3/128"])],
        ignore: [("a", ["10.0.0.2/32", "10.0.0.5/32"])]);

    private static string Describe(StoreRig rig)
    {
        var text = new StringBuilder();
        foreach (Policy policy in Policies.All)
        {
            foreach (Cidr cidr in rig.Store.SortedNetworks(policy))
            {
                rig.Store.TryGet(policy, cidr, out Entry e);
                text.AppendLine(
                    $"{policy} {cidr} {Encoding.UTF8.GetString(e.Tag.Span)} {Encoding.UTF8.GetString(e.Creator.Span)} {e.Creation} {e.Expiration} {e.Origin}");
            }

            text.AppendJoin(' ', rig.Store.Tags(policy).Where(t => t.Entries > 0)).AppendLine();
        }

        return text.Append(rig.Store.UntilNextExpiry()).ToString();
    }

    private static bool[] Dropped(StoreRig rig, Cidr[] probes) => [.. probes.Select(p => rig.Plane.Verdict(p) == Policy.Drop)];

    private static bool Covers((string Name, string[] Lines)[] sets, Cidr address) => sets.Any(set => set.Lines.Any(line => Net(line).Network.Contains(address)));

    private static string[] Hosts(int start, int count) =>
        [.. Enumerable.Range(start, count).Select(i => Cidr.FromV4(0x0a000000u + (uint)i).ToString())];

    private static string[] RandomNetworks(Random random, int count) =>
        [.. Enumerable.Range(0, count).Select(_ => Cidr.FromV4(0x0a000000u + (uint)random.Next(64), random.Next(27, 33)).ToString())];

    private static SetReplacementResult Swap(
        StoreRig rig, (string Name, string[] Lines)[]? drop = null, (string Name, string[] Lines)[]? ignore = null) =>
        rig.Store.ReplaceSets(Image(Policy.Ignore, ignore ?? []), Image(Policy.Drop, drop ?? []));

    private static SetImage Image(Policy policy, (string Name, string[] Lines)[] sets)
    {
        var image = new SetImage(policy);
        foreach ((string name, string[] lines) in sets)
        {
            image.BeginSet(Encoding.UTF8.GetBytes(name + ".couic"));
            foreach (string line in lines)
            {
                image.Add(Net(line));
            }
        }

        return image;
    }
}
