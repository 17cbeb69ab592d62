using Couic.Journal;
using Couic.Peering;
using Couic.Store;
using Couic.Tests.Store;
using Xunit;

namespace Couic.Tests.Journal;

public sealed class JournalRestoreTests
{
    private readonly JournalRig _rig = new();

    [Fact]
    public void Rules_AfterARestart_AreWhatTheyWere()
    {
        _rig.Add("192.0.2.7/32", "scan", _rig.Clock.Seconds + 600, creator: "web", reason: "port scan");
        _rig.Add("2001:db8::/48", creator: "");
        _rig.Add("198.51.100.0/24", "office", policy: Policy.Ignore);
        _rig.Store.Add(Policy.Drop, StoreRig.Net("203.0.113.1/32"), "x"u8, 0, ConflictMode.Update, new ChangeContext(ChangeOrigin.Peer, "node2"u8), out _);
        string[] before = _rig.Rules();
        _rig.Tick();
        _rig.Clock.AdvanceSeconds(5);

        JournalRig next = _rig.Restart();

        Assert.Equal(before, next.Rules());
        Assert.Equal(4, next.Plane.Table(Policy.Drop, IpFamily.V4).Count + next.Plane.Table(Policy.Drop, IpFamily.V6).Count + next.Plane.Table(Policy.Ignore, IpFamily.V4).Count);
        Assert.Equal(new RestoreCounts(Rules: 4), next.Journal.Restored);
        Assert.Null(next.Journal.Damage);
    }

    [Fact]
    public void WhatWasRemoved_IsNotRestored()
    {
        _rig.Add("192.0.2.7/32");
        _rig.Tick();
        _rig.Remove("192.0.2.7/32");
        _rig.Tick();
        Assert.Empty(_rig.Restart().Rules());
    }

    [Fact]
    public void SlotThatIsUsedAgain_EndsItsFormerValue()
    {
        _rig.Add("192.0.2.7/32");
        _rig.Tick();
        _rig.Remove("192.0.2.7/32");
        _rig.Add("192.0.2.8/32");
        _rig.Tick();
        JournalRig next = _rig.Restart();
        Assert.False(next.Has("192.0.2.7/32"));
        Assert.True(next.Has("192.0.2.8/32"));
    }

    [Fact]
    public void Rule_IsInForceForTheTimeThatIsLeftOfIt()
    {
        _rig.Add("192.0.2.7/32", "", _rig.Clock.Seconds + 100);
        _rig.Tick();
        _rig.Clock.AdvanceSeconds(60);
        JournalRig next = _rig.Restart();
        _rig.Clock.AdvanceSeconds(39);
        Assert.Equal(0, next.Store.Expire());
        _rig.Clock.AdvanceSeconds(1);
        Assert.Equal(1, next.Store.Expire());
    }

    [Fact]
    public void RuleThatExpiredMeanwhile_IsCountedAndNotRestored()
    {
        _rig.Add("192.0.2.7/32", "", _rig.Clock.Seconds + 100);
        _rig.Add("192.0.2.8/32");
        _rig.Tick();
        _rig.Clock.AdvanceSeconds(101);
        Assert.Equal(new RestoreCounts(Rules: 1, Expired: 1), _rig.Restart().Journal.Restored);
    }

    [Fact]
    public void MachineThatStartsInThePast_DoesNotProlongARule()
    {
        _rig.Add("192.0.2.7/32", "", _rig.Clock.Seconds + 100);
        _rig.Tick();
        _rig.Clock.StepWallClock(TimeSpan.FromDays(-20_000));
        JournalRig next = _rig.Restart();
        _rig.Clock.AdvanceSeconds(99);
        Assert.Equal(0, next.Store.Expire());
        _rig.Clock.AdvanceSeconds(1);
        Assert.Equal(1, next.Store.Expire());
    }

    [Fact]
    public void StepOfTheWallClockWhileItRuns_LeavesEachRuleItsTime()
    {
        _rig.Add("192.0.2.7/32", "", _rig.Clock.Seconds + 100);
        _rig.Tick();
        _rig.Clock.StepWallClock(TimeSpan.FromDays(2));
        _rig.Tick();
        JournalRig next = _rig.Restart();
        _rig.Clock.AdvanceSeconds(98);
        Assert.Equal(0, next.Store.Expire());
        _rig.Clock.AdvanceSeconds(2);
        Assert.Equal(1, next.Store.Expire());
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Claims_AreRestored(bool isReplicated)
    {
        var rig = new JournalRig(isReplicated: isReplicated);
        rig.Add("192.0.2.7/32", "recidive", rig.Clock.Seconds + 600, mode: ConflictMode.Extend);
        rig.Tick();
        rig.Add("192.0.2.7/32", "sshd", rig.Clock.Seconds + 300, mode: ConflictMode.Extend); // changes no entry
        rig.Tick();

        JournalRig next = rig.Restart();
        StoreOutcome outcome = next.Store.RemoveUnder(Policy.Drop, StoreRig.Net("192.0.2.7/32"), "recidive"u8, new ChangeContext(ChangeOrigin.Api, "t"u8), out Entry entry);
        Assert.Equal(StoreOutcome.Updated, outcome);
        Assert.Equal("sshd"u8, entry.Tag.Span);
        Assert.Equal(ChangeOrigin.Api, entry.Origin);
        rig.Clock.AdvanceSeconds(301);
        Assert.Equal(1, next.Store.Expire());
    }

    [Fact]
    public void ClaimThatWasGivenUp_IsNotRestored()
    {
        _rig.Add("192.0.2.7/32", "recidive", _rig.Clock.Seconds + 600, mode: ConflictMode.Extend);
        _rig.Add("192.0.2.7/32", "sshd", _rig.Clock.Seconds + 300, mode: ConflictMode.Extend);
        _rig.Tick();
        _rig.Store.RemoveUnder(Policy.Drop, StoreRig.Net("192.0.2.7/32"), "sshd"u8, new ChangeContext(ChangeOrigin.Api, "t"u8), out _);
        _rig.Tick();
        StoreOutcome outcome = _rig.Restart().Store.RemoveUnder(
            Policy.Drop, StoreRig.Net("192.0.2.7/32"), "recidive"u8, new ChangeContext(ChangeOrigin.Api, "t"u8), out _);
        Assert.Equal(StoreOutcome.Removed, outcome);
    }

    [Fact]
    public void RuleOfASet_StaysTheSets()
    {
        _rig.Add("192.0.2.7/32", "scan");
        _rig.Tick();
        JournalRig next = _rig.Restart(before: next => AddSet(next, "192.0.2.7/32"));
        Assert.Equal(new RestoreCounts(OwnedBySet: 1), next.Journal.Restored);
        Assert.Contains("list.couic", Assert.Single(next.Rules()), StringComparison.Ordinal);
    }

    [Fact]
    public void EntriesOfSets_AreNotJournaled()
    {
        _rig.Add("192.0.2.9/32");
        _rig.Tick();
        AddSet(_rig, "192.0.2.7/32", "192.0.2.8/32", "192.0.2.9/32");
        _rig.Tick();
        Assert.Empty(_rig.Restart().Rules());
        Assert.Equal(0, _rig.Writer.Records);
    }

    [Fact]
    public void FullTable_TakesWhatFits()
    {
        for (int i = 1; i <= 10; i++)
        {
            _rig.Add($"192.0.2.{i}/32");
        }

        _rig.Tick();
        JournalRig next = _rig.Restart(limits: new StoreLimits(4, 4, 8));
        Assert.Equal(new RestoreCounts(Rules: 4, Refused: 6), next.Journal.Restored);
    }

    [Fact]
    public void RuleThatLocksOut_IsWithheldWhereTheGuardRefuses()
    {
        _rig.Add("192.0.2.7/32");
        _rig.Add("192.0.2.8/32");
        _rig.Tick();
        JournalRig next = _rig.Restart(before: next =>
        {
            next.Store.Guard.Mode = LockoutMode.Refuse;
            next.Store.Guard.Protect([new ProtectedAddress(StoreRig.Net("192.0.2.7/32"), "the default gateway")]);
        });
        Assert.Equal(new RestoreCounts(Rules: 1, Refused: 1), next.Journal.Restored);
        Assert.False(next.Has("192.0.2.7/32"));
        Assert.Contains(next.Log.Lines, line => line.Contains("192.0.2.7/32 of drop is not restored from the journal", StringComparison.Ordinal));
    }

    [Fact]
    public void RestoredRules_AreNeitherReportedNorChanges()
    {
        _rig.Add("192.0.2.7/32");
        _rig.Tick();
        var feed = new Fakes.RecordingFeed();
        _rig.Restart(before: next => next.Store.Subscribe(feed));
        Assert.Equal(ChangeOrigin.Journal, Assert.Single(feed.Events).Origin);
    }

    /// <summary>Each record alone, so that each boundary of a record is a state of its own.</summary>
    [Fact]
    public void EveryTruncation_RestoresAllWholeRecordsBefore_AndIsSaid()
    {
        List<(int End, string[] Rules)> states = Write(out byte[] journal);
        for (int length = 0; length < journal.Length; length++)
        {
            JournalRig next = _rig.Restart(journal[..length]);
            Assert.Equal(StateAt(states, length), next.Rules());
            next.Tick();
            bool isWhole = states.Exists(state => state.End == length);
            Assert.Equal(isWhole ? 0 : 1, next.Place.Aside.Count);
            Assert.Equal(isWhole, !next.Log.Lines.Any(line => line.StartsWith("Error: the journal of rules was not read to its end", StringComparison.Ordinal)));
        }
    }

    [Fact]
    public void EveryFlippedByte_RestoresAllWholeRecordsBefore_AndIsSaid()
    {
        List<(int End, string[] Rules)> states = Write(out byte[] journal);
        for (int at = 0; at < journal.Length; at++)
        {
            byte[] damaged = [.. journal];
            damaged[at] ^= (byte)(1 << (at % 8));
            JournalRig next = _rig.Restart(damaged);
            Assert.Equal(StateAt(states, at), next.Rules());
            next.Tick();
            Assert.Equal(damaged, Assert.Single(next.Place.Aside));
            Assert.Equal(next.Rules(), next.Restart().Rules());
            Assert.Contains(next.Log.Lines, line => line.StartsWith("Error: the journal of rules was not read to its end", StringComparison.Ordinal));
        }
    }

    [Fact]
    public void JournalOfANewerVersion_IsKeptAside_AndSaid()
    {
        _rig.Add("192.0.2.7/32");
        _rig.Tick();
        byte[] newer = [.. _rig.Place.Content!];
        Assert.True(JournalFormat.TryReadHeader(newer, out JournalHeader header));
        JournalFormat.WriteHeader(newer, header with { Version = JournalFormat.Version + 1 });
        JournalRig next = _rig.Restart(newer);
        Assert.Empty(next.Rules());
        Assert.Equal($"a newer couic wrote it (format {JournalFormat.Version + 1}, this one reads {JournalFormat.Version})", next.Journal.Damage);
        next.Tick();
        Assert.Equal(newer, Assert.Single(next.Place.Aside));
        Assert.NotNull(next.Journal.Damage); // until the file is gone
    }

    [Fact]
    public void JournalThatCannotBeOpened_IsKeptAside_AndTheNextOneIsWritten()
    {
        JournalRig next = _rig.Restart(before: next => next.Place.OpenFault = "is not a regular file");
        next.Place.OpenFault = null;
        Assert.Equal("is not a regular file", next.Journal.Damage);
        next.Add("192.0.2.7/32");
        next.Tick();
        Assert.True(next.Restart().Has("192.0.2.7/32"));
    }

    [Fact]
    public void Versions_SurviveRestartsWithoutPeers_AndServeAStartWithThem()
    {
        _rig.Add("192.0.2.7/32");
        _rig.Tick();
        ulong made = (ulong)_rig.Clock.GetUtcNow().AddSeconds(1).ToUnixTimeMilliseconds() << 16;
        _rig.Clock.AdvanceSeconds(1_000);
        JournalRig second = _rig.Restart();
        second.Tick();
        _rig.Clock.AdvanceSeconds(1_000);
        JournalRig third = second.Restart(isReplicated: true);
        Assert.True(third.Engine!.IndexOf(Policy.Drop)!.TryGet(StoreRig.Net("192.0.2.7/32"), out OutgoingJob job, out RegisterFlags flags));
        Assert.InRange(job.Version.Time, 1UL, made);
        Assert.True(flags.HasFlag(RegisterFlags.Applied));
    }

    private static void AddSet(JournalRig rig, params string[] networks)
    {
        var drop = new SetImage(Policy.Drop);
        drop.BeginSet("list.couic"u8);
        foreach (string network in networks)
        {
            drop.Add(StoreRig.Net(network));
        }

        rig.Store.ReplaceSets(new SetImage(Policy.Ignore), drop);
    }

    private static string[] StateAt(List<(int End, string[] Rules)> states, int length) => states.LastOrDefault(state => state.End <= length).Rules ?? [];

    /// <summary>A journal with a record per change, and the rules after each.</summary>
    private List<(int End, string[] Rules)> Write(out byte[] journal)
    {
        _rig.Tick();
        List<(int End, string[] Rules)> states = [];
        Note(states, _rig.Place.Content!);
        Step(() => _rig.Add("192.0.2.7/32", "scan", _rig.Clock.Seconds + 1_000_000));
        Step(() => _rig.Add("2001:db8::/48"));
        Step(() => _rig.Remove("192.0.2.7/32"));
        Step(() => _rig.Add("192.0.2.9/32", "other", policy: Policy.Ignore));
        Step(() => _rig.Add("2001:db8::/48", "tag"));
        journal = _rig.Place.Content!;
        return states;

        void Step(Action change)
        {
            change();
            int before = _rig.Place.Content!.Length;
            _rig.Tick();
            byte[] content = _rig.Place.Content!;

            // The change, and the time after it.
            states.Add((before + JournalFormat.FrameLength(content.AsSpan(before)), _rig.Rules()));
            states.Add((content.Length, _rig.Rules()));
        }

        static void Note(List<(int End, string[] Rules)> states, byte[] content)
        {
            int at = JournalFormat.HeaderBytes;
            states.Add((at, []));
            for (; at < content.Length; at += JournalFormat.FrameLength(content.AsSpan(at)))
            {
                states.Add((at, []));
            }

            states.Add((at, []));
        }
    }
}
