using Xunit;

namespace Couic.Tests.Cli;

public sealed class ReasonOptionTests : IDisposable
{
    private readonly CliRig _rig = new();

    public void Dispose() => _rig.Dispose();

    [Fact]
    public void Reason_OfSeveralNetworks_IsEscapedInEachLine()
    {
        _rig.Answering(200, """{"created":2,"updated":0,"unchanged":0,"rejected":[],"rejected_count":0}""");
        Assert.Equal(0, _rig.RunWords("drop", "add", "1.2.3.4", "1.2.3.6", "--reason", "a \"b\" \\ é").Status);
        Assert.Equal("""
            POST /v1/drop/bulk?on_conflict=keep&guard=refuse {"cidr":"1.2.3.4/32","tag":null,"expiration":0,"reason":"a \"b\" \\ é"}
            {"cidr":"1.2.3.6/32","tag":null,"expiration":0,"reason":"a \"b\" \\ é"}

            """, _rig.Asked);
    }

    [Fact]
    public void Reason_ThatIsNotAllowed_IsRefusedBeforeTheDaemonIsAsked()
    {
        Assert.Equal(
            new CliResult(2, "", "couicctl: --reason: control characters and line ends are not allowed\n"),
            _rig.RunWords("drop", "add", "1.2.3.4", "--reason", "a\nb"));
        Assert.Equal(
            new CliResult(2, "", "couicctl: --reason: longer than 256 bytes\n"), _rig.RunWords("drop", "import", "-", "--reason", new string('x', 257)));
        Assert.Equal("", _rig.Asked);
    }

    [Fact]
    public void List_HasAColumnOfReasons_OnlyIfThereAreAny()
    {
        _rig.Answering(200, """
            [{"creation":1,"cidr":"10.0.0.0/8","tag":"a","expiration":0,"reason":"port scan"},{"creation":1,"cidr":"10.1.0.0/16","tag":null,"expiration":0}]
            """);
        Assert.Equal("""
            ┌────────┬─────────────┬─────┬────────────┬───────────┐
            │ Policy ┆ CIDR        ┆ Tag ┆ Expiration ┆ Reason    │
            ╞════════╪═════════════╪═════╪════════════╪═══════════╡
            │ drop   ┆ 10.0.0.0/8  ┆ a   ┆ never      ┆ port scan │
            ├╌╌╌╌╌╌╌╌┼╌╌╌╌╌╌╌╌╌╌╌╌╌┼╌╌╌╌╌┼╌╌╌╌╌╌╌╌╌╌╌╌┼╌╌╌╌╌╌╌╌╌╌╌┤
            │ drop   ┆ 10.1.0.0/16 ┆     ┆ never      ┆           │
            └────────┴─────────────┴─────┴────────────┴───────────┘

            """, _rig.Run("drop list").Out);
    }

    [Fact]
    public void Why_HasTheReason()
    {
        _rig.Answering(200, """[{"creation":1,"cidr":"10.0.0.0/8","tag":"a","expiration":0,"reason":"port scan","added_by":"x"}]""");
        Assert.Contains("because: port scan", _rig.Run("why 10.1.2.3").Out, StringComparison.Ordinal);
    }

    [Fact]
    public void Export_HasTheReason_AndAnImportSendsIt()
    {
        const string Entry = """{"creation":1,"cidr":"10.0.0.0/8","tag":"a","expiration":0,"reason":"port \"scan\" é"}""";
        const string Line = """{"policy":"drop","cidr":"10.0.0.0/8","tag":"a","expiration":0,"reason":"port \"scan\" é"}""";
        _rig.Daemon.Answer = request => new StubAnswer(
            200, request.Method == "POST" ? """{"created":1,"updated":0,"unchanged":0,"rejected":[],"rejected_count":0}""" : $"[{Entry}]");
        string exported = _rig.Run("export -p drop").Out;
        Assert.EndsWith(Line + "\n", exported, StringComparison.Ordinal);
        _rig.Input = exported;
        Assert.Equal(0, _rig.Run("import -").Status);
        Assert.EndsWith("""{"cidr":"10.0.0.0/8","tag":"a","expiration":0,"reason":"port \"scan\" é"}""" + "\n", _rig.Asked, StringComparison.Ordinal);

        _rig.Input = """{"policy":"drop","cidr":"10.0.0.0/8","expiration":0,"reason":"a\u0007b"}""";
        Assert.Contains("line 1: reason: control characters", _rig.Run("import -").Error, StringComparison.Ordinal);
    }
}
