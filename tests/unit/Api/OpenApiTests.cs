using System.Text.Json;
using System.Text.RegularExpressions;
using Couic.Api.Access;
using Couic.Http;
using Xunit;
using Group = Couic.Api.Access.Group;

namespace Couic.Tests.Api;

public sealed partial class OpenApiTests
{
    /// <summary>Routes that other folders add.</summary>
    private static readonly string[] Elsewhere = ["/v1/{policy}/peer", "/v1/{policy}/peer/sync", "/v1/peers", "/v1/peers/{host}/diff", "/v1/history", "/v1/bus"];

    [Fact]
    public async Task TheDocumentHasEveryRouteAndMethodAndNoOther()
    {
        using var rig = new ApiRig();
        var documented = new List<string>();
        foreach (JsonProperty path in OpenApi.Document.GetProperty("paths").EnumerateObject().Where(p => !Elsewhere.Contains(p.Name)))
        {
            documented.AddRange(path.Value.EnumerateObject().Select(o => $"{o.Name} {path.Name}"));
        }

        IEnumerable<string> real = rig.Router.Routes.SelectMany(r => r.Endpoints.Select(e => $"{e.Verb.ToString().ToLowerInvariant()} {r.Pattern}"));
        Assert.Equal(real.Order(StringComparer.Ordinal), documented.Order(StringComparer.Ordinal));
        Answer answer = await rig.SendAsync("GET", "/v1/openapi.json", group: null);
        Assert.Equal(200, answer.Status);
        Assert.True(JsonElement.DeepEquals(OpenApi.Document, answer.Json));
        Assert.DoesNotContain("\n", answer.Body, StringComparison.Ordinal);
        Assert.Equal(rig.Services.Version, answer.Json.GetProperty("info").GetProperty("version").GetString());
    }

    [Fact]
    public void ParametersAndGroupsAreThoseOfTheCode()
    {
        using var rig = new ApiRig();
        foreach (Route route in rig.Router.Routes)
        {
            foreach (Endpoint endpoint in route.Endpoints)
            {
                JsonElement operation = OpenApi.Document.GetProperty("paths").GetProperty(route.Pattern)
                    .GetProperty(endpoint.Verb.ToString().ToLowerInvariant());
                IEnumerable<string> parameters = operation.TryGetProperty("parameters", out JsonElement all)
                    ? all.EnumerateArray().Select(OpenApi.Resolve).Where(p => p.GetProperty("in").GetString() == "path").Select(p => p.GetProperty("name").GetString()!)
                    : [];
                Assert.Equal(Placeholder().Matches(route.Pattern).Select(m => m.Groups[1].Value), parameters);
                if ((endpoint.Filter as PermissionFilter)?.Permission is not { } permission)
                {
                    Assert.Equal(0, operation.GetProperty("security").GetArrayLength());
                    continue;
                }

                string groups = string.Join(", ", Enum.GetValues<Group>().Where(g => g.Allows(permission)).Select(g => g.Name()));
                groups = permission == Permission.Any ? "all" : groups;
                Assert.EndsWith($"Groups: {groups}.", operation.GetProperty("description").GetString(), StringComparison.Ordinal);
            }
        }
    }

    [Fact]
    public void EveryReferenceLeadsSomewhere()
    {
        foreach (Match match in Reference().Matches(OpenApi.Document.GetRawText()))
        {
            using JsonDocument reference = JsonDocument.Parse($"{{{match.Value}}}");
            Assert.Equal(JsonValueKind.Object, OpenApi.Resolve(reference.RootElement).ValueKind);
        }
    }

    [GeneratedRegex(@"\{(\w+)\}")]
    private static partial Regex Placeholder();

    [GeneratedRegex(@"""\$ref"": ""[^""]+""")]
    private static partial Regex Reference();
}
