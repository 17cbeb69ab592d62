using System.Text.Json;

namespace Couic.Api.Json;

/// <summary>The body of <c>POST /v1/client</c>. Points into the body it was read from.</summary>
internal ref struct ClientRequest
{
    public ReadOnlySpan<byte> Name;
    public ReadOnlySpan<byte> Group;

    /// <exception cref="JsonException">Not JSON, or not of these types.</exception>
    public static void Read(ReadOnlySpan<byte> json, out ClientRequest request)
    {
        request = default;
        bool hasName = false, hasGroup = false;
        Utf8JsonReader reader = StrictJson.Open(json);
        StrictJson.Next(ref reader);
        StrictJson.Expect(ref reader, JsonTokenType.StartObject, "an object is expected");
        while (true)
        {
            StrictJson.Next(ref reader);
            if (reader.TokenType == JsonTokenType.EndObject)
            {
                break;
            }

            bool isName = reader.ValueTextEquals("name"u8);
            bool isGroup = reader.ValueTextEquals("group"u8);
            StrictJson.Next(ref reader);
            if (isName)
            {
                StrictJson.Once(ref hasName, "name");
                request.Name = StrictJson.Text(ref reader, "name");
            }
            else if (isGroup)
            {
                StrictJson.Once(ref hasGroup, "group");
                request.Group = StrictJson.Text(ref reader, "group");
            }
            else
            {
                StrictJson.Skip(ref reader);
            }
        }

        StrictJson.End(ref reader);
        StrictJson.Required(hasName, "name");
        StrictJson.Required(hasGroup, "group");
    }
}
