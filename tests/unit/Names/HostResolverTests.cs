using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using Couic.Names;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace Couic.Tests.Names;

public sealed class HostResolverTests : IDisposable
{
    private static readonly TimeSpan Soon = TimeSpan.FromSeconds(30);

    private readonly ManualResetEventSlim _answers = new();
    private readonly ConcurrentDictionary<string, int> _inFlight = new();
    private readonly ConcurrentQueue<string> _asked = new();
    private int _most;
    private int _now;
    private int _overlaps;
    private HostResolver? _resolver;

    public void Dispose()
    {
        _resolver?.Dispose();
        _answers.Set();
    }

    [Fact]
    public async Task NamesWhoseServersDoNotAnswer_TakeABoundedNumberOfThreads()
    {
        HostResolver resolver = Resolver(Swallow);
        var waiting = new List<Task>();
        for (int round = 0; round < 20; round++)
        {
            for (int i = 0; i < 64; i++)
            {
                Assert.Empty(resolver.Find($"node{i}").Addresses);
                waiting.Add(resolver.ResolveAsync($"node{i}", TimeSpan.FromMilliseconds(1), TestContext.Current.CancellationToken).AsTask());
            }
        }

        foreach (Task one in waiting)
        {
            string cause = (await Assert.ThrowsAsync<UnresolvedHostException>(() => one)).Message;
            Assert.Matches("cannot resolve \"node[0-9]+\": name servers do not answer", cause);
        }

        Assert.InRange(_most, 1, HostResolver.Threads);
        Assert.Equal(0, _overlaps);
    }

    [Fact]
    public async Task ANameThatResolves_IsServedWhileOthersAreDead()
    {
        HostResolver resolver = Resolver(host => host == "alive" && _answers.IsSet ? [IPAddress.Parse("192.0.2.7")] : host == "alive" ? [] : Swallow(host));
        _answers.Set();
        Assert.Equal([IPAddress.Parse("192.0.2.7")], await resolver.ResolveAsync("alive", Soon, TestContext.Current.CancellationToken));
        _answers.Reset();
        for (int i = 0; i < 50; i++)
        {
            resolver.Find($"dead{i}");
        }

        Assert.Equal([IPAddress.Parse("192.0.2.7")], resolver.Find("alive").Addresses);
        _answers.Set();
    }

    [Fact]
    public async Task FailedLookup_KeepsTheLastGoodAddresses_AndReportsTheCause()
    {
        bool isDown = false;
        var time = new JumpingTime();
        HostResolver resolver = Resolver(host => Volatile.Read(ref isDown) ? throw new SocketException((int)SocketError.TryAgain) : [IPAddress.Loopback], time);
        Assert.Equal([IPAddress.Loopback], await resolver.ResolveAsync("peer", Soon, TestContext.Current.CancellationToken));
        Assert.Null(resolver.Find("peer").Cause);
        Volatile.Write(ref isDown, true);
        await UntilAsync(() =>
        {
            time.Jump(TimeSpan.FromSeconds(31));
            resolver.Find(Guid.NewGuid().ToString("N")[..8] + "x"); // wakes the threads, as the passing of time would
            return resolver.Find("peer").Cause is not null;
        });
        Assert.Equal(new[] { IPAddress.Loopback }, resolver.Find("peer").Addresses);
        Assert.Equal("name servers do not answer", resolver.Find("peer").Cause);
        Assert.Equal([IPAddress.Loopback], await resolver.ResolveAsync("peer", Soon, TestContext.Current.CancellationToken));
    }

    [Theory]
    [InlineData(SocketError.HostNotFound, "no such name")]
    [InlineData(SocketError.TryAgain, "name servers do not answer")]
    [InlineData(SocketError.NoData, "the name has no address")]
    public async Task ANameThatDoesNotResolve_SaysWhy(SocketError error, string cause)
    {
        HostResolver resolver = Resolver(_ => throw new SocketException((int)error));
        var fault = await Assert.ThrowsAsync<UnresolvedHostException>(() => resolver.ResolveAsync("peer", Soon, TestContext.Current.CancellationToken).AsTask());
        Assert.Equal($"cannot resolve \"peer\": {cause}", fault.Message);
    }

    [Fact]
    public async Task AnUnexpectedExceptionOfALookup_DoesNotEndTheThreads()
    {
        HostResolver resolver = Resolver(host => host.StartsWith("bad", StringComparison.Ordinal) ? throw new InvalidOperationException("as the test asked") : [IPAddress.Loopback]);
        for (int i = 0; i < 3 * HostResolver.Threads; i++)
        {
            resolver.Find($"bad{i}");
        }

        Assert.Equal([IPAddress.Loopback], await resolver.ResolveAsync("good", Soon, TestContext.Current.CancellationToken));
    }

    [Fact]
    public void AnAddress_IsNeverLookedUp()
    {
        HostResolver resolver = Resolver(_ => throw new InvalidOperationException());
        Assert.Equal([IPAddress.Parse("10.77.0.2")], resolver.Find("10.77.0.2").Addresses);
        Assert.Equal([IPAddress.Parse("2001:db8::1")], resolver.Find("2001:db8::1").Addresses);
        Assert.Empty(_asked);
    }

    [Fact]
    public async Task MoreNamesThanAreKept_PushOutTheOldest()
    {
        HostResolver resolver = Resolver(_ => [IPAddress.Loopback]);
        for (int i = 0; i < 3 * HostResolver.MaxNames; i++)
        {
            Assert.Single(await resolver.ResolveAsync($"node{i}", Soon, TestContext.Current.CancellationToken));
        }
    }

    private HostResolver Resolver(Func<string, IPAddress[]> lookup, TimeProvider? time = null) =>
        _resolver = new HostResolver(time ?? TimeProvider.System, NullLogger.Instance, host => Counted(host, lookup));

    private IPAddress[] Counted(string host, Func<string, IPAddress[]> lookup)
    {
        _asked.Enqueue(host);
        if (_inFlight.AddOrUpdate(host, 1, (_, n) => n + 1) > 1)
        {
            Interlocked.Increment(ref _overlaps);
        }

        int now = Interlocked.Increment(ref _now);
        InterlockedMax(now);
        try
        {
            return lookup(host);
        }
        finally
        {
            Interlocked.Decrement(ref _now);
            _inFlight.AddOrUpdate(host, 0, (_, n) => n - 1);
        }
    }

    private void InterlockedMax(int value)
    {
        int most = Volatile.Read(ref _most);
        while (value > most && Interlocked.CompareExchange(ref _most, value, most) is var seen && seen != most)
        {
            most = seen;
        }
    }

    private IPAddress[] Swallow(string host)
    {
        _answers.Wait(Soon);
        throw new SocketException((int)SocketError.TryAgain);
    }

    private static async Task UntilAsync(Func<bool> isTrue)
    {
        for (int i = 0; i < 3_000; i++)
        {
            if (isTrue())
            {
                return;
            }

            await Task.Delay(10);
        }

        Assert.Fail("it did not come about within 30 s");
    }

    private sealed class JumpingTime : TimeProvider
    {
        private long _ahead;

        public override long GetTimestamp() => System.GetTimestamp() + Interlocked.Read(ref _ahead);

        public void Jump(TimeSpan by) => Interlocked.Add(ref _ahead, (long)(by.TotalSeconds * TimestampFrequency));
    }
}
