namespace Couic.Cli.Output;

/// <summary>A result could not be written; of another kind than a failure to read, which may happen in the same loop.</summary>
internal sealed class OutputException(IOException cause) : Exception(cause.Message, cause)
{
    /// <summary>EPIPE in errno.h.</summary>
    private const int BrokenPipe = 32;

    /// <summary>Whoever read our output has gone, as <c>head</c> does; no failure of ours.</summary>
    public bool ReaderHasGone => InnerException!.HResult == BrokenPipe;
}
