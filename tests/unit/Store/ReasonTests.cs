using System.Runtime.CompilerServices;
using System.Text;
using Couic.Peering;
using Couic.Store;
using Xunit;

namespace Couic.Tests.Store;

/// <summary>Why an entry exists.</summary>
public sealed class ReasonTests
{
    private const string Net = "192.0.2.7/32";

    private readonly StoreRig _rig = new(new StoreLimits(MaxDropEntries: 50, MaxIgnoreEntries: 2, MaxTags: 4));

    [Theory]
    [InlineData("", null)]
    [InlineData("port scan, \"ticket\" 4711 \\ é ✓", null)]
    [InlineData("a\nb", "control characters")]
    [InlineData("\u001b[2J", "control characters")]
    [InlineData("\u007f", "control characters")]
    [InlineData("\u0085", "control characters")]
    [InlineData("\u2028", "control characters")]
    public void Reason_WithControlCharacters_IsAFault(string text, string? fault) =>
        Assert.StartsWith(fault ?? "", ReasonRule.Fault(Encoding.UTF8.GetBytes(text)) ?? (fault is null ? "" : "none"));

    [Fact]
    public void Reason_IsLimitedInBytesOfUtf8()
    {
        Assert.Null(ReasonRule.Fault(Encoding.UTF8.GetBytes(new string('é', 128))));
        Assert.Equal("longer than 256 bytes", ReasonRule.Fault(Encoding.UTF8.GetBytes(new string('é', 129))));
        Assert.Equal("not UTF-8", ReasonRule.Fault([0xc3]));
    }

    [Fact]
    public void Records_WithoutAReason_HaveTheSizeTheyHadBeforeReasons()
    {
        Assert.Equal(64, Unsafe.SizeOf<EntrySlot>());
        Assert.Equal(104, Unsafe.SizeOf<Register>());
        Assert.Equal(48, Unsafe.SizeOf<ListedEntry>());
    }

    [Fact]
    public void Update_ReplacesTheReason_AndAnUpdateWithoutOneRemovesIt()
    {
        Assert.Equal(StoreOutcome.Created, Add(Net, "one"));
        Assert.Equal("one", ReasonOf(Net));
        Assert.Equal(StoreOutcome.Conflict, Add(Net, "two"));
        Assert.Equal("one", ReasonOf(Net));
        Assert.Equal(StoreOutcome.Unchanged, Add(Net, "one", ConflictMode.Update));
        Assert.Equal(StoreOutcome.Updated, Add(Net, "two", ConflictMode.Update));
        Assert.Equal("two", ReasonOf(Net));
        Assert.Equal("two", Encoding.UTF8.GetString(_rig.Feed.Events[^1].Entry.Reason.Span));
        Assert.Equal(StoreOutcome.Updated, Add(Net, "", ConflictMode.Update));
        Assert.Equal("", ReasonOf(Net));
        Assert.Equal(0, _rig.Store.Tables.Reasons.Bytes);
    }

    [Fact]
    public void ReasonOfARemovedEntry_IsNotThatOfTheNextOneInItsSlot()
    {
        Add(Net, "one");
        int slot = _rig.Get(Net).Slot;
        Assert.Equal(StoreOutcome.Removed, _rig.Remove(Net));
        Assert.Equal("one", Encoding.UTF8.GetString(_rig.Feed.Events[^1].Entry.Reason.Span));
        _rig.Add("192.0.2.8/32");
        Assert.Equal(slot, _rig.Get("192.0.2.8/32").Slot);
        Assert.Equal("", ReasonOf("192.0.2.8/32"));
        Assert.Equal(0, _rig.Store.Tables.Reasons.Bytes);
    }

    [Fact]
    public void RefusalByTheKernel_LeavesTheReasonAsItWas()
    {
        Add(Net, "one");
        _rig.Plane.RefuseAt = 1;
        Assert.Equal(StoreOutcome.Refused, _rig.Store.Add(
            Policy.Drop, StoreRig.Net(Net), "t"u8, 0, ConflictMode.Update, new ChangeContext(ChangeOrigin.Api, "tester"u8, reason: "two"u8), out _));
        Assert.Equal("one", ReasonOf(Net));
        int bytes = _rig.Store.Tables.Reasons.Bytes;
        _rig.Remove(Net);
        Assert.Equal(0, _rig.Store.Tables.Reasons.Bytes);
        Assert.True(bytes > 0);
    }

    [Fact]
    public void EqualReasons_AreStoredOnce()
    {
        Add("192.0.2.1/32", "one");
        int bytes = _rig.Store.Tables.Reasons.Bytes;
        for (int i = 2; i < 20; i++)
        {
            Add($"192.0.2.{i}/32", "one");
        }

        Assert.Equal(bytes, _rig.Store.Tables.Reasons.Bytes);
        for (int i = 1; i < 19; i++)
        {
            _rig.Remove($"192.0.2.{i}/32");
        }

        Assert.Equal(("one", bytes), (ReasonOf("192.0.2.19/32"), _rig.Store.Tables.Reasons.Bytes));
    }

    [Fact]
    public void Reasons_AreBoundedInTotal_AndTheEntryIsStoredWithoutOne()
    {
        var texts = new ReasonTexts();
        var held = new List<int>();
        for (int i = 0; i < 100_000; i++)
        {
            int reason = texts.Acquire(Encoding.ASCII.GetBytes($"{i}".PadLeft(ReasonRule.MaxBytes)));
            if (reason == 0)
            {
                break;
            }

            held.Add(reason);
        }

        Assert.InRange(texts.Bytes, ReasonTexts.MaxBytes - 1_000, ReasonTexts.MaxBytes);
        Assert.Equal(held[0], texts.Acquire(texts[held[0]])); // a known one needs no more
        texts.Release(held[0]);
        held.ForEach(texts.Release);
        Assert.Equal(0, texts.Bytes);
    }

    [Fact]
    public void Lists_HaveTheReasons()
    {
        Add("192.0.2.2/32", "one");
        Add("192.0.2.1/32", "");
        Add("2001:db8::/32", "two");
        using EntrySnapshot list = _rig.Store.List(Policy.Drop);
        Assert.Equal(["", "one", "two"], list.Rows.ToArray().Select(row => Encoding.UTF8.GetString(list.Reason(row))));
        using EntrySnapshot page = _rig.Store.ListPage(Policy.Drop, null, 2, null)!;
        Assert.Equal(["", "one"], page.Rows.ToArray().Select(row => Encoding.UTF8.GetString(page.Reason(row))));
        using EntrySnapshot covering = _rig.Store.ListCovering(Policy.Drop, StoreRig.Net("192.0.2.2/32"));
        Assert.Equal(["one"], covering.Rows.ToArray().Select(row => Encoding.UTF8.GetString(covering.Reason(row))));
    }

    [Fact]
    public void Sets_GiveTheirLinesTheReason_AndAReloadChangesIt()
    {
        Add("10.0.0.1/32", "by hand");
        Replace(("a.couic", "", "10.0.0.1/32"), ("a.couic", "scanners", "10.0.0.2/32"), ("b.couic", "mail", "10.0.0.3/32"), ("b.couic", "mail", "10.0.0.2/32"));
        Assert.Equal(["", "scanners", "mail"], new[] { "10.0.0.1/32", "10.0.0.2/32", "10.0.0.3/32" }.Select(ReasonOf));
        Assert.Equal("a.couic"u8, _rig.Get("10.0.0.2/32").Tag.Span);

        SetReplacementResult again = Replace(("a.couic", "", "10.0.0.1/32"), ("a.couic", "other", "10.0.0.2/32"), ("b.couic", "mail", "10.0.0.3/32"));
        Assert.Equal((0, 1, 2), (again.Drop.Added, again.Drop.TakenOver, again.Drop.Unchanged));
        Assert.Equal("other", ReasonOf("10.0.0.2/32"));
        Replace();
        Assert.Equal(0, _rig.Store.Tables.Reasons.Bytes);
    }

    [Fact]
    public void RefusedReplacementOfSets_RestoresTheReasons()
    {
        Add("10.0.0.1/32", "by hand");
        Replace(("a.couic", "scanners", "10.0.0.2/32"));
        int bytes = _rig.Store.Tables.Reasons.Bytes;
        _rig.Plane.RefuseAt = 3;
        SetReplacementResult refused = Replace(("b.couic", "new", "10.0.0.1/32"), ("b.couic", "new", "10.0.0.3/32"));
        Assert.Equal(SetReplacementStatus.Refused, refused.Status);
        Assert.Equal(["by hand", "scanners"], new[] { "10.0.0.1/32", "10.0.0.2/32" }.Select(ReasonOf));
        Assert.Equal(bytes, _rig.Store.Tables.Reasons.Bytes);
    }

    [Fact]
    public void SetWithMoreSectionsThanAreKept_HasNoReasonBeyondThem()
    {
        var image = new SetImage(Policy.Drop);
        image.BeginSet("a.couic"u8);
        for (int i = 0; i < SetImage.MaxSections + 10; i++)
        {
            image.BeginReason(Encoding.ASCII.GetBytes($"r{i}"));
            image.Add(Cidr.FromV4((uint)i));
        }

        image.BeginSet("b.couic"u8);
        image.BeginReason("late"u8);
        image.Add(Cidr.FromV4(uint.MaxValue));
        image.Sort();
        SetRuleList rules = image.Rules(IpFamily.V4);
        Assert.Equal("r7", Encoding.ASCII.GetString(image.Reason(rules[7].Number)));
        Assert.Equal("", Encoding.ASCII.GetString(image.Reason(rules[SetImage.MaxSections + 5].Number)));
        Assert.Equal(("b.couic", ""), (Encoding.ASCII.GetString(image.Tag(rules[rules.Count - 1].Number)), Encoding.ASCII.GetString(image.Reason(rules[rules.Count - 1].Number))));
    }

    private StoreOutcome Add(string cidr, string reason, ConflictMode mode = ConflictMode.Refuse) => _rig.Store.Add(
        Policy.Drop, StoreRig.Net(cidr), default, 0, mode, new ChangeContext(ChangeOrigin.Api, "tester"u8, reason: Encoding.UTF8.GetBytes(reason)), out _);

    private string ReasonOf(string cidr) => Encoding.UTF8.GetString(_rig.Get(cidr).Reason.Span);

    private SetReplacementResult Replace(params (string Tag, string Reason, string Cidr)[] lines)
    {
        var image = new SetImage(Policy.Drop);
        string last = "";
        foreach ((string tag, string reason, string cidr) in lines)
        {
            if (tag != last)
            {
                image.BeginSet(Encoding.ASCII.GetBytes(tag));
                last = tag;
            }

            image.BeginReason(Encoding.ASCII.GetBytes(reason));
            image.Add(StoreRig.Net(cidr));
        }

        return _rig.Store.ReplaceSets(new SetImage(Policy.Ignore), image);
    }
}
