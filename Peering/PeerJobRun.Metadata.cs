using System.Text.Json;

namespace Couic.Peering;

internal sealed partial class PeerJobRun
{
    private bool TryReadMetadata(ref Utf8JsonReader reader, ref Draft job)
    {
        Next(ref reader);
        if (reader.TokenType == JsonTokenType.Null)
        {
            return true;
        }

        if (reader.TokenType != JsonTokenType.StartObject)
        {
            return Fail("\"metadata\" is neither an object nor null");
        }

        var seen = new Draft();
        string kind = string.Empty, detail = string.Empty;
        ReadOnlyMemory<byte> extra = default;
        while (Next(ref reader) && reader.TokenType == JsonTokenType.PropertyName)
        {
            bool good =
                reader.ValueTextEquals("kind"u8) ? seen.IsFirst(0) && TryReadText(ref reader, "kind", out kind)
                : reader.ValueTextEquals("detail"u8) ? seen.IsFirst(1) && TryReadText(ref reader, "detail", out detail)
                : reader.ValueTextEquals("extra"u8) ? seen.IsFirst(2) && TryReadExtra(ref reader, out extra)
                : Skip(ref reader);
            if (!good)
            {
                return seen.Twice ? Fail("a member of \"metadata\" stands twice") : false;
            }
        }

        job.Metadata = new JobMetadata(kind, detail, extra);
        return (seen.Has(0) && seen.Has(1)) || Fail("\"metadata\" needs \"kind\" and \"detail\"");
    }

    private bool TryReadText(ref Utf8JsonReader reader, string member, out string text)
    {
        Next(ref reader);
        text = reader.TokenType == JsonTokenType.String ? reader.GetString()! : string.Empty;
        return reader.TokenType == JsonTokenType.String || Fail($"\"{member}\" is not a string");
    }

    private bool TryReadExtra(ref Utf8JsonReader reader, out ReadOnlyMemory<byte> extra)
    {
        extra = default;
        Next(ref reader);
        if (reader.TokenType == JsonTokenType.Null)
        {
            return true;
        }

        if (reader.TokenType != JsonTokenType.StartObject)
        {
            return Fail("\"extra\" is neither an object nor null");
        }

        int start = (int)reader.TokenStartIndex;
        SkipValue(ref reader);
        extra = body[start..(int)reader.BytesConsumed].ToArray(); // the body may move while the batch is applied
        return true;
    }
}
