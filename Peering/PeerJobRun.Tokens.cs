using System.Buffers.Text;
using System.Text.Json;

namespace Couic.Peering;

internal sealed partial class PeerJobRun
{
    private static bool Skip(ref Utf8JsonReader reader)
    {
        Next(ref reader);
        SkipValue(ref reader);
        return true;
    }

    /// <summary>To the end of the value that was begun, each token checked.</summary>
    private static void SkipValue(ref Utf8JsonReader reader)
    {
        if (reader.TokenType is not (JsonTokenType.StartObject or JsonTokenType.StartArray))
        {
            return;
        }

        int depth = reader.CurrentDepth;
        while (Next(ref reader) && reader.CurrentDepth > depth)
        {
            // The inside of a value that nobody reads.
        }
    }

    /// <summary>Whether an escaped UTF-16 unit stands without its other half; RFC 8259 §8.2 leaves that open, we do not.</summary>
    private static bool HasLoneSurrogate(ReadOnlySpan<byte> text)
    {
        bool high = false;
        for (int i = 0; i < text.Length; i++)
        {
            if (text[i] != '\\')
            {
                if (high)
                {
                    return true;
                }

                continue;
            }

            i++;
            uint unit = 0;
            _ = text[i] == 'u' && Utf8Parser.TryParse(text.Slice(i + 1, 4), out unit, out int _, 'x');
            i += text[i] == 'u' ? 4 : 0;
            bool low = unit is >= 0xdc00 and <= 0xdfff;
            if (high != low)
            {
                return true;
            }

            high = unit is >= 0xd800 and <= 0xdbff;
        }

        return high;
    }
}
