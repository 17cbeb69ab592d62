using System.Buffers.Text;

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

/// <summary>The weight that an <c>Accept</c> field gives to a media type (RFC 9110 §12.5.1).</summary>
internal static class AcceptReader
{
    private const int FullWeight = 1000;

    /// <summary>The weight in thousandths; the most specific range decides, and one with another version does not match.</summary>
    public static int Weight(ReadOnlySpan<byte> accept, ReadOnlySpan<byte> type, ReadOnlySpan<byte> subtype, ReadOnlySpan<byte> version)
    {
        int weight = 0, best = 0;
        while (!accept.IsEmpty)
        {
            ReadOnlySpan<byte> range = Take(ref accept, (byte)',');
            int specificity = Specificity(Take(ref range, (byte)';'), type, subtype);
            int found = FullWeight;
            while (!range.IsEmpty && specificity > 0)
            {
                ReadOnlySpan<byte> value = Take(ref range, (byte)';');
                ReadOnlySpan<byte> name = Grammar.TrimBlanks(Take(ref value, (byte)'='));
                value = Grammar.TrimBlanks(value);
                if (Grammar.Same(name, "q"u8))
                {
                    found = ReadWeight(value);
                }
                else if (Grammar.Same(name, "version"u8))
                {
                    specificity = value.Trim((byte)'"').SequenceEqual(version) ? specificity + 1 : 0;
                }
            }

            if (specificity > best || (specificity == best && specificity > 0 && found > weight))
            {
                (best, weight) = (specificity, found);
            }
        }

        return weight;
    }

    /// <summary>0 for a range that does not hold the type, and more for each part that names it.</summary>
    private static int Specificity(ReadOnlySpan<byte> range, ReadOnlySpan<byte> type, ReadOnlySpan<byte> subtype)
    {
        ReadOnlySpan<byte> rest = Grammar.TrimBlanks(range);
        ReadOnlySpan<byte> main = Take(ref rest, (byte)'/');
        bool isAny = rest.SequenceEqual("*"u8);
        if (isAny && main.SequenceEqual("*"u8))
        {
            return 1;
        }

        return !Grammar.Same(main, type) ? 0 : isAny ? 2 : Grammar.Same(rest, subtype) ? 3 : 0;
    }

    /// <summary>Takes the text before the next unquoted separator.</summary>
    private static ReadOnlySpan<byte> Take(ref ReadOnlySpan<byte> text, byte separator)
    {
        int end = 0;
        while (end < text.Length && text[end] != separator)
        {
            end += Math.Max(1, Grammar.QuotedLength(text[end..]));
        }

        ReadOnlySpan<byte> taken = text[..end];
        text = end < text.Length ? text[(end + 1)..] : default;
        return taken;
    }

    /// <summary>A weight that cannot be read counts as the least that is still acceptable.</summary>
    private static int ReadWeight(ReadOnlySpan<byte> text) =>
        Utf8Parser.TryParse(text, out double q, out int used) && used == text.Length && q is >= 0 and <= 1 ? (int)(q * FullWeight) : 1;
}
