using System.Text;
using Couic.Api.Access;
using Couic.Native;
using Couic.Tests.Support;
using Xunit;

namespace Couic.Tests.Api.Access;

public sealed class ClientDirectoryTests : IDisposable
{
    private readonly TempFolder _folder = new();
    private readonly ClientDirectory _clients;

    public ClientDirectoryTests() => _clients = new ClientDirectory(_folder.Path, FileOwner.Current, []);

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void ACreatedClientWorksAtOnceAndADeletedOneNoLonger()
    {
        Assert.Equal(ClientOutcome.Ok, _clients.Create("web", Group.ClientRw, out Client? client));
        byte[] token = Encoding.ASCII.GetBytes(client!.Token.ToString());
        Assert.Equal(AuthOutcome.Ok, _clients.Authenticate(token, Permission.EntriesWrite, out Client? found));
        Assert.Same(client, found);
        Assert.Equal(AuthOutcome.Forbidden, _clients.Authenticate(token, Permission.Clients, out found));
        Assert.Same(client, found);
        Assert.Equal(ClientOutcome.Ok, _clients.Delete("web"));
        Assert.Equal(AuthOutcome.Unknown, _clients.Authenticate(token, Permission.EntriesWrite, out found));
        Assert.Null(found);
        Assert.Empty(Directory.EnumerateFileSystemEntries(_folder.Path));
    }

    [Fact]
    public void TheFileHoldsTokenAndGroupForItsOwnerOnly()
    {
        _clients.Create("web", Group.Monitoring, out Client? client);
        Assert.Equal($"token = \"{client!.Token}\"\ngroup = \"monitoring\"\n", File.ReadAllText(_folder["web.toml"]));
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(_folder["web.toml"]));
        Assert.Single(Directory.EnumerateFileSystemEntries(_folder.Path));
    }

    [Fact]
    public void ANameInUseIsRefusedAndCaseCounts()
    {
        Assert.Equal(ClientOutcome.Ok, _clients.Create("web", Group.Admin, out _));
        Assert.Equal(ClientOutcome.Exists, _clients.Create("web", Group.Admin, out Client? second));
        Assert.Null(second);
        Assert.Equal(ClientOutcome.Ok, _clients.Create("Web", Group.Admin, out _));
        Assert.Equal(["Web", "web"], _clients.List().Select(client => client.Name));
    }

    [Fact]
    public void AFileThatIsThereIsNeverOverwritten()
    {
        _folder.Write("web.toml", "something");
        Assert.Equal(ClientOutcome.Exists, _clients.Create("web", Group.Admin, null, out _, out string message));
        Assert.Equal("a file of that name is there already", message);
        Assert.Equal("something", File.ReadAllText(_folder["web.toml"]));
        File.CreateSymbolicLink(_folder["link.toml"], _folder["target"]);
        Assert.Equal(ClientOutcome.Exists, _clients.Create("link", Group.Admin, out _));
        Assert.False(File.Exists(_folder["target"]));
        Assert.Equal(0, _clients.Count);
    }

    [Fact]
    public void AClientWhoseFileCannotBeWrittenDoesNotWork()
    {
        var clients = new ClientDirectory(_folder["gone"], FileOwner.Current, []);
        Assert.Equal(ClientOutcome.Failed, clients.Create("web", Group.Admin, null, out Client? client, out string message));
        Assert.Null(client);
        Assert.Equal(0, clients.Count);
        Assert.Contains("no such file or directory", message, StringComparison.Ordinal);
    }

    [Fact]
    public void DeletingFindsWhatItMayAndMayNotRemove()
    {
        _clients.Create(ClientDirectory.DefaultClient, Group.Admin, out _);
        Assert.Equal(ClientOutcome.Protected, _clients.Delete("couicctl"));
        Assert.Equal(ClientOutcome.Absent, _clients.Delete("Couicctl"));
        _clients.Create("web", Group.Admin, out _);
        File.Delete(_folder["web.toml"]);
        Assert.Equal(ClientOutcome.Ok, _clients.Delete("web"));
        Assert.False(_clients.TryGet("web", out _));
    }

    [Fact]
    public void AClientWhoseFileCannotBeRemovedStays()
    {
        _clients.Create("web", Group.Admin, out _);
        File.Delete(_folder["web.toml"]);
        Directory.CreateDirectory(_folder["web.toml"]);
        Assert.Equal(ClientOutcome.Failed, _clients.Delete("web", out string message));
        Assert.Contains("web.toml", message, StringComparison.Ordinal);
        Assert.True(_clients.TryGet("web", out _));
    }

    [Theory]
    [InlineData("")]
    [InlineData("a/b")]
    [InlineData("..")]
    public void ABadNameNeverReachesTheDisk(string name) =>
        Assert.Throws<ArgumentException>(() => _clients.Create(name, Group.Admin, out _));

    [Fact]
    public void TheWholeTokenDecides()
    {
        const string Token = "e78336b3-8128-4c84-88c7-e2fad9c32d99";
        Client[] clients = [new("a", Group.Admin, new Guid(Token)), new("b", Group.Admin, Guid.NewGuid()), new("c", Group.Admin, Guid.NewGuid())];
        var directory = new ClientDirectory(_folder.Path, FileOwner.Current, clients);
        foreach (Client client in clients)
        {
            Assert.Equal(AuthOutcome.Ok, directory.Authenticate(Encoding.ASCII.GetBytes(client.Token.ToString()), Permission.Any, out Client? found));
            Assert.Same(client, found);
        }

        for (int i = 0; i < Token.Length; i++)
        {
            byte[] other = Encoding.ASCII.GetBytes(Token);
            if (other[i] != '-')
            {
                other[i] = other[i] == '0' ? (byte)'1' : (byte)'0';
                Assert.Equal(AuthOutcome.Unknown, directory.Authenticate(other, Permission.Any, out _));
            }
        }
    }

    [Fact]
    public void AuthenticatingAllocatesNothing()
    {
        _clients.Create("web", Group.Admin, out Client? client);
        byte[] good = Encoding.ASCII.GetBytes(client!.Token.ToString());
        byte[] unknown = Encoding.ASCII.GetBytes(Guid.NewGuid().ToString());
        Assert.Equal(0, Allocated.ByEachRound(Run));

        void Run()
        {
            for (int i = 0; i < 100; i++)
            {
                _clients.Authenticate(good, Permission.Clients, out _);
                _clients.Authenticate(unknown, Permission.Clients, out _);
                _clients.Authenticate("nonsense"u8, Permission.Clients, out _);
            }
        }
    }

    [Fact]
    public void CreationsAtOnceOfOneNameSucceedOnce()
    {
        var other = new ClientDirectory(_folder.Path, FileOwner.Current, []);
        int made = 0;
        Parallel.For(0, 16, i =>
        {
            if ((i % 2 == 0 ? _clients : other).Create("web", Group.Admin, out _) == ClientOutcome.Ok)
            {
                Interlocked.Increment(ref made);
            }
        });
        Assert.Equal(1, made);
        Assert.Single(Directory.EnumerateFileSystemEntries(_folder.Path));
    }
}
