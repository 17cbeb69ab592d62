
namespace Couic.Http;

/// <summary>
/// Where connections get their memory. Arrays are used again, by powers of two, so that connections that come and go by the thousand leave
/// nothing to the collector. Those that every request takes lie on a shelf of the thread's own, the others in a store for all. Large ones go
/// back to the collector.
/// </summary>
internal static class Buffers
{
    /// <summary>What a connection reads into at once, in bytes.</summary>
    public const int Working = 16 * 1024;

    /// <summary>What an answer begins with, in bytes.</summary>
    public const int Answer = 4 * 1024;

    /// <summary>What is kept at least of a connection that waits with something in its buffer, in bytes.</summary>
    public const int Parked = 512;

    /// <summary>For what is mostly short, in bytes.</summary>
    public const int Small = 256;

    private const int LargestKept = 128 * 1024;

    /// <summary>Bytes in the store, more than all that wait may hold together by default; what comes above that is the collector's.</summary>
    private const int MaxStored = 20 * 1024 * 1024;

    /// <summary>Bytes that are worth a collection: left alone the collector waits for more.</summary>
    private const int WorthCollection = 16 * 1024 * 1024;

    private static readonly Lock Gate = new();
    private static readonly Stack<byte[]>[] Stored = [.. Enumerable.Range(0, int.Log2(LargestKept / Small) + 1).Select(_ => new Stack<byte[]>())];
    private static readonly long[] AskedAt = new long[Stored.Length];
    private static long _asked;
    private static int _storedBytes;
    private static int _droppedBytes;

    [ThreadStatic]
    private static Shelf? _workings;

    [ThreadStatic]
    private static Shelf? _answers;

    [ThreadStatic]
    private static Shelf? _smalls;

    /// <summary>At least so many bytes, with whatever is in them.</summary>
    public static byte[] Rent(int size)
    {
        if (size > LargestKept)
        {
            return GC.AllocateUninitializedArray<byte>(size);
        }

        Shelf? shelf = size switch
        {
            Small => _smalls,
            Answer => _answers,
            Working => _workings,
            _ => null,
        };
        return shelf?.TryTake() ?? TakeStored(Place(size)) ?? GC.AllocateUninitializedArray<byte>(Small << Place(size));
    }

    public static void Return(byte[] array)
    {
        bool isKept = array.Length switch
        {
            Small => (_smalls ??= new Shelf()).TryPut(array),
            Answer => (_answers ??= new Shelf()).TryPut(array),
            Working => (_workings ??= new Shelf()).TryPut(array),
            _ => array.Length == 0,
        };
        if (!isKept)
        {
            Store(array);
        }
    }

    /// <summary>Leaves what nobody uses to the collector.</summary>
    public static void Trim()
    {
        lock (Gate)
        {
            foreach (Stack<byte[]> arrays in Stored)
            {
                arrays.Clear();
            }

            _storedBytes = 0;
        }
    }

    private static int Place(int size) => size <= Small ? 0 : int.Log2((size - 1) / Small) + 1;

    private static byte[]? TakeStored(int place)
    {
        lock (Gate)
        {
            AskedAt[place] = ++_asked;
            if (Stored[place].TryPop(out byte[]? array))
            {
                _storedBytes -= array.Length;
            }

            return array;
        }
    }

    private static void Store(byte[] array)
    {
        lock (Gate)
        {
            if (array.Length <= LargestKept && MakeRoom(array.Length))
            {
                _storedBytes += array.Length;
                Stored[Place(array.Length)].Push(array);
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

    /// <summary>What nobody has asked for since arrays of this size were asked for goes first: the sizes of one kind of burst are of no use in the next.</summary>
    private static bool MakeRoom(int size)
    {
        int own = Place(size);
        while (_storedBytes + size > MaxStored)
        {
            int oldest = own;
            for (int place = 0; place < Stored.Length; place++)
            {
                oldest = Stored[place].Count > 0 && AskedAt[place] < AskedAt[oldest] ? place : oldest;
            }

            if (oldest == own)
            {
                return false;
            }

            int dropped = Stored[oldest].Pop().Length;
            _storedBytes -= dropped;
            _droppedBytes += dropped;
        }

        return true;
    }

    /// <summary>A few arrays of one size, for one thread.</summary>
    private sealed class Shelf
    {
        private const int Places = 2 * HttpServer.GroupSize;

        // In a structure: else each array that is put in would be asked whether it is one of bytes.
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
