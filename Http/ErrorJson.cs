using System.Buffers;
using System.Runtime.InteropServices;

namespace Couic.Http;

/// <summary>The one shape of every error: <c>{"code", "errors": {FIELD: {"code", "message"}}, "message"}</c>.</summary>
internal static class ErrorJson
{
    public static void Write(IBufferWriter<byte> writer, ErrorCode code, string message, List<FieldFault>? faults)
    {
        writer.Raw("{\"code\":\""u8);
        writer.Raw(code.Word());
        writer.Raw("\",\"errors\":{"u8);
        bool first = true;
        foreach (FieldFault fault in CollectionsMarshal.AsSpan(faults))
        {
            writer.Raw(first ? ""u8 : ","u8);
            writer.String(fault.Field);
            writer.Raw(":{\"code\":\""u8);
            writer.Raw(fault.Code.Word());
            writer.Raw("\",\"message\":"u8);
            writer.String(fault.Message);
            writer.Raw("}"u8);
            first = false;
        }

        writer.Raw("},\"message\":"u8);
        writer.String(message);
        writer.Raw("}"u8);
    }
}

/// <summary>The code of an error body.</summary>
internal enum ErrorCode : byte
{
    BadRequest,
    Unauthorized,
    NotFound,
    Conflict,
    Invalid,
    Internal,
    RateLimited,
}

/// <summary>A fault in one field of a request.</summary>
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
        ErrorCode.RateLimited => "rate_limited"u8,
        _ => "bad_request"u8,
    };
}
