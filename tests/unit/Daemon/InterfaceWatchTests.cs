using Couic.Bpf;
using Couic.Daemon;
using Couic.Logging.Abstractions;
using Couic.Native;
using Couic.Tests.Fakes;
using Xunit;

namespace Couic.Tests.Daemon;

/// <summary>The daemon's loop beside an attacher that the test plays.</summary>
public sealed class InterfaceWatchTests : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);
    private static readonly InterfaceState Lo = InterfaceState.Attached("lo", "lo", 1, XdpMode.Generic) with { Attachment = 1, Program = 1 };

    private readonly ListLogger _log = new();
    private readonly AttacherChannel _channel;
    private MessageChannel _attacher;
    private InterfaceWatch? _watch;

    public InterfaceWatchTests()
    {
        (MessageChannel ours, _attacher) = MessageChannel.Pair();
        _channel = new AttacherChannel(ours, TimeProvider.System, []);
    }

    public void Dispose()
    {
        _watch?.Dispose();
        _attacher.Dispose();
        _channel.Dispose();
    }

    [Fact]
    public void AttacherThatDoesNotReply_DelaysNeitherStartNorStop()
    {
        _watch = Watch(null);
        Assert.False(_watch.Start(TimeSpan.FromMilliseconds(200)));
        long start = Environment.TickCount64;
        _watch.Dispose();
        _channel.Dispose();
        Assert.InRange(Environment.TickCount64 - start, 0, 8000); // 2 s for the attacher to detach, and a busy machine
    }

    [Fact]
    public void LossOfTheAttacher_IsLoggedOnce_AndShown()
    {
        _watch = Watch(null);
        Thread answering = Answering(Lo);
        Assert.True(_watch.Start(Patience));
        answering.Join();
        _attacher.Dispose();
        Eventually(() => _channel.IsLost);
        Eventually(() => _channel.States is [{ IsAttached: false }]); // lo of this machine does not carry program 1
        Thread.Sleep(1500); // the next periodic poll
        Assert.Single(_log.Lines, line => line.Contains("the attacher process has ended: what is filtered", StringComparison.Ordinal));
    }

    [Fact]
    public void LostAttacher_IsReplaced_IfAnotherIsReachable()
    {
        var source = new Source();
        _watch = Watch(source);
        Thread answering = Answering(Lo);
        Assert.True(_watch.Start(Patience));
        answering.Join();
        _attacher.Dispose();
        Eventually(() => source.Given is not null); // the first try fails
        _attacher = source.Given!;
        Answer(Lo);
        Eventually(() => !_channel.IsLost && _channel.States.SequenceEqual([Lo]));
        Eventually(() => _log.Lines.Any(line => line.Contains("another attacher process manages", StringComparison.Ordinal)));
        Assert.Single(_log.Lines, line => line.Contains("the attacher process has ended: what is filtered", StringComparison.Ordinal));
    }

    [Fact]
    public void PollThatThrows_IsCounted_AndFollowedByOthers()
    {
        int calls = 0;
        long before = InternalErrors.Count(Place.Interfaces);
        _watch = new InterfaceWatch(_channel, null, ["lo"], _log, () => throw new InvalidOperationException($"injected {++calls}"));
        Thread answering = Answering(Lo, Lo with { Attachment = 2 });
        _ = _watch.Start(Patience);
        Assert.True(answering.Join(Patience));
        Eventually(() => calls == 2);
        Eventually(() => _channel.States is [{ Attachment: 2 }]);
        Assert.True(InternalErrors.Count(Place.Interfaces) - before >= 2);
    }

    private InterfaceWatch Watch(IAttacherSource? source) => new(_channel, source, ["lo"], _log, () => { });

    private Thread Answering(params InterfaceState[] states)
    {
        var thread = new Thread(() => Array.ForEach(states, Answer));
        thread.Start();
        return thread;
    }

    private void Answer(InterfaceState state)
    {
        Span<byte> request = stackalloc byte[8];
        Assert.True(_attacher.Receive(request, []) > 0);
        foreach ((byte[] text, int[] links) in AttacherReply.Encode([state], new Dictionary<int, FileDescriptor>()))
        {
            _attacher.Send(text, links);
        }
    }

    private static void Eventually(Func<bool> condition) => Assert.True(SpinWait.SpinUntil(condition, Patience));

    private sealed class Source : IAttacherSource
    {
        private int _tries;

        public MessageChannel? Given { get; private set; }

        public MessageChannel? Connect()
        {
            if (++_tries == 1)
            {
                return null;
            }

            (MessageChannel ours, MessageChannel theirs) = MessageChannel.Pair();
            Given = theirs;
            return ours;
        }
    }
}
