using System.Globalization;
using Couic.Journal;
using Couic.Native;
using Couic.Peering;
using Couic.Store;
using Couic.Tests.Store;
using CsCheck;
using Xunit;

namespace Couic.Tests.Journal;

public sealed class JournalWriterTests
{
    private readonly JournalRig _rig = new();

    [Fact]
    public void RuleThatChangedOften_IsWrittenOnce()
    {
        _rig.Tick();
        int empty = _rig.Place.Content!.Length;
        for (int i = 0; i < 1_000; i++)
        {
            _rig.Add("192.0.2.7/32", $"tag{i % 7}");
        }

        _rig.Tick();
        Assert.InRange(_rig.Place.Content!.Length - empty, 1, 200);
    }

    [Fact]
    public void RuleThatCameAndWent_IsNotWritten()
    {
        _rig.Tick();
        int before = _rig.Place.Content!.Length;
        _rig.Add("192.0.2.7/32");
        _rig.Remove("192.0.2.7/32");
        _rig.Tick();
        Assert.InRange(_rig.Place.Content!.Length - before, 0, 30); // the time
    }

    [Fact]
    public void WithoutChanges_NothingIsWritten_ButTheTimeNowAndThen()
    {
        _rig.Tick();
        _rig.Place.Operations.Clear();
        for (int i = 0; i < 4 * 60 * 9; i++)
        {
            _rig.Tick();
        }

        Assert.Empty(_rig.Place.Operations);
        _rig.Clock.Advance(TimeSpan.FromMinutes(2));
        _rig.Tick();
        Assert.Equal(["append", "sync"], _rig.Place.Operations);
        Assert.Equal(TimeSpan.Zero, _rig.Journal.SyncAge);
    }

    /// <summary>Whatever was changed, and whenever the disk was refused, a restart finds the rules of the last successful write.</summary>
    [Fact]
    public void RandomChanges_AfterEachWrite_AreRestored() =>
        Gen.Select(Gen.Int[0, 5], Gen.Int[0, 30], Gen.Int[0, 2]).List[20, 200].Sample(steps =>
        {
            var rig = new JournalRig();
            foreach ((int step, int address, int tag) in steps)
            {
                string cidr = string.Create(CultureInfo.InvariantCulture, $"192.0.2.{address}/32");
                switch (step)
                {
                    case 0:
                        rig.Remove(cidr);
                        break;
                    case 1:
                        rig.Tick();
                        Assert.Equal(rig.Rules(), rig.Restart().Rules());
                        break;
                    case 2:
                        rig.Clock.AdvanceSeconds(7);
                        rig.Store.Expire();
                        break;
                    default:
                        rig.Add(cidr, $"tag{tag}", step == 3 ? 0 : rig.Clock.Seconds + (ulong)(5 * address), mode: step == 5 ? ConflictMode.Extend : ConflictMode.Update);
                        break;
                }
            }
        }, iter: 100);

    /// <summary>A power failure at any moment of any write: what an earlier write had put on the disk is there.</summary>
    [Fact]
    public void PowerFailureAtAnyOperation_KeepsWhatWasSyncedBefore() => Gen.Int[0, int.MaxValue].Sample(seed =>
    {
        var random = new Random(seed);
        var rig = new JournalRig();
        var kept = new HashSet<string>();
        List<byte[]> disks = [];
        rig.Place.Before = _ => disks.Add(rig.Place.AfterPowerFailure(random) ?? []);
        for (int round = 0; round < 30; round++)
        {
            disks.Clear();
            string[] added = [.. Enumerable.Range(0, random.Next(1, 20)).Select(i => $"10.{round}.{i}.0/24")];
            Array.ForEach(added, cidr => rig.Add(cidr));
            if (random.Next(4) == 0)
            {
                rig.Clock.StepWallClock(TimeSpan.FromHours(1)); // has all written again
            }

            rig.Tick();
            foreach (byte[] disk in disks)
            {
                JournalRig next = rig.Restart(disk);
                Assert.All(kept, cidr => Assert.True(next.Has(cidr)));
            }

            kept.UnionWith(added);
        }
    }, iter: 10);

    [Fact]
    public void Journal_HasAtMostTwiceWhatItNeeds()
    {
        for (int i = 0; i < 500; i++)
        {
            _rig.Add($"10.0.{i / 256}.{i % 256}/32", "tag");
        }

        _rig.Tick();
        long needed = _rig.Place.Content!.Length;
        for (int round = 0; round < 100; round++)
        {
            for (int i = 0; i < 100; i++)
            {
                _rig.Add($"10.0.0.{i}/32", $"tag{round % 7}");
            }

            _rig.Tick();
            Assert.InRange(_rig.Writer.Bytes, 1, Math.Max(64 * 1024, 2 * needed) + 20_000);
            Assert.Equal(_rig.Place.Content!.Length, _rig.Writer.Bytes);
        }

        Assert.InRange(_rig.Writer.Compactions, 5, 50);
        Assert.Equal(_rig.Rules(), _rig.Restart().Rules());
    }

    /// <summary>A slow disk: each operation takes longer than the interval, and rules change during each.</summary>
    [Fact]
    public void ChangesDuringACompaction_AreInBothFiles()
    {
        for (int i = 0; i < 1_900; i++)
        {
            _rig.Add($"10.0.{i / 256}.{i % 256}/32", new string('t', 60));
        }

        _rig.Tick();
        _rig.Clock.StepWallClock(TimeSpan.FromHours(1));
        int n = 0, during = 0, syncs = _rig.Place.Operations.Count(operation => operation == "sync");
        byte[]? old = null;
        _rig.Place.Before = operation =>
        {
            if (operation == "publish")
            {
                old = _rig.Place.Content;
                return;
            }

            during += operation == "create" ? 0 : 1;
            _rig.Clock.AdvanceSeconds(1);
            _rig.Remove($"10.0.0.{n++}/32");
            _rig.Add($"10.0.5.{n}/32");
        };
        _rig.Writer.Tick();
        _rig.Place.Before = null;
        Assert.InRange(during, 4, 1_000);
        Assert.InRange(_rig.Place.Operations.Count(operation => operation == "sync") - syncs, 3, 1_000); // in the middle, and at the end of both
        JournalRig fromOld = _rig.Restart(old);
        Assert.False(fromOld.Has("10.0.0.0/32"), "a change during the compaction is not in the former journal");
        _rig.Tick();
        Assert.Equal(_rig.Rules(), _rig.Restart().Rules());
    }

    [Fact]
    public void FullDisk_IsCountedAndSaidOnce_AndMendedWhenThereIsRoom()
    {
        _rig.Add("192.0.2.1/32");
        _rig.Tick();
        _rig.Place.Room = 20;
        _rig.Add("192.0.2.2/32");
        for (int i = 0; i < 100; i++)
        {
            _rig.Tick();
        }

        Assert.InRange(_rig.Writer.Errors, 2, 20);
        Assert.Contains("no space left", _rig.Journal.Fault, StringComparison.Ordinal);
        Assert.True(_rig.Journal.SyncAge > TimeSpan.FromSeconds(20));
        Assert.Single(_rig.Log.Lines, line => line.StartsWith("Error:", StringComparison.Ordinal));
        Assert.True(_rig.Restart().Has("192.0.2.1/32"));
        Assert.Null(_rig.Restart().Journal.Damage);

        _rig.Place.Room = long.MaxValue;
        _rig.Add("192.0.2.3/32");
        _rig.Clock.AdvanceSeconds(6);
        _rig.Tick();
        Assert.Null(_rig.Journal.Fault);
        Assert.Contains(_rig.Log.Lines, line => line.Contains("written again", StringComparison.Ordinal));
        Assert.Equal(_rig.Rules(), _rig.Restart().Rules());
    }

    [Fact]
    public void DiskWithoutRoomForASecondFile_StillTakesChanges()
    {
        for (int i = 0; i < 500; i++)
        {
            _rig.Add($"10.0.{i / 256}.{i % 256}/32", "tag");
        }

        _rig.Tick();
        _rig.Place.Room = 10_000;
        _rig.Clock.StepWallClock(TimeSpan.FromHours(1));
        _rig.Add("192.0.2.2/32");
        _rig.Tick();
        Assert.Contains("no space left", _rig.Journal.Fault, StringComparison.Ordinal);
        Assert.True(_rig.Restart().Has("192.0.2.2/32"));
        Assert.Equal(TimeSpan.Zero, _rig.Journal.SyncAge);
    }

    [Theory]
    [InlineData("create")]
    [InlineData("append")]
    [InlineData("sync")]
    [InlineData("truncate")]
    [InlineData("publish")]
    public void FailingOperation_LosesNothingOnceItWorksAgain(string failing)
    {
        _rig.Add("192.0.2.1/32");
        _rig.Tick();
        int failures = 0;
        _rig.Place.Fails = operation =>
        {
            bool fails = operation == failing || (failing == "truncate" && operation == "append");
            failures += fails ? 1 : 0;
            return fails ? Errno.EIO : Errno.None;
        };
        for (int i = 2; i < 50; i++)
        {
            _rig.Clock.StepWallClock(TimeSpan.FromMinutes(1));
            _rig.Add($"192.0.2.{i}/32");
            _rig.Remove($"192.0.2.{i - 1}/32");
            _rig.Tick();
        }

        Assert.InRange(failures, 2, 100);
        Assert.NotNull(_rig.Journal.Fault);
        _rig.Place.Fails = null;
        _rig.Clock.AdvanceSeconds(6);
        _rig.Tick();
        _rig.Tick();
        Assert.Null(_rig.Journal.Fault);
        JournalRig next = _rig.Restart();
        Assert.Equal(_rig.Rules(), next.Rules());
        Assert.Null(next.Journal.Damage);
    }

    /// <summary>After a failed sync the kernel drops what it could not write, and the next sync succeeds.</summary>
    [Fact]
    public void FailedSync_HasTheJournalReplaced()
    {
        _rig.Tick();
        _rig.Add("192.0.2.1/32");
        _rig.Place.Fails = operation => operation == "sync" ? Errno.EIO : Errno.None;
        _rig.Tick();
        Assert.False(_rig.Restart(_rig.Place.Synced).Has("192.0.2.1/32"));
        _rig.Place.Fails = null;
        _rig.Clock.AdvanceSeconds(6);
        _rig.Tick();
        Assert.Equal(TimeSpan.Zero, _rig.Journal.SyncAge);
        Assert.True(_rig.Restart(_rig.Place.Synced).Has("192.0.2.1/32"));
    }

    [Fact]
    public void JournalThatAnotherProgramTookAway_IsWrittenAgain()
    {
        _rig.Add("192.0.2.1/32");
        _rig.Tick();
        long before = _rig.Writer.Compactions;
        _rig.Place.IsTaken = true;
        _rig.Tick();
        Assert.Equal(before + 1, _rig.Writer.Compactions);
        Assert.Contains(_rig.Log.Lines, line => line.Contains("removed or replaced by another program", StringComparison.Ordinal));
        Assert.True(_rig.Restart().Has("192.0.2.1/32"));
    }

    [Fact]
    public void RefusedChange_LeavesTheJournalAtWhatIsInForce()
    {
        _rig.Add("192.0.2.1/32", "first");
        _rig.Plane.AfterWrite = _rig.Writer.Tick; // the new tag is planned and not decided
        _rig.Plane.Refuses = _ => true;
        _rig.Clock.AdvanceSeconds(1);
        _rig.Add("192.0.2.1/32", "second");
        _rig.Clock.StepWallClock(TimeSpan.FromHours(1)); // has all slots written
        _rig.Add("192.0.2.2/32");
        _rig.Plane.AfterWrite = null;
        _rig.Tick();
        Assert.Equal(_rig.Rules(), _rig.Restart().Rules());
        Assert.Single(_rig.Rules());
    }

    [Fact]
    public void Registers_AreWritten_WithTombstonesAndVersions()
    {
        var rig = new JournalRig(isReplicated: true);
        rig.Add("192.0.2.1/32", "tag", rig.Clock.Seconds + 600, reason: "a scan");
        rig.Add("192.0.2.2/32");
        rig.Add("198.51.100.1/32", policy: Policy.Ignore); // is not replicated
        rig.Tick();
        rig.Remove("192.0.2.2/32");
        rig.Tick();
        rig.Clock.AdvanceSeconds(10);

        JournalRig next = rig.Restart();
        Assert.Equal(rig.Rules(), next.Rules());
        RegisterTable before = rig.Engine!.IndexOf(Policy.Drop)!, after = next.Engine!.IndexOf(Policy.Drop)!;
        foreach (string cidr in (string[])["192.0.2.1/32", "192.0.2.2/32"])
        {
            Assert.True(before.TryGet(StoreRig.Net(cidr), out OutgoingJob was, out RegisterFlags flags));
            Assert.True(after.TryGet(StoreRig.Net(cidr), out OutgoingJob now, out RegisterFlags flagsNow));
            Assert.Equal((was.Version, was.State, was.Expiration, was.Left), (now.Version, now.State, now.Expiration, now.Left));
            Assert.True(was.State == RegisterState.Removed || flags == flagsNow);
        }

        Assert.Equal(before.Summary(), after.Summary());
        next.Add("192.0.2.1/32", "newer");
        Assert.True(after.TryGet(StoreRig.Net("192.0.2.1/32"), out OutgoingJob changed, out _));
        Assert.Equal(next.Node, changed.Version.Node);
    }

    [Fact]
    public void PeeringThatIsSwitchedByAReload_ChangesWhatIsWritten()
    {
        var rig = new JournalRig(isReplicated: true);
        rig.Add("192.0.2.1/32", "tag");
        rig.Tick();
        rig.Engine!.Reconfigure(PeeringSettings.Off);
        rig.Add("192.0.2.2/32");
        rig.Tick();
        Assert.Equal(rig.Rules(), rig.Restart(isReplicated: false).Rules());
        rig.Engine.Reconfigure(new PeeringSettings(true, [Policy.Drop], []));
        rig.Remove("192.0.2.1/32");
        rig.Tick();
        JournalRig next = rig.Restart();
        Assert.Equal(rig.Rules(), next.Rules());
        Assert.True(next.Engine!.IndexOf(Policy.Drop)!.TryGet(StoreRig.Net("192.0.2.1/32"), out OutgoingJob removed, out _));
        Assert.Equal(RegisterState.Removed, removed.State);
        rig.Engine.Reconfigure(PeeringSettings.Off);
        rig.Tick();
        Assert.Equal(1, rig.Writer.Records);
        Assert.Equal(rig.Rules(), rig.Restart(isReplicated: false).Rules());
    }

    [Fact]
    public void TombstoneThatIsNotNeededAnyMore_LeavesTheJournal()
    {
        var rig = new JournalRig(isReplicated: true);
        rig.Add("192.0.2.1/32");
        rig.Tick();
        rig.Remove("192.0.2.1/32");
        rig.Tick();
        Assert.Equal(1, rig.Writer.Records);
        rig.Engine!.IndexOf(Policy.Drop)!.Collect(long.MaxValue, 100);
        rig.Tick();
        Assert.Empty(rig.Restart().Rules());
        Assert.Equal(0, rig.Writer.Records);
    }

    [Fact]
    public void Marks_AreTakenOnceEach_InOrder() => Gen.Int[0, 5_000].List[0, 100].Sample(slots =>
    {
        var marks = new SlotMarks();
        slots.ForEach(marks.Set);
        Assert.Equal(slots.Distinct().Count(), marks.Count);
        List<int> taken = [];
        for (int from = 0; (from = marks.Take(from)) >= 0; from++)
        {
            taken.Add(from);
        }

        Assert.Equal(slots.Distinct().Order(), taken);
        Assert.Equal(0, marks.Count);
    });
}
