using System.IO.Pipelines;

namespace Couic.Http;

/// <summary>
/// An answer's body as a pipe that goes out in pieces: a flush ends when the kernel has taken the piece, which is how a slow
/// reader slows its answer down. A flush that says it is completed has found the client gone or too slow.
/// </summary>
internal sealed class AnswerPipeWriter(HttpConnection connection) : PipeWriter
{
    private readonly OutputBuffer _piece = new();

    public override bool CanGetUnflushedBytes => true;

    public override long UnflushedBytes => _piece.Length;

    public override void Advance(int bytes) => _piece.Advance(bytes);

    public override Memory<byte> GetMemory(int sizeHint = 0) => _piece.GetMemory(sizeHint);

    public override Span<byte> GetSpan(int sizeHint = 0) => _piece.GetSpan(sizeHint);

    public override async ValueTask<FlushResult> FlushAsync(CancellationToken cancellationToken = default)
    {
        bool isSent = await connection.SendAsync(_piece.WrittenMemory);
        _piece.Clear();
        return new FlushResult(isCanceled: false, isCompleted: !isSent);
    }

    /// <summary>Nobody waits in a flush but the handler itself.</summary>
    public override void CancelPendingFlush()
    {
    }

    /// <summary>Gives the memory back; what was not flushed is not sent.</summary>
    public override void Complete(Exception? exception = null) => _piece.Release();
}
