using System.Net.Sockets;
using System.Text;
using Couic.Daemon;
using Couic.Tests.Support;
using CsCheck;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Win32.SafeHandles;
using Xunit;

namespace Couic.Tests.Daemon;

/// <summary>What the service manager is asked to keep, seen at its socket, and what it passes at the start.</summary>
public sealed class DescriptorStoreTests : IDisposable
{
    private readonly TempFolder _folder = new();
    private readonly Socket _manager = new(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified) { ReceiveTimeout = 5_000 };
    private readonly SafeFileHandle _any = File.OpenHandle("/dev/null");

    public void Dispose()
    {
        _any.Dispose();
        _manager.Dispose();
        _folder.Dispose();
    }

    [Fact]
    public void Links_AreStoredOnce_UnderTheirNames_AndRemovedWhenTheyAreGone()
    {
        using SystemdNotify systemd = Connect("8");
        var store = new DescriptorStore(systemd, ["couic-link-9-100"], NullLogger.Instance);
        store.Update([Link(1), Link(2)]);
        Assert.Equal(
            ["FDSTOREREMOVE=1\nFDNAME=couic-link-9-100", "FDSTORE=1\nFDPOLL=0\nFDNAME=couic-link-1-500", "FDSTORE=1\nFDPOLL=0\nFDNAME=couic-link-2-500"],
            Received(3));
        store.Update([Link(1), Link(2)]);
        store.Update([Link(2)]);
        Assert.Equal(["FDSTOREREMOVE=1\nFDNAME=couic-link-1-500"], Received(1));
        Assert.Equal((1, 0), (store.Count, _manager.Available));
    }

    [Fact]
    public void ALinkOfAnEarlierProcess_IsNotStoredAgain()
    {
        using SystemdNotify systemd = Connect("8");
        var store = new DescriptorStore(systemd, ["couic-link-1-500"], NullLogger.Instance);
        store.Update([Link(1)]);
        Assert.Equal((1, 0), (store.Count, _manager.Available));
    }

    [Fact]
    public void MoreLinksThanTheStoreKeeps_AreLeftOut()
    {
        using SystemdNotify systemd = Connect("2");
        var store = new DescriptorStore(systemd, [], NullLogger.Instance);
        store.Update([.. Enumerable.Range(1, 5).Select(i => Link((uint)i))]);
        Assert.Equal(2, Received(2).Length);
        Assert.Equal((2, 0), (store.Count, _manager.Available));
    }

    [Fact]
    public void AManagerThatDoesNotReceive_DelaysAnUpdateByABoundedTime_AndGetsTheLinkLater()
    {
        using SystemdNotify systemd = Connect("8");
        while (systemd.Store("full", _any))
        {
            // The last one waits for a second, until the limit.
        }

        var store = new DescriptorStore(systemd, [], NullLogger.Instance);
        store.Update([Link(1)]);
        Assert.Equal(0, store.Count);
        while (_manager.Available > 0)
        {
            _ = Received(1);
        }

        store.Update([Link(1)]);
        Assert.Equal((1, "FDSTORE=1\nFDPOLL=0\nFDNAME=couic-link-1-500"), (store.Count, Received(1)[0]));
    }

    [Theory]
    [InlineData(null)]
    [InlineData("0")]
    [InlineData("-3")]
    [InlineData("many")]
    public void WithoutAStore_ItsCapacityIsZero(string? capacity)
    {
        using SystemdNotify systemd = Connect(capacity);
        Assert.Equal(0, systemd.StoreCapacity);
    }

    [Theory]
    [InlineData(null, "1", "a")]
    [InlineData("78", "1", "a")]
    [InlineData("77", null, "a")]
    [InlineData("77", "-1", "a")]
    [InlineData("77", "1", null)]
    [InlineData("x", "1", "a")]
    public void DescriptorsOfNoOrAnotherProcess_AreNotTaken(string? process, string? count, string? names) =>
        Assert.Empty(PassedDescriptors.Parse(process, count, names, 77));

    [Fact]
    public void Descriptors_AreNumberedFromThree_AndNoneIsInventedBeyondTheirCount()
    {
        Assert.Equal([(3, "a"), (4, ""), (5, "c")], PassedDescriptors.Parse("77", "3", "a::c", 77));
        Assert.Equal([(3, "a")], PassedDescriptors.Parse("77", "1", "a:b:c", 77));
        Assert.Equal([(3, "a")], PassedDescriptors.Parse("77", "2000000000", "a", 77));
    }

    [Fact]
    public void Name_IsReadBack_AndNoTruncationOfItIsTakenForAnother()
    {
        var name = new LinkName(4_000_000_000, 1_700_000_000);
        string text = name.ToString();
        Assert.True(LinkName.TryParse(text, out LinkName read));
        Assert.Equal(name, read);
        for (int length = 0; length < text.Length; length++)
        {
            // Of a shorter number the kernel's id or the time differs, and the link is refused or younger.
            Assert.True(!LinkName.TryParse(text.AsSpan(0, length), out read) || (read.Id == name.Id && read.Since < name.Since));
        }
    }

    [Fact]
    public void AnyText_IsAName_OnlyWhenItIsWrittenLikeOne() => Gen.OneOf(
        Gen.String[Gen.Char["couic-link0123456789 +:,"], 0, 30], Gen.String.Select(s => "couic-link-" + s),
        Gen.Select(Gen.UInt, Gen.Long[0, long.MaxValue]).Select((id, since) => $"couic-link-{id}-{since}")).Sample(text =>
    {
        if (LinkName.TryParse(text, out LinkName name))
        {
            Assert.Equal(name, LinkName.TryParse(name.ToString(), out LinkName again) ? again : default);
        }
    });

    private HeldLink Link(uint id) => new(_any, new LinkName(id, 500), (int)id);

    private SystemdNotify Connect(string? capacity)
    {
        string path = _folder["notify"];
        _manager.Bind(new UnixDomainSocketEndPoint(path));
        return new SystemdNotify(name => name switch
        {
            "NOTIFY_SOCKET" => path,
            "FDSTORE" => capacity,
            _ => null,
        });
    }

    private string[] Received(int count)
    {
        byte[] message = new byte[512];
        return [.. Enumerable.Range(0, count).Select(_ => Encoding.UTF8.GetString(message, 0, _manager.Receive(message)))];
    }
}
