
namespace Couic.Http;

/// <summary>
/// The memory of connections: arrays by powers of two, reused so that thousands of short connections leave nothing to the garbage collector.
/// The sizes that every request takes are cached per thread; the others share one pool. Large arrays are not kept. Thread-safe.
/// </summary>
internal static class BufferPool
{
    /// <summary>What a connection receives into, in bytes.</summary>
    public const int Working = 16 * 1024;

    /// <summary>The first buffer of responses, in bytes.</summary>
    public const int Response = 4 * 1024;

    /// <summary>The smallest buffer of a connection that waits with something in it, in bytes.</summary>
    public const int Minimum = 512;

    /// <summary>For what is usually short, in bytes.</summary>
    public const int Small = 256;

    private const int LargestKept = 128 * 1024;

    /// <summary>Bytes in the shared pool: more than the default memory budget of waiting connections.</summary>
    private const int MaxShared = 20 * 1024 * 1024;

    /// <summary>Dropped bytes after which a collection is triggered: left alone, the collector waits for more.</summary>
    private const int WorthCollection = 16 * 1024 * 1024;

    private static readonly Lock Sync = new();
    private static readonly Stack<byte[]>[] Shared = [.. Enumerable.Range(0, int.Log2(LargestKept / Small) + 1).Select(_ => new Stack<byte[]>())];
    private static readonly long[] RequestedAt = new long[Shared.Length];
    private static long _requests;
    private static int _sharedBytes;
    private static int _droppedBytes;

    [ThreadStatic]
    private static ThreadCache? _working;

    [ThreadStatic]
    private static ThreadCache? _responses;

    [ThreadStatic]
    private static ThreadCache? _small;

    /// <summary>Returns at least so many bytes, which are not cleared.</summary>
    public static byte[] Rent(int size)
    {
        if (size > LargestKept)
        {
            return GC.AllocateUninitializedArray<byte>(size);
        }

        ThreadCache? cache = size switch
        {
            Small => _small,
            Response => _responses,
            Working => _working,
            _ => null,
        };
        return cache?.TryTake() ?? TakeShared(SizeClass(size)) ?? GC.AllocateUninitializedArray<byte>(Small << SizeClass(size));
    }

    public static void Return(byte[] array)
    {
        bool isKept = array.Length switch
        {
            Small => (_small ??= new ThreadCache()).TryPut(array),
            Response => (_responses ??= new ThreadCache()).TryPut(array),
            Working => (_working ??= new ThreadCache()).TryPut(array),
            _ => array.Length == 0,
        };
        if (!isKept)
        {
            Share(array);
        }
    }

    /// <summary>Drops the shared pool.</summary>
    public static void Trim()
    {
        lock (Sync)
        {
            foreach (Stack<byte[]> arrays in Shared)
            {
                arrays.Clear();
            }

            _sharedBytes = 0;
        }
    }

    private static int SizeClass(int size) => size <= Small ? 0 : int.Log2((size - 1) / Small) + 1;

    private static byte[]? TakeShared(int sizeClass)
    {
        lock (Sync)
        {
            RequestedAt[sizeClass] = ++_requests;
            if (Shared[sizeClass].TryPop(out byte[]? array))
            {
                _sharedBytes -= array.Length;
            }

            return array;
        }
    }

    private static void Share(byte[] array)
    {
        lock (Sync)
        {
            if (array.Length <= LargestKept && TryEvictFor(array.Length))
            {
                _sharedBytes += array.Length;
                Shared[SizeClass(array.Length)].Push(array);
            }
            else
            {
                _droppedBytes += array.Length;
            }

            if (_droppedBytes < WorthCollection)
            {
                return;
            }

            _droppedBytes = 0;
        }

        GC.Collect(GC.MaxGeneration, GCCollectionMode.Forced, blocking: false, compacting: false);
    }

    /// <summary>Evicts arrays of the sizes that were requested longest ago: the sizes of one burst are of no use in the next.</summary>
    private static bool TryEvictFor(int size)
    {
        int own = SizeClass(size);
        while (_sharedBytes + size > MaxShared)
        {
            int oldest = own;
            for (int other = 0; other < Shared.Length; other++)
            {
                oldest = Shared[other].Count > 0 && RequestedAt[other] < RequestedAt[oldest] ? other : oldest;
            }

            if (oldest == own)
            {
                return false;
            }

            int dropped = Shared[oldest].Pop().Length;
            _sharedBytes -= dropped;
            _droppedBytes += dropped;
        }

        return true;
    }

    /// <summary>Arrays of one size, for one thread.</summary>
    private sealed class ThreadCache
    {
        private const int Places = 2 * RequestBatch.MaxConnections;

        // In a structure, as storing into an array of arrays checks the type of each.
        private readonly (byte[]? Array, nint)[] _places = new (byte[]?, nint)[Places];
        private int _count;

        public byte[]? TryTake()
        {
            if (_count == 0)
            {
                return null;
            }

            ref byte[]? place = ref _places[--_count].Array;
            byte[]? array = place;
            place = null;
            return array;
        }

        public bool TryPut(byte[] array)
        {
            if (_count == Places)
            {
                return false;
            }

            _places[_count++].Array = array;
            return true;
        }
    }
}
