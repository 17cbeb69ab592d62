using Couic.Config;
using Couic.Native;
using Couic.Tests.Support;
using Xunit;

namespace Couic.Tests.Config;

public sealed class SecretFileTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("600", 0u, null)]
    [InlineData("640", 0u, null)]
    [InlineData("640", 65534u, "nobody")]
    [InlineData("600", 65534u, null)]
    [InlineData("644", 0u, "every user")]
    [InlineData("604", 0u, "every user")]
    public void Warning_FileWithTokens_NamesWhoElseMayReadIt(string mode, uint group, string? named)
    {
        string path = _folder.Write("couic.toml", "", mode);
        Assert.Equal(Errno.None, Files.TryChownName(path, new FileOwner(0, group)));
        string? warning = SecretFile.Warning(path, "root");
        Assert.Equal(named is null, warning is null);
        Assert.Contains(named ?? "", warning ?? "", StringComparison.Ordinal);
        Assert.Null(SecretFile.Warning(path, new Settings { User = "root" }));
    }
}
