namespace Couic.Http.Parsing;

/// <summary>A piece of the request's bytes, counted from the request's first one.</summary>
internal readonly record struct Slice(int Start, int Length)
{
    public ReadOnlySpan<byte> Of(ReadOnlySpan<byte> request) => request.Slice(Start, Length);
}

/// <summary>
/// Request line and header fields of one request, as <see cref="RequestParser"/> finds them. Reused; holds
/// slices and no bytes, so that the buffer may move.
/// </summary>
internal sealed class RequestHead
{
    public Verb Verb { get; set; }

    /// <summary>The method as it was sent.</summary>
    public Slice Method { get; set; }

    /// <summary>Path of the target, undecoded. Empty for <c>*</c> and for an authority.</summary>
    public Slice Path { get; set; }

    /// <summary>What follows the question mark, undecoded.</summary>
    public Slice Query { get; set; }

    /// <summary>All header fields with their line ends, without the empty line.</summary>
    public Slice Fields { get; set; }

    public Slice Authorization { get; set; }

    public Slice ContentType { get; set; }

    public int AuthorizationCount { get; set; }

    public int ContentTypeCount { get; set; }

    public bool IsHttp10 { get; set; }

    public bool IsChunked { get; set; }

    /// <summary>-1 when the request does not say.</summary>
    public long ContentLength { get; set; }

    /// <summary>Whether the connection may stay open after this request.</summary>
    public bool KeepAlive { get; set; }

    public bool ExpectsContinue { get; set; }

    /// <summary>Bytes up to the end of the empty line, once complete.</summary>
    public int Length { get; set; }

    public bool HasBody => IsChunked || ContentLength > 0;

    // Where the parser continues when more bytes have come.
    internal int LineStart { get; set; }

    internal int Scanned { get; set; }

    internal int FieldCount { get; set; }

    internal bool HasRequestLine { get; set; }

    internal bool HasHost { get; set; }

    internal bool SawClose { get; set; }

    internal bool SawKeepAlive { get; set; }

    internal int Chunkeds { get; set; }

    internal bool SawTransferEncoding { get; set; }

    internal bool SawUnknownCoding { get; set; }

    internal bool ChunkedIsLast { get; set; }

    public void Reset()
    {
        Verb = Verb.Other;
        Method = Path = Query = Fields = Authorization = ContentType = default;
        AuthorizationCount = ContentTypeCount = 0;
        IsHttp10 = IsChunked = KeepAlive = ExpectsContinue = false;
        ContentLength = -1;
        Length = LineStart = Scanned = FieldCount = Chunkeds = 0;
        HasRequestLine = HasHost = SawClose = SawKeepAlive = false;
        SawTransferEncoding = SawUnknownCoding = ChunkedIsLast = false;
    }
}

/// <summary>The methods that a route can have; all others are <see cref="Other"/>.</summary>
public enum Verb : byte
{
    Other,
    Get,
    Head,
    Post,
    Put,
    Delete,
}
