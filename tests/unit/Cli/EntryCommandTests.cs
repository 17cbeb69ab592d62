using Xunit;

namespace Couic.Tests.Cli;

public sealed class EntryCommandTests : IDisposable
{
    private const string Added = """{"creation":1772366400,"cidr":"3.3.3.0/24","tag":"test","expiration":1772366459}""";

    private const string AddedTable = """
        ┌────────┬────────────┬──────┬────────────┐
        │ Policy ┆ CIDR       ┆ Tag  ┆ Expiration │
        ╞════════╪════════════╪══════╪════════════╡
        │ drop   ┆ 3.3.3.0/24 ┆ test ┆ 59s        │
        └────────┴────────────┴──────┴────────────┘

        """;

    private readonly CliRig _rig = new();

    public void Dispose() => _rig.Dispose();

    [Fact]
    public void AddSendsTheEntryAndPrintsItsTable()
    {
        _rig.Answering(201, Added);
        Assert.Equal(new CliResult(0, AddedTable, ""), _rig.Run("drop add 3.3.3.3/24 -t test -e 1m"));
        Assert.Equal("""POST /v1/drop?guard=refuse {"cidr":"3.3.3.3/24","tag":"test","expiration":1772366460}""", _rig.Asked);
        Assert.Equal("Bearer " + CliRig.Token, _rig.Daemon.Requests[0].Headers["Authorization"]);
        Assert.Equal("application/json", _rig.Daemon.Requests[0].Headers["Content-Type"]);
    }

    [Theory]
    [InlineData("drop add 1.2.3.4", """POST /v1/drop?guard=refuse {"cidr":"1.2.3.4/32","tag":null,"expiration":0}""")]
    [InlineData("drop add 1.2.3.4 --reason scanner", """POST /v1/drop?guard=refuse {"cidr":"1.2.3.4/32","tag":null,"expiration":0,"reason":"scanner"}""")]
    [InlineData("ignore add 2001:DB8::1", """POST /v1/ignore?guard=refuse {"cidr":"2001:db8::1/128","tag":null,"expiration":0}""")]
    [InlineData("drop add --update 1.2.3.4 --expiration=2", """POST /v1/drop?on_conflict=merge&guard=refuse {"cidr":"1.2.3.4/32","expiration":1772366520}""")]
    [InlineData("drop add 0.0.0.0/0 --force", """POST /v1/drop?force=true {"cidr":"0.0.0.0/0","tag":null,"expiration":0}""")]
    [InlineData("drop add ::/0 --force --update", """POST /v1/drop?on_conflict=merge&force=true {"cidr":"::/0"}""")]
    [InlineData("drop add 1.2.3.4 --update -e never -t a", """POST /v1/drop?on_conflict=merge&guard=refuse {"cidr":"1.2.3.4/32","tag":"a","expiration":0}""")]
    [InlineData("drop add 1.2.3.4 --update --tag= --reason=", """POST /v1/drop?on_conflict=merge&guard=refuse {"cidr":"1.2.3.4/32","tag":"","reason":""}""")]
    [InlineData("drop add 1.2.3.4 --update -e 0 -t a --reason b", """POST /v1/drop?on_conflict=update&guard=refuse {"cidr":"1.2.3.4/32","tag":"a","expiration":0,"reason":"b"}""")]
    [InlineData("ignore add 0.0.0.0/0", """POST /v1/ignore?guard=refuse {"cidr":"0.0.0.0/0","tag":null,"expiration":0}""")]
    [InlineData("drop add 1.2.3.4 --extend", """POST /v1/drop?on_conflict=extend&guard=refuse {"cidr":"1.2.3.4/32","tag":null,"expiration":0}""")]
    [InlineData("drop add 1.2.3.4 -t -", """POST /v1/drop?guard=refuse {"cidr":"1.2.3.4/32","tag":"-","expiration":0}""")]
    [InlineData("drop add 1.2.3.4 -tssh -e1.5h", """POST /v1/drop?guard=refuse {"cidr":"1.2.3.4/32","tag":"ssh","expiration":1772371800}""")]
    public void AddSaysWhatWasAsked(string words, string asked)
    {
        _rig.Answering(201, Added);
        Assert.Equal(0, _rig.Run(words).Status);
        Assert.Equal(asked, _rig.Asked);
    }

    [Theory]
    [InlineData("drop delete 1.2.3.4 -t ssh", 204, 0, "DELETE /v1/drop/1.2.3.4/32?tag=ssh")]
    [InlineData("drop delete 1.2.3.4 -t ssh", 200, 0, "DELETE /v1/drop/1.2.3.4/32?tag=ssh")]
    [InlineData("drop delete 1.2.3.4 -t ssh", 404, 0, "DELETE /v1/drop/1.2.3.4/32?tag=ssh")]
    [InlineData("drop delete 1.2.3.4 -t ssh", 409, 0, "DELETE /v1/drop/1.2.3.4/32?tag=ssh")]
    [InlineData("drop delete 1.2.3.4 -t ssh", 500, 1, "DELETE /v1/drop/1.2.3.4/32?tag=ssh")]
    [InlineData("drop delete 1.2.3.4 --if-exists", 404, 0, "DELETE /v1/drop/1.2.3.4/32")]
    [InlineData("ignore delete -t ssh", 200, 0, "DELETE /v1/ignore/tag/ssh?guard=refuse")]
    public void DeleteUnderATag_IsDoneWhenNothingIsThereUnderIt(string words, int answer, int status, string asked)
    {
        _rig.Answering(answer, answer < 300 ? "{}" : """{"code":"x","message":"m"}""");
        Assert.Equal(status, _rig.Run(words).Status);
        Assert.Equal(asked, _rig.Asked);
    }

    [Theory]
    [InlineData("drop delete")]
    [InlineData("drop delete -t a.b")]
    [InlineData("drop delete 1.2.3.4 -t a.b")]
    [InlineData("drop add 1.2.3.4 --extend --update")]
    public void DeleteWithoutNetworkAndTag_OrWithABadTag_SendsNothing(string words)
    {
        Assert.Equal(2, _rig.Run(words).Status);
        Assert.Empty(_rig.Daemon.Requests);
    }

    [Fact]
    public void AddPrintsTheAnswerAsIndentedJson()
    {
        _rig.Answering(201, Added);
        Assert.Equal(
            new CliResult(0, "{\n  \"creation\": 1772366400,\n  \"cidr\": \"3.3.3.0/24\",\n  \"tag\": \"test\",\n  \"expiration\": 1772366459\n}\n", ""),
            _rig.Run("drop add 3.3.3.3/24 -t test --json"));
    }

    [Theory]
    [InlineData("drop add 1.2.3", "couicctl: \"1.2.3\" is not a CIDR: not an IPv4 or IPv6 address; expected ADDRESS/LENGTH such as 192.0.2.0/24\n")]
    [InlineData("drop add 1.2.3.4/33", "couicctl: \"1.2.3.4/33\" is not a CIDR: prefix length out of range; 0 to 32 for IPv4, 0 to 128 for IPv6\n")]
    [InlineData("ignore add ::1 -t unTagged", "couicctl: tag \"unTagged\": \"untagged\" is what entries without a tag are called\n")]
    [InlineData("drop add ::1 -t a.couic", "couicctl: tag \"a.couic\": must not end in \".couic\" (kept for the entries of sets)\n")]
    [InlineData("drop add ::1 -e 1y", "couicctl: \"1y\" is not a time: expected 0 for never, minutes, or a duration such as 90s, 10m, 1h30m, 2d, 1w, or a date such as 2026-12-31 or 2026-12-31T23:00\n")]
    [InlineData("drop add ::1 -e 0s", "couicctl: \"0s\" is less than a second; 0 alone means never\n")]
    [InlineData("drop add ::/0", "couicctl: dropping ::/0 cuts this machine off from every IPv6 address (\"couicctl drop add ::/0 --force\" if you mean it)\n")]
    [InlineData("drop delete 1.2.3.4/x", "couicctl: \"1.2.3.4/x\" is not a CIDR: prefix length is not a plain decimal number\n")]
    [InlineData("drop inspect fe80::1%eth0", "couicctl: \"fe80::1%eth0\" is not a CIDR: it has a zone (write fe80::1)\n")]
    public void BadValuesAreNamedAndNothingIsSent(string words, string error)
    {
        Assert.Equal(new CliResult(2, "", error), _rig.Run(words));
        Assert.Empty(_rig.Daemon.Requests);
    }

    [Fact]
    public void AllBadValuesAreNamedAtOnce()
    {
        CliResult result = _rig.RunWords("drop", "add", "x", "-t", "a b", "-e", "soon");
        Assert.Equal(2, result.Status);
        Assert.Equal(3, result.Error.Count(c => c == '\n'));
    }

    [Fact]
    public void AMappedAddressIsAddedWithANote()
    {
        _rig.Answering(201, """{"creation":1,"cidr":"::ffff:1.2.3.4/128","tag":null,"expiration":0}""");
        CliResult result = _rig.Run("drop add ::ffff:1.2.3.4");
        Assert.Equal(0, result.Status);
        Assert.Equal("couicctl: note: ::ffff:1.2.3.4/128 is an IPv6 entry and matches no IPv4 packet; add the IPv4 network for those\n", result.Error);
    }

    [Fact]
    public void JsonKeepsEscapesAndOtherAlphabets()
    {
        _rig.Answering(201, """{"cidr":"1.2.3.4\/32","t\u0061g":"q\"\u0007\u00fcü","expiration":0}""");
        Assert.Equal("{\n  \"cidr\": \"1.2.3.4/32\",\n  \"tag\": \"q\\\"\\u0007üü\",\n  \"expiration\": 0\n}\n", _rig.Run("drop add 1.2.3.4 --json").Out);
    }

    [Fact]
    public void ARefusal_IsOneLinePerFaultyField()
    {
        _rig.Answering(422, """{"code":"invalid","errors":{"cidr":{"code":"invalid","message":"no length"},"tag":{"code":"invalid","message":"too\nlong"}},"message":"entry refused"}""");
        Assert.Equal(
            new CliResult(4, "", "couicctl: no length\ncouicctl: tag: too\\x0along\n"),
            _rig.Run("drop add 1.2.3.4"));
    }

    [Fact]
    public void AnUnknownTokenNamesItsFile()
    {
        _rig.Answering(401, """{"code":"unauthorized","errors":{},"message":"unauthorized"}""");
        Assert.Equal(
            new CliResult(4, "", $"couicctl: unauthorized (the token in \"{_rig.ClientFile}\" is unknown to the daemon, or its group may not do this)\n"),
            _rig.Run("drop list"));
    }

    [Theory]
    [InlineData(502, "<html>bad gateway</html>")]
    [InlineData(500, "")]
    [InlineData(404, "{}")]
    public void AnAnswerThatIsNotTheDaemonsIsSaidToBeSo(int status, string body)
    {
        _rig.Answering(status, body);
        Assert.Equal(
            new CliResult(1, "", $"couicctl: \"{_rig.SocketPath}\" answered {status} without couic's error format (does a proxy stand in between?)\n"),
            _rig.Run("drop list"));
    }

    [Fact]
    public void DeletePrintsNothing()
    {
        _rig.Answering(204);
        Assert.Equal(new CliResult(0, "", ""), _rig.Run("ignore delete 2001:db8::7/64"));
        Assert.Equal("DELETE /v1/ignore/2001:db8::7/64?guard=refuse", _rig.Asked);
    }

    [Fact]
    public void DeleteOfWhatIsNotThereFails()
    {
        _rig.Answering(404, """{"code":"not_found","errors":{"cidr":{"code":"not_found","message":"1.2.3.4/32 is not in drop"}},"message":"no such entry"}""");
        Assert.Equal(
            new CliResult(6, "", "couicctl: 1.2.3.4/32 is not in drop\n"),
            _rig.Run("drop delete 1.2.3.4"));
    }

    [Fact]
    public void InspectShowsTheEntry()
    {
        _rig.Answering(200, Added);
        Assert.Equal(new CliResult(0, AddedTable, ""), _rig.Run("drop inspect 3.3.3.3/24"));
        Assert.Equal("GET /v1/drop/3.3.3.3/24", _rig.Asked);
        Assert.StartsWith("{\n  \"creation\": 1772366400,\n", _rig.Run("drop inspect 3.3.3.3/24 --json").Out, StringComparison.Ordinal);
        Assert.Equal(0, _rig.Run("ignore inspect 2001:db8::1").Status);
        Assert.EndsWith("\nGET /v1/ignore/2001:db8::1/128", _rig.Asked, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("")]
    [InlineData("[]")]
    [InlineData("""{"creation":1,"cidr":"nonsense","tag":null,"expiration":0}""")]
    [InlineData("""{"creation":1,"cidr":"1.2.3.4/32","tag":"\ud800","expiration":0}""")]
    [InlineData("""{"creation":1,"cidr":"1.2.3.4/32","tag":5,"expiration":0}""")]
    [InlineData("""{"creation":1,"cidr":"1.2.3.4/32","tag":null,"expiration":-1}""")]
    public void AnAnswerOfAnotherFormIsAnErrorAndNoCrash(string body)
    {
        _rig.Answering(200, body);
        Assert.Equal(
            new CliResult(1, "", $"couicctl: the answer of the daemon at \"{_rig.SocketPath}\" is not what couicctl 2.0.0 expects (is it another version?)\n"),
            _rig.Run("drop inspect 1.2.3.4"));
    }
}
