using System.Buffers;

namespace Couic.Http;

/// <summary>Bytes to be sent: grows as needed, and holds no memory once released. Not thread-safe.</summary>
/// <param name="least">Initial size in bytes.</param>
internal sealed class OutputBuffer(int least = BufferPool.Response) : IBufferWriter<byte>
{
    private byte[] _array = [];

    public int Length { get; private set; }

    public int Capacity => _array.Length;

    public ReadOnlySpan<byte> Written => _array.AsSpan(0, Length);

    public ReadOnlyMemory<byte> WrittenMemory => _array.AsMemory(0, Length);

    public void Advance(int count) => Length += count;

    public Span<byte> GetSpan(int sizeHint = 0)
    {
        Ensure(Math.Max(sizeHint, 1));
        return _array.AsSpan(Length);
    }

    public Memory<byte> GetMemory(int sizeHint = 0)
    {
        Ensure(Math.Max(sizeHint, 1));
        return _array.AsMemory(Length);
    }

    public void Append(ReadOnlySpan<byte> bytes)
    {
        Ensure(bytes.Length);
        bytes.CopyTo(_array.AsSpan(Length));
        Length += bytes.Length;
    }

    public void Clear() => Length = 0;

    public void RemoveFirst(int count)
    {
        Length -= count;
        _array.AsSpan(count, Length).CopyTo(_array);
    }

    /// <summary>Drops the bytes from an offset on.</summary>
    public void Truncate(int length) => Length = length;

    /// <summary>Releases the memory.</summary>
    public void Release()
    {
        if (_array.Length > 0)
        {
            BufferPool.Return(_array);
            _array = [];
        }

        Length = 0;
    }

    private void Ensure(int room)
    {
        if (_array.Length - Length < room)
        {
            Grow(room);
        }
    }

    private void Grow(int room)
    {
        byte[] larger = BufferPool.Rent(Math.Max(Math.Max(_array.Length * 2, Length + room), least));
        Written.CopyTo(larger);
        BufferPool.Return(_array);
        _array = larger;
    }
}
