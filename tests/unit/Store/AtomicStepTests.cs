using Couic.Store;
using Xunit;
using static Couic.Tests.Store.StoreRig;

namespace Couic.Tests.Store;

public class AtomicStepTests
{
    private readonly StoreRig _rig = new();

    [Fact]
    public async Task WhoHoldsTheStoreMayCallItAndKeepsOthersOut()
    {
        Task<bool> other;
        using (_rig.Store.Hold())
        {
            other = Task.Run(() => _rig.Has("10.0.0.1/32"));
            Assert.Equal(StoreOutcome.Created, _rig.Add("10.0.0.1/32"));
            Assert.Equal(StoreOutcome.Removed, _rig.Remove("10.0.0.1/32"));
            Assert.Equal(StoreOutcome.Created, _rig.Add("10.0.0.1/32"));
        }

        Assert.True(await other);
    }

    [Theory]
    [InlineData(ConflictMode.Refuse)]
    [InlineData(ConflictMode.Update)]
    public void TheTimeLeftGoesBeforeWhatTheWallClockSays(ConflictMode mode)
    {
        if (mode == ConflictMode.Update)
        {
            _rig.Add("10.0.0.1/32");
        }

        ulong expiration = _rig.Clock.Seconds - 3_600;
        var context = new ChangeContext(ChangeOrigin.Peer, "peer"u8, left: TimeSpan.FromSeconds(10));
        _rig.Store.Add(Policy.Drop, Net("10.0.0.1/32"), default, expiration, mode, context, out Entry entry);

        Assert.Equal(expiration, entry.Expiration);
        _rig.Clock.AdvanceSeconds(9.999);
        Assert.True(_rig.Has("10.0.0.1/32"));
        _rig.Clock.AdvanceSeconds(0.001);
        Assert.False(_rig.Has("10.0.0.1/32"));
    }
}
