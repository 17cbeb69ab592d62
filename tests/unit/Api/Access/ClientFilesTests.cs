using Couic.Api.Access;
using Couic.Config;
using Couic.Native;
using Couic.Tests.Support;
using Xunit;

namespace Couic.Tests.Api.Access;

public sealed class ClientFilesTests : IDisposable
{
    private const string TokenA = "e78336b3-8128-4c84-88c7-e2fad9c32d99";
    private const string TokenB = "bbfa1388-3218-463c-9722-6805507c14bb";

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void TheDefaultClientIsMadeAtTheFirstStartAndKeptAtTheSecond()
    {
        ClientDirectory first = ClientFiles.Open(_folder.Path, FileOwner.Current, out IReadOnlyList<Fault> faults);
        Assert.Empty(faults);
        Client made = Assert.Single(first.List());
        Assert.Equal(("couicctl", Group.Admin), (made.Name, made.Group));
        ClientDirectory second = ClientFiles.Open(_folder.Path, FileOwner.Current, out _);
        Assert.Equal(made.Token, Assert.Single(second.List()).Token);
    }

    [Fact]
    public void Reload_FilesThatCameWentAndChanged_AreTheClientsThen()
    {
        _folder.Write("gone.toml", $"token = \"{TokenA}\"\ngroup = \"clientro\"\n");
        _folder.Write("stays.toml", $"token = \"{TokenB}\"\ngroup = \"clientro\"\n");
        ClientDirectory clients = ClientFiles.Open(_folder.Path, FileOwner.Current, out _);
        Assert.Equal(AuthOutcome.Ok, clients.Authenticate(System.Text.Encoding.ASCII.GetBytes(TokenA), Permission.EntriesRead, out _));

        File.Delete(_folder["gone.toml"]);
        _folder.Write("hand.toml", "token = \"11111111-1111-4111-8111-111111111111\"\ngroup = \"monitoring\"\n");
        _folder.Write("bad.toml", "token = \"22222222-1111-4111-8111-111111111111\"\ngroup = \"monitoring\"\n", "644");
        ClientReload reload = clients.Reload();
        Assert.Equal(["hand"], reload.Taken);
        Assert.Equal(["gone"], reload.Ended);
        Assert.Equal("bad.toml", Path.GetFileName(Assert.Single(reload.Faults).File));
        Assert.Equal(AuthOutcome.Unknown, clients.Authenticate(System.Text.Encoding.ASCII.GetBytes(TokenA), Permission.EntriesRead, out _));
        Assert.Equal(AuthOutcome.Ok, clients.Authenticate(System.Text.Encoding.ASCII.GetBytes(TokenB), Permission.EntriesRead, out _));
        Assert.Equal(["couicctl", "hand", "stays"], clients.List().Select(client => client.Name));
        Assert.Equal(ClientOutcome.Ok, clients.Delete("hand"));
        Assert.False(File.Exists(_folder["hand.toml"]));

        // A file that is not good any more ends its client, as at a start; only the administrator's own stays.
        _folder.Write("stays.toml", "token = ");
        _folder.Write("couicctl.toml", "token = ");
        Assert.Equal(["stays"], clients.Reload().Ended);
        Assert.Equal(["couicctl"], clients.List().Select(client => client.Name));
        Assert.Empty(clients.Reload().Ended);
    }

    [Fact]
    public void FilesOfTheOldVersionAreTakenAsTheyAre()
    {
        _folder.Write("couicctl.toml", $"group = \"ClientRO\"\ntoken = '{TokenA.ToUpperInvariant()}'\r\n");
        _folder.Write("web-1.toml", $"# made by hand\ntoken=\"{TokenB}\"\ngroup=\"monitoring\"\nscopes = []\n");
        ClientDirectory clients = ClientFiles.Open(_folder.Path, FileOwner.Current, out IReadOnlyList<Fault> faults);
        Assert.Empty(faults);
        Assert.Equal(["couicctl (clientro)", "web-1 (monitoring)"], clients.List().Select(client => client.ToString()));
        Assert.Equal(new Guid(TokenA), clients.List()[0].Token);
    }

    [Theory]
    [InlineData("x.toml", "644", "token = \"T\"\ngroup = \"admin\"", ": mode is 644 (chmod 600 \"F\")")]
    [InlineData("x.toml", "400", "token = \"T\"\ngroup = \"admin\"", ": mode is 400 (chmod 600 \"F\")")]
    [InlineData("x y.toml", "600", "token = \"T\"\ngroup = \"admin\"", ": client name \"x y\": only ASCII letters, digits, \"-\" and \"_\" are allowed")]
    [InlineData(".toml", "600", "", ": client name \"\": must not be empty")]
    [InlineData("x.toml", "600", "", ": key \"token\" is missing", ": key \"group\" is missing")]
    [InlineData("x.toml", "600", "token = 1\ngroup = []", ":1:9: \"token\" must be a string, is an integer", ":2:9: \"group\" must be a string, is an array")]
    [InlineData("x.toml", "600", "token = \"{T}\"\ngroup = \"root\"", ":1:9: token is not a UUID (36 characters, hex digits and hyphens)", ":2:9: group \"root\" is unknown (one of: admin, clientrw, clientro, monitoring, peering)")]
    [InlineData("x.toml", "600", "token = \"00000000-0000-0000-0000-000000000000\"\ngroup = \"admin\"", ":1:9: token is all zeros (anyone would guess it)")]
    [InlineData("x.toml", "600", "token = T\ngroup = \"admin\"", ":1:9: not in the form of a client file (token = \"UUID\", group = \"WORD\")")]
    [InlineData("x.toml", "600", "token = \"U\"\ngroup = \"admin\"", ": its token is that of client \"couicctl\" (give it another one)")]
    public void ABadFileIsLeftOutWithItsReasonAndWithoutItsToken(string name, string mode, string content, params string[] expected)
    {
        _folder.Write("couicctl.toml", $"token = \"{TokenA}\"\ngroup = \"admin\"\n");
        content = content.Replace("T", TokenB, StringComparison.Ordinal).Replace("U", TokenA, StringComparison.Ordinal);
        string path = _folder.Write(name, content, mode);
        ClientDirectory clients = ClientFiles.Open(_folder.Path, FileOwner.Current, out IReadOnlyList<Fault> faults);
        Assert.Equal("couicctl", Assert.Single(clients.List()).Name);
        Assert.Equal(expected.Select(text => path + text.Replace("\"F\"", $"\"{path}\"", StringComparison.Ordinal)), faults.Select(fault => fault.ToString()));
        Assert.DoesNotContain(faults, fault => fault.Message.Contains(TokenB, StringComparison.Ordinal));
    }

    [Fact]
    public void LinksFoldersAndPipesAreNoClients()
    {
        string target = _folder.Write("target", $"token = \"{TokenB}\"\ngroup = \"admin\"\n");
        File.CreateSymbolicLink(_folder["link.toml"], target);
        Directory.CreateDirectory(_folder["folder.toml"]);
        ClientDirectory clients = ClientFiles.Open(_folder.Path, FileOwner.Current, out IReadOnlyList<Fault> faults);
        Assert.Single(clients.List());
        Assert.Equal(["is not a regular file", "is a symbolic link (put the file itself there)"], faults.Select(fault => fault.Message));
    }

    [Fact]
    public void OfTwoFilesWithOneTokenTheFirstByNameIsKept()
    {
        _folder.Write("b.toml", $"token = \"{TokenB}\"\ngroup = \"clientro\"\n");
        _folder.Write("a.toml", $"token = \"{TokenB}\"\ngroup = \"admin\"\n");
        ClientDirectory clients = ClientFiles.Open(_folder.Path, FileOwner.Current, out IReadOnlyList<Fault> faults);
        Assert.Equal(["a", "couicctl"], clients.List().Select(client => client.Name));
        Assert.Equal(_folder["b.toml"], Assert.Single(faults).File);
    }

    [Theory]
    [InlineData("644", "token = \"e78336b3-8128-4c84-88c7-e2fad9c32d99\"\ngroup = \"admin\"")]
    [InlineData("600", "token = \"e78336b3\"\ngroup = \"admin\"")]
    [InlineData("600", "")]
    public void WithoutAGoodDefaultClientNothingStarts(string mode, string content)
    {
        string path = _folder.Write("couicctl.toml", content, mode);
        var error = Assert.Throws<IOException>(() => ClientFiles.Open(_folder.Path, FileOwner.Current, out _));
        Assert.StartsWith($"read the client file of \"couicctl\": {path}:", error.Message, StringComparison.Ordinal);
        Assert.Equal(content, File.ReadAllText(path));
    }

    [Fact]
    public void LeftoversOfInterruptedWritesAreRemovedAndOtherFilesStay()
    {
        _folder.Write(".web.toml.0123456789abcdef.tmp", "token");
        _folder.Write("README", "text");
        ClientFiles.Open(_folder.Path, FileOwner.Current, out IReadOnlyList<Fault> faults);
        Assert.Empty(faults);
        Assert.Equal(["README", "couicctl.toml"], Directory.EnumerateFiles(_folder.Path).Select(Path.GetFileName).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void AFileOfAnotherOwnerIsLeftOut()
    {
        var other = new FileOwner(FileOwner.Current.Uid + 1, FileOwner.Current.Gid);
        _folder.Write("a.toml", $"token = \"{TokenB}\"\ngroup = \"clientro\"\n");
        ClientFolder content = ClientFiles.Read(_folder.Path, other);
        Assert.Empty(content.Clients);
        Assert.StartsWith($"owner is {FileOwner.Current.Uid}:{FileOwner.Current.Gid} (chown ", Assert.Single(content.Faults).Message, StringComparison.Ordinal);
        Assert.Single(ClientFiles.Read(_folder.Path, owner: null).Clients);
    }
}
