using System.Buffers;
using System.IO.Pipelines;
using Couic.Http.Parsing;

namespace Couic.Http;

/// <summary>
/// A request's body as a pipe: bytes without their framing, in the buffer that the kernel filled. A cancelled read means that the body is
/// malformed, broke off or is too slow: <see cref="Fault"/> says which.
/// </summary>
internal sealed class BodyPipeReader(Connection connection) : PipeReader
{
    private ReadOnlySequence<byte> _read;
    private int _examined;

    /// <summary>Why the last read was cancelled.</summary>
    public ParseFault Fault { get; private set; }

    /// <summary>Waits until there is more than was examined, or the body's end.</summary>
    public override async ValueTask<ReadResult> ReadAsync(CancellationToken cancellationToken = default)
    {
        Fault = await connection.ReadMoreBodyAsync(_examined);
        return Result();
    }

    public override bool TryRead(out ReadResult result)
    {
        Fault = connection.PumpBody();
        result = Result();
        return result.IsCanceled || result.IsCompleted || connection.Input.BodyLength > _examined;
    }

    /// <summary>What was read, where it is now: it may move while the request is queued.</summary>
    public ReadResult ReadAgain() => Result();

    public override void AdvanceTo(SequencePosition consumed) => AdvanceTo(consumed, consumed);

    /// <summary>What was consumed is dropped; what was only examined is in the next read, with more after it.</summary>
    public override void AdvanceTo(SequencePosition consumed, SequencePosition examined)
    {
        int done = (int)_read.Slice(_read.Start, consumed).Length;
        _examined = (int)_read.Slice(_read.Start, examined).Length - done;
        connection.Input.ConsumeBody(done);
    }

    /// <summary>Only the handler itself waits in a read.</summary>
    public override void CancelPendingRead()
    {
    }

    /// <summary>The connection drops the rest of the body.</summary>
    public override void Complete(Exception? exception = null) => _read = default;

    private ReadResult Result()
    {
        _read = new ReadOnlySequence<byte>(connection.Input.BodyMemory);
        return new ReadResult(_read, isCanceled: Fault != ParseFault.None, isCompleted: connection.IsBodyComplete);
    }
}

/// <summary>
/// An answer's body as a pipe: a flush ends when the kernel has taken the piece, so that a slow reader slows its answer down. A flush that
/// reports completion has found the client gone or too slow.
/// </summary>
internal sealed class ResponsePipeWriter(Connection connection) : PipeWriter
{
    private int _unflushed;

    public override bool CanGetUnflushedBytes => true;

    public override long UnflushedBytes => _unflushed;

    public override void Advance(int bytes)
    {
        connection.Output.Advance(bytes);
        _unflushed += bytes;
    }

    public override Memory<byte> GetMemory(int sizeHint = 0) => connection.Output.GetMemory(sizeHint);

    public override Span<byte> GetSpan(int sizeHint = 0) => connection.Output.GetSpan(sizeHint);

    public override async ValueTask<FlushResult> FlushAsync(CancellationToken cancellationToken = default)
    {
        int length = _unflushed;
        _unflushed = 0;
        return new FlushResult(isCanceled: false, isCompleted: !await connection.SendPieceAsync(length));
    }

    /// <summary>Only the handler itself waits in a flush.</summary>
    public override void CancelPendingFlush()
    {
    }

    /// <summary>Releases the memory; what was not flushed is not sent.</summary>
    public override void Complete(Exception? exception = null) => connection.ReleaseOutput();
}
