using Couic.Native;
using Couic.Sets;
using Couic.Store;
using Couic.Tests.Fakes;
using Couic.Tests.Store;
using Couic.Tests.Support;
using Xunit;

namespace Couic.Tests.Sets;

public sealed class SetLoaderTests : IDisposable
{
    private readonly TempFolder _folder = new();
    private readonly StoreRig _rig = new(new StoreLimits(MaxDropEntries: 5, MaxIgnoreEntries: 5));
    private readonly ListLogger _log = new();
    private readonly SetLoader _loader;

    public SetLoaderTests()
    {
        Directory.CreateDirectory(_folder["drop"]);
        Directory.CreateDirectory(_folder["ignore"]);
        _loader = new SetLoader(new SetDirectory(_folder.Path, FileOwner.Current), _rig.Store, _rig.Clock, _log);
    }

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void TheStartLoadsBothPolicies()
    {
        _folder.Write("drop/a.couic", "10.0.0.1/24\n10.0.0.0/24\n");
        _folder.Write("drop/b.couic", "10.0.0.0/24\n# reason: loop\n::1/128\n");
        _folder.Write("ignore/a.couic", "10.0.0.7/32\n");
        SetReload start = _loader.Start();
        Assert.Equal("loop"u8, _rig.Get("::1/128").Reason.Span);
        Assert.Equal((SetReloadStatus.Ok, 3, 2, 1), (start.Status, start.Sets, start.Drop.Added, start.Ignore.Added));
        Assert.Equal("a.couic"u8, _rig.Get("10.0.0.0/24").Tag.Span);
        Assert.Equal(["Information: sets loaded: 3 files, 2 entries of drop, 1 of ignore"], _log.Lines);
        Assert.Same(start, _loader.Last);
    }

    [Fact]
    public void Faults_FilesThatDifferFromWhatWasLoaded_AreNamedUntilAReload()
    {
        string stays = _folder.Write("drop/stays.couic", "10.0.0.1/32\n"), changes = _folder.Write("drop/changes.couic", "10.0.0.2/32\n");
        string goes = _folder.Write("ignore/goes.couic", "10.0.0.3/32\n");
        _loader.Start();
        Assert.Empty(_loader.Faults());
        File.SetLastWriteTimeUtc(stays, DateTime.UtcNow.AddHours(1));
        Assert.Empty(_loader.Faults()); // touched, and the same

        // Of the same length, and as old as before.
        DateTime before = File.GetLastWriteTimeUtc(changes);
        _folder.Write("drop/changes.couic", "10.0.0.4/32\n");
        File.SetLastWriteTimeUtc(changes, before);
        File.Delete(goes);
        string comes = _folder.Write("ignore/comes.couic", "");
        for (int look = 0; look < 2; look++)
        {
            Assert.Equal(
                [
                    $"set file \"{changes}\" has changed since sets were loaded (couicctl sets reload)",
                    $"set file \"{comes}\" is new since sets were loaded (couicctl sets reload)",
                    $"set file \"{goes}\" is gone since sets were loaded (couicctl sets reload)",
                ],
                _loader.Faults());
        }

        Assert.True(_loader.Reload("test").IsOk);
        Assert.Empty(_loader.Faults());
    }

    [Fact]
    public void Faults_ABadFile_IsNamedFromTheStartOn_AndAFailedReloadUntilAGoodOne()
    {
        string bad = _folder.Write("drop/bad.couic", "x\n");
        Assert.True(_loader.Start().IsStart);
        Assert.StartsWith($"set file \"{bad}\" is skipped: {bad}:1: ", Assert.Single(_loader.Faults()), StringComparison.Ordinal);
        Assert.False(_loader.Reload("test").IsOk);
        Assert.StartsWith("the last reload of sets failed, nothing has changed: ", Assert.Single(_loader.Faults()), StringComparison.Ordinal);
        _folder.Write("drop/bad.couic", "10.0.0.1/32\n");
        Assert.StartsWith("the last reload of sets failed", Assert.Single(_loader.Faults()), StringComparison.Ordinal);
        Assert.True(_loader.Reload("test").IsOk);
        Assert.Empty(_loader.Faults());
    }

    /// <summary>Room for the largest file, taken from the collector at each reload, was most of what made memory rise and fall by tens of MB.</summary>
    [Fact]
    public void AReloadOfSmallFilesAllocatesLittle()
    {
        _folder.Write("drop/a.couic", "10.0.0.1/32\n");
        Assert.InRange(Allocated.ByEachRound(() => Assert.True(_loader.Reload("test").IsOk)), 0, 100_000);
    }

    [Fact]
    public void ABadSetIsLeftOutAtTheStartAndTheRestIsLoaded()
    {
        _folder.Write("drop/good.couic", "10.0.0.1/32\n");
        _folder.Write("drop/line.couic", "10.0.0.2/32\nx\n10.0.0.3\n");
        _folder.Write("drop/mode.couic", "10.0.0.4/32\n", "644");
        File.WriteAllBytes(_folder.Write("drop/text.couic", ""), [0xff, 10]);
        SetReload start = _loader.Start();
        Assert.Equal(SetReloadStatus.Ok, start.Status);
        Assert.Equal(["10.0.0.1/32"], _rig.Store.SortedNetworks(Policy.Drop).Select(c => c.ToString()));
        Assert.Equal(4, _log.Lines.Count);
        Assert.Equal(
            $"Error: set file {_folder["drop/line.couic"]} is skipped: {_folder["drop/line.couic"]}:2: \"x\": not an IPv4 or IPv6 address; "
            + "expected ADDRESS/LENGTH such as 192.0.2.0/24 (and 1 further faults)",
            _log.Lines[0]);
    }

    [Fact]
    public void SetsThatDoNotFitAreLeftOutAtTheStartInTheOrderOfTheirNames()
    {
        _folder.Write("drop/a.couic", "10.0.0.1/32\n10.0.0.2/32\n10.0.0.3/32\n10.0.0.3/32\n");
        _folder.Write("drop/b.couic", "10.0.1.1/32\n10.0.1.2/32\n10.0.1.3/32\n");
        _folder.Write("drop/c.couic", "10.0.2.1/32\n10.0.0.1/32\n10.0.2.2/32\n");
        SetReload start = _loader.Start();
        Assert.Equal((SetReloadStatus.Ok, 5), (start.Status, start.Drop.Total));
        Assert.False(_rig.Has("10.0.1.1/32"));
        Assert.True(_rig.Has("10.0.2.2/32"));
        Assert.StartsWith($"Error: set file {_folder["drop/b.couic"]} is skipped: ", _log.Lines[0], StringComparison.Ordinal);
    }

    /// <summary>Whatever lies in the folder, and whoever put it there: the start reads so many files and bytes, keeps a table full, and no more.</summary>
    [Fact]
    public void Start_FolderBeyondEveryLimit_LoadsWhatFitsInBoundedMemoryAndNamesTheRest()
    {
        const int FileBytes = 64 * 1024;
        var rig = new StoreRig(new StoreLimits(MaxDropEntries: 2_000, MaxIgnoreEntries: 5));
        var loader = new SetLoader(new SetDirectory(_folder.Path, FileOwner.Current, new SetLimits(FileBytes, MaxFiles: 30)), rig.Store, rig.Clock, _log);
        _folder.Write("drop/a.couic", "10.0.0.1/32\n");
        for (int i = 0; i < 200; i++)
        {
            _folder.Write($"drop/m{i:d3}.couic", string.Concat(Enumerable.Range(0, 1_500).Select(n => $"2001:db8:0:1:2:3:{i:x4}:{n:x4}/128\n")));
        }

        Directory.CreateDirectory(_folder["drop/folder.couic"]);
        File.CreateSymbolicLink(_folder["drop/link.couic"], "/dev/zero");
        Run("mkfifo", _folder["drop/fifo.couic"]);
        Run("mknod", _folder["drop/device.couic"], "c", "1", "5");
        Run("truncate", "-s", "1T", _folder.Write("drop/huge.couic", ""));
        Run("truncate", "-s", "60K", _folder.Write("drop/holes.couic", ""));

        long before = GC.GetAllocatedBytesForCurrentThread();
        SetReload start = loader.Start();
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 2_000_000);
        Assert.Equal((SetReloadStatus.Ok, 1_501), (start.Status, start.Drop.Total));
        Assert.Equal("m000.couic"u8, rig.Get("2001:db8:0:1:2:3:0:5db/128").Tag.Span);
        Dictionary<string, string> faults = start.Faults.GroupBy(f => Path.GetFileName(f.File)).ToDictionary(g => g.Key, g => g.First().Message);
        Assert.All((string[])["folder", "fifo", "device"], name => Assert.EndsWith("is not a regular file", faults[name + ".couic"], StringComparison.Ordinal));
        Assert.Contains("symbolic link", faults["link.couic"], StringComparison.Ordinal);
        Assert.Contains("(at most 65536)", faults["huge.couic"], StringComparison.Ordinal);
        Assert.StartsWith("not an IPv4 or IPv6 address", faults["holes.couic"], StringComparison.Ordinal);
        Assert.Equal("does not fit with the sets before it: at most 2000 networks of IPv6 ([limits] max_drop_entries)", faults["m001.couic"]);
        Assert.Equal("does not fit with the files before it: 262144 bytes of drop are read (4 times [limits] max_set_file_bytes)", faults["m020.couic"]);
        Assert.StartsWith("177 set files are skipped: at most 30 are read", faults["drop"], StringComparison.Ordinal);
        Assert.Equal(SetReloadStatus.NoRoom, loader.Reload("tester").Status);
    }

    [Fact]
    public void Reload_FileThatGrowsWhileItIsRead_IsTakenWithinItsLimitOrRefused()
    {
        var loader = new SetLoader(new SetDirectory(_folder.Path, FileOwner.Current, new SetLimits(MaxFileBytes: 4_096)), _rig.Store, _rig.Clock, _log);
        string path = _folder.Write("drop/a.couic", "10.0.0.1/32\n");
        Assert.True(loader.Reload("tester").IsOk);
        bool isDone = false;
        var writer = new Thread(() =>
        {
            while (!Volatile.Read(ref isDone))
            {
                File.AppendAllText(path, "10.0.0.1/32\n");
            }
        });
        writer.Start();
        SetReload last;
        do
        {
            last = loader.Reload("tester");
        }
        while (!last.Message.Contains("(at most 4096)", StringComparison.Ordinal) && !last.Message.Contains("more than 4096", StringComparison.Ordinal));
        Volatile.Write(ref isDone, true);
        writer.Join();
        Assert.True(_rig.Has("10.0.0.1/32"));
    }

    private static void Run(string command, params string[] arguments)
    {
        using var process = System.Diagnostics.Process.Start(command, arguments);
        process.WaitForExit();
        Assert.Equal(0, process.ExitCode);
    }

    [Fact]
    public void AReloadWithAnyFaultChangesNothingAndNamesFileLineAndText()
    {
        _folder.Write("drop/a.couic", "10.0.0.1/32\n");
        _loader.Start();
        int applied = _rig.Plane.Applied;
        _folder.Write("drop/a.couic", "10.0.0.2/32\n");
        _folder.Write("ignore/z.couic", "10.0.0.9/32\n\n10.0.0.8/99\n");

        SetReload reload = _loader.Reload("tester");

        Assert.Equal(SetReloadStatus.BadFile, reload.Status);
        Assert.Equal(
            $"{_folder["ignore/z.couic"]}:3: \"10.0.0.8/99\": prefix length out of range; 0 to 32 for IPv4, 0 to 128 for IPv6", reload.Message);
        Assert.Equal((3, "10.0.0.8/99"), (reload.Faults[0].Line, reload.Faults[0].Text));
        Assert.Equal(applied, _rig.Plane.Applied);
        Assert.Equal($"Error: reload of sets by tester failed, nothing changed: {reload.Message}", _log.Lines[^1]);

        _folder.Write("ignore/z.couic", "10.0.0.9/32\n");
        reload = _loader.Reload("tester");
        Assert.Equal(new SetReplacementCounts(1, 1, 0, 0), reload.Drop);
        Assert.Equal("Information: sets reloaded: drop, by tester: 1 added, 1 removed, 0 taken over, 0 unchanged", _log.Lines[^2]);
        Assert.Equal("Information: sets reloaded: ignore, by tester: 1 added, 0 removed, 0 taken over, 0 unchanged", _log.Lines[^1]);
    }

    [Fact]
    public void AReloadThatDoesNotFitOrIsRefusedChangesNothing()
    {
        _folder.Write("drop/a.couic", "10.0.0.1/32\n");
        _loader.Start();
        _folder.Write("drop/b.couic", "10.0.0.2/32\n10.0.0.3/32\n10.0.0.4/32\n10.0.0.5/32\n10.0.0.6/32\n");
        Assert.Equal(SetReloadStatus.NoRoom, _loader.Reload("tester").Status);
        Assert.Equal(1, _rig.Store.Count(Policy.Drop));

        _folder.Write("drop/b.couic", "10.0.0.2/32\n10.0.0.3/32\n");
        _rig.Plane.RefuseAt = 2;
        Assert.Equal(SetReloadStatus.Failed, _loader.Reload("tester").Status);
        Assert.Equal(1, _rig.Store.Count(Policy.Drop));
        Assert.Equal(SetReloadStatus.Ok, _loader.Reload("tester").Status);
    }

    [Fact]
    public void AMissingFolderFailsTheReloadAndLeavesTheFilterAlone()
    {
        _folder.Write("drop/a.couic", "10.0.0.1/32\n");
        _loader.Start();
        Directory.Delete(_folder["ignore"]);
        SetReload reload = _loader.Reload("tester");
        Assert.Equal(SetReloadStatus.Failed, reload.Status);
        Assert.StartsWith("list sets \"", reload.Message, StringComparison.Ordinal);
        Assert.True(_rig.Has("10.0.0.1/32"));
    }

    [Fact]
    public void MappedNetworksAreWarnedAbout()
    {
        _folder.Write("drop/a.couic", "::ffff:1.2.3.4/128\n::ffff:1.2.3.0/120\n::/0\n");
        _loader.Start();
        Assert.Equal(
            $"Warning: set file {_folder["drop/a.couic"]} has 2 IPv4-mapped IPv6 blocks: they match no IPv4 packet", _log.Lines[^1]);
    }
}
