using Xunit;

namespace Couic.Tests.Cli;

/// <summary>Nobody locks himself out by accident.</summary>
public sealed class LockOutTests : IDisposable
{
    private const string Added = """{"creation":1,"cidr":"198.51.100.0/24","tag":null,"expiration":0}""";

    private readonly CliRig _rig = new();
    private string _ignored = "[]";

    public LockOutTests()
    {
        _rig.Environment["SSH_CONNECTION"] = "198.51.100.7 50022 192.0.2.1 22";
        _rig.Daemon.Answer = request => request.Method == "GET"
            ? new StubAnswer(200, _ignored)
            : new StubAnswer(request.Target.Contains("bulk", StringComparison.Ordinal) ? 200 : 201, request.Target.Contains("bulk", StringComparison.Ordinal) ? """{"created":1}""" : Added);
    }

    public void Dispose() => _rig.Dispose();

    [Theory]
    [InlineData("198.51.100.7 50022 192.0.2.1 22")]
    [InlineData("::ffff:198.51.100.7 50022 ::ffff:192.0.2.1 22")]
    public void ADropOfTheOperatorsAddressIsRefused(string connection)
    {
        _rig.Environment["SSH_CONNECTION"] = connection;
        Assert.Equal(
            new CliResult(4, "", "couicctl: dropping 198.51.100.0/24 would cut off 198.51.100.7, from which this session was opened (first \"couicctl ignore add 198.51.100.7\", or \"couicctl drop add 198.51.100.0/24 --force\")\n"),
            _rig.Run("drop add 198.51.100.9/24"));
        Assert.Equal("GET /v1/ignore?match=198.51.100.7", _rig.Asked);
    }

    [Fact]
    public void AZoneIsNoPartOfTheAddress()
    {
        _rig.Environment["SSH_CONNECTION"] = "fe80::1%eth0 50022 fe80::2%eth0 22";
        Assert.Equal(4, _rig.Run("drop add fe80::/10").Status);
    }

    [Fact]
    public void WhatIsIgnoredRaisesNoAlarm()
    {
        _ignored = """[{"creation":1,"cidr":"198.51.100.0/28","tag":null,"expiration":0}]""";
        Assert.Equal(0, _rig.Run("drop add 198.51.100.0/24").Status);
        Assert.Equal("GET /v1/ignore?match=198.51.100.7\nPOST /v1/drop?guard=refuse {\"cidr\":\"198.51.100.0/24\",\"tag\":null,\"expiration\":0}", _rig.Asked);
    }

    [Fact]
    public void AnIgnoredNeighbourDoesNotHelp()
    {
        _ignored = """[{"creation":1,"cidr":"198.51.100.8/32","tag":null,"expiration":0}]""";
        Assert.Equal(4, _rig.Run("drop add 198.51.100.0/24").Status);
    }

    [Fact]
    public void WhoMayNotLookIsStillKeptFromIt()
    {
        _rig.Answering(401, """{"code":"unauthorized","errors":{},"message":"unauthorized"}""");
        Assert.Contains("would cut off 198.51.100.7", _rig.Run("drop add 198.51.100.0/24").Error, StringComparison.Ordinal);
    }

    [Fact]
    public void ForceDoesItAndAsksNobody()
    {
        Assert.Equal(0, _rig.Run("drop add 198.51.100.0/24 --force").Status);
        Assert.Equal("POST /v1/drop?force=true {\"cidr\":\"198.51.100.0/24\",\"tag\":null,\"expiration\":0}", _rig.Asked);
    }

    [Theory]
    [InlineData("drop add 203.0.113.0/24", "POST /v1/drop?guard=refuse ")]
    [InlineData("ignore add 198.51.100.0/24", "POST /v1/ignore?guard=refuse ")]
    public void OtherChangesAskNothingMore(string words, string request)
    {
        Assert.Equal(0, _rig.Run(words).Status);
        Assert.StartsWith(request, _rig.Asked, StringComparison.Ordinal);
    }

    [Fact]
    public void AnImportLeavesTheLineOut()
    {
        _rig.Input = "203.0.113.0/24\n198.51.100.0/24\n";
        CliResult result = _rig.Run("drop import -");
        Assert.Equal((1, "Imported into drop: 1 created, 0 updated, 0 unchanged, 1 rejected\n"), (result.Status, result.Out));
        Assert.StartsWith("couicctl: line 2: dropping 198.51.100.0/24 would cut off 198.51.100.7", result.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("198.51.100.0/24", _rig.Daemon.Requests.Single(r => r.Method == "POST").Body, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("sets create drop a 203.0.113.0/24 198.51.100.0/24")]
    [InlineData("sets update drop a 198.51.100.0/24")]
    public void ASetWithTheOperatorsAddress_IsRefusedUnlessForced(string words)
    {
        CliResult result = _rig.Run(words);
        Assert.Equal((4, "couicctl: dropping 198.51.100.0/24 would cut off 198.51.100.7, from which this session was opened (first \"couicctl ignore add 198.51.100.7\", or --force)\n"), (result.Status, result.Error));
        _rig.Answering(201, """{"name":"a","entries":["198.51.100.0/24"]}""");
        Assert.Equal(0, _rig.Run(words + " --force").Status);
        Assert.Contains("?force=true {", _rig.Daemon.Requests[^1].ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void ASetOfIgnore_IsNotAskedAbout()
    {
        _rig.Answering(201, """{"name":"a","entries":[]}""");
        Assert.Equal(0, _rig.Run("sets create ignore a 198.51.100.0/24").Status);
        Assert.StartsWith("POST /v1/sets/ignore {", _rig.Asked, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("sets reload", "POST /v1/sets/reload?details=true&operator=198.51.100.7&guard=refuse")]
    [InlineData("sets reload --force", "POST /v1/sets/reload?details=true&force=true")]
    [InlineData("reload", "POST /v1/reload?operator=198.51.100.7&guard=refuse")]
    [InlineData("reload --force", "POST /v1/reload?force=true")]
    [InlineData("ignore delete 192.0.2.1", "DELETE /v1/ignore/192.0.2.1/32?guard=refuse")]
    [InlineData("ignore delete 192.0.2.1 --force", "DELETE /v1/ignore/192.0.2.1/32?force=true")]
    [InlineData("sets delete ignore a", "DELETE /v1/sets/ignore/a?guard=refuse")]
    public void WhatOnlyTheDaemonCanJudge_IsAskedOfIt(string words, string request)
    {
        _rig.Daemon.Answer = _ => new StubAnswer(200, "{}");
        Assert.Equal(0, _rig.Run(words).Status);
        Assert.Equal(request, _rig.Asked);
    }
}
