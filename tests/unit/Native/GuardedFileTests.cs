using System.Text;
using Couic.Native;
using Couic.Tests.Support;
using Xunit;

namespace Couic.Tests.Native;

public sealed class GuardedFileTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void WrittenFile_CanBeReadByItsOwnerOnly()
    {
        byte[] content = Encoding.ASCII.GetBytes("content");
        Assert.True(GuardedFile.Create(_folder["a"], content, FileOwner.Current).IsOk);
        Assert.True(GuardedFile.Read(_folder["a"], 7, FileOwner.Current, out byte[] read).IsOk);
        Assert.Equal(content, read);
        Assert.Equal(Errno.None, Files.TryStat(_folder["a"], out FileState state));
        Assert.Equal(new FileState(FileKind.Regular, FileOwner.Current, GuardedFile.Mode, 7), state with { Inode = 0, Modified = 0, Changed = 0 });
        Assert.Single(Directory.EnumerateFileSystemEntries(_folder.Path));
    }

    [Fact]
    public void Create_NeverReplaces_AndReplaceNeverCreates()
    {
        Assert.Equal(GuardStatus.Absent, GuardedFile.Replace(_folder["a"], "1"u8, FileOwner.Current).Status);
        Assert.True(GuardedFile.Create(_folder["a"], "1"u8, FileOwner.Current).IsOk);
        Assert.Equal(GuardStatus.Exists, GuardedFile.Create(_folder["a"], "2"u8, FileOwner.Current).Status);
        Assert.Equal("1", File.ReadAllText(_folder["a"]));
        Assert.True(GuardedFile.Replace(_folder["a"], "2"u8, FileOwner.Current).IsOk);
        Assert.Equal("2", File.ReadAllText(_folder["a"]));
        Assert.Single(Directory.EnumerateFileSystemEntries(_folder.Path));
    }

    [Fact]
    public void Replace_OfALink_ReplacesTheLinkAndNotItsTarget()
    {
        string target = _folder.Write("target", "kept");
        File.CreateSymbolicLink(_folder["a"], target);
        Assert.True(GuardedFile.Replace(_folder["a"], "new"u8, FileOwner.Current).IsOk);
        Assert.Equal("kept", File.ReadAllText(target));
        Assert.Null(new FileInfo(_folder["a"]).LinkTarget);
    }

    [Fact]
    public void Delete_ReportsWhetherTheFileExisted()
    {
        _folder.Write("a", "x");
        Assert.True(GuardedFile.Delete(_folder["a"]).IsOk);
        Assert.Equal(GuardStatus.Absent, GuardedFile.Delete(_folder["a"]).Status);
        Directory.CreateDirectory(_folder["b"]);
        Assert.Equal(GuardStatus.Failed, GuardedFile.Delete(_folder["b"]).Status);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(4095)]
    [InlineData(100_000)]
    public void Read_UpToTheLimit_ReturnsTheWholeFile(int size)
    {
        string path = _folder.Write("a", new string('x', size));
        Assert.True(GuardedFile.Read(path, size, FileOwner.Current, out byte[] content).IsOk);
        Assert.Equal(size, content.Length);
        if (size > 0)
        {
            GuardResult result = GuardedFile.Read(path, size - 1, FileOwner.Current, out content);
            Assert.Equal((GuardStatus.TooLarge, $"{size} bytes (at most {size - 1})"), (result.Status, result.Message));
            Assert.Empty(content);
        }
    }

    [Fact]
    public void Read_RefusesEverythingButARegularFile()
    {
        File.CreateSymbolicLink(_folder["link"], _folder.Write("a", "x"));
        Assert.Equal(GuardStatus.NotRegular, GuardedFile.Read(_folder["link"], 10, null, out _).Status);
        Assert.Equal(GuardStatus.NotRegular, GuardedFile.Read(_folder.Path, 10, null, out _).Status);
        Assert.Equal(GuardStatus.Absent, GuardedFile.Read(_folder["none"], 10, null, out _).Status);
        GuardResult result = GuardedFile.Read(_folder["a/b"], 10, null, out _);
        Assert.Equal(GuardStatus.Failed, result.Status);
        Assert.EndsWith(": not a directory", result.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Read_OfAnEndlessFile_StopsAtTheLimit() =>
        Assert.Equal(GuardStatus.NotRegular, GuardedFile.Read("/dev/zero", 1000, null, out _).Status);

    [Fact]
    public void Write_ToAFullDisk_LeavesTheOldFileAndNoTemporaryFile()
    {
        using SmallDisk disk = new();
        Assert.True(GuardedFile.Create(disk["a"], "old"u8, FileOwner.Current).IsOk);
        disk.Fill();
        byte[] large = new byte[5000];
        GuardResult replaced = GuardedFile.Replace(disk["a"], large, FileOwner.Current);
        GuardResult created = GuardedFile.Create(disk["b"], large, FileOwner.Current);
        Assert.Equal((GuardStatus.Failed, Errno.ENOSPC), (replaced.Status, replaced.Error));
        Assert.Equal($"write \"{disk["b"]}\": no space left on device", created.Message);
        Assert.Equal("old", File.ReadAllText(disk["a"]));
        Assert.Equal(["a", "fill"], Directory.EnumerateFileSystemEntries(disk.Path).Select(Path.GetFileName).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Root_WritesFilesOfTheUser()
    {
        if (FileOwner.Current.Uid != 0)
        {
            return; // only root can give a file away
        }

        var user = new FileOwner(12345, 54321);
        Assert.True(GuardedFile.Create(_folder["a"], "x"u8, user).IsOk);
        Assert.Equal(GuardStatus.WrongOwner, GuardedFile.Read(_folder["a"], 10, FileOwner.Current, out _).Status);
        Assert.True(GuardedFile.Read(_folder["a"], 10, user, out _).IsOk);
    }
}
