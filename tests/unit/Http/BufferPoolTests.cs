using Couic.Http;
using Xunit;

namespace Couic.Tests.Http;

/// <summary>Reused arrays. Other tests use the same pool concurrently, so the bounds allow for some.</summary>
public class BufferPoolTests
{
    [Fact]
    public void BuffersOfOneBurst_AreEvictedForTheSizesOfTheNext()
    {
        Burst(8 * 1024, 2_560); // all that is stored
        HashSet<byte[]> first = Burst(64 * 1024, 300), second = Burst(64 * 1024, 300);
        Assert.True(second.Count(first.Contains) > 200, $"{second.Count(first.Contains)} of 300 arrays were used again");
    }

    [Fact]
    public void AnArrayIsAtLeastAsLargeAsAsked()
    {
        foreach (int size in (int[])[1, 256, 257, 4096, 5000, 16_384, 20_000, 131_072, 131_073, 1_000_000])
        {
            byte[] array = BufferPool.Rent(size);
            Assert.InRange(array.Length, size, Math.Max(256, 2 * size));
            BufferPool.Return(array);
        }
    }

    /// <summary>Takes so many at a time and gives all of them back.</summary>
    private static HashSet<byte[]> Burst(int size, int count)
    {
        HashSet<byte[]> arrays = [.. Enumerable.Range(0, count).Select(_ => BufferPool.Rent(size))];
        foreach (byte[] array in arrays)
        {
            BufferPool.Return(array);
        }

        return arrays;
    }
}
