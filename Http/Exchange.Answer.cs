using System.Buffers;
using System.IO.Pipelines;
using Couic.Http.Parsing;

namespace Couic.Http;

internal sealed partial class Exchange
{
    private readonly OutputBuffer _body = new();
    private readonly OutputBuffer _headers = new(Buffers.Small);
    private List<FieldFault>? _faults;
    private string _message = string.Empty;

    /// <summary>0 as long as there is no answer.</summary>
    public int Status { get; private set; }

    /// <summary>What the log calls a refusal.</summary>
    public Refusal Cause { get; private set; }

    /// <summary>The text of a refusal.</summary>
    internal string Message => _message;

    /// <summary>With the end of the line in front of it and its own.</summary>
    internal ReadOnlySpan<byte> ContentTypeLine => _contentType switch
    {
        AnswerType.OpenMetrics => "\r\ncontent-type: application/openmetrics-text; version=1.0.0; charset=utf-8\r\n"u8,
        AnswerType.PlainMetrics => "\r\ncontent-type: text/plain; version=0.0.4; charset=utf-8\r\n"u8,
        AnswerType.Binary => "\r\ncontent-type: application/octet-stream\r\n"u8,
        _ => "\r\ncontent-type: application/json\r\n"u8,
    };

    internal OutputBuffer AnswerBody => _body;

    internal OutputBuffer AnswerHeaders => _headers;

    /// <summary>Whether the answer went out in pieces already.</summary>
    internal bool IsStreamed { get; private set; }

    /// <summary>Whether the connection must end with this answer.</summary>
    internal bool MustClose { get; private set; }

    private AnswerType _contentType;

    /// <summary>Starts an answer and gives the writer of its body.</summary>
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
        ErrorBody.Write(Answer(status), code, message, _faults);
        _faults?.Clear();
        _message = message;
        Cause = Route is null && status == 404 ? Refusal.Route : Refusals.OfStatus(status);
    }

    /// <inheritdoc cref="Fail(int, ErrorCode, string)"/>
    /// <param name="cause">Logged in place of the one that follows from the status.</param>
    public void Fail(int status, ErrorCode code, string message, Refusal cause)
    {
        Fail(status, code, message);
        Cause = cause;
    }

    /// <summary>Starts an answer whose body goes out in pieces, as the reader takes them; its length must be known.</summary>
    /// <returns>To be flushed until that many bytes are out, and completed; null when nothing is to be written: HEAD, or the client is gone.</returns>
    public async ValueTask<PipeWriter?> BeginStreamAsync(int status, long contentLength, AnswerType type = AnswerType.Json)
    {
        Answer(status, type);
        IsStreamed = true;
        _connection.WriteHead(this, contentLength);
        return Verb != Verb.Head && await _connection.FlushAsync() ? new AnswerPipeWriter(_connection) : null;
    }

    /// <summary>Answers to a fault below the API; the connection ends with it.</summary>
    internal void Refuse(ParseFault fault)
    {
        Fail(fault.Status(), ErrorCode.BadRequest, fault.Text());
        Cause = Refusal.Protocol;
        MustClose = true;
    }

    /// <summary>Answers to a bug.</summary>
    internal void FailInternally() => Fail(500, ErrorCode.Internal, "internal error; the daemon's log says more");

    /// <summary>Gives back the memory that a rare large answer took.</summary>
    internal void Trim()
    {
        if (_body.Capacity > Buffers.Working)
        {
            _body.Release();
        }
    }

    /// <summary>Memory of its buffers.</summary>
    internal int HeldBytes => _body.Capacity + _headers.Capacity + _decoded.Capacity + HandlerBytes;

    /// <summary>Memory that the handler holds while its answer goes out; it counts with the connection's.</summary>
    public int HandlerBytes { get; set; }

    internal void ReleaseBuffers()
    {
        _body.Release();
        _headers.Release();
        _decoded.Release();
    }

    private void ResetAnswer()
    {
        Status = HandlerBytes = 0;
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
}
