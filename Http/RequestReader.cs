using Couic.Http.Parsing;
using Couic.Native;

namespace Couic.Http;

/// <summary>What a connection has received: the head and the body of the present request, and what follows them. Not thread-safe.</summary>
internal sealed class RequestReader(StreamSocket socket)
{
    private BodyProgress _body;

    /// <summary>The result of a prefetch, and the space that it had; no space: there was none.</summary>
    private int _prefetched, _prefetchSpace;

    public RequestHead Head { get; } = new();

    public InputBuffer Input { get; } = new();

    public bool IsBodyComplete => _body.IsComplete;

    /// <inheritdoc cref="BodyProgress.Left"/>
    public long BodyLeft => _body.Left;

    /// <summary>Whether the socket has been read to its end, so that the next receive waits for the poller.</summary>
    public bool IsDrained { get; set; }

    /// <summary>Receives what the next <see cref="Receive"/> then returns.</summary>
    public void Prefetch()
    {
        Span<byte> free = Input.Free();
        _prefetchSpace = free.Length;
        _prefetched = socket.Receive(free);
    }

    /// <summary>Receives once. Returns a count, 0 at the end of the stream, or a negative errno.</summary>
    /// <param name="isHalfClosed">Whether the client will send no more, so that the end of the stream is still to be received.</param>
    public int Receive(bool isHalfClosed)
    {
        int n = _prefetched, space = _prefetchSpace;
        _prefetchSpace = 0;
        if (space == 0)
        {
            Span<byte> free = Input.Free();
            space = free.Length;
            n = socket.Receive(free);
        }

        if (n > 0)
        {
            // On a stream a short read means that nothing is left (epoll(7)), unless the end of the stream is.
            IsDrained = n < space && !isHalfClosed && !socket.HasEnded;
            Input.Received(n);
        }

        return n;
    }

    /// <summary>Starts the body of the request whose head was parsed.</summary>
    public void BeginBody()
    {
        Input.BeginBody(Head.Length);
        _body.Begin(Head);
    }

    /// <summary>Takes as body what has been received of it.</summary>
    public ParseFault PumpBody(HttpLimits limits) => _body.IsComplete ? ParseFault.None : _body.Pump(Input, limits);

    public void EndRequest()
    {
        Input.EndRequest();
        Head.Reset();
    }

    /// <summary>How much of the body of the present request has come in, by length or by chunks.</summary>
    private struct BodyProgress
    {
        private ChunkReader _chunks;
        private bool _isChunked;
        private long _left;

        /// <summary>Whether all of it is in the buffer or consumed.</summary>
        public bool IsComplete { get; private set; }

        /// <summary>Bytes that are missing; the highest number for a chunked body, whose length is not known.</summary>
        public readonly long Left => IsComplete ? 0 : _isChunked ? long.MaxValue : _left;

        public void Begin(RequestHead head)
        {
            _chunks = default;
            _isChunked = head.IsChunked;
            _left = Math.Max(head.ContentLength, 0);
            IsComplete = !head.HasBody;
        }

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
}
