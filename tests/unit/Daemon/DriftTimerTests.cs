using Couic.Bpf;
using Couic.Daemon;
using Couic.Logging.Abstractions;
using Couic.Native;
using Couic.Store;
using Couic.Tests.Bpf;
using Couic.Tests.Fakes;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace Couic.Tests.Daemon;

/// <summary>When the daemon compares kernel and store. What a comparison finds is in <c>Bpf/ReconcilerTests</c>.</summary>
[Collection("bpf")]
public sealed class DriftTimerTests : IDisposable
{
    private readonly PlaneFixture _plane = new();
    private readonly ManualClock _clock = new();
    private readonly RuleStore _store;
    private readonly DriftTimer _timer;

    public DriftTimerTests()
    {
        _store = new RuleStore(_plane.Plane, _plane.Plane.Limits, TimeProvider.System);
        _timer = new DriftTimer(_store, _plane.Plane, _clock, NullLogger.Instance);
        _timer.Start();
    }

    public void Dispose()
    {
        _timer.Dispose();
        _plane.Dispose();
    }

    [Fact]
    public void EveryMinute_WhatTheKernelHasLost_IsRepairedAndCounted()
    {
        Cidr cidr = PlaneFixture.Parse("192.0.2.9/32");
        _store.Add(Policy.Drop, cidr, "t"u8, 0, ConflictMode.Refuse, default, out _);
        for (ulong minute = 1; minute <= 3; minute++)
        {
            Assert.Equal(Errno.None, BpfSyscall.Delete(_plane.Maps.Trie(Policy.Drop, IpFamily.V4), KeyOf(cidr)));
            _clock.AdvanceSeconds(59);
            Assert.Equal(minute - 1, _timer.Status?.Drift ?? 0);
            _clock.AdvanceSeconds(1);
            Assert.True(SpinWait.SpinUntil(() => _timer.Status?.Drift == minute, TimeSpan.FromSeconds(30)), $"minute {minute}");
            Assert.Equal((ulong)_clock.GetUtcNow().ToUnixTimeSeconds(), _timer.Status!.LastCheck);
        }
    }

    [Fact]
    public void AComparisonThatFails_IsReported_AndFollowedByTheNext()
    {
        _plane.Maps.Trie(Policy.Ignore, IpFamily.V4).Dispose();
        for (int minute = 0; minute < 3; minute++)
        {
            long before = InternalErrors.Count(Place.Drift);
            _clock.AdvanceSeconds(60);
            Assert.True(SpinWait.SpinUntil(() => InternalErrors.Count(Place.Drift) > before, TimeSpan.FromSeconds(30)), $"minute {minute}");
            Assert.StartsWith("kernel and store cannot be compared: ", _timer.Fault, StringComparison.Ordinal);
        }
    }

    private static byte[] KeyOf(Cidr cidr)
    {
        var key = new byte[TrieEntry.KeySize(cidr.Family)];
        TrieEntry.Write(cidr, key);
        return key;
    }
}
