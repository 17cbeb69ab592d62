using System.Text.Json;
using System.Text.RegularExpressions;

namespace Couic.Tests.Api;

/// <summary>As much of JSON Schema as the OpenAPI document uses; what it does not know throws.</summary>
internal static class JsonSchema
{
    /// <summary>Follows references within a document.</summary>
    public static JsonElement Resolve(JsonElement document, JsonElement element)
    {
        while (element.TryGetProperty("$ref", out JsonElement reference))
        {
            element = reference.GetString()!.Split('/')[1..].Aggregate(document, (at, name) => at.GetProperty(name));
        }

        return element;
    }

    public static bool IsValid(JsonElement document, JsonElement value, JsonElement schema)
    {
        schema = Resolve(document, schema);
        return schema.EnumerateObject().All(rule => rule.Name switch
        {
            "type" => rule.Value.ValueKind == JsonValueKind.String
                ? IsOfType(value, rule.Value.GetString()!)
                : rule.Value.EnumerateArray().Any(type => IsOfType(value, type.GetString()!)),
            "enum" => rule.Value.EnumerateArray().Any(one => one.GetString() == value.GetString()),
            "pattern" => Regex.IsMatch(value.GetString()!, rule.Value.GetString()!),
            "minimum" => value.ValueKind == JsonValueKind.Null || value.GetDecimal() >= rule.Value.GetDecimal(),
            "maximum" => value.GetDecimal() <= rule.Value.GetDecimal(),
            "maxLength" => value.ValueKind == JsonValueKind.Null || value.GetString()!.Length <= rule.Value.GetInt32(),
            "maxItems" => value.GetArrayLength() <= rule.Value.GetInt32(),
            "minItems" => value.GetArrayLength() >= rule.Value.GetInt32(),
            "format" => rule.Value.GetString() == "uuid" && Guid.TryParse(value.GetString(), out _),
            "required" => rule.Value.EnumerateArray().All(name => value.TryGetProperty(name.GetString()!, out _)),
            "items" => value.EnumerateArray().All(item => IsValid(document, item, rule.Value)),
            "properties" => rule.Value.EnumerateObject().All(
                p => !value.TryGetProperty(p.Name, out JsonElement member) || IsValid(document, member, p.Value)),
            "additionalProperties" => AreOthersValid(document, value, schema, rule.Value),
            "oneOf" => rule.Value.EnumerateArray().Count(one => IsValid(document, value, one)) == 1,
            "description" => true,
            _ => throw new NotSupportedException(rule.Name),
        });
    }

    private static bool AreOthersValid(JsonElement document, JsonElement value, JsonElement schema, JsonElement rule)
    {
        IEnumerable<JsonProperty> others = value.EnumerateObject().Where(
            member => !schema.TryGetProperty("properties", out JsonElement known) || !known.TryGetProperty(member.Name, out _));
        return rule.ValueKind switch
        {
            JsonValueKind.True => true,
            JsonValueKind.False => !others.Any(),
            _ => others.All(other => IsValid(document, other.Value, rule)),
        };
    }

    private static bool IsOfType(JsonElement value, string type) => type switch
    {
        "integer" => value.ValueKind == JsonValueKind.Number && (value.TryGetInt64(out _) || value.TryGetUInt64(out _)),
        "boolean" => value.ValueKind is JsonValueKind.True or JsonValueKind.False,
        _ => value.ValueKind.ToString().Equals(type, StringComparison.OrdinalIgnoreCase),
    };
}
