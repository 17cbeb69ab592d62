using System.Buffers;
using System.Runtime.InteropServices;

namespace Couic.Http;

/// <summary>The one shape of every error: <c>{"code", "errors": {FIELD: {"code", "message"}}, "message"}</c>.</summary>
internal static class ErrorBody
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
