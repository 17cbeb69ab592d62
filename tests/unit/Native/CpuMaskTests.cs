using Couic.Native;
using Xunit;

namespace Couic.Tests.Native;

public sealed class CpuMaskTests
{
    [Fact]
    public void Bits_AreWholeWordsAndCoverEveryCpu()
    {
        int bits = CpuMask.Bits();
        Assert.Equal(0, bits % 64);
        Assert.True(bits >= Environment.ProcessorCount);
    }
}
