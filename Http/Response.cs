using System.Buffers;
using System.Net;
using Couic.Http.Parsing;

namespace Couic.Http;

/// <summary>
/// The answer to a request, as a handler leaves it. Its route and its client are known, so that it can be logged; a batch has one without a
/// connection (<see cref="PendingResponse"/>).
/// </summary>
internal class Response
{
    private readonly OutputBuffer _body = new();
    private readonly OutputBuffer _headers = new(BufferPool.Small);
    private List<FieldFault>? _faults;
    private AnswerType _contentType;

    /// <summary>The route that was found; null when there is none.</summary>
    public Route? Route { get; protected set; }

    /// <summary>The client, as the endpoint's filter has identified it; null on routes without a filter.</summary>
    public IPrincipal? Principal { get; set; }

    /// <summary>The client's name for audit lines.</summary>
    public string ClientName => Principal?.Name ?? string.Empty;

    /// <summary>The address that the request came from; null on the Unix socket. IPv4 in its own family, also on a socket of both.</summary>
    public IPAddress? RemoteAddress { get; protected set; }

    /// <summary>The address for audit lines; <c>local</c> on the Unix socket.</summary>
    public string Origin => RemoteAddress?.ToString() ?? "local";

    /// <summary>0 until there is an answer.</summary>
    public int Status { get; private set; }

    /// <summary>The cause of a refusal, for the log.</summary>
    public Refusal Cause { get; private set; }

    /// <summary>The text of a refusal.</summary>
    internal string Message { get; private set; } = string.Empty;

    /// <summary>With its line end.</summary>
    internal ReadOnlySpan<byte> ContentTypeLine => _contentType switch
    {
        AnswerType.OpenMetrics => "content-type: application/openmetrics-text; version=1.0.0; charset=utf-8\r\n"u8,
        AnswerType.PlainMetrics => "content-type: text/plain; version=0.0.4; charset=utf-8\r\n"u8,
        AnswerType.Binary => "content-type: application/octet-stream\r\n"u8,
        AnswerType.Events => "content-type: text/event-stream\r\n"u8,
        AnswerType.Lines => "content-type: application/x-ndjson\r\n"u8,
        AnswerType.Html => "content-type: text/html; charset=utf-8\r\n"u8,
        AnswerType.Css => "content-type: text/css; charset=utf-8\r\n"u8,
        AnswerType.Script => "content-type: text/javascript; charset=utf-8\r\n"u8,
        AnswerType.Svg => "content-type: image/svg+xml\r\n"u8,
        _ => "content-type: application/json\r\n"u8,
    };

    internal OutputBuffer AnswerBody => _body;

    internal OutputBuffer AnswerHeaders => _headers;

    /// <summary>Whether the answer was sent in pieces.</summary>
    internal bool IsStreamed { get; private protected set; }

    /// <summary>Whether the connection must end with this answer.</summary>
    internal bool MustClose { get; private protected set; }


    /// <summary>Starts an answer; returns the writer of its body.</summary>
    public IBufferWriter<byte> Answer(int status, AnswerType type = AnswerType.Json)
    {
        Status = status;
        _contentType = type;
        _body.Clear();
        return _body;
    }

    /// <summary>204: no body.</summary>
    public void AnswerNothing() => Answer(204);

    /// <summary>One more header field for the answer.</summary>
    public void AddHeader(ReadOnlySpan<byte> name, ReadOnlySpan<byte> value)
    {
        _headers.Append(name);
        _headers.Append(": "u8);
        _headers.Append(value);
        _headers.Append("\r\n"u8);
    }

    /// <summary>Notes a fault of one field; <see cref="FailIfFaults"/> answers with all of them.</summary>
    public void AddFault(string field, string message, ErrorCode code = ErrorCode.Invalid) =>
        (_faults ??= []).Add(new FieldFault(field, code, message));

    public int FaultCount => _faults?.Count ?? 0;

    public bool HasFaults => _faults is { Count: > 0 };

    /// <summary>Answers with the faults noted so far, if there are any.</summary>
    public bool FailIfFaults(int status, ErrorCode code)
    {
        if (!HasFaults)
        {
            return false;
        }

        FieldFault first = _faults![0];
        string more = _faults.Count == 1 ? string.Empty : $" (and {_faults.Count - 1} more)";
        Fail(status, code, $"{first.Field}: {first.Message}{more}");
        return true;
    }

    /// <summary>Answers with an error, its <c>errors</c> being the faults noted so far.</summary>
    public void Fail(int status, ErrorCode code, string message)
    {
        _headers.Clear();
        ErrorJson.Write(Answer(status), code, message, _faults);
        _faults?.Clear();
        Message = message;
        Cause = Route is null && status == 404 ? Refusal.Route : Refusals.OfStatus(status);
    }

    /// <inheritdoc cref="Fail(int, ErrorCode, string)"/>
    /// <param name="cause">Logged in place of the one that follows from the status.</param>
    public void Fail(int status, ErrorCode code, string message, Refusal cause)
    {
        Fail(status, code, message);
        Cause = cause;
    }

    /// <summary>Answers to a fault below the API; the connection ends with it.</summary>
    internal void Refuse(ParseFault fault)
    {
        Fail(fault.Status(), ErrorCode.BadRequest, fault.Text(), Refusal.Protocol);
        MustClose = true;
    }

    /// <summary>Answers to a bug.</summary>
    internal void FailInternally() => Fail(500, ErrorCode.Internal, "internal error; the daemon's log says more");

    /// <summary>Releases the memory of a rare large answer.</summary>
    internal void Trim()
    {
        if (_body.Capacity > BufferPool.Working)
        {
            _body.Release();
        }
    }

    /// <summary>Memory of its buffers.</summary>
    internal virtual int HeldBytes => _body.Capacity + _headers.Capacity;

    internal virtual void ReleaseBuffers()
    {
        _body.Release();
        _headers.Release();
    }

    /// <summary>Makes it ready for a request.</summary>
    internal void Begin(Route? route, IPrincipal? principal, IPAddress? remoteAddress)
    {
        Route = route;
        Principal = principal;
        RemoteAddress = remoteAddress;
        Status = 0;
        Cause = Refusal.None;
        IsStreamed = MustClose = false;
        _body.Clear();
        _headers.Clear();
        _faults?.Clear();
    }
}

/// <summary>What the body of an answer is.</summary>
internal enum AnswerType : byte
{
    Json,
    OpenMetrics,
    PlainMetrics,
    Binary,
    Events,
    Lines,
    Html,
    Css,
    Script,
    Svg,
}
