using System.IO.Pipelines;
using System.Net;
using System.Text;
using Couic.Http.Parsing;

namespace Couic.Http;

/// <summary>
/// One request and its answer, as a <see cref="Handler"/> sees them. Spans are valid until the handler first waits; the
/// object is reused for the next request of the connection.
/// </summary>
internal sealed class Exchange : Response
{
    private readonly Connection _connection;
    private readonly Slice[] _parameters = new Slice[Router.MaxParameters];
    private readonly OutputBuffer _decoded = new(BufferPool.Small);
    private int _parameterCount;

    public Exchange(Connection connection)
    {
        _connection = connection;
    }

    internal RequestHead Head => _connection.Head;

    public Verb Verb => Head.Verb;

    public HttpLimits Limits => _connection.Limits;

    /// <summary>The unit of fairness: the process on the Unix socket, else the address.</summary>
    public CallerId Caller => _connection.Caller.Id;

    public Query Query => new(Head.Query.Of(_connection.Input.Request));

    /// <summary>A parameter of the path, decoded; valid UTF-8.</summary>
    public ReadOnlySpan<byte> Parameter(int index) =>
        _parameters[index].Of(_decoded.Length > 0 ? _decoded.Written : Head.Path.Of(_connection.Input.Request));

    public string ParameterText(int index) => Encoding.UTF8.GetString(Parameter(index));

    /// <summary>The value of a header field that the server does not interpret; the first one counts.</summary>
    public bool TryGetHeader(ReadOnlySpan<byte> name, out ReadOnlySpan<byte> value)
    {
        foreach (Range range in Fields.Split("\r\n"u8))
        {
            ReadOnlySpan<byte> line = Fields[range];
            if (line.Length > name.Length && line[name.Length] == ':' && Grammar.Same(line[..name.Length], name))
            {
                value = Grammar.TrimBlanks(line[(name.Length + 1)..]);
                return true;
            }
        }

        value = default;
        return false;
    }

    /// <summary>The value of <c>Authorization</c>; false when the field is absent or repeated.</summary>
    public bool TryGetAuthorization(out ReadOnlySpan<byte> value)
    {
        value = Head.Authorization.Of(_connection.Input.Request);
        return Head.AuthorizationCount == 1;
    }

    private ReadOnlySpan<byte> Fields => Head.Fields.Of(_connection.Input.Request);

    /// <summary>
    /// Continues on a pool thread, for what computes for long or waits for the disk, while the event loop serves other connections. Holds for
    /// the rest of this request, also after reads and writes. Invalidates what <see cref="Body"/> returned before. A few requests of each
    /// class run at a time, the others wait in their clients' queues. False: it may not wait, and is answered already.
    /// </summary>
    public async ValueTask<bool> OffloadAsync(WorkClass work)
    {
        _connection.IsOffloaded = true;
        if (await _connection.AcquireWorkerAsync(work))
        {
            return true;
        }

        Refuse(ParseFault.NoRoom);
        return false;
    }

    /// <summary>Lets another request compute while this one waits; <see cref="OffloadAsync"/> continues.</summary>
    public void ReleaseWorker() => _connection.ReleaseWorker();

    /// <summary>Whether it has computed for so long that it should let queued requests run.</summary>
    public bool ShouldYield => _connection.ShouldYield;

    /// <summary>
    /// Waits in the client's queue; what <see cref="Body"/> returned is invalid then. The semaphore is held until <see cref="ReleaseHeld"/>;
    /// a client that blocks others may lose it. False: it is not held, and no client waits for the answer.
    /// </summary>
    public ValueTask<bool> HoldAsync(FairSemaphore semaphore) => _connection.HoldAsync(semaphore);

    /// <inheritdoc cref="HoldAsync"/>
    public void ReleaseHeld() => _connection.ReleaseHeld();

    /// <summary>Lets other threads run, and continues on a pool thread.</summary>
    internal static async ValueTask YieldAsync() => await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);

    /// <summary>Whether the answer is left to a batch.</summary>
    internal bool IsBatched { get; private set; }

    /// <summary>
    /// Leaves the request to a batch: the handler returns without an answer. False where that is not possible, and the handler has to do it.
    /// </summary>
    public bool TryBatch(IBatchHandler handler)
    {
        IsBatched = _connection.TryBatch(handler);
        return IsBatched;
    }

    /// <summary>Executes the present batch first, for a decision that depends on it.</summary>
    public void FlushBatch() => _connection.FlushBatch();

    /// <summary>What a batch needs to answer this request.</summary>
    public PendingResponse Pending => new(_connection, Route!, Principal);

    /// <summary>Memory that the handler holds while its answer is sent; it counts with the connection's.</summary>
    public int HandlerBytes { get; set; }

    internal override int HeldBytes => base.HeldBytes + _decoded.Capacity + HandlerBytes;

    internal override void ReleaseBuffers()
    {
        base.ReleaseBuffers();
        _decoded.Release();
    }

    /// <summary>Starts an answer whose body is sent in pieces, as the reader takes them; its length must be known.</summary>
    /// <returns>To be flushed until that many bytes are sent, and completed; null when nothing is to be written: HEAD, or the client is gone.</returns>
    public async ValueTask<PipeWriter?> BeginStreamAsync(int status, long contentLength, AnswerType type = AnswerType.Json)
    {
        Answer(status, type);
        IsStreamed = true;
        _connection.BeginStream(this, contentLength);
        return Verb != Verb.Head && await _connection.FlushAsync() ? new ResponsePipeWriter(_connection) : null;
    }

    /// <summary>
    /// Starts an answer that lasts until one side closes. Its handler writes when <see cref="Signal"/> wakes it, waits with
    /// <see cref="WaitForSignalAsync"/>, and ends once <see cref="HasClientLeft"/>.
    /// </summary>
    /// <returns>Null when nothing is to be written: HEAD, or the client is gone.</returns>
    public async ValueTask<PipeWriter?> BeginEndlessStreamAsync(int status, AnswerType type)
    {
        Answer(status, type);
        IsStreamed = true;
        _connection.BeginEndlessStream(this);
        return Verb != Verb.Head && await _connection.FlushAsync() ? new ResponsePipeWriter(_connection) : null;
    }

    /// <inheritdoc cref="Connection.WaitForSignalAsync"/>
    public SingleWaiterEvent.Waiting WaitForSignalAsync() => _connection.WaitForSignalAsync();

    /// <inheritdoc cref="Connection.Signal"/>
    public void Signal() => _connection.Signal();

    /// <inheritdoc cref="Connection.HasClientLeft"/>
    public bool HasClientLeft => _connection.HasClientLeft;

    /// <summary>Makes it ready for the request in the connection's head.</summary>
    internal void Begin()
    {
        Begin(null, null, _connection.Address);
        _parameterCount = HandlerBytes = 0;
        _decoded.Clear();
        IsBatched = false;
        Delay = TimeSpan.Zero;
    }

    /// <summary>The checks in their order: route, method, filter, encoding of the path. Null: it is answered.</summary>
    internal Endpoint? Check(Router router)
    {
        Route = router.Match(Head.Path.Of(_connection.Input.Request), _parameters, out _parameterCount);
        if (Route is null)
        {
            Fail(404, ErrorCode.NotFound, "no such route");
            return null;
        }

        Endpoint? endpoint = Route.Find(Verb);
        if (endpoint is null)
        {
            Fail(405, ErrorCode.BadRequest, "method not allowed on this route");
            AddHeader("allow"u8, Route.Allow);
            return null;
        }

        return (endpoint.Filter?.Admit(this) ?? true) && DecodeParameters() ? endpoint : null;
    }

    private bool DecodeParameters()
    {
        ReadOnlySpan<byte> path = Head.Path.Of(_connection.Input.Request);
        if (!path.Contains((byte)'%'))
        {
            return true; // visible ASCII, as the parser has seen
        }

        Span<byte> decoded = _decoded.GetSpan(path.Length);
        int end = 0;
        foreach (ref Slice parameter in _parameters.AsSpan(0, _parameterCount))
        {
            int length = Percent.Decode(parameter.Of(path), decoded[end..]);
            parameter = new Slice(end, length);
            end += length;
        }

        _decoded.Advance(end);

        for (int i = 0; i < _parameterCount; i++)
        {
            if (!System.Text.Unicode.Utf8.IsValid(Parameter(i)))
            {
                Fail(400, ErrorCode.BadRequest, "the path is not UTF-8 once decoded");
                return false;
            }
        }

        return true;
    }

    /// <summary>The body, once <see cref="ReadBodyAsync"/> has returned true.</summary>
    public ReadOnlySpan<byte> Body => _connection.Input.Body;

    /// <inheritdoc cref="Body"/>
    public ReadOnlyMemory<byte> BodyMemory => _connection.Input.BodyMemory;

    /// <summary>Whether all of the body is in <see cref="Body"/>.</summary>
    public bool IsBodyComplete => _connection.IsBodyComplete;

    /// <summary>The content type as it was sent; empty when there is none or more than one.</summary>
    public ReadOnlySpan<byte> SentContentType =>
        Head.ContentTypeCount == 1 ? Head.ContentType.Of(_connection.Input.Request) : [];

    /// <summary>Whether the content type is JSON; otherwise answers with 400.</summary>
    public bool RequireJson()
    {
        if (MediaType.IsJson(SentContentType))
        {
            return true;
        }

        Fail(400, ErrorCode.BadRequest, "the content type must be application/json");
        return false;
    }

    /// <summary>Reads the whole body, up to <see cref="HttpLimits.MaxBodyBytes"/>. False: it is answered.</summary>
    public ValueTask<bool> ReadBodyAsync() => ReadBodyAsync(Limits.MaxBodyBytes);

    /// <summary>The same up to another limit, in bytes.</summary>
    public ValueTask<bool> ReadBodyAsync(int maxBytes)
    {
        if (Head.ContentLength <= maxBytes)
        {
            ParseFault fault = _connection.PumpBody();
            if (fault == ParseFault.None && IsBodyComplete && _connection.Input.BodyLength <= maxBytes)
            {
                return new ValueTask<bool>(true);
            }
        }

        return ReadBodySlowlyAsync(maxBytes);
    }

    /// <summary>Releases the memory of the body; <see cref="Body"/> is empty then.</summary>
    public void ReleaseBody() => _connection.Input.DropBody();

    /// <summary>Drops the whole body, up to <see cref="HttpLimits.MaxBodyBytes"/> of it. False: it is answered.</summary>
    public async ValueTask<bool> SkipBodyAsync()
    {
        long skipped = 0;
        while (!IsBodyComplete)
        {
            ParseFault fault = await _connection.ReadMoreBodyAsync(0);
            if (fault != ParseFault.None)
            {
                Refuse(fault);
                return false;
            }

            skipped += _connection.Input.BodyLength;
            _connection.Input.ConsumeBody(_connection.Input.BodyLength);
            if (skipped > Limits.MaxBodyBytes)
            {
                return FailTooLarge(Limits.MaxBodyBytes);
            }
        }

        return true;
    }

    /// <summary>
    /// The body in pieces, for one that need not be in memory as a whole. Ends the connection after the answer when a read fails
    /// and the handler says so (<see cref="CloseAfterAnswer"/>).
    /// </summary>
    public BodyPipeReader OpenBody() => new(_connection);

    /// <summary>Has a refusal answered late; for a filter.</summary>
    public void AnswerLate(TimeSpan delay) => Delay = delay;

    internal TimeSpan Delay { get; private set; }

    /// <summary>The rest of the body is useless, or cannot be distinguished from a next request.</summary>
    public void CloseAfterAnswer() => MustClose = true;

    private async ValueTask<bool> ReadBodySlowlyAsync(int maxBytes)
    {
        if (Head.ContentLength > maxBytes)
        {
            return FailTooLarge(maxBytes);
        }

        while (true)
        {
            if (_connection.Input.BodyLength > maxBytes)
            {
                return FailTooLarge(maxBytes);
            }

            if (IsBodyComplete)
            {
                return true;
            }

            ParseFault fault = await _connection.ReadMoreBodyAsync(_connection.Input.BodyLength);
            if (fault != ParseFault.None)
            {
                Refuse(fault);
                return false;
            }
        }
    }

    private bool FailTooLarge(int maxBytes)
    {
        Fail(413, ErrorCode.BadRequest, $"the body is larger than {maxBytes} bytes");
        return false;
    }
}
