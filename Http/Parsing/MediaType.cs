namespace Couic.Http.Parsing;

/// <summary>The grammar of <c>Content-Type</c> (RFC 9110 §8.3.1).</summary>
internal static class MediaType
{
    /// <summary><c>application/json</c> or <c>application/…+json</c> in any case; parameters are checked for syntax alone.</summary>
    public static bool IsJson(ReadOnlySpan<byte> value) =>
        TryRead(value, out ReadOnlySpan<byte> type, out ReadOnlySpan<byte> subtype)
        && Grammar.Same(type, "application"u8)
        && (Grammar.Same(subtype, "json"u8) || (subtype.Length > 5 && Grammar.Same(subtype[^5..], "+json"u8)));

    /// <summary><c>application/x-ndjson</c>.</summary>
    public static bool IsLines(ReadOnlySpan<byte> value) =>
        TryRead(value, out ReadOnlySpan<byte> type, out ReadOnlySpan<byte> subtype)
        && Grammar.Same(type, "application"u8) && Grammar.Same(subtype, "x-ndjson"u8);

    private static bool TryRead(ReadOnlySpan<byte> value, out ReadOnlySpan<byte> type, out ReadOnlySpan<byte> subtype)
    {
        subtype = default;
        int length = Grammar.TokenLength(value);
        type = value[..length];
        if (length == 0 || length == value.Length || value[length] != '/')
        {
            return false;
        }

        value = value[(length + 1)..];
        length = Grammar.TokenLength(value);
        subtype = value[..length];
        return length > 0 && AreParameters(value[length..]);
    }

    /// <summary><c>*( OWS ";" OWS [ token "=" ( token / quoted-string ) ] )</c></summary>
    private static bool AreParameters(ReadOnlySpan<byte> text)
    {
        while (!text.IsEmpty)
        {
            text = text.TrimStart(" \t"u8);
            if (text.IsEmpty || text[0] != ';')
            {
                return text.IsEmpty;
            }

            text = text[1..].TrimStart(" \t"u8);
            if (text.IsEmpty || text[0] == ';')
            {
                continue;
            }

            int name = Grammar.TokenLength(text);
            if (name == 0 || name == text.Length || text[name] != '=')
            {
                return false;
            }

            text = text[(name + 1)..];
            int length = Math.Max(Grammar.TokenLength(text), Grammar.QuotedLength(text));
            if (length == 0)
            {
                return false;
            }

            text = text[length..];
        }

        return true;
    }
}
