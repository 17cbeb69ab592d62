using Couic.Native;
using Xunit;

namespace Couic.Tests.Native;

public class BatchClockTests
{
    [Fact]
    public void Freeze_StopsTheTimeOfDayForItsThreadOnly()
    {
        TimeProvider clock = BatchClock.Instance;
        DateTimeOffset frozen, elsewhere = default;
        long timestamp;
        using (BatchClock.Freeze())
        {
            frozen = clock.GetUtcNow();
            timestamp = clock.GetTimestamp();
            var other = new Thread(() =>
            {
                Thread.Sleep(2);
                elsewhere = clock.GetUtcNow();
            });
            other.Start();
            other.Join();
            Assert.Equal(frozen, clock.GetUtcNow());
            Assert.True(clock.GetTimestamp() > timestamp);
        }

        Assert.True(elsewhere > frozen);
        Assert.True(clock.GetUtcNow() >= elsewhere);
        Assert.InRange(clock.GetUtcNow() - TimeProvider.System.GetUtcNow(), TimeSpan.FromSeconds(-1), TimeSpan.FromSeconds(1));
    }
}
