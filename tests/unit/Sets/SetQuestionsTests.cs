using Couic.Native;
using Couic.Sets;
using Couic.Store;
using Couic.Tests.Fakes;
using Couic.Tests.Store;
using Couic.Tests.Support;
using Xunit;

namespace Couic.Tests.Sets;

/// <summary>What a start and a reload of sets ask about.</summary>
public sealed class SetQuestionsTests : IDisposable
{
    private readonly TempFolder _folder = new();
    private readonly StoreRig _rig = new(new StoreLimits(MaxDropEntries: 1000, MaxIgnoreEntries: 1000));
    private readonly ListLogger _log = new();
    private readonly SetLoader _loader;

    public SetQuestionsTests()
    {
        Directory.CreateDirectory(_folder["drop"]);
        Directory.CreateDirectory(_folder["ignore"]);
        _loader = new SetLoader(new SetDirectory(_folder.Path, FileOwner.Current), _rig.Store, _rig.Clock, _log);
        Guard.Protect([new ProtectedAddress(Parse("10.77.0.1/32"), "the default gateway"), new ProtectedAddress(Parse("2001:db8::1/128"), "a peer")]);
    }

    private LockoutGuard Guard => _rig.Store.Guard;

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(LockoutMode.Warn, LockoutStance.Default, true)]
    [InlineData(LockoutMode.Warn, LockoutStance.Refuse, false)]
    [InlineData(LockoutMode.Warn, LockoutStance.Force, true)]
    [InlineData(LockoutMode.Refuse, LockoutStance.Default, false)]
    [InlineData(LockoutMode.Refuse, LockoutStance.Force, true)]
    [InlineData(LockoutMode.Off, LockoutStance.Refuse, true)]
    public void AReload_ThatLocksOut_ChangesEverythingOrNothing(LockoutMode mode, LockoutStance stance, bool isDone)
    {
        _loader.Start();
        Guard.Mode = mode;
        _folder.Write("drop/bogons.couic", "10.0.0.0/8\n192.168.0.0/16\n2001:db8::/32\n");
        SetReload reload = _loader.Reload("test", stance);
        Assert.Equal(isDone ? SetReloadStatus.Ok : SetReloadStatus.Refused, reload.Status);
        Assert.Equal(isDone ? 3 : 0, _rig.Store.Count(Policy.Drop));
        Assert.Equal(isDone && mode != LockoutMode.Off ? 2 : 0, reload.Warnings.Count);
        Assert.True(isDone || reload.Message.StartsWith("10.0.0.0/8 of set bogons.couic covers 10.77.0.1 (the default gateway)", StringComparison.Ordinal), reload.Message);
    }

    [Theory]
    [InlineData("0.0.0.0/0", LockoutMode.Warn, LockoutStance.Default, false)]
    [InlineData("::/0", LockoutMode.Warn, LockoutStance.Default, false)]
    [InlineData("::/0", LockoutMode.Warn, LockoutStance.Force, true)]
    [InlineData("0.0.0.0/0", LockoutMode.Off, LockoutStance.Default, true)]
    [InlineData("128.0.0.0/1", LockoutMode.Warn, LockoutStance.Default, true)]
    [InlineData("128.0.0.0/1", LockoutMode.Warn, LockoutStance.Refuse, false)]
    [InlineData("::/2", LockoutMode.Refuse, LockoutStance.Default, false)]
    [InlineData("224.0.0.0/3", LockoutMode.Refuse, LockoutStance.Default, true)]
    [InlineData("8000::/1", LockoutMode.Refuse, LockoutStance.Default, true)]
    public void ABroadNetwork_IsAskedAbout(string network, LockoutMode mode, LockoutStance stance, bool isDone)
    {
        Guard.Protect([]);
        Guard.Mode = mode;
        _folder.Write("drop/all.couic", network + "\n");
        Assert.Equal(isDone, _loader.Reload("test", stance).IsOk);
    }

    [Fact]
    public void AProtectingEntry_MayComeInTheSameReload_AndMayBelongToNoSet()
    {
        Guard.Mode = LockoutMode.Refuse;
        _folder.Write("drop/bogons.couic", "10.0.0.0/8\n2001:db8::/32\n");
        _folder.Write("ignore/gateway.couic", "10.77.0.1/32\n");
        Assert.Equal(SetReloadStatus.Refused, _loader.Reload("test").Status);
        _rig.Store.Add(Policy.Ignore, Parse("2001:db8::/64"), default, 0, ConflictMode.Refuse, new ChangeContext(ChangeOrigin.Api, "x"u8), out _);
        Assert.Empty(_loader.Reload("test").Warnings);
        File.Delete(_folder["ignore/gateway.couic"]);
        Assert.Equal(SetReloadStatus.Refused, _loader.Reload("test").Status);
        Assert.Empty(Guard.FindLockouts());
    }

    /// <summary>An entry of the API under what a set of ignore protects is locked out when that set goes.</summary>
    [Fact]
    public void ASetOfIgnore_ThatProtectsFromAnEntryOfTheApi_IsNotUnloaded()
    {
        _folder.Write("ignore/gateway.couic", "10.77.0.1/32\n");
        _loader.Start();
        _rig.Store.Add(Policy.Drop, Parse("10.0.0.0/8"), default, 0, ConflictMode.Refuse, new ChangeContext(ChangeOrigin.Api, "x"u8), out _);
        File.Delete(_folder["ignore/gateway.couic"]);
        SetReload reload = _loader.Reload("test", LockoutStance.Refuse);
        Assert.Equal(SetReloadStatus.Refused, reload.Status);
        Assert.Contains("10.0.0.0/8 in drop covers", reload.Message, StringComparison.Ordinal);
        Assert.True(_loader.Reload("test").IsOk);
        Assert.Single(Guard.FindLockouts());
    }

    /// <summary>Who was forced once must not have to be forced every hour.</summary>
    [Fact]
    public void AnEntryInForceAlready_IsNotRefused()
    {
        _folder.Write("drop/bogons.couic", "10.0.0.0/8\n");
        Assert.True(_loader.Reload("test", LockoutStance.Force).IsOk);
        _folder.Write("drop/other.couic", "203.0.113.0/24\n");
        SetReload reload = _loader.Reload("test", LockoutStance.Refuse);
        Assert.True(reload.IsOk, reload.Message);
        Assert.Single(reload.Warnings);
    }

    [Fact]
    public void TheAddressOfTheRequester_IsProtectedToo()
    {
        _folder.Write("drop/a.couic", "203.0.113.0/24\n");
        SetReload reload = _loader.Reload("test", LockoutStance.Refuse, [new ProtectedAddress(Parse("203.0.113.9/32"), "where this request comes from")]);
        Assert.Equal(SetReloadStatus.Refused, reload.Status);
    }

    [Theory]
    [InlineData(LockoutMode.Warn, 5, 1)]
    [InlineData(LockoutMode.Refuse, 2, 4)]
    [InlineData(LockoutMode.Off, 6, 0)]
    public void AStart_LeavesOutWhatTheModeRefuses_Loudly(LockoutMode mode, int loaded, int leftOut)
    {
        Guard.Mode = mode;
        _folder.Write("drop/bogons.couic", "0.0.0.0/0\n10.0.0.0/8\n10.77.0.0/24\n192.168.0.0/16\n2001:db8::/32\n");
        _folder.Write("drop/other.couic", "10.77.0.1/32\n203.0.113.0/24\n");
        _folder.Write("ignore/peer.couic", "2001:db8::1/128\n");
        Assert.True(_loader.Start().IsOk);
        Assert.Equal(loaded + 1, _rig.Store.Count(Policy.Drop));
        Assert.Equal(leftOut, Guard.Withheld.Texts.Count);
        Assert.Equal(leftOut, _log.Lines.Count(line => line.StartsWith("Error: entry skipped: ", StringComparison.Ordinal)));
        Assert.Equal(mode == LockoutMode.Refuse ? 0 : mode == LockoutMode.Off ? 0 : 1, Guard.FindLockouts().Count);
    }

    [Theory]
    [InlineData(20, 0, LockoutMode.Warn, LockoutStance.Default, true)]
    [InlineData(20, 0, LockoutMode.Warn, LockoutStance.Refuse, false)]
    [InlineData(20, 0, LockoutMode.Refuse, LockoutStance.Default, false)]
    [InlineData(20, 0, LockoutMode.Refuse, LockoutStance.Force, true)]
    [InlineData(1, 0, LockoutMode.Warn, LockoutStance.Refuse, false)]
    [InlineData(20, 2, LockoutMode.Warn, LockoutStance.Refuse, false)]
    [InlineData(9, 1, LockoutMode.Warn, LockoutStance.Refuse, true)]
    public void ASet_ThatLosesMostOfItsEntries_IsAskedAbout(int before, int after, LockoutMode mode, LockoutStance stance, bool isDone)
    {
        WriteHosts("drop", before);
        WriteHosts("ignore", before);
        _loader.Start();
        Guard.Mode = mode;
        WriteHosts("drop", after);
        SetReload reload = _loader.Reload("test", stance);
        Assert.Equal(isDone ? SetReloadStatus.Ok : SetReloadStatus.Refused, reload.Status);
        Assert.Equal(isDone ? after : before, _rig.Store.Count(Policy.Drop));
        WriteHosts("drop", before);
        WriteHosts("ignore", after);
        Assert.Equal(isDone, _loader.Reload("test", stance).IsOk);
    }

    [Fact]
    public void ASet_ThatShrinksALittle_OrIsDeleted_IsNotAskedAbout()
    {
        WriteHosts("drop", 100);
        _loader.Start();
        WriteHosts("drop", 11);
        Assert.Empty(_loader.Reload("test", LockoutStance.Refuse).Warnings);
        File.Delete(_folder["drop/hosts.couic"]);
        SetReload reload = _loader.Reload("test", LockoutStance.Refuse);
        Assert.True(reload.IsOk);
        Assert.Empty(reload.Warnings);
    }

    [Theory]
    [InlineData("203.0.113.0/2", "192.0.0.0/2")]
    [InlineData("10.1.0.0/7", "10.0.0.0/7")]
    [InlineData("2001:db8::/3", "2000::/3")]
    [InlineData("2001:db8::1/12", "2000::/12")]
    [InlineData("203.0.113.0/8", null)]
    [InlineData("192.0.2.7/24", null)]
    [InlineData("128.0.0.0/3", null)]
    public void ALine_ThatWasCutOff_IsAFault(string line, string? wouldCover)
    {
        string file = _folder.Write("drop/a.couic", $"198.51.100.0/24\n{line}\n");
        SetReload reload = _loader.Reload("test", LockoutStance.Force);
        Assert.Equal(
            wouldCover is null ? "" : $"{file}:2: \"{line}\": host bits are set below a short prefix (is the line cut off?); it would cover {wouldCover}", reload.Message);
    }

    private void WriteHosts(string policy, int count) =>
        _folder.Write($"{policy}/hosts.couic", string.Concat(Enumerable.Range(0, count).Select(i => $"198.51.{(policy == "drop" ? 100 : 101)}.{i}/32\n")));

    private static Cidr Parse(string text)
    {
        Assert.Equal(CidrFault.None, Cidr.TryParse(text, out Cidr cidr));
        return cidr;
    }
}
