using Couic.Config;
using Couic.Native;
using Couic.Tests.Support;
using Xunit;

namespace Couic.Tests.Config;

public sealed class LogFolderTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void AMissingFolderIsMadeAndOneThatIsThereIsLeftAsItIs()
    {
        LogFolder.Prepare(_folder["log/"], FileOwner.Current);
        Assert.Equal(Errno.None, Files.TryStat(_folder["log"], out FileState state));
        Assert.Equal((FileKind.Folder, LogFolder.Mode), (state.Kind, state.Mode));
        LogFolder.Prepare(_folder.Path, new FileOwner(12345, 12345));
        Assert.Equal(Errno.None, Files.TryStat(_folder.Path, out state));
        Assert.Equal(FileOwner.Current, state.Owner);
    }

    [Fact]
    public void AFolderThatCannotBeCreated_SaysWhatToDo()
    {
        string path = _folder["no/log"];
        Assert.Equal(
            $"create log folder \"{path}\": no such file or directory (create it for the daemon's user, or set [logging] dir = \"-\")",
            Assert.Throws<IOException>(() => LogFolder.Prepare(path, FileOwner.Current)).Message);
        path = _folder.Write("file", "x");
        Assert.Equal($"use log folder \"{path}\": it is not a folder", Assert.Throws<IOException>(() => LogFolder.Prepare(path, FileOwner.Current)).Message);
    }
}
