using System.Text.Json;
using System.Text.Json.Serialization;
using Couic.Api.Contracts;

namespace Couic.Api.Json;

/// <summary>The body of <c>POST /v1/client</c>. Points into the body it was read from.</summary>
internal ref struct ClientRequest
{
    public ReadOnlySpan<byte> Name;
    public ReadOnlySpan<byte> Group;

    /// <summary>Null for none.</summary>
    public RailsRecord? Rails;

    /// <exception cref="JsonException">Not JSON, or not of these types.</exception>
    public static void Read(ReadOnlySpan<byte> json, out ClientRequest request)
    {
        request = default;
        bool hasName = false, hasGroup = false, hasRails = false;
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
            bool isRails = reader.ValueTextEquals("rails"u8);
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
            else if (isRails)
            {
                StrictJson.Once(ref hasRails, "rails");
                request.Rails = ReadRails(ref reader, json);
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

    private static RailsRecord? ReadRails(scoped ref Utf8JsonReader reader, ReadOnlySpan<byte> json)
    {
        int start = (int)reader.TokenStartIndex;
        StrictJson.Skip(ref reader);
        try
        {
            return JsonSerializer.Deserialize(json[start..(int)reader.BytesConsumed], RailsJson.Default.RailsRecord);
        }
        catch (JsonException e)
        {
            throw new JsonException($"rails: {e.Path?.TrimStart('$', '.')} is unknown, appears twice, or has the wrong type");
        }
    }
}

/// <summary>The rails of a client as JSON. An unknown member is refused: it may be a misspelled rail.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow, AllowDuplicateProperties = false)]
[JsonSerializable(typeof(RailsRecord))]
internal sealed partial class RailsJson : JsonSerializerContext;
