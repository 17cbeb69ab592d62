using System.Text;
using Xunit;

namespace Couic.Tests.Cli;

public sealed class ImportTests : IDisposable
{
    private readonly CliRig _rig = new();

    public ImportTests() => _rig.Answering(200, """{"created":2,"updated":0,"unchanged":1,"rejected":[],"rejected_count":0}""");

    public void Dispose() => _rig.Dispose();

    [Fact]
    public void EachLineBecomesAnItem()
    {
        string file = _rig.Folder.Write("list.txt", "# list\n10.0.0.0/8\n\n 1.2.3.4 \r\n2001:DB8::/32");
        Assert.Equal(
            new CliResult(0, "Imported into drop: 2 created, 0 updated, 1 unchanged, 0 rejected\n", ""),
            _rig.Run($"drop import {file} -t list -e 1m"));
        Assert.Equal("""
            POST /v1/drop/bulk?on_conflict=keep&guard=refuse {"cidr":"10.0.0.0/8","tag":"list","expiration":1772366460}
            {"cidr":"1.2.3.4/32","tag":"list","expiration":1772366460}
            {"cidr":"2001:db8::/32","tag":"list","expiration":1772366460}

            """, _rig.Asked);
        Assert.Equal("application/x-ndjson", _rig.Daemon.Requests[0].Headers["Content-Type"]);
    }

    [Fact]
    public void StandardInputIsReadAndEntriesAreUpdated()
    {
        _rig.Input = "10.0.0.0/8\n{\"cidr\":\"1.2.3.4/32\",\"tag\":null,\"expiration\":9}\n";
        Assert.Equal(0, _rig.Run("ignore import - --update").Status);
        Assert.Equal("POST /v1/ignore/bulk?on_conflict=merge&guard=refuse {\"cidr\":\"10.0.0.0/8\"}\n{\"cidr\":\"1.2.3.4/32\",\"tag\":null,\"expiration\":9}\n", _rig.Asked);
    }

    [Fact]
    public void RejectedLinesAreNamedInTheirOrderAndFailTheCommand()
    {
        _rig.Input = "# 1\nbad\n1.1.1.1\n\n2.2.2.2\n3.3.3.3\nworse\n4.4.4.4\n";
        _rig.Answering(200, """
            {"created":1,"updated":0,"unchanged":0,"rejected":[{"index":1,"code":"conflict","message":"a set defines it"},
            {"index":3,"code":"conflict","message":"the table is full"}],"rejected_count":3}
            """);
        Assert.Equal(
            new CliResult(1, "Imported into drop: 1 created, 0 updated, 0 unchanged, 5 rejected\n", """
                couicctl: line 2: "bad" is not a CIDR: not an IPv4 or IPv6 address; expected ADDRESS/LENGTH such as 192.0.2.0/24
                couicctl: line 5: a set defines it (conflict)
                couicctl: line 7: "worse" is not a CIDR: not an IPv4 or IPv6 address; expected ADDRESS/LENGTH such as 192.0.2.0/24
                couicctl: line 8: the table is full (conflict)
                couicctl: and 1 more lines

                """),
            _rig.Run("drop import -"));
    }

    [Fact]
    public void ARejectedLine_IsNamedWithItsFile_AndCountsAreGrouped()
    {
        string file = _rig.Folder.Write("list.txt", "bad\n1.1.1.1\n");
        _rig.Answering(200, """{"created":1234,"updated":0,"unchanged":56789,"rejected":[{"index":0,"code":"conflict","message":"the table is full"}],"rejected_count":22000}""");
        CliResult result = _rig.Run($"drop import {file}");
        Assert.Equal("Imported into drop: 1,234 created, 0 updated, 56,789 unchanged, 22,001 rejected\n", result.Out);
        Assert.StartsWith($"couicctl: {file}: line 1: \"bad\" is not", result.Error, StringComparison.Ordinal);
        Assert.EndsWith($"\ncouicctl: {file}: line 2: the table is full (conflict)\ncouicctl: and 21,999 more lines\n", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void ALineMayBeAnEntry_WithItsOwnTagAndExpiration()
    {
        _rig.Input = """
            1.2.3.4
             {"creation":1,"cidr":"10.0.0.0/8","tag":"own","expiration":9}
            {"cidr":"2001:db8::/32","tag":null,"expiration":0}
            {"cidr":"nonsense"}
            {"cidr":"10.0.0.0/8","tag":"no.dots","expiration":0}
            {"cidr":"10.0.0.0/8","tag":"\ud800","expiration":0}
            {
            5.6.7.8
            """;
        CliResult result = _rig.Run("drop import - -t list -e 1m --extend");
        Assert.Equal(1, result.Status);
        Assert.Equal(["line 4", "line 5", "line 6", "line 7"], result.Error.Split('\n')[..^1].Select(line => line.Split(": ")[1]));
        Assert.Equal("""
            POST /v1/drop/bulk?on_conflict=extend&guard=refuse {"cidr":"1.2.3.4/32","tag":"list","expiration":1772366460}
            {"cidr":"10.0.0.0/8","tag":"own","expiration":9}
            {"cidr":"2001:db8::/32","tag":null,"expiration":0}
            {"cidr":"5.6.7.8/32","tag":"list","expiration":1772366460}

            """, _rig.Asked);
    }

    [Fact]
    public void ADryRun_AsksTheDaemon_AndNamesTheLinesThatItWouldReject()
    {
        _rig.Input = "1.1.1.1\nbad\n0.0.0.0/0\n2.2.2.2\n203.0.113.0/2\n";
        _rig.Answering(200, """{"created":1,"updated":0,"unchanged":0,"rejected":[{"index":1,"code":"invalid","message":"cidr: covers 2.2.2.2 (a resolver)"}],"dry_run":true}""");
        Assert.Equal(
            new CliResult(1, "Dry run, drop would have: 1 created, 0 updated, 0 unchanged, 4 rejected\n", """
                couicctl: line 2: "bad" is not a CIDR: not an IPv4 or IPv6 address; expected ADDRESS/LENGTH such as 192.0.2.0/24
                couicctl: line 3: dropping 0.0.0.0/0 cuts this machine off from every IPv4 address ("couicctl drop add 0.0.0.0/0 --force" if you mean it)
                couicctl: line 4: cidr: covers 2.2.2.2 (a resolver) (invalid)
                couicctl: line 5: "203.0.113.0/2": host bits are set below a short prefix (is the line cut off?); it would cover 192.0.0.0/2

                """),
            _rig.Run("drop import - --dry-run"));
        Assert.StartsWith("POST /v1/drop/bulk?on_conflict=keep&dry_run=true&guard=refuse ", _rig.Asked, StringComparison.Ordinal);
    }

    [Fact]
    public void Force_SendsEveryGoodLine_AndShowsWhatTheDaemonWarnsOf()
    {
        _rig.Input = "0.0.0.0/0\n10.0.0.0/8\n";
        string body = """{"created":2,"rejected":[],"warnings":["item 1: 10.0.0.0/8 covers 10.0.0.1 (a peer)"]}""";
        _rig.Daemon.Answer = _ => new StubAnswer(200)
        {
            Raw = $"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nWarning: 299 couic \"item 1: 10.0.0.0/8 covers 10.0.0.1 (a peer)\"\r\nWarning: 299 couic \"and more\"\r\nContent-Length: {body.Length}\r\nConnection: close\r\n\r\n{body}",
        };
        Assert.Equal(
            new CliResult(0, "Imported into drop: 2 created, 0 updated, 0 unchanged, 0 rejected\n", "couicctl: note: item 1: 10.0.0.0/8 covers 10.0.0.1 (a peer)\ncouicctl: note: and more\n"),
            _rig.Run("drop import - --force"));
        Assert.StartsWith("POST /v1/drop/bulk?on_conflict=keep&force=true {\"cidr\":\"0.0.0.0/0\"", _rig.Asked, StringComparison.Ordinal);
    }

    [Fact]
    public void OnlyTheFirstHundredRejectionsAreNamed()
    {
        _rig.Input = string.Concat(Enumerable.Repeat("x\n", 250));
        CliResult result = _rig.Run("drop import - --dry-run");
        Assert.Equal(101, result.Error.Count(c => c == '\n'));
        Assert.EndsWith("couicctl: and 150 more lines\n", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void AManifoldOfLinesArrivesWhole()
    {
        var input = new StringBuilder();
        for (int i = 0; i < 50_000; i++)
        {
            input.Append($"10.{i >> 8 & 255}.{i & 255}.0/24\n");
        }

        _rig.Input = input.ToString();
        Assert.Equal(0, _rig.Run("drop import -").Status);
        string[] items = _rig.Daemon.Requests[0].Body.Split('\n');
        Assert.Equal(50_001, items.Length);
        Assert.Equal("""{"cidr":"10.195.79.0/24","tag":null,"expiration":0}""", items[^2]);
    }

    [Fact]
    public void ARefusalBeforeTheBodyIsShown()
    {
        _rig.Input = string.Concat(Enumerable.Repeat("10.0.0.0/8\n", 200_000));
        _rig.Daemon.AnswersEarly = true;
        _rig.Daemon.Answer = _ => new StubAnswer(401, """{"code":"unauthorized","errors":{},"message":"unauthorized"}""");
        CliResult result = _rig.Run("drop import -");
        Assert.Equal(4, result.Status);
        Assert.StartsWith("couicctl: unauthorized (the token in", result.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("drop import", 2, "couicctl: argument FILE is missing; see \"couicctl drop import --help\"\n")]
    [InlineData("drop import /nowhere", 1, "couicctl: read \"/nowhere\": no such file or directory\n")]
    [InlineData("drop import - -t a.b -e x", 2, "couicctl: tag \"a.b\": only ASCII letters, digits, \"-\" and \"_\" are allowed\ncouicctl: \"x\" is not a time: expected 0 for never, minutes, or a duration such as 90s, 10m, 1h30m, 2d, 1w, or a date such as 2026-12-31 or 2026-12-31T23:00\n")]
    public void BadArgumentsAreNamed(string words, int status, string error) => Assert.Equal(new CliResult(status, "", error), _rig.Run(words));
}
