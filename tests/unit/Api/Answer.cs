using System.Globalization;
using System.Text.Json;
using Xunit;

namespace Couic.Tests.Api;

/// <summary>An answer, taken apart.</summary>
internal sealed class Answer
{
    public Answer(string head)
    {
        string[] lines = head.Split("\r\n");
        Status = int.Parse(lines[0].Split(' ')[1], CultureInfo.InvariantCulture);
        foreach (string line in lines[1..])
        {
            int colon = line.IndexOf(':', StringComparison.Ordinal);
            Headers.Add((line[..colon], line[(colon + 2)..]));
        }
    }

    public int Status { get; }

    public List<(string Name, string Value)> Headers { get; } = [];

    public string Body { get; set; } = string.Empty;

    public string? this[string name] => Headers.SingleOrDefault(h => h.Name == name).Value;

    public int ContentLength => int.Parse(this["content-length"]!, CultureInfo.InvariantCulture);

    public JsonElement Json => JsonDocument.Parse(Body).RootElement;

    /// <summary>The body of an error: its code, and its fields as <c>field=code</c>. Fails unless it has exactly the three members.</summary>
    public (string Code, string Fields) Error
    {
        get
        {
            Assert.Equal("code,errors,message", Members(Json));
            Assert.Equal("application/json", this["content-type"]);
            Assert.NotEmpty(Json.GetProperty("message").GetString()!);
            var fields = new List<string>();
            foreach (JsonProperty error in Json.GetProperty("errors").EnumerateObject())
            {
                Assert.Equal("code,message", Members(error.Value));
                fields.Add($"{error.Name}={error.Value.GetProperty("code").GetString()}");
            }

            return (Json.GetProperty("code").GetString()!, string.Join(' ', fields));
        }
    }

    private static string Members(JsonElement element) => string.Join(',', element.EnumerateObject().Select(m => m.Name));
}
