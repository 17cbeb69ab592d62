using System.Text.Json;

namespace Couic.IntegrationTests.Harness;

/// <summary>An HTTP answer as it stood on the wire; header names in lower case.</summary>
public sealed record Answer(int Status, IReadOnlyDictionary<string, string> Headers, string Body)
{
    public JsonElement Json
    {
        get
        {
            using JsonDocument document = JsonDocument.Parse(Body);
            return document.RootElement.Clone();
        }
    }

    /// <summary>The top-level code of an error.</summary>
    public string? Code => Json.GetProperty("code").GetString();

    public Answer Expect(int status) =>
        Status == status ? this : throw new InvalidOperationException($"expected status {status}, got {Status}: {Body}");
}
