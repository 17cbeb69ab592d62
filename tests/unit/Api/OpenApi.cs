using System.Text.Json;
using Couic.Api;
using Couic.Http;
using Couic.Http.Parsing;
using Xunit;

namespace Couic.Tests.Api;

/// <summary>The OpenAPI document, and whether an answer is what it promises.</summary>
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

    public static JsonElement Resolve(JsonElement element) => JsonSchema.Resolve(Document, element);

    private static void Validate(JsonElement value, JsonElement schema, string place)
    {
        Assert.True(JsonSchema.IsValid(Document, value, schema), $"{place}: {value} is not as the document says");
    }

    private static JsonElement Load()
    {
        using Stream resource = typeof(ApiRouter).Assembly.GetManifestResourceStream("openapi.json")!;
        return JsonDocument.Parse(resource).RootElement;
    }
}
