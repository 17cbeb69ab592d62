using Couic.Native;

namespace Couic.CommandLine;

/// <summary>Whether the standard streams are terminals.</summary>
/// <param name="OutputIsTerminal">Standard output.</param>
/// <param name="ErrorIsTerminal">Standard error.</param>
/// <param name="Width">Current number of columns.</param>
internal sealed record Terminal(bool OutputIsTerminal, bool ErrorIsTerminal, Func<int> Width)
{
    /// <summary>No stream is a terminal.</summary>
    public static readonly Terminal None = new(false, false, static () => 80);

    public static Terminal OfProcess() =>
        new(!Console.IsOutputRedirected, !Console.IsErrorRedirected, static () => StandardStream.Output.Columns ?? 80);

    /// <summary>Whether colour and cursor movement may go to standard output (https://no-color.org).</summary>
    public bool Decorates(Func<string, string?> environment) => OutputIsTerminal && IsWanted(environment);

    /// <inheritdoc cref="Decorates"/>
    public bool DecoratesError(Func<string, string?> environment) => ErrorIsTerminal && IsWanted(environment);

    private static bool IsWanted(Func<string, string?> environment) =>
        string.IsNullOrEmpty(environment("NO_COLOR")) && environment("TERM") is not "dumb";
}

/// <summary>Standard output; a failed write is an <see cref="OutputException"/>.</summary>
internal sealed class ResultStream(Stream inner) : Stream
{
    public override bool CanRead => false;

    public override bool CanSeek => false;

    public override bool CanWrite => true;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    public override void Write(ReadOnlySpan<byte> buffer)
    {
        try
        {
            inner.Write(buffer);
        }
        catch (IOException e)
        {
            throw new OutputException(e);
        }
    }

    public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

    public override void Flush()
    {
        try
        {
            inner.Flush();
        }
        catch (IOException e)
        {
            throw new OutputException(e);
        }
    }

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();
}

/// <summary>Standard output could not be written; distinct from a failed read in the same loop.</summary>
internal sealed class OutputException(IOException cause) : Exception(cause.Message, cause)
{
    /// <summary>EPIPE in errno.h.</summary>
    private const int BrokenPipe = 32;

    /// <summary>The reader of the output has exited, as <c>head</c> does; not a failure.</summary>
    public bool ReaderHasGone => InnerException!.HResult == BrokenPipe;
}
