using System.Text.Json;

namespace Couic.Peering;

/// <summary>The words in the body of a refusal, for the operator. They come from another machine, so they are cut and cleaned.</summary>
internal static class RefusalText
{
    private const int MaxBody = 4_096;
    private const int MaxText = 200;

    /// <summary>Null where the body is not couic's error format.</summary>
    public static string? Of(ReadOnlySpan<byte> body)
    {
        if (body.Length > MaxBody)
        {
            return null;
        }

        try
        {
            var reader = new Utf8JsonReader(body);
            while (reader.Read())
            {
                if (reader.TokenType == JsonTokenType.PropertyName && reader.ValueTextEquals("message"u8)
                    && reader.Read() && reader.TokenType == JsonTokenType.String)
                {
                    return Cleaned(reader.GetString()!);
                }
            }
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // Not JSON, or not text: the status alone has to do.
        }

        return null;
    }

    private static string? Cleaned(string text)
    {
        string cut = text.Length > MaxText ? text[..MaxText] : text;
        return cut.Length == 0 ? null : string.Create(cut.Length, cut, static (to, from) =>
        {
            for (int i = 0; i < from.Length; i++)
            {
                to[i] = from[i] is >= ' ' and <= '~' ? from[i] : '?';
            }
        });
    }
}
