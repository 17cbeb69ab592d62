using System.Text.Json;

namespace Couic.Cli.Api;

internal delegate void JsonElementAction(ReadOnlySpan<byte> element);

/// <summary>Walks a JSON array of any length while it arrives; memory is bounded by its longest element.</summary>
internal static class JsonArrayReader
{
    private const int FirstBuffer = 64 * 1024;

    /// <param name="action">Gets the text of each element; it is gone after the call.</param>
    /// <exception cref="JsonException">It is no JSON array, or it breaks off.</exception>
    public static void ForEach(Stream stream, JsonElementAction action)
    {
        byte[] buffer = new byte[FirstBuffer];
        int length = 0;
        var state = default(JsonReaderState);
        bool started = false, ended = false;
        while (!ended)
        {
            if (length == buffer.Length)
            {
                Array.Resize(ref buffer, buffer.Length * 2);
            }

            int n = stream.Read(buffer, length, buffer.Length - length);
            length += n;
            int used = Take(buffer.AsSpan(0, length), n == 0, ref state, ref started, ref ended, action);
            if (n == 0 && !ended)
            {
                throw new JsonException();
            }

            buffer.AsSpan(used, length - used).CopyTo(buffer);
            length -= used;
        }
    }

    /// <summary>Takes the complete elements at the start. Returns how many bytes they are.</summary>
    private static int Take(
        ReadOnlySpan<byte> bytes, bool isLast, ref JsonReaderState state, ref bool started, ref bool ended, JsonElementAction action)
    {
        int used = 0;
        while (true)
        {
            var reader = new Utf8JsonReader(bytes[used..], isLast, state);
            if (!reader.Read())
            {
                return used;
            }

            if (!started)
            {
                started = reader.TokenType == JsonTokenType.StartArray ? true : throw new JsonException();
            }
            else if (reader.TokenType == JsonTokenType.EndArray)
            {
                ended = true;
                return used;
            }
            else
            {
                int start = used + (int)reader.TokenStartIndex;
                if (!reader.TrySkip())
                {
                    return used;
                }

                action(bytes[start..(used + (int)reader.BytesConsumed)]);
            }

            used += (int)reader.BytesConsumed;
            state = reader.CurrentState;
        }
    }
}
