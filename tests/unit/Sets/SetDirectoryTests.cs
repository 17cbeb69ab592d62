using System.Text;
using Couic.Native;
using Couic.Sets;
using Couic.Store;
using Couic.Tests.Support;
using Xunit;

namespace Couic.Tests.Sets;

public sealed class SetDirectoryTests : IDisposable
{
    private static readonly SetLimits Small = new(MaxFileBytes: 100, MaxFiles: 3);
    private static readonly byte[] Entries = "10.0.0.7/8\n10.0.0.1/32\n10.0.0.7/8\n"u8.ToArray();
    private readonly TempFolder _folder = new();
    private readonly SetDirectory _sets;

    public SetDirectoryTests()
    {
        Directory.CreateDirectory(_folder["drop"]);
        Directory.CreateDirectory(_folder["ignore"]);
        _sets = new SetDirectory(_folder.Path, FileOwner.Current);
    }

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void ACreatedSetIsWrittenWithItsModeAndReadBack()
    {
        Assert.Equal(SetOutcome.Ok, _sets.Create(Policy.Drop, "a", Entries).Outcome);
        Assert.Equal("10.0.0.7/8\n10.0.0.1/32\n10.0.0.7/8\n", File.ReadAllText(_folder["drop/a.couic"]));
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(_folder["drop/a.couic"]));
        Assert.Equal(SetOutcome.Ok, _sets.Read(Policy.Drop, "a", out ReadOnlyMemory<byte> read).Outcome);
        Assert.Equal(Entries, read.ToArray());
        Assert.Equal(SetOutcome.Absent, _sets.Read(Policy.Ignore, "a", out _).Outcome);
        Assert.Equal(["a.couic"], Directory.GetFiles(_folder["drop"]).Select(Path.GetFileName));
    }

    [Fact]
    public void ASecondCreationIsRefusedAndChangesNothing()
    {
        _sets.Create(Policy.Drop, "a", Entries);
        SetResult result = _sets.Create(Policy.Drop, "a", []);
        Assert.Equal((SetOutcome.Exists, "set \"a\" exists already"), (result.Outcome, result.Message));
        _sets.Read(Policy.Drop, "a", out ReadOnlyMemory<byte> read);
        Assert.Equal(Entries, read.ToArray());
    }

    [Fact]
    public void OfManyCreationsAtOnceOneSucceeds()
    {
        var second = new SetDirectory(_folder.Path, FileOwner.Current);
        SetOutcome[] outcomes = new SetOutcome[16];
        Parallel.For(0, 16, i => outcomes[i] = (i % 2 == 0 ? _sets : second).Create(Policy.Drop, "a", Entries).Outcome);
        Assert.Single(outcomes, SetOutcome.Ok);
        Assert.Equal(15, outcomes.Count(o => o == SetOutcome.Exists));
    }

    [Fact]
    public void ReplacingNeedsASetThatIsThere()
    {
        Assert.Equal(SetOutcome.Absent, _sets.Replace(Policy.Drop, "a", Entries).Outcome);
        _sets.Create(Policy.Drop, "a", Entries);
        Assert.Equal(SetOutcome.Ok, _sets.Replace(Policy.Drop, "a", []).Outcome);
        Assert.Equal("", File.ReadAllText(_folder["drop/a.couic"]));
    }

    [Fact]
    public void DeletingRemovesTheFile()
    {
        _sets.Create(Policy.Drop, "a", Entries);
        Assert.Equal(SetOutcome.Ok, _sets.Delete(Policy.Drop, "a").Outcome);
        Assert.Equal(SetOutcome.Absent, _sets.Delete(Policy.Drop, "a").Outcome);
        Assert.False(File.Exists(_folder["drop/a.couic"]));
    }

    [Fact]
    public void ListingCountsLinesValidOrNotAndSkipsOtherNames()
    {
        _folder.Write("drop/b.couic", "10.0.0.1/32\nbad\n# no\n\n");
        _folder.Write("drop/a.couic", "10.0.0.1/32\n", "644");
        _folder.Write("drop/B.couic", "");
        _folder.Write("drop/x y.couic", "10.0.0.1/32\n");
        _folder.Write("drop/readme.txt", "");
        File.WriteAllBytes(_folder["drop/latin.couic"], [0xe9, 10]);
        File.CreateSymbolicLink(_folder["drop/link.couic"], _folder["drop/a.couic"]);
        Assert.Equal(
            [("B", 0, 0L), ("a", 1, 12), ("b", 2, 22), ("latin", 0, 2), ("link", 0, _folder["drop/a.couic"].Length)],
            _sets.List(Policy.Drop).Select(s => (s.Name, s.EntryCount, s.FileSize)));
        Assert.Empty(_sets.List(Policy.Ignore));
    }

    [Fact]
    public void FilesThatOthersMightHaveWrittenAreNotUsed()
    {
        _folder.Write("drop/mode.couic", "10.0.0.1/32\n", "640");
        SetResult mode = _sets.Read(Policy.Drop, "mode", out _);
        Assert.Equal(SetOutcome.Unusable, mode.Outcome);
        Assert.StartsWith("set \"mode\": mode is 640 (chmod 600 ", mode.Message, StringComparison.Ordinal);

        var foreign = new SetDirectory(_folder.Path, new FileOwner(FileOwner.Current.Uid + 7, FileOwner.Current.Gid));
        _folder.Write("drop/owner.couic", "10.0.0.1/32\n");
        SetResult owner = foreign.Read(Policy.Drop, "owner", out _);
        Assert.Equal(SetOutcome.Unusable, owner.Outcome);
        Assert.StartsWith("set \"owner\": owner is ", owner.Message, StringComparison.Ordinal);

        File.CreateSymbolicLink(_folder["drop/link.couic"], _folder["drop/owner.couic"]);
        Assert.Equal(SetOutcome.Unusable, _sets.Read(Policy.Drop, "link", out _).Outcome);
        Directory.CreateDirectory(_folder["drop/folder.couic"]);
        Assert.Equal(SetOutcome.Unusable, _sets.Read(Policy.Drop, "folder", out _).Outcome);
    }

    [Fact]
    public void BadContentIsToldApart()
    {
        _folder.Write("drop/bad.couic", "10.0.0.1/32\n10.0.0.1\nx\n");
        SetResult bad = _sets.Read(Policy.Drop, "bad", out ReadOnlyMemory<byte> text);
        Assert.Equal(SetOutcome.BadLines, bad.Outcome);
        Assert.Equal([2, 3], bad.Faults.Select(f => f.Line));
        Assert.True(text.IsEmpty);

        File.WriteAllBytes(_folder.Write("drop/latin.couic", ""), [(byte)'#', 0xe9, 10]);
        Assert.Equal(SetOutcome.NotText, _sets.Read(Policy.Drop, "latin", out _).Outcome);
        _folder.Write("drop/large.couic", new string('#', SetLimits.Default.MaxFileBytes + 1));
        Assert.Equal(SetOutcome.Unusable, _sets.Read(Policy.Drop, "large", out _).Outcome);
        _folder.Write("drop/large.couic", new string('#', SetLimits.Default.MaxFileBytes));
        Assert.Equal(SetOutcome.Ok, _sets.Read(Policy.Drop, "large", out _).Outcome);
    }

    [Fact]
    public void AFolderThatIsGoneIsAFailureAndNoException()
    {
        Directory.Delete(_folder["drop"]);
        SetResult result = _sets.Create(Policy.Drop, "a", Entries);
        Assert.Equal(SetOutcome.Failed, result.Outcome);
        Assert.StartsWith("write \"", result.Message, StringComparison.Ordinal);
        Assert.Throws<IOException>(() => _sets.List(Policy.Drop));
    }

    [Fact]
    public void NamesCannotLeaveTheFolder()
    {
        foreach (string name in (string[])["", "..", "a/b", "a\0", "a.couic", new string('a', 49)])
        {
            Assert.Throws<ArgumentException>(() => _sets.PathOf(Policy.Drop, name));
        }
    }

    [Fact]
    public void Create_TextOverTheLimitOfAFile_IsRefusedAndNamesTheLimit()
    {
        var sets = new SetDirectory(_folder.Path, FileOwner.Current, Small);
        SetResult result = sets.Create(Policy.Drop, "a", new byte[101]);
        Assert.Equal(SetOutcome.TooLarge, result.Outcome);
        Assert.Contains("over 100 bytes ([limits] max_set_file_bytes", result.Message, StringComparison.Ordinal);
        Assert.Empty(Directory.GetFiles(_folder["drop"]));
        Assert.Equal(SetOutcome.Ok, sets.Create(Policy.Drop, "a", new byte[100]).Outcome);
        Assert.Equal(SetOutcome.TooLarge, sets.Replace(Policy.Drop, "a", new byte[101]).Outcome);
    }

    [Fact]
    public void Create_MoreFilesThanTheLimit_IsRefusedAndTheOtherPolicyIsNotConcerned()
    {
        var sets = new SetDirectory(_folder.Path, FileOwner.Current, Small);
        Assert.All((string[])["a", "b", "c"], name => Assert.Equal(SetOutcome.Ok, sets.Create(Policy.Drop, name, []).Outcome));
        SetResult result = sets.Create(Policy.Drop, "d", []);
        Assert.Equal((SetOutcome.NoRoom, "drop has 3 set files already, at most 3 ([limits] max_set_files)"), (result.Outcome, result.Message));
        Assert.Equal(SetOutcome.Exists, sets.Create(Policy.Drop, "a", []).Outcome);
        Assert.Equal(SetOutcome.Ok, sets.Replace(Policy.Drop, "a", Entries).Outcome);
        Assert.Equal(SetOutcome.Ok, sets.Create(Policy.Ignore, "d", []).Outcome);
        Assert.Equal(SetOutcome.Ok, sets.Delete(Policy.Drop, "b").Outcome);
        Assert.Equal(SetOutcome.Ok, sets.Create(Policy.Drop, "d", []).Outcome);
    }

    [Fact]
    public void CreateAndReplace_MoreBytesTogetherThanTheLimit_AreRefusedUnlessTheFileShrinks()
    {
        var sets = new SetDirectory(_folder.Path, FileOwner.Current, Small with { MaxFiles = 10 });
        foreach (string name in (string[])["a", "b", "c"])
        {
            Assert.Equal(SetOutcome.Ok, sets.Create(Policy.Drop, name, new byte[100]).Outcome);
        }

        Assert.Equal(SetOutcome.Ok, sets.Create(Policy.Drop, "d", new byte[50]).Outcome);
        SetResult result = sets.Create(Policy.Drop, "e", new byte[51]);
        Assert.Equal(
            (SetOutcome.NoRoom, "the set files of drop would have 401 bytes in total, at most 400 (4 times [limits] max_set_file_bytes)"),
            (result.Outcome, result.Message));
        Assert.Equal(SetOutcome.Ok, sets.Create(Policy.Drop, "e", new byte[50]).Outcome);
        Assert.Equal(SetOutcome.NoRoom, sets.Replace(Policy.Drop, "d", new byte[51]).Outcome);

        _folder.Write("drop/byhand.couic", new string('#', 90));
        Assert.Equal(SetOutcome.Ok, sets.Replace(Policy.Drop, "a", new byte[99]).Outcome);
        Assert.Equal(SetOutcome.NoRoom, sets.Replace(Policy.Drop, "d", new byte[51]).Outcome);
        Assert.Equal(SetOutcome.Ok, sets.Create(Policy.Ignore, "e", new byte[100]).Outcome);
    }

    [Fact]
    public void Names_MoreFilesThanTheLimit_AreTheFirstInOrderAndTheRestIsCounted()
    {
        var sets = new SetDirectory(_folder.Path, FileOwner.Current, Small);
        for (int i = 0; i < 20; i++)
        {
            _folder.Write($"drop/n{(i * 7) % 20:d2}.couic", "");
        }

        Assert.Equal(["n00", "n01", "n02"], sets.Names(Policy.Drop, out int beyond));
        Assert.Equal(17, beyond);
    }

    [Fact]
    public void RemoveLeftovers_OnlyTemporaryFilesOfOurOwnWritesGo()
    {
        string[] stay = ["a.couic", ".a.couic.tmp", ".notes.tmp", ".a.couic.0123456789abcdeg.tmp", "a.0123456789abcdef.tmp", ".a.couic.0123456789abcdef"];
        foreach (string name in (string[])[.. stay, ".a.couic.0123456789abcdef.tmp", ".b.couic.fedcba9876543210.tmp"])
        {
            _folder.Write($"drop/{name}", "");
        }

        _folder.Write("ignore/.c.couic.0123456789abcdef.tmp", "");
        _sets.RemoveLeftovers();
        Assert.Equal(stay.Order(StringComparer.Ordinal), Directory.GetFiles(_folder["drop"]).Select(Path.GetFileName).Order(StringComparer.Ordinal));
        Assert.Empty(Directory.GetFiles(_folder["ignore"]));
    }
}
