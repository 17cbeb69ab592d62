using Couic.Config;
using Couic.Native;
using Couic.Tests.Support;
using Xunit;

namespace Couic.Tests.Config;

public sealed class WorkingFolderTests : IDisposable
{
    private const UnixFileMode Mode755 = (UnixFileMode)0x1ed;

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void MissingFolders_AreCreated_AndASecondCheckPasses()
    {
        WorkingFolder.Prepare(_folder.Path, FileOwner.Current);
        foreach (string name in new[] { "rbac", "rbac/clients", "sets", "sets/ignore", "sets/drop" })
        {
            Assert.Equal(Mode755, File.GetUnixFileMode(_folder[name]));
        }

        WorkingFolder.Prepare(_folder.Path, FileOwner.Current);
    }

    [Fact]
    public void TheFolderItselfMustBeThereUnlessItIsOurs()
    {
        var error = Assert.Throws<IOException>(() => WorkingFolder.Prepare(_folder["x/y"], FileOwner.Current));
        Assert.Contains("working_dir must exist", error.Message, StringComparison.Ordinal);
        WorkingFolder.Prepare(_folder["x/y"], FileOwner.Current, make: true);
        Assert.True(Directory.Exists(_folder["x/y/sets/drop"]));
    }

    [Fact]
    public void EveryWrongModeAndKindIsNamedAtOnce()
    {
        WorkingFolder.Prepare(_folder.Path, FileOwner.Current);
        File.SetUnixFileMode(_folder["sets"], UnixFileMode.UserRead | UnixFileMode.UserExecute | UnixFileMode.UserWrite);
        Directory.Delete(_folder["sets/drop"]);
        File.WriteAllText(_folder["sets/drop"], string.Empty);
        Directory.Delete(_folder["rbac/clients"]);
        File.CreateSymbolicLink(_folder["rbac/clients"], _folder["sets"]);
        var error = Assert.Throws<IOException>(() => WorkingFolder.Prepare(_folder.Path, FileOwner.Current));
        Assert.Equal(
            $"prepare working_dir \"{_folder.Path}\": {_folder["rbac/clients"]}: is not a folder (a link does not count); "
            + $"{_folder["sets"]}: mode is 700 (chmod 755 \"{_folder["sets"]}\"); {_folder["sets/drop"]}: is not a folder (a link does not count)",
            error.Message);
    }

    [Fact]
    public void AnotherOwnerIsRefused()
    {
        WorkingFolder.Prepare(_folder.Path, FileOwner.Current);
        var other = new FileOwner(12345, 54321);
        var error = Assert.Throws<IOException>(() => WorkingFolder.Prepare(_folder.Path, other));
        Assert.Contains($"{_folder["sets/ignore"]}: owner is {FileOwner.Current.Uid}:{FileOwner.Current.Gid} (chown 12345:54321 ", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void RootMakesTheFoldersForTheUser()
    {
        if (FileOwner.Current.Uid != 0)
        {
            return; // only root can give a folder away
        }

        var user = new FileOwner(12345, 54321);
        WorkingFolder.Prepare(_folder.Path, user);
        Assert.Equal(Errno.None, Files.TryStat(_folder["rbac/clients"], out FileState state));
        Assert.Equal((user, FileKind.Folder, WorkingFolder.Mode), (state.Owner, state.Kind, state.Mode));
        WorkingFolder.Prepare(_folder.Path, user);
    }

    [Fact]
    public void CheckingMakesNothing()
    {
        List<Fault> faults = [];
        WorkingFolder.Check(_folder.Path, FileOwner.Current, faults);
        Assert.Empty(faults);
        Assert.Empty(Directory.EnumerateFileSystemEntries(_folder.Path));
    }
}
