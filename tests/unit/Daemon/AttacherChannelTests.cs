using Couic.Bpf;
using Couic.Daemon;
using Couic.Native;
using Microsoft.Win32.SafeHandles;
using Xunit;

namespace Couic.Tests.Daemon;

/// <summary>Both ends of the channel: answers of any size arrive whole, and the daemon holds the links.</summary>
public sealed class AttacherChannelTests : IDisposable
{
    private readonly MessageChannel _theirs;
    private readonly AttacherChannel _channel;

    public AttacherChannelTests()
    {
        (MessageChannel ours, _theirs) = MessageChannel.Pair();
        _channel = new AttacherChannel(ours, TimeProvider.System, []);
    }

    public void Dispose()
    {
        _theirs.Dispose();
        _channel.Dispose();
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(253)]
    [InlineData(254)]
    [InlineData(1500)]
    public void Reply_ArrivesWhole_WithALinkForEachInterface(int count)
    {
        InterfaceState[] states = [.. Enumerable.Range(1, count).Select(Attached)];
        Answer(states, count);
        Assert.Equal(states, _channel.States);
        Assert.Equal(count, _channel.LinkCount);
    }

    [Fact]
    public void LongNamesAndErrors_DoNotTruncateAReply()
    {
        InterfaceState[] states = [.. Enumerable.Range(0, 1024).Select(i =>
            new InterfaceState($"{i:d4}{new string('n', 123)}", "e", 0, "", AttachState.Failed, new string('€', 250)))];
        Answer(states, 0);
        Assert.Equal(states, _channel.States);
    }

    [Fact]
    public void Links_StayWhileTheirInterfaceIsAttached_AndNoLonger()
    {
        Answer([Attached(1), Attached(2), Attached(3)], 3);
        Answer([Attached(1), Attached(3)], 0);
        Assert.Equal(2, _channel.LinkCount);
        Answer([Attached(3)], 3); // attached again: a new link takes the place of the old one
        Assert.Equal(1, _channel.LinkCount);
        Answer([new InterfaceState("e3", "e3", 3, "", AttachState.Taken, "taken")], 0);
        Assert.Equal(0, _channel.LinkCount);
    }

    [Fact]
    public void TwoNamesOfOneInterface_ShareOneLink()
    {
        Answer([Attached(1), Attached(1) with { Configured = "alias" }], 1);
        Assert.Equal((2, 1), (_channel.States.Count, _channel.LinkCount));
    }

    [Fact]
    public void AttacherThatEnds_LeavesStatesAndLinks()
    {
        Answer([Attached(1)], 1);
        _theirs.Send("more\n"u8);
        _theirs.Dispose();
        Assert.Equal(AttacherEvent.Part, _channel.Receive());
        Assert.Equal(AttacherEvent.Lost, _channel.Receive());
        Assert.Equal((true, 1, 1), (_channel.IsLost, _channel.States.Count, _channel.LinkCount));
        Assert.False(_channel.Ask());
    }

    [Fact]
    public void AttacherThatReportsACause_IsLostWithThatCause()
    {
        _theirs.Send("!load xdp program: no"u8);
        Assert.Equal(AttacherEvent.Lost, _channel.Receive());
        Assert.Equal("load xdp program: no", _channel.Failure);
    }

    private static InterfaceState Attached(int index) => InterfaceState.Attached($"e{index}", $"e{index}", index, XdpMode.Native);

    /// <summary>Sends as the attacher does, with a link for each interface up to that index, and receives as the daemon does.</summary>
    private void Answer(InterfaceState[] states, int linkedUpTo)
    {
        using SafeFileHandle any = File.OpenHandle("/dev/null");
        using var link = new FileDescriptor((int)any.DangerousGetHandle(), ownsHandle: false);
        var links = Enumerable.Range(1, linkedUpTo).ToDictionary(index => index, _ => link);
        Assert.True(_channel.Ask());
        var sending = new Thread(() =>
        {
            Span<byte> request = stackalloc byte[8];
            Assert.True(_theirs.Receive(request, []) > 0);
            Assert.All(AttacherReply.Encode(states, links), message =>
            {
                Assert.InRange(message.Text.Length, 1, AttacherReply.MaxBytes);
                Assert.True(_theirs.Send(message.Text, message.Links));
            });
        });
        sending.Start();
        AttacherEvent news;
        while ((news = _channel.Receive()) == AttacherEvent.Part)
        {
        }

        sending.Join();
        Assert.Equal(AttacherEvent.Reply, news);
    }
}
