using Xunit;

namespace Couic.Tests.Cli;

public sealed class DeleteTests : IDisposable
{
    private const string Listed = """
        [{"cidr":"10.0.0.0/8","tag":"scan-a","expiration":0},{"cidr":"10.1.0.0/16","tag":"scan-b","expiration":0},
         {"cidr":"10.2.0.0/16","tag":null,"expiration":0},{"cidr":"10.3.0.0/16","tag":"bl.couic","expiration":0},{"cidr":"10.4.0.0/16","tag":"other","expiration":0}]
        """;

    private readonly CliRig _rig = new();

    public DeleteTests() => _rig.Daemon.Answer = request => new StubAnswer(
        200, request.Method == "GET" ? Listed : request.Method == "DELETE" ? """{"removed":7}""" : """{"removed":2,"absent":1,"rejected":[],"rejected_count":0}""");

    public void Dispose() => _rig.Dispose();

    [Fact]
    public void SeveralNetworks_AreOneBulkRequest_AndAnAbsentOneIsTheExitStatus()
    {
        Assert.Equal(new CliResult(6, "2 removed from drop, 1 was not there\n", ""), _rig.Run("drop delete 10.0.0.0/8 10.1.0.0-10.1.0.2"));
        Assert.Equal("POST /v1/drop/bulk?action=remove \"10.0.0.0/8\"\n\"10.1.0.0/31\"\n\"10.1.0.2/32\"\n", _rig.Asked);
        Assert.Equal(0, _rig.Run("drop delete 10.0.0.0/8 10.1.0.2 --if-exists").Status);
    }

    [Fact]
    public void Tags_ThatMatchAPattern_AreRemovedOneByOne()
    {
        Assert.Equal(new CliResult(0, "14 removed from drop\n", ""), _rig.Run("drop delete -t scan*"));
        Assert.Equal("GET /v1/drop\nDELETE /v1/drop/tag/scan-a\nDELETE /v1/drop/tag/scan-b", _rig.Asked);
    }

    [Fact]
    public void PatternsThatMatchTagsAndUntaggedEntries_AreOneSum_InJsonToo()
    {
        Assert.Equal("16 removed from drop, 1 was not there\n", _rig.Run("drop delete -t scan*,").Out);
        Assert.Contains("\"removed\": 16", _rig.Run("drop delete -t scan*, --json").Out, StringComparison.Ordinal);
    }

    [Fact]
    public void OneExactTag_NeedsNoList()
    {
        Assert.Equal(new CliResult(0, "7 removed from ignore\n", ""), _rig.Run("ignore delete -t office"));
        Assert.Equal("DELETE /v1/ignore/tag/office?guard=refuse", _rig.Asked);
    }

    [Fact]
    public void ADryRun_CountsAndShowsTheFirst()
    {
        _rig.Daemon.Answer = request => new StubAnswer(200, request.Method == "GET" ? Listed : """{"removed":2,"absent":0,"rejected":[],"rejected_count":0}""");
        Assert.Equal(new CliResult(0, "2 would be removed from drop\n  10.0.0.0/8\n  10.1.0.0/16\n", ""), _rig.Run("drop delete -t scan* --dry-run"));
        Assert.EndsWith("\nPOST /v1/drop/bulk?action=remove&dry_run=true \"10.0.0.0/8\"\n\"10.1.0.0/16\"\n", _rig.Asked, StringComparison.Ordinal);
    }

    [Fact]
    public void AFlush_RemovesEverythingButTheEntriesOfSets()
    {
        CliResult result = _rig.Run("drop flush");
        Assert.Equal("2 removed from drop, 1 was not there\n", result.Out);
        Assert.Equal("couicctl: note: 1 entries belong to sets and stay (change the set, then \"couicctl sets reload\")\n", result.Error);
        Assert.EndsWith("\"10.0.0.0/8\"\n\"10.1.0.0/16\"\n\"10.2.0.0/16\"\n\"10.4.0.0/16\"\n", _rig.Asked, StringComparison.Ordinal);
    }

    [Fact]
    public void AFile_IsReadLikeAnImport()
    {
        _rig.Input = "10.0.0.0/8 ; SBL1\nnonsense\n10.1.0.0/16,x\n";
        CliResult result = _rig.Run("drop delete --from-file - --if-exists");
        Assert.Equal((1, "couicctl: line 2: \"nonsense\" is not a CIDR: not an IPv4 or IPv6 address; expected ADDRESS/LENGTH such as 192.0.2.0/24\n"), (result.Status, result.Error));
        Assert.Equal("POST /v1/drop/bulk?action=remove \"10.0.0.0/8\"\n\"10.1.0.0/16\"\n", _rig.Asked);
    }

    [Theory]
    [InlineData("drop delete 10.9.8.7", """[{"cidr":"10.9.0.0/16","tag":null,"expiration":0},{"cidr":"10.0.0.0/8","tag":null,"expiration":0}]""", "[]", "10.9.8.7/32 is not in drop, but 10.9.0.0/16 covers it (couicctl why 10.9.8.7)")]
    [InlineData("drop inspect 10.9.8.7", "[]", """[{"cidr":"10.9.8.7/32","tag":null,"expiration":0}]""", "10.9.8.7/32 is not in drop, but it is in ignore (couicctl why 10.9.8.7)")]
    [InlineData("drop delete 10.9.8.7", "[]", """[{"cidr":"10.9.8.0/24","tag":null,"expiration":0}]""", "10.9.8.7/32 is not in drop, but 10.9.8.0/24 in ignore covers it (couicctl why 10.9.8.7)")]
    [InlineData("drop delete 10.9.8.7", "[]", "[]", "10.9.8.7/32 is not in drop")]
    public void AnAbsentNetwork_IsReportedWithWhatCoversIt(string words, string drop, string ignore, string error)
    {
        _rig.Daemon.Answer = request => request.Target.Contains("?match=10.9.8.7", StringComparison.Ordinal)
            ? new StubAnswer(200, request.Target.StartsWith("/v1/drop", StringComparison.Ordinal) ? drop : ignore)
            : new StubAnswer(404, """{"code":"not_found","message":"no such entry"}""");
        Assert.Equal(new CliResult(6, "", $"couicctl: {error}\n"), _rig.Run(words));
    }

    [Fact]
    public void SeveralAdditions_AreOneBulkRequest_AndWhatIsThereAlreadyIsTheExitStatus()
    {
        _rig.Answering(200, """{"created":2,"updated":0,"unchanged":1,"rejected":[],"rejected_count":0}""");
        Assert.Equal(new CliResult(5, "2 added to drop, 1 unchanged\n", ""), _rig.Run("drop add 10.0.0.0/8 10.1.2.3 ::1 -t x"));
        Assert.Equal("""
            POST /v1/drop/bulk?on_conflict=keep&guard=refuse {"cidr":"10.0.0.0/8","tag":"x","expiration":0}
            {"cidr":"10.1.2.3/32","tag":"x","expiration":0}
            {"cidr":"::1/128","tag":"x","expiration":0}

            """, _rig.Asked);
        Assert.Equal(0, _rig.Run("drop add 10.0.0.0/8 10.1.2.3 --if-absent").Status);
    }

    [Fact]
    public void AnAdditionOfWhatIsThere_SucceedsWithIfAbsent()
    {
        _rig.Answering(409, """{"code":"conflict","errors":{"cidr":{"code":"conflict","message":"10.0.0.0/8 is in policy drop already"}},"message":"conflict"}""");
        Assert.Equal(new CliResult(5, "", "couicctl: 10.0.0.0/8 is in policy drop already\n"), _rig.Run("drop add 10.0.0.0/8"));
        Assert.Equal(new CliResult(0, "", "couicctl: note: 10.0.0.0/8 is in policy drop already\n"), _rig.Run("drop add 10.0.0.0/8 --if-absent"));
    }
}
