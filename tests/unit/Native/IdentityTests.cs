using Couic.Native;
using Couic.Tests.Support;
using Xunit;

namespace Couic.Tests.Native;

/// <summary>In a folder whose names another user can change, root must do no more than that user could do.</summary>
public sealed class IdentityTests : IDisposable
{
    private static readonly FileOwner User = new(4242, 4242);
    private readonly TempFolder _folder = new();

    public IdentityTests()
    {
        Assert.Equal(0u, FileOwner.Current.Uid);
        Directory.CreateDirectory(_folder["theirs"]);
        File.SetUnixFileMode(_folder.Path, (UnixFileMode)0b111_101_101);
        Assert.Equal(Errno.None, Files.TryChownName(_folder["theirs"], User));
        _folder.Write("secret", "of root");
        File.CreateSymbolicLink(_folder["theirs/link"], _folder["secret"]);
        Assert.Equal(Errno.None, Files.TryLink(_folder["secret"], _folder["theirs/hard"]));
    }

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void ActIn_FolderOfAnotherUser_DoesWhatThatUserMayAndNoMore()
    {
        FileState folder = State("theirs");
        Assert.Throws<UnauthorizedAccessException>(() => Identity.ActIn(folder, User, () =>
        {
            File.SetUnixFileMode(_folder["theirs/link"], UnixFileMode.OtherRead);
            return 0;
        }));
        Assert.Equal(Errno.EPERM, Identity.ActIn(folder, User, () => Files.TryChownName(_folder["theirs/hard"], User)));
        Assert.Equal((FileOwner.Current, GuardedFile.Mode), (State("secret").Owner, State("secret").Mode));

        string fault = string.Empty;
        Microsoft.Win32.SafeHandles.SafeFileHandle? claim = null;
        Assert.Equal(Errno.None, Identity.ActIn(folder, User, () => ClaimFile.TryTake(_folder["theirs/.lock"], User, out claim, out fault)));
        Assert.Equal((User, GuardedFile.Mode), (State("theirs/.lock").Owner, State("theirs/.lock").Mode));
        Assert.Equal(Errno.EAGAIN, ClaimFile.TryTake(_folder["theirs/.lock"], User, out _, out _));
        claim!.Dispose();
        Assert.Equal(Errno.EINVAL, Identity.ActIn(folder, User, () => ClaimFile.TryTake(_folder["theirs/hard"], User, out _, out fault)));
        Assert.Contains("owner is 0:0", fault, StringComparison.Ordinal);
    }

    [Fact]
    public void ActIn_FolderThatOnlyRootCanChange_ActsAsRoot()
    {
        string fault = string.Empty;
        Assert.Equal(Errno.None, Identity.ActIn(State("."), User, () => ClaimFile.TryTake(_folder[".lock"], User, out _, out fault)));
        Assert.Equal(User, State(".lock").Owner);

        File.SetUnixFileMode(_folder.Path, (UnixFileMode)0b111_111_111);
        Assert.Equal(Errno.EPERM, Identity.ActIn(State("."), User, () => Files.TryChownName(_folder["secret"], User)));
        Assert.Equal(0u, FileOwner.Current.Uid);
        Assert.Equal(Errno.None, Files.TryChownName(_folder["secret"], FileOwner.Current));
    }

    private FileState State(string name)
    {
        Assert.Equal(Errno.None, Files.TryStatTarget(_folder[name], out FileState state));
        return state;
    }
}
