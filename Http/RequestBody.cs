using Couic.Http.Parsing;

namespace Couic.Http;

/// <summary>How far the body of the present request has come in, by length or by chunks.</summary>
internal struct RequestBody
{
    private ChunkReader _chunks;
    private bool _isChunked;
    private long _left;

    /// <summary>Whether all of it is in the buffer or consumed.</summary>
    public bool IsComplete { get; private set; }

    /// <summary>Bytes that are to come; unknown (the highest number) for a chunked one.</summary>
    public readonly long Left => IsComplete ? 0 : _isChunked ? long.MaxValue : _left;

    public void Begin(RequestHead head)
    {
        _chunks = default;
        _isChunked = head.IsChunked;
        _left = Math.Max(head.ContentLength, 0);
        IsComplete = !head.HasBody;
    }

    /// <summary>Takes as body what has been received of it.</summary>
    public ParseFault Pump(InputBuffer input, HttpLimits limits)
    {
        if (!_isChunked)
        {
            int length = (int)Math.Min(_left, input.Raw.Length);
            input.TakeBody(0, length);
            _left -= length;
            IsComplete = _left == 0;
            return ParseFault.None;
        }

        while (!IsComplete)
        {
            ChunkStep step = _chunks.Next(input.Raw, limits, out int framing, out int data, out ParseFault fault);
            if (step == ChunkStep.Malformed)
            {
                return fault;
            }

            input.TakeBody(framing, data);
            IsComplete = step == ChunkStep.End;
            if (step == ChunkStep.More)
            {
                break;
            }
        }

        return ParseFault.None;
    }
}
