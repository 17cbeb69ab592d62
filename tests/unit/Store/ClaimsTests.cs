using System.Text;
using Couic.Store;
using Xunit;

namespace Couic.Tests.Store;

/// <summary>Several tags that want one network at a time.</summary>
public sealed class ClaimsTests
{
    private const string Net = "192.0.2.7/32";

    private readonly StoreRig _rig = new(new StoreLimits(MaxDropEntries: 50, MaxIgnoreEntries: 2, MaxTags: 4));

    private ulong Soon => _rig.Clock.Seconds + 600;

    private ulong Late => _rig.Clock.Seconds + 604_800;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void LongerClaim_InEitherOrder_OutlivesTheRemovalOfTheShorter(bool longFirst)
    {
        (string, ulong)[] order = longFirst ? [("recidive", Late), ("sshd", Soon)] : [("sshd", Soon), ("recidive", Late)];
        Assert.Equal(StoreOutcome.Created, Extend(order[0].Item1, order[0].Item2));
        Assert.Equal(longFirst ? StoreOutcome.ClaimChanged : StoreOutcome.Updated, Extend(order[1].Item1, order[1].Item2));
        AssertShown("recidive", Late);

        Assert.Equal(StoreOutcome.ClaimChanged, RemoveUnder("sshd"));
        AssertShown("recidive", Late);
        Assert.Equal(StoreOutcome.Conflict, RemoveUnder("sshd"));
        Assert.Equal(StoreOutcome.Removed, RemoveUnder("recidive"));
        Assert.False(_rig.Has(Net));
        Assert.Equal(StoreOutcome.Absent, RemoveUnder("recidive"));
    }

    [Fact]
    public void RemovalOfTheLongerClaim_RestoresTheExpiryOfTheShorter()
    {
        ulong soon = Soon;
        Extend("sshd", soon);
        Extend("recidive", Late);
        _rig.Clock.AdvanceSeconds(100);
        Assert.Equal(StoreOutcome.Updated, RemoveUnder("recidive"));
        AssertShown("sshd", soon);
        Assert.Equal(RuleEventKind.Updated, _rig.Feed.Events[^1].Kind);
        _rig.Clock.AdvanceSeconds(499);
        _rig.Store.Expire();
        Assert.True(_rig.Has(Net));
        _rig.Clock.AdvanceSeconds(2);
        Assert.Equal(1, _rig.Store.Expire());
    }

    [Theory]
    [InlineData(0)]
    [InlineData(300)]
    [InlineData(3_000_000)]
    public void ManualRule_IsRestored_AfterABanAndItsEnd(int seconds)
    {
        ulong expiration = seconds == 0 ? 0 : _rig.Clock.Seconds + (ulong)seconds;
        _rig.Add(Net, "by-hand", expiration);
        Extend("sshd", Soon);
        AssertShown(seconds == 300 ? "sshd" : "by-hand", seconds == 300 ? Soon : expiration);
        RemoveUnder("sshd");
        AssertShown("by-hand", expiration);
    }

    [Fact]
    public void BanWithoutExpiry_OutlastsEveryOther()
    {
        Extend("sshd", Late);
        Assert.Equal(StoreOutcome.Updated, Extend("forever", 0));
        Assert.Equal(StoreOutcome.ClaimChanged, Extend("recidive", Late));
        AssertShown("forever", 0);
    }

    [Fact]
    public void TwoClaimsOfOneTag_KeepTheLaterExpiry()
    {
        Extend("sshd", Late);
        Assert.Equal(StoreOutcome.Unchanged, Extend("sshd", Soon));
        AssertShown("sshd", Late);
        Assert.Equal(StoreOutcome.Updated, Extend("sshd", Late + 5));
        Assert.Equal(StoreOutcome.Removed, RemoveUnder("sshd"));
    }

    [Fact]
    public void EntryOfASet_TakesNoClaims()
    {
        var image = new SetImage(Policy.Drop);
        image.BeginSet("bad.couic"u8);
        image.Add(StoreRig.Net(Net));
        Assert.Equal(SetReplacementStatus.Done, _rig.Store.ReplaceSets(new SetImage(Policy.Ignore), image).Status);
        Assert.Equal(StoreOutcome.Unchanged, Extend("sshd", Soon));
        Assert.Equal(StoreOutcome.Conflict, RemoveUnder("sshd"));
        AssertShown("bad.couic", 0);
    }

    [Fact]
    public void Claims_OnAnEntryThatASetTookOverAndRemoved_AreNotThoseOfTheNextEntryInItsSlot()
    {
        Extend("sshd", Soon);
        Extend("recidive", Late);
        var drop = new SetImage(Policy.Drop);
        drop.BeginSet("list.couic"u8);
        drop.Add(StoreRig.Net(Net));
        Assert.Equal(SetReplacementStatus.Done, _rig.Store.ReplaceSets(new SetImage(Policy.Ignore), drop).Status);
        int slot = _rig.Get(Net).Slot;
        Assert.Equal(SetReplacementStatus.Done, _rig.Store.ReplaceSets(new SetImage(Policy.Ignore), new SetImage(Policy.Drop)).Status);

        _rig.Add("192.0.2.8/32", "nginx");
        Assert.Equal(slot, _rig.Get("192.0.2.8/32").Slot);
        var context = new ChangeContext(ChangeOrigin.Api, "tester"u8);
        Assert.Equal(StoreOutcome.Removed, _rig.Store.RemoveUnder(Policy.Drop, StoreRig.Net("192.0.2.8/32"), "nginx"u8, context, out _));
    }

    [Fact]
    public void UpdateAndRemovalWithoutATag_EndAllClaims()
    {
        Extend("sshd", Soon);
        Extend("recidive", Late);
        _rig.Add(Net, "new", Soon, ConflictMode.Update);
        Assert.Equal(StoreOutcome.Conflict, RemoveUnder("recidive"));
        Assert.Equal(StoreOutcome.Removed, RemoveUnder("new"));

        Extend("sshd", Soon);
        Extend("recidive", Late);
        Assert.Equal(StoreOutcome.Removed, _rig.Remove(Net));
        Extend("sshd", Soon);
        Assert.Equal(StoreOutcome.Removed, RemoveUnder("sshd"));
    }

    [Fact]
    public void Claims_AreBounded_AndTheLongestStaysInForce()
    {
        for (int i = 0; i < 1_000; i++)
        {
            Extend($"t{i}", Soon + (ulong)i);
        }

        AssertShown("t999", Soon + 999);
        for (int i = 0; i < 1_000; i++)
        {
            Assert.Equal(i >= 1_000 - Claims.MaxPerEntry ? 1 : 0, _rig.Store.NetworksUnder(Policy.Drop, Encoding.ASCII.GetBytes($"t{i}")).Count);
        }
    }

    [Fact]
    public void Claim_OfATagThatHasOne_IsAConflict_WhetherShownOrNot()
    {
        Assert.Equal(StoreOutcome.Created, Claim("sshd", Soon));
        Assert.Equal(StoreOutcome.Conflict, Claim("sshd", Late));
        Assert.Equal(StoreOutcome.Updated, Claim("recidive", Late));
        Assert.Equal(StoreOutcome.Conflict, Claim("sshd", Late + 1));
        Assert.Equal(StoreOutcome.ClaimChanged, Claim("web", Soon + 1));
        AssertShown("recidive", Late);
        Assert.Equal(["recidive", "web", "sshd"], Tags());

        _rig.Clock.AdvanceSeconds(600); // the claim of sshd has ended
        Assert.Equal(["recidive", "web"], Tags());
        Assert.Equal(StoreOutcome.ClaimChanged, Claim("sshd", Soon));
        Assert.Equal(["recidive", "sshd", "web"], Tags());
    }

    [Fact]
    public void Claim_BeyondTheLimit_IsRefused_UntilAnotherEnds()
    {
        for (int i = 0; i < Claims.MaxPerEntry; i++)
        {
            Assert.Equal(i == 0 ? StoreOutcome.Created : StoreOutcome.ClaimChanged, Claim($"t{i}", Late - (ulong)i));
        }

        Assert.Equal(StoreOutcome.TooManyClaims, Claim("more", Soon));
        Assert.Equal(StoreOutcome.TooManyClaims, Claim("more", 0));
        AssertShown("t0", Late);
        Assert.Equal(StoreOutcome.ClaimChanged, RemoveUnder("t3"));
        Assert.Equal(StoreOutcome.Updated, Claim("more", 0));
        Assert.Equal(Claims.MaxPerEntry, Tags().Length);
    }

    [Fact]
    public void Claims_KeepTheirReasonAndCreator_AndTheShownOneIsFirst()
    {
        _rig.Store.Add(Policy.Drop, StoreRig.Net(Net), "sshd"u8, Soon, ConflictMode.Claim, new ChangeContext(ChangeOrigin.Api, "f2b"u8, reason: "brute force"u8), out _);
        _rig.Store.Add(Policy.Drop, StoreRig.Net(Net), "feed"u8, Late, ConflictMode.Claim, new ChangeContext(ChangeOrigin.Api, "list"u8, reason: "listed"u8), out Entry entry);
        static string Text(Claim claim) => $"{Encoding.UTF8.GetString(claim.Tag)} {Encoding.UTF8.GetString(claim.Creator)} {Encoding.UTF8.GetString(claim.Reason)}";
        Assert.Equal(["feed list listed", "sshd f2b brute force"], entry.Claims!.Select(Text));
        Assert.Equal("listed", Encoding.UTF8.GetString(entry.Reason.Span));
        using EntrySnapshot list = _rig.Store.List(Policy.Drop);
        Assert.Equal(entry.Claims!.Select(Text), list.Claims(list.Rows.Span[0])!.Select(Text));
        Assert.Equal(StoreOutcome.Updated, RemoveUnder("feed"));
        Assert.Equal(("brute force", "f2b", null), (Encoding.UTF8.GetString(_rig.Get(Net).Reason.Span), Encoding.UTF8.GetString(_rig.Get(Net).Creator.Span), _rig.Get(Net).Claims));
    }

    [Fact]
    public void EntryOfASet_RefusesAClaim()
    {
        var image = new SetImage(Policy.Drop);
        image.BeginSet("bad.couic"u8);
        image.Add(StoreRig.Net(Net));
        Claim("sshd", Soon);
        Claim("web", Soon);
        _rig.Store.ReplaceSets(new SetImage(Policy.Ignore), image);
        Assert.Null(_rig.Get(Net).Claims); // those of the entry that the set took over
        Assert.Equal(StoreOutcome.OwnedBySet, Claim("other", Soon));
    }

    [Fact]
    public void RefusalByTheKernel_LeavesTheEntryAndItsClaims()
    {
        Extend("sshd", Soon);
        _rig.Plane.RefuseAt = 1;
        Assert.Equal(StoreOutcome.Refused, Extend("recidive", Late));
        AssertShown("sshd", Soon);
        Extend("recidive", Late);
        _rig.Plane.RefuseAt = 1;
        Assert.Equal(StoreOutcome.Refused, RemoveUnder("recidive"));
        AssertShown("recidive", Late);
        Assert.Equal(StoreOutcome.Updated, RemoveUnder("recidive"));
        _rig.AssertPlaneAgrees();
    }

    /// <summary>Random claims, removals and time, by single calls and batched, against a dictionary of tags and their claims.</summary>
    [Fact]
    public void RandomClaims_AgreeWithAModel()
    {
        for (int seed = 0; seed < 60; seed++)
        {
            var random = new Random(seed);
            var rig = new StoreRig(new StoreLimits(MaxDropEntries: 50, MaxIgnoreEntries: 2, MaxTags: 3));
            var model = new Dictionary<(string Net, string Tag), ulong>();
            for (int step = 0; step < 300; step++)
            {
                var changes = new ChangeRequest[random.Next(1, 6)];
                foreach (ref ChangeRequest change in changes.AsSpan())
                {
                    (string net, string tag) = ($"192.0.2.{random.Next(4)}/32", $"t{random.Next(5)}");
                    bool removes = random.Next(3) == 0;
                    // All ends differ, so that the longest is one.
                    ulong end = rig.Clock.Seconds + (ulong)((random.Next(1, 40) * 1000) + model.Count + step);
                    change = new ChangeRequest
                    {
                        IsRemoval = removes,
                        IsUnderTag = removes,
                        Cidr = StoreRig.Net(net),
                        Tag = Encoding.ASCII.GetBytes(tag),
                        Creator = [],
                        Mode = ConflictMode.Extend,
                        Expiration = end,
                    };
                    if (removes)
                    {
                        model.Remove((net, tag));
                    }
                    else
                    {
                        model[(net, tag)] = Math.Max(end, model.GetValueOrDefault((net, tag)));
                    }
                }

                rig.Store.Apply(changes);
                if (random.Next(5) == 0)
                {
                    rig.Clock.AdvanceSeconds(random.Next(5_000));
                    rig.Store.Expire();
                    model = model.Where(m => m.Value > rig.Clock.Seconds).ToDictionary();
                }

                Assert.Equal(
                    model.GroupBy(m => m.Key.Net).Select(g => $"{g.Key} {g.Max(m => m.Value)}").Order(StringComparer.Ordinal),
                    rig.Store.SortedNetworks(Policy.Drop).Select(n => $"{n} {rig.Get(n.ToString()).Expiration}").Order(StringComparer.Ordinal));
                rig.AssertPlaneAgrees();
            }
        }
    }

    private StoreOutcome Extend(string tag, ulong expiration) => _rig.Add(Net, tag, expiration, ConflictMode.Extend);

    private StoreOutcome Claim(string tag, ulong expiration) => _rig.Add(Net, tag, expiration, ConflictMode.Claim);

    private string[] Tags() => [.. _rig.Get(Net).Claims!.Select(claim => Encoding.ASCII.GetString(claim.Tag))];

    private StoreOutcome RemoveUnder(string tag) => _rig.Store.RemoveUnder(
        Policy.Drop, StoreRig.Net(Net), Encoding.ASCII.GetBytes(tag), new ChangeContext(ChangeOrigin.Api, "tester"u8), out _);

    private void AssertShown(string tag, ulong expiration)
    {
        Entry entry = _rig.Get(Net);
        Assert.Equal((tag, expiration), (Encoding.ASCII.GetString(entry.Tag.Span), entry.Expiration));
        _rig.AssertPlaneAgrees();
    }
}
