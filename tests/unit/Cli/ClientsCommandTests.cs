using Xunit;

namespace Couic.Tests.Cli;

public sealed class ClientsCommandTests : IDisposable
{
    private const string Couic2 = """{"name":"couic2","token":"e78336b3-8128-4c84-88c7-e2fad9c32d99","group":"peering"}""";

    private const string Table = """
        ┌────────┬─────────┬──────────────────────────────────────┐
        │ Name   ┆ Group   ┆ Token                                │
        ╞════════╪═════════╪══════════════════════════════════════╡
        │ couic2 ┆ peering ┆ e78336b3-8128-4c84-88c7-e2fad9c32d99 │
        └────────┴─────────┴──────────────────────────────────────┘

        """;

    private readonly CliRig _rig = new();

    public void Dispose() => _rig.Dispose();

    [Theory]
    [InlineData("clients add -n couic2 -g peering")]
    [InlineData("clients add --group PeerIng --name couic2")]
    public void AddSendsNameAndGroupAndPrintsTheTable(string words)
    {
        _rig.Answering(201, Couic2);
        Assert.Equal(new CliResult(0, Table, ""), _rig.Run(words));
        Assert.Equal("""POST /v1/client {"name":"couic2","group":"peering"}""", _rig.Asked);
    }

    [Fact]
    public void AddPrintsTheAnswerAsIndentedJson()
    {
        _rig.Answering(201, Couic2);
        CliResult added = _rig.Run("clients add -n couic2 -g peering --json");
        Assert.Equal("""POST /v1/client {"name":"couic2","group":"peering"}""", _rig.Asked);
        Assert.Equal(_rig.Run("clients inspect couic2 --json"), added);
    }

    [Fact]
    public void AddChecksNameAndGroup()
    {
        Assert.Equal(
            new CliResult(2, "", """
                couicctl: client name "a.b" may hold only ASCII letters, digits, "-" and "_"
                couicctl: "client_rw" is not a group; expected one of admin, clientrw, clientro, monitoring, peering

                """),
            _rig.Run("clients add -n a.b -g client_rw"));
        Assert.Empty(_rig.Daemon.Requests);
    }

    [Fact]
    public void InspectShowsOneClient()
    {
        _rig.Answering(200, Couic2);
        Assert.Equal(new CliResult(0, Table, ""), _rig.Run("clients inspect couic2"));
        Assert.Equal("GET /v1/client/couic2", _rig.Asked);
        Assert.Equal(
            new CliResult(0, "{\n  \"name\": \"couic2\",\n  \"token\": \"e78336b3-8128-4c84-88c7-e2fad9c32d99\",\n  \"group\": \"peering\"\n}\n", ""),
            _rig.Run("clients inspect couic2 --json"));
    }

    [Fact]
    public void ListShowsAllNamesOnlyOrJson()
    {
        _rig.Answering(200, $"[{Couic2}]");
        Assert.Equal(new CliResult(0, Table, ""), _rig.Run("clients list --show-tokens"));
        Assert.Equal(new CliResult(0, "couic2\n", ""), _rig.Run("clients list -q"));
        Assert.StartsWith("[\n  {\n    \"name\": \"couic2\",\n", _rig.Run("clients list --json").Out, StringComparison.Ordinal);
        Assert.Equal("GET /v1/client\nGET /v1/client\nGET /v1/client", _rig.Asked);
    }

    [Fact]
    public void List_ShowsRailsInPlaceOfTokens()
    {
        _rig.Answering(200, """[{"name":"a","token":"secret","group":"admin"},{"name":"ids","token":"secret","group":"clientrw","rails":{"rate":5,"tags":["x","y*"]}}]""");
        Assert.Equal(
            new CliResult(0, """
                ┌──────┬──────────┬──────────────────┐
                │ Name ┆ Group    ┆ Rails            │
                ╞══════╪══════════╪══════════════════╡
                │ a    ┆ admin    ┆ none             │
                ├╌╌╌╌╌╌┼╌╌╌╌╌╌╌╌╌╌┼╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌┤
                │ ids  ┆ clientrw ┆ rate=5 tags=x,y* │
                └──────┴──────────┴──────────────────┘

                """, ""),
            _rig.Run("clients list"));
    }

    [Fact]
    public void Add_SendsRails()
    {
        _rig.Answering(201, Couic2);
        Assert.Equal(0, _rig.Run("clients add -n couic2 -g peering --policies drop --min-prefix-v4 24 --max-ttl 1d --rate 5 --from 192.0.2.0/24,2001:db8::/32").Status);
        using var body = System.Text.Json.JsonDocument.Parse(_rig.Daemon.Requests[0].Body);
        string rails = string.Concat(body.RootElement.GetProperty("rails").EnumerateObject().Where(rail => rail.Value.ValueKind != System.Text.Json.JsonValueKind.Null));
        Assert.Equal("""
            "policies":["drop"]"min_prefix_v4":24"max_ttl":86400"rate":5"from":["192.0.2.0/24","2001:db8::/32"]
            """, rails);
    }

    [Fact]
    public void Add_RefusesARailThatIsNotANumber()
    {
        Assert.Equal(
            new CliResult(2, "", "couicctl: --rate \"fast\" is not a number\n"), _rig.Run("clients add -n ids -g clientrw --rate fast"));
        Assert.Empty(_rig.Daemon.Requests);
    }

    [Fact]
    public void DeletePrintsNothing()
    {
        _rig.Answering(204);
        Assert.Equal(new CliResult(0, "", ""), _rig.Run("clients delete couic2"));
        Assert.Equal("DELETE /v1/client/couic2", _rig.Asked);
    }

    [Theory]
    [InlineData("clients delete a/b")]
    [InlineData("clients inspect ..")]
    public void ABadNameIsNotSent(string words)
    {
        Assert.Equal(2, _rig.Run(words).Status);
        Assert.Empty(_rig.Daemon.Requests);
    }

    [Fact]
    public void ARefusalIsShown()
    {
        _rig.Answering(422, """{"code":"invalid","errors":{},"message":"couicctl cannot be deleted"}""");
        Assert.Equal(new CliResult(4, "", "couicctl: couicctl cannot be deleted\n"), _rig.Run("clients delete couicctl"));
    }
}
