using System.Buffers;

namespace Couic.Http.Transport;

/// <summary>
/// Where connections get their memory. Small arrays are pooled, those that every request takes on a shelf of the thread's own: the
/// pool keeps one of a size for a thread and locks for any further. Large ones go back to the collector, so that a burst leaves nothing.
/// </summary>
internal static class Buffers
{
    /// <summary>What a connection reads into at once, in bytes.</summary>
    public const int Working = 16 * 1024;

    /// <summary>What an answer begins with, in bytes.</summary>
    public const int Answer = 4 * 1024;

    /// <summary>What is kept of a connection that waits in the middle of a header section, in bytes.</summary>
    public const int Parked = 2 * 1024;

    private const int LargestPooled = 128 * 1024;

    [ThreadStatic]
    private static Shelf? _workings;

    [ThreadStatic]
    private static Shelf? _answers;

    public static byte[] Rent(int size)
    {
        Shelf? shelf = size switch
        {
            Answer => _answers,
            Working => _workings,
            _ => null,
        };
        return shelf?.TryTake() ?? (size > LargestPooled ? GC.AllocateUninitializedArray<byte>(size) : ArrayPool<byte>.Shared.Rent(size));
    }

    public static void Return(byte[] array)
    {
        bool isKept = array.Length switch
        {
            Answer => (_answers ??= new Shelf()).TryPut(array),
            Working => (_workings ??= new Shelf()).TryPut(array),
            _ => array.Length is 0 or > LargestPooled,
        };
        if (!isKept)
        {
            ArrayPool<byte>.Shared.Return(array);
        }
    }

    /// <summary>A few arrays of one size, for one thread.</summary>
    private sealed class Shelf
    {
        private const int Places = 4 * HttpServer.GroupSize;

        private readonly byte[]?[] _arrays = new byte[Places][];
        private int _count;

        public byte[]? TryTake()
        {
            if (_count == 0)
            {
                return null;
            }

            byte[]? array = _arrays[--_count];
            _arrays[_count] = null;
            return array;
        }

        public bool TryPut(byte[] array)
        {
            if (_count == Places)
            {
                return false;
            }

            _arrays[_count++] = array;
            return true;
        }
    }
}
