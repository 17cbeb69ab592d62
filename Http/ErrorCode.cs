namespace Couic.Http;

/// <summary>The words for what went wrong, as they stand in error bodies.</summary>
internal enum ErrorCode : byte
{
    BadRequest,
    Unauthorized,
    NotFound,
    Conflict,
    Invalid,
    Internal,
}

/// <summary>What is wrong with one field of a request.</summary>
internal readonly record struct FieldFault(string Field, ErrorCode Code, string Message);

internal static class ErrorCodes
{
    public static ReadOnlySpan<byte> Word(this ErrorCode code) => code switch
    {
        ErrorCode.Unauthorized => "unauthorized"u8,
        ErrorCode.NotFound => "not_found"u8,
        ErrorCode.Conflict => "conflict"u8,
        ErrorCode.Invalid => "invalid"u8,
        ErrorCode.Internal => "internal"u8,
        _ => "bad_request"u8,
    };
}
