namespace Couic.Http.Parsing;

/// <summary>Why a request is refused below the API. <see cref="ParseFaults"/> is the one map of a reason to its status and text.</summary>
public enum ParseFault : byte
{
    None,
    BareLineFeed,
    EmptyLines,
    RequestLine,
    Method,
    Target,
    Version,
    VersionUnsupported,
    RequestLineTooLong,
    FieldName,
    FieldValue,
    FieldFolded,
    TooManyFields,
    FieldsTooLong,
    HostRepeated,
    HostInvalid,
    HostMissing,
    ContentLength,
    ContentLengthRepeated,
    LengthTwice,
    TransferEncoding,
    TransferEncodingUnknown,
    TransferEncodingOld,
    ChunkSize,
    ChunkLineTooLong,
    ChunkEnd,
    BodyBrokenOff,
    HeaderTimeout,
    BodyTimeout,
    NoRoom,
}

internal static class ParseFaults
{
    public static int Status(this ParseFault fault) => fault switch
    {
        ParseFault.RequestLineTooLong => 414,
        ParseFault.TooManyFields or ParseFault.FieldsTooLong or ParseFault.NoRoom => 431,
        ParseFault.TransferEncodingUnknown => 501,
        ParseFault.VersionUnsupported => 505,
        ParseFault.HeaderTimeout or ParseFault.BodyTimeout => 408,
        _ => 400,
    };

    public static string Text(this ParseFault fault) => fault switch
    {
        ParseFault.BareLineFeed => "lines must end in CR LF",
        ParseFault.EmptyLines => "more than one empty line before the request line",
        ParseFault.RequestLine => "malformed request line; expected METHOD TARGET HTTP/1.1",
        ParseFault.Method => "malformed method; expected a token",
        ParseFault.Target => "malformed request target",
        ParseFault.Version => "malformed HTTP version; expected HTTP/1.1",
        ParseFault.VersionUnsupported => "unsupported HTTP version; use HTTP/1.1",
        ParseFault.RequestLineTooLong => "request line too long",
        ParseFault.FieldName => "malformed header field; expected NAME: VALUE without a space before the colon",
        ParseFault.FieldValue => "control character in a header field",
        ParseFault.FieldFolded => "folded header field",
        ParseFault.TooManyFields => "too many header fields",
        ParseFault.FieldsTooLong => "header fields too long",
        ParseFault.HostRepeated => "more than one Host field",
        ParseFault.HostInvalid => "malformed Host",
        ParseFault.HostMissing => "no Host field",
        ParseFault.ContentLength => "malformed Content-Length",
        ParseFault.ContentLengthRepeated => "more than one Content-Length",
        ParseFault.LengthTwice => "both Transfer-Encoding and Content-Length",
        ParseFault.TransferEncoding => "malformed Transfer-Encoding; chunked must be the last coding, once",
        ParseFault.TransferEncodingUnknown => "unknown transfer coding; only chunked is supported",
        ParseFault.TransferEncodingOld => "Transfer-Encoding in an HTTP/1.0 request",
        ParseFault.ChunkSize => "malformed chunk size or extension",
        ParseFault.ChunkLineTooLong => "chunk extensions too long",
        ParseFault.ChunkEnd => "chunk data does not end where its size says",
        ParseFault.BodyBrokenOff => "the body broke off",
        ParseFault.HeaderTimeout => "no complete header in time",
        ParseFault.BodyTimeout => "body too slow",
        ParseFault.NoRoom => "no memory for so many unfinished requests",
        _ => "malformed request",
    };
}
