using System.Runtime.InteropServices;

namespace Couic.Native;

/// <summary>
/// Descriptor 0, 1 or 2, read and written directly. The framework's console streams send escape sequences to a terminal before the
/// first byte and hide EPIPE; its file streams write at an offset that they track themselves. A failure is an
/// <see cref="IOException"/> with the errno as its HResult.
/// </summary>
public sealed unsafe partial class StandardStream : Stream
{
    private const short PollIn = 1, PollOut = 4, PollError = 8, PollHangUp = 16;

    private readonly int _descriptor;

    private StandardStream(int descriptor) => _descriptor = descriptor;

    public static StandardStream Input { get; } = new(0);

    public static StandardStream Output { get; } = new(1);

    public static StandardStream Error { get; } = new(2);

    public override bool CanRead => _descriptor == 0;

    public override bool CanSeek => false;

    public override bool CanWrite => _descriptor != 0;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    /// <summary>Columns of the terminal; null if the descriptor is not a terminal, or the width is unknown.</summary>
    public int? Columns => Size?.Columns;

    /// <summary>Columns and rows of the terminal; null as for <see cref="Columns"/>.</summary>
    public (int Columns, int Rows)? Size
    {
        get
        {
            ushort* size = stackalloc ushort[4]; // struct winsize of asm-generic/termios.h: rows, columns, pixels
            const nuint TIOCGWINSZ = 0x5413;
            return ioctl(_descriptor, TIOCGWINSZ, size) == 0 && size[1] > 0 ? (size[1], size[0]) : null;
        }
    }

    public override int Read(Span<byte> buffer)
    {
        fixed (byte* start = buffer)
        {
            while (true)
            {
                nint n = read(_descriptor, start, (nuint)buffer.Length);
                if (n >= 0)
                {
                    return (int)n;
                }

                WaitOrThrow(PollIn);
            }
        }
    }

    public override void Write(ReadOnlySpan<byte> buffer)
    {
        fixed (byte* start = buffer)
        {
            int written = 0;
            while (written < buffer.Length)
            {
                nint n = write(_descriptor, start + written, (nuint)(buffer.Length - written));
                if (n < 0)
                {
                    WaitOrThrow(PollOut);
                }

                written += (int)Math.Max(n, 0);
            }
        }
    }

    /// <summary>Whether the other end of a pipe, socket or terminal is closed.</summary>
    public bool IsPeerGone()
    {
        var entry = new Libc.pollfd { fd = _descriptor };
        return Libc.poll(ref entry, 1, 0) > 0 && (entry.revents & (PollError | PollHangUp)) != 0;
    }

    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

    public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

    public override void Flush()
    {
    }

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    /// <summary>After a failed call: returns when the call can be retried. Another process may have made the descriptor non-blocking.</summary>
    private void WaitOrThrow(short events)
    {
        Errno error = Libc.LastError;
        if (error == Errno.EAGAIN)
        {
            var entry = new Libc.pollfd { fd = _descriptor, events = events };
            Libc.poll(ref entry, 1, -1);
        }
        else if (error != Errno.EINTR)
        {
            throw new IOException(error.Text(), (int)error);
        }
    }

    [LibraryImport("libc", SetLastError = true)]
    private static partial nint read(int fd, void* buffer, nuint count);

    [LibraryImport("libc", SetLastError = true)]
    private static partial nint write(int fd, void* buffer, nuint count);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int ioctl(int fd, nuint request, void* argument);
}
