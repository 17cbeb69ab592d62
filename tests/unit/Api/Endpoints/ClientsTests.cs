using Couic.Api.Access;
using Xunit;

namespace Couic.Tests.Api.Endpoints;

public sealed class ClientsTests : IDisposable
{
    private readonly ApiRig _rig = new();

    public void Dispose() => _rig.Dispose();

    [Fact]
    public async Task AClientIsMadeWorksIsShownAndGoes()
    {
        Answer made = await _rig.SendAsync("POST", "/v1/client", """{"name":"web-1","group":"CLIENTRW","token":1,"scopes":[]}""");
        Assert.Equal(201, made.Status);
        Assert.Matches("""^\{"name":"web-1","token":"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}","group":"clientrw"\}$""", made.Body);
        string token = made.Json.GetProperty("token").GetString()!;
        Assert.Equal(200, await StatusWithAsync($"Bearer {token}"));
        Assert.Equal(200, await StatusWithAsync($"Bearer {token.ToUpperInvariant()}"));

        Answer one = await _rig.SendAsync("GET", "/v1/client/web-1");
        Assert.Equal((200, made.Body), (one.Status, one.Body));
        Answer all = await _rig.SendAsync("GET", "/v1/client");
        Assert.Equal(
            ["admin", "clientro", "clientrw", "couicctl", "monitoring", "peering", "web-1"],
            all.Json.EnumerateArray().Select(c => c.GetProperty("name").GetString()!));

        Assert.Equal(204, (await _rig.SendAsync("DELETE", "/v1/client/web-1")).Status);
        Assert.Equal(401, await StatusWithAsync($"Bearer {token}"));
        foreach (string method in new[] { "GET", "DELETE" })
        {
            Answer gone = await _rig.SendAsync(method, "/v1/client/web-1");
            Assert.Equal((404, ("not_found", string.Empty)), (gone.Status, gone.Error));
        }

        Assert.True(_rig.Log.Has("client_created") && _rig.Log.Has("client_deleted"));
        Assert.DoesNotContain(_rig.Log.Lines, line => line.Text.Contains(token, StringComparison.OrdinalIgnoreCase));
    }

    [Theory]
    [InlineData("""{"name":"couicctl","group":"admin"}""", 422, "invalid", "")]
    [InlineData("""{"name":"a b","group":"client_rw"}""", 422, "invalid", "name=invalid group=invalid")]
    [InlineData("""{"name":"","group":"admin"}""", 422, "invalid", "name=invalid")]
    [InlineData("""{"name":"../x","group":"admin"}""", 422, "invalid", "name=invalid")]
    [InlineData("""{"name":"é","group":"admin"}""", 422, "invalid", "name=invalid")]
    [InlineData("""{"name":"x"}""", 400, "bad_request", "")]
    [InlineData("""{"group":"admin"}""", 400, "bad_request", "")]
    [InlineData("""{"name":null,"group":"admin"}""", 400, "bad_request", "")]
    [InlineData("""{"name":"x","group":1}""", 400, "bad_request", "")]
    [InlineData("""{"name":"x","name":"x","group":"admin"}""", 400, "bad_request", "")]
    [InlineData("""["x","admin"]""", 400, "bad_request", "")]
    [InlineData("", 400, "bad_request", "")]
    public async Task BadBodiesAreRefused(string body, int status, string code, string fields)
    {
        Answer answer = await _rig.SendAsync("POST", "/v1/client", body);
        Assert.Equal((status, (code, fields)), (answer.Status, answer.Error));
    }

    [Fact]
    public async Task TheDefaultClientStays()
    {
        Answer answer = await _rig.SendAsync("DELETE", "/v1/client/couicctl");
        Assert.Equal((422, ("invalid", string.Empty)), (answer.Status, answer.Error));
        Assert.Equal(201, (await _rig.SendAsync("POST", "/v1/client", """{"name":"Couicctl","group":"clientro"}""")).Status);
    }

    [Fact]
    public async Task ABadNameInThePathIs400()
    {
        foreach (string method in new[] { "GET", "DELETE" })
        {
            Answer answer = await _rig.SendAsync(method, "/v1/client/a.b");
            Assert.Equal((400, ("bad_request", "name=invalid")), (answer.Status, answer.Error));
        }
    }

    [Theory]
    [InlineData("")]
    [InlineData("Bearer")]
    [InlineData("bearer")]
    [InlineData("bearer ")]
    [InlineData("bearer  TOKEN")]
    [InlineData("BEARER\tTOKEN")]
    [InlineData("bearerTOKEN")]
    [InlineData("bearers TOKEN")]
    [InlineData("Bearer ")]
    [InlineData("Bearer  TOKEN")]
    [InlineData("Bearer\tTOKEN")]
    [InlineData("Bearer TOKENx")]
    [InlineData("Bearer x")]
    [InlineData("Bearer TOKEN, Bearer TOKEN")]
    [InlineData("Bearer 00000000-0000-4000-8000-000000000000")]
    [InlineData("Basic TOKEN")]
    [InlineData("TOKEN")]
    [InlineData("Bearer TOKEN\r\nAuthorization: Bearer TOKEN")]
    public async Task EveryBadTokenGetsTheSame401(string value)
    {
        string expected = (await _rig.SendAsync("GET", "/v1/drop", group: null)).Body;
        using RawClient client = _rig.Connect();
        await client.SendAsync($"GET /v1/drop HTTP/1.1\r\nAuthorization: {value.Replace("TOKEN", _rig.Token(), StringComparison.Ordinal)}\r\n\r\n");
        Answer answer = await client.ReadAnswerAsync();
        Assert.Equal((401, expected, "Bearer"), (answer.Status, answer.Body, answer["www-authenticate"]));
        Assert.Equal(("unauthorized", string.Empty), answer.Error);
    }

    [Theory]
    [InlineData("bearer")]
    [InlineData("BEARER")]
    [InlineData("bEARER")]
    [InlineData("BeaReR")]
    public async Task Authorization_SchemeInAnyCase_IsTaken(string scheme) => Assert.Equal(200, await StatusWithAsync($"{scheme} {_rig.Token()}"));

    [Fact]
    public async Task SpacesBehindATokenDoNoHarm() => Assert.Equal(200, await StatusWithAsync($"Bearer {_rig.Token()}  \t"));

    [Fact]
    public async Task TheLogTellsCasesApartAndNamesTheClient()
    {
        await _rig.SendAsync("GET", "/v1/client", group: Group.ClientRo);
        await _rig.SendAsync("GET", "/v1/client", group: null);
        Assert.Contains(_rig.Log.Lines, l => l.Text.Contains("permission_missing", StringComparison.Ordinal) && l.Text.Contains("client clientro", StringComparison.Ordinal));
        Assert.Contains(_rig.Log.Lines, l => l.Text.Contains("token_missing", StringComparison.Ordinal));
    }

    private async Task<int> StatusWithAsync(string authorization)
    {
        using RawClient client = _rig.Connect();
        await client.SendAsync($"GET /v1/drop HTTP/1.1\r\nAuthorization: {authorization}\r\n\r\n");
        return (await client.ReadAnswerAsync()).Status;
    }
}
