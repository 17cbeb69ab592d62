using System.Buffers;

namespace Couic.Http.Transport;

/// <summary>Where connections get their memory. Small arrays are pooled; large ones go back to the collector, so that a burst leaves nothing.</summary>
internal static class Buffers
{
    /// <summary>What a connection reads into at once, in bytes.</summary>
    public const int Working = 16 * 1024;

    /// <summary>What is kept of a connection that waits in the middle of a header section, in bytes.</summary>
    public const int Parked = 2 * 1024;

    private const int LargestPooled = 128 * 1024;

    public static byte[] Rent(int size) =>
        size > LargestPooled ? GC.AllocateUninitializedArray<byte>(size) : ArrayPool<byte>.Shared.Rent(size);

    public static void Return(byte[] array)
    {
        if (array.Length is > 0 and <= LargestPooled)
        {
            ArrayPool<byte>.Shared.Return(array);
        }
    }
}
