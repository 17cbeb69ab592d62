using System.Text.Json;
using System.Text.RegularExpressions;
using Couic.Http;
using Couic.Http.Protocol;
using Couic.Http.Routing;
using Xunit;

namespace Couic.Tests.Http;

/// <summary>The OpenAPI document, and whether an answer is what it promises. As much of JSON Schema as the document uses.</summary>
internal static class OpenApi
{
    private static readonly HashSet<string> Below = ["405", "408", "414", "431", "501", "505"];

    public static JsonElement Document { get; } = Load();

    /// <summary>Every answer that the tests see has to be in the document, body included.</summary>
    public static void Check(Router router, string method, string target, Answer answer)
    {
        byte[] path = System.Text.Encoding.UTF8.GetBytes(target.Split('?')[0]);
        Route? route = router.Match(path, new Slice[Router.MaxParameters], out _);
        if (route is null || Below.Contains($"{answer.Status}") || !route.Pattern.StartsWith("/v1/", StringComparison.Ordinal))
        {
            return;
        }

        string verb = method == "HEAD" ? "get" : method.ToLowerInvariant();
        JsonElement operation = Document.GetProperty("paths").GetProperty(route.Pattern).GetProperty(verb);
        string place = $"{method} {target} {answer.Status}";
        Assert.True(operation.GetProperty("responses").TryGetProperty($"{answer.Status}", out JsonElement response), $"{place}: not in the document");
        response = Resolve(response);
        if (answer.Status == 204)
        {
            Assert.False(response.TryGetProperty("content", out _));
            return;
        }

        JsonElement content = response.GetProperty("content").GetProperty(answer["content-type"]!);
        if (method != "HEAD" && answer["content-type"] == "application/json")
        {
            Validate(answer.Json, content.GetProperty("schema"), place);
        }
    }

    public static JsonElement Resolve(JsonElement element)
    {
        while (element.TryGetProperty("$ref", out JsonElement reference))
        {
            element = reference.GetString()!.Split('/')[1..].Aggregate(Document, (at, name) => at.GetProperty(name));
        }

        return element;
    }

    private static void Validate(JsonElement value, JsonElement schema, string place)
    {
        Assert.True(IsValid(value, schema), $"{place}: {value} is not as the document says");
    }

    private static bool IsValid(JsonElement value, JsonElement schema)
    {
        schema = Resolve(schema);
        return schema.EnumerateObject().All(rule => rule.Name switch
        {
            "type" => rule.Value.ValueKind == JsonValueKind.String
                ? IsOfType(value, rule.Value.GetString()!)
                : rule.Value.EnumerateArray().Any(type => IsOfType(value, type.GetString()!)),
            "enum" => rule.Value.EnumerateArray().Any(one => one.GetString() == value.GetString()),
            "pattern" => Regex.IsMatch(value.GetString()!, rule.Value.GetString()!),
            "minimum" => value.ValueKind == JsonValueKind.Null || value.GetDecimal() >= rule.Value.GetDecimal(),
            "maxLength" => value.ValueKind == JsonValueKind.Null || value.GetString()!.Length <= rule.Value.GetInt32(),
            "maxItems" => value.GetArrayLength() <= rule.Value.GetInt32(),
            "format" => rule.Value.GetString() == "uuid" && Guid.TryParse(value.GetString(), out _),
            "required" => rule.Value.EnumerateArray().All(name => value.TryGetProperty(name.GetString()!, out _)),
            "items" => value.EnumerateArray().All(item => IsValid(item, rule.Value)),
            "properties" => rule.Value.EnumerateObject().All(p => !value.TryGetProperty(p.Name, out JsonElement member) || IsValid(member, p.Value)),
            "additionalProperties" => AreOthersValid(value, schema, rule.Value),
            "oneOf" => rule.Value.EnumerateArray().Count(one => IsValid(value, one)) == 1,
            "description" => true,
            _ => throw new NotSupportedException(rule.Name),
        });
    }

    private static bool AreOthersValid(JsonElement value, JsonElement schema, JsonElement rule)
    {
        IEnumerable<JsonProperty> others = value.EnumerateObject().Where(
            member => !schema.TryGetProperty("properties", out JsonElement known) || !known.TryGetProperty(member.Name, out _));
        return rule.ValueKind switch
        {
            JsonValueKind.True => true,
            JsonValueKind.False => !others.Any(),
            _ => others.All(other => IsValid(other.Value, rule)),
        };
    }

    private static bool IsOfType(JsonElement value, string type) => type switch
    {
        "integer" => value.ValueKind == JsonValueKind.Number && (value.TryGetInt64(out _) || value.TryGetUInt64(out _)),
        "boolean" => value.ValueKind is JsonValueKind.True or JsonValueKind.False,
        _ => value.ValueKind.ToString().Equals(type, StringComparison.OrdinalIgnoreCase),
    };

    private static JsonElement Load()
    {
        using Stream resource = typeof(Api).Assembly.GetManifestResourceStream("openapi.json")!;
        return JsonDocument.Parse(resource).RootElement;
    }
}
