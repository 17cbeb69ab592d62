using Xunit;

namespace Couic.Tests.Cli;

public sealed class SetsCommandTests : IDisposable
{
    private const string Note = "Note: Run 'couicctl sets reload' to apply changes\n";

    private const string States = """
        [{"name":"a","entry_count":1234,"file_size":31,"state":"loaded","in_force":1234},
         {"name":"b","entry_count":1,"file_size":9,"state":"faulty","in_force":0,"fault":"line 1: nonsense"},
         {"name":"foo.txt","entry_count":0,"file_size":9,"state":"ignored","in_force":0,"fault":"its name does not end in \".couic\""}]
        """;

    private readonly CliRig _rig = new();

    public void Dispose() => _rig.Dispose();

    [Fact]
    public void ListShowsNamesEntriesAndBytes()
    {
        _rig.Answering(200, """[{"name":"a","entry_count":2,"file_size":31},{"name":"b-c","entry_count":0,"file_size":0}]""");
        Assert.Equal(new CliResult(0, "a: 2 entries (31 bytes)\nb-c: 0 entries (0 bytes)\n", ""), _rig.Run("sets list drop"));
        Assert.Equal("GET /v1/sets/drop?details=true", _rig.Asked);
    }

    [Fact]
    public void ListSaysThatThereIsNone() =>
        Assert.Equal(new CliResult(0, "No sets found for policy 'ignore'\n", ""), _rig.Answering(200, "[]").Run("sets list ignore"));

    [Fact]
    public void InspectShowsTheEntriesInTheirOrder()
    {
        _rig.Answering(200, """{"name":"a","entries":["2.2.2.2/24","1.1.1.1/32"]}""");
        Assert.Equal(new CliResult(0, "Set: a\nEntry count: 2\nEntries:\n\t2.2.2.2/24\n\t1.1.1.1/32\n", ""), _rig.Run("sets inspect drop a"));
        Assert.Equal("GET /v1/sets/drop/a", _rig.Asked);
    }

    [Fact]
    public void CreateTakesEntriesFromTheCommandLine()
    {
        _rig.Answering(201, """{"name":"a","entries":["1.2.3.4/24","2001:db8::1/128"]}""");
        Assert.Equal(new CliResult(0, $"Set 'a' created with 2 entries\n{Note}", ""), _rig.Run("sets create drop a 1.2.3.4/24 2001:DB8::1"));
        Assert.Equal("""POST /v1/sets/drop?guard=refuse {"name":"a","entries":["1.2.3.4/24","2001:db8::1/128"]}""", _rig.Asked);
    }

    [Fact]
    public void CreateTakesEntriesFromAFile()
    {
        string file = _rig.Folder.Write("list.txt", "# a list\r\n\n  10.0.0.0/8 \r\n2001:DB8::/32\n#1.1.1.1/32\n10.1.0.0/16");
        _rig.Answering(201, """{"name":"a","entries":["10.0.0.0/8","2001:db8::/32","10.1.0.0/16"]}""");
        Assert.Equal(
            new CliResult(0, $"Reading CIDRs from file: {file}\nLoaded 3 CIDRs from file\nSet 'a' created with 3 entries\n{Note}", ""),
            _rig.Run($"sets create ignore a --from-file {file}"));
        Assert.Equal("""POST /v1/sets/ignore {"name":"a","entries":["10.0.0.0/8","2001:db8::/32","10.1.0.0/16"]}""", _rig.Asked);
    }

    [Fact]
    public void AllBadLinesOfAFileAreNamed()
    {
        string file = _rig.Folder.Write("list.txt", "10.0.0.0/8\nnonsense\n\n10.0.0.0/33\n203.0.113.0/2\n1.2.3.4\n");
        CliResult result = _rig.Run($"sets create drop a --from-file {file}");
        Assert.Equal(1, result.Status);
        Assert.Equal($"""
            couicctl: {file}: line 2: "nonsense" is not a CIDR: not an IPv4 or IPv6 address; expected ADDRESS/LENGTH such as 192.0.2.0/24
            couicctl: {file}: line 4: "10.0.0.0/33" is not a CIDR: prefix length out of range; 0 to 32 for IPv4, 0 to 128 for IPv6
            couicctl: {file}: line 5: "203.0.113.0/2": host bits are set below a short prefix (is the line cut off?); it would cover 192.0.0.0/2

            """, result.Error);
        Assert.Empty(_rig.Daemon.Requests);
    }

    [Fact]
    public void AFileWithoutAnyCidrIsAnError()
    {
        string file = _rig.Folder.Write("list.txt", "# nothing\n\n");
        CliResult result = _rig.Run($"sets create drop a --from-file {file}");
        Assert.Equal((1, $"couicctl: {file}: it does not contain a CIDR (expected one per line, such as 192.0.2.0/24)\n"), (result.Status, result.Error));
        Assert.Empty(_rig.Daemon.Requests);
    }

    [Fact]
    public void AFileThatCannotBeReadIsAnError()
    {
        CliResult result = _rig.Run("sets create drop a --from-file /nowhere/list.txt");
        Assert.Equal((1, "couicctl: read \"/nowhere/list.txt\": no such file or directory\n"), (result.Status, result.Error));
        Assert.Equal($"couicctl: read \"{_rig.Folder.Path}\": is a directory\n", _rig.Run($"sets update drop a --from-file {_rig.Folder.Path}").Error);
    }

    [Fact]
    public void UpdateReplacesOrEmpties()
    {
        _rig.Answering(200, """{"name":"a","entries":[]}""");
        Assert.Equal(new CliResult(0, $"Set 'a' updated with 0 entries\n{Note}", ""), _rig.Run("sets update drop a --empty"));
        _rig.Answering(200, """{"name":"a","entries":["1.1.1.1/32"]}""");
        Assert.Equal(new CliResult(0, $"Set 'a' updated with 1 entries\n{Note}", ""), _rig.Run("sets update drop a 1.1.1.1"));
        Assert.Equal("""
            PUT /v1/sets/drop/a?guard=refuse {"name":"a","entries":[]}
            PUT /v1/sets/drop/a?guard=refuse {"name":"a","entries":["1.1.1.1/32"]}
            """, _rig.Asked);
    }

    [Fact]
    public void DeleteSaysThatAReloadIsNeeded()
    {
        _rig.Answering(200, """{"deleted":true,"reload_required":true}""");
        Assert.Equal(new CliResult(0, $"Set 'a' deleted\n{Note}", ""), _rig.Run("sets delete ignore a"));
        Assert.Equal("DELETE /v1/sets/ignore/a?guard=refuse", _rig.Asked);
    }

    [Fact]
    public void ReloadSaysThatItWorked()
    {
        _rig.Answering(201, """{"reload_status":"OK"}""");
        Assert.Equal(new CliResult(0, "Sets reloaded successfully\n", ""), _rig.Run("sets reload"));
        Assert.Equal("POST /v1/sets/reload?details=true&guard=refuse", _rig.Asked);
    }

    [Fact]
    public void AReloadSaysWhatItChanged()
    {
        _rig.Answering(201, """{"reload_status":"OK","drop":{"added":1234,"removed":1,"taken_over":2,"unchanged":5},"ignore":{"added":0,"removed":0,"taken_over":0,"unchanged":0}}""");
        Assert.Equal(
            new CliResult(0, "Sets reloaded successfully\n", "couicctl: note: drop: 1,234 added, 1 removed, 2 taken over, 5 unchanged\n"), _rig.Run("sets reload"));
    }

    [Fact]
    public void StatesAreATable_AndWithAPolicyNotes()
    {
        _rig.Daemon.Answer = request => new StubAnswer(200, request.Target.StartsWith("/v1/sets/ignore", StringComparison.Ordinal) ? "[]" : States);
        const string Table = """
            ┌────────┬─────────┬─────────┬─────────┬──────────┬──────┬───────────────────────────────────┐
            │ Policy ┆ Set     ┆ State   ┆ Entries ┆ In force ┆ Size ┆ Fault                             │
            ╞════════╪═════════╪═════════╪═════════╪══════════╪══════╪═══════════════════════════════════╡
            │ drop   ┆ a       ┆ loaded  ┆   1,234 ┆    1,234 ┆ 31 B ┆                                   │
            ├╌╌╌╌╌╌╌╌┼╌╌╌╌╌╌╌╌╌┼╌╌╌╌╌╌╌╌╌┼╌╌╌╌╌╌╌╌╌┼╌╌╌╌╌╌╌╌╌╌┼╌╌╌╌╌╌┼╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌┤
            │ drop   ┆ b       ┆ faulty  ┆       1 ┆        0 ┆  9 B ┆ line 1: nonsense                  │
            ├╌╌╌╌╌╌╌╌┼╌╌╌╌╌╌╌╌╌┼╌╌╌╌╌╌╌╌╌┼╌╌╌╌╌╌╌╌╌┼╌╌╌╌╌╌╌╌╌╌┼╌╌╌╌╌╌┼╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌┤
            │ drop   ┆ foo.txt ┆ ignored ┆       0 ┆        0 ┆  9 B ┆ its name does not end in ".couic" │
            └────────┴─────────┴─────────┴─────────┴──────────┴──────┴───────────────────────────────────┘

            """;
        Assert.Equal(new CliResult(0, Table, ""), _rig.Run("sets list"));
        Assert.Equal(
            new CliResult(0, "a: 1234 entries (31 bytes)\nb: 1 entries (9 bytes)\n", """
                couicctl: note: b is faulty: line 1: nonsense
                couicctl: note: foo.txt is ignored: its name does not end in ".couic"

                """),
            _rig.Run("sets ls drop"));
        Assert.Contains("\"state\": \"faulty\"", _rig.Run("sets list --json").Out, StringComparison.Ordinal);
    }

    [Fact]
    public void ADifference_IsBetweenTheFileAndItsEntriesInForce()
    {
        _rig.Daemon.Answer = request => new StubAnswer(200, request.Target switch
        {
            "/v1/sets/drop?details=true" => """[{"name":"a","entry_count":2,"file_size":31,"state":"changed"},{"name":"b","entry_count":2,"file_size":31,"state":"loaded"},{"name":"c","entry_count":0,"file_size":0,"state":"gone"}]""",
            "/v1/sets/drop/a" => """{"name":"a","entries":["10.0.0.1/8","10.2.0.0/16"]}""",
            "/v1/drop?tag=a.couic" => """[{"creation":1,"cidr":"10.0.0.0/8","tag":"a.couic","expiration":0},{"creation":1,"cidr":"10.3.0.0/16","tag":"a.couic","expiration":0},{"creation":1,"cidr":"10.9.0.0/16","tag":"x","expiration":0}]""",
            "/v1/drop?tag=c.couic" => """[{"creation":1,"cidr":"10.4.0.0/16","tag":"c.couic","expiration":0}]""",
            _ => "[]",
        });
        Assert.Equal(new CliResult(0, "+ drop a 10.2.0.0/16\n- drop a 10.3.0.0/16\n- drop c 10.4.0.0/16\n", ""), _rig.Run("sets diff"));
        Assert.Equal("change\tpolicy\tset\tcidr\n+\tdrop\ta\t10.2.0.0/16\n-\tdrop\ta\t10.3.0.0/16\n-\tdrop\tc\t10.4.0.0/16\n", _rig.Run("sets diff drop -o tsv").Out);
        Assert.Equal(new CliResult(0, "No differences\n", ""), _rig.Run("sets diff ignore"));
    }

    [Fact]
    public void SingleEntries_AreAddedAndRemoved()
    {
        _rig.Answering(200, """{"name":"a","entries":["10.0.0.1/8","192.0.2.0/24"]}""");
        Assert.Equal(
            new CliResult(0, $"1 added to set 'a', which has 3 entries\n{Note}", "couicctl: note: 10.0.0.0/8 is in set \"a\" already\n"), _rig.Run("sets add drop a 10.0.0.0/8 1.2.3.4"));
        Assert.EndsWith("""PUT /v1/sets/drop/a?guard=refuse {"name":"a","entries":["10.0.0.1/8","192.0.2.0/24","1.2.3.4/32"]}""", _rig.Asked, StringComparison.Ordinal);
        Assert.Equal(new CliResult(0, $"1 removed from set 'a', which has 1 entries\n{Note}", ""), _rig.Run("sets remove drop a 10.0.0.0/8"));
        Assert.EndsWith("""PUT /v1/sets/drop/a?guard=refuse {"name":"a","entries":["192.0.2.0/24"]}""", _rig.Asked, StringComparison.Ordinal);
        Assert.Equal(new CliResult(6, "", "couicctl: 1.1.1.1/32 is not in set \"a\" of drop\n"), _rig.Run("sets remove drop a 1.1.1.1 10.0.0.0/8"));
        Assert.Equal(0, _rig.Run("sets remove drop a 1.1.1.1 --if-exists").Status);
    }

    [Fact]
    public void AChange_CanBeAppliedAtOnce()
    {
        _rig.Daemon.Answer = request => request.Target.StartsWith("/v1/sets/reload", StringComparison.Ordinal)
            ? new StubAnswer(201, """{"reload_status":"OK","drop":{"added":1,"removed":0,"taken_over":0,"unchanged":0}}""")
            : new StubAnswer(200, """{"name":"a","entries":["1.1.1.1/32"]}""");
        Assert.Equal(
            new CliResult(0, "Set 'a' updated with 1 entries\nSets reloaded successfully\n", "couicctl: note: drop: 1 added, 0 removed, 0 unchanged\n"), _rig.Run("sets update drop a 1.1.1.1 --reload"));
        Assert.EndsWith("\nPOST /v1/sets/reload?details=true&guard=refuse", _rig.Asked, StringComparison.Ordinal);
    }

    [Fact]
    public void QuietInspection_IsAListThatCreateTakes()
    {
        _rig.Answering(200, """{"name":"a","entries":["2.2.2.2/24","1.1.1.1/32"]}""");
        Assert.Equal(new CliResult(0, "2.2.2.2/24\n1.1.1.1/32\n", ""), _rig.Run("sets show -q drop a"));
    }

    [Fact]
    public void AReloadThatFailsNamesTheLines()
    {
        _rig.Answering(422, """{"code":"invalid","errors":{"line 3":{"code":"invalid","message":"drop/a.couic: nonsense"}},"message":"sets are unchanged"}""");
        Assert.Equal(
            new CliResult(4, "", "couicctl: line 3: drop/a.couic: nonsense\n"),
            _rig.Run("sets reload"));
    }

    [Theory]
    [InlineData("sets diff both", "couicctl: \"both\" is not a policy; expected drop or ignore\n")]
    [InlineData("sets add drop a", "couicctl: argument ENTRY is missing; see \"couicctl sets add --help\"\n")]
    [InlineData("sets list both", "couicctl: \"both\" is not a policy; expected drop or ignore\n")]
    [InlineData("sets inspect Drop a.b", "couicctl: \"Drop\" is not a policy; expected drop or ignore\ncouicctl: set name \"a.b\" may hold only ASCII letters, digits, \"-\" and \"_\"\n")]
    [InlineData("sets create drop a", "couicctl: no entries: exactly one of ENTRY..., --from-file FILE or --from-asn ASN is needed; see \"couicctl sets create --help\"\n")]
    [InlineData("sets update drop a", "couicctl: no entries: exactly one of ENTRY..., --from-file FILE, --from-asn ASN or --empty is needed; see \"couicctl sets update --help\"\n")]
    [InlineData("sets create drop a 1.1.1.1 --from-file x", "couicctl: ENTRY... and --from-file exclude each other: exactly one of ENTRY..., --from-file FILE or --from-asn ASN is needed\n")]
    [InlineData("sets update drop a --empty --from-asn 1", "couicctl: --from-asn and --empty exclude each other: exactly one of ENTRY..., --from-file FILE, --from-asn ASN or --empty is needed\n")]
    [InlineData("sets create drop a 1.1.1.1 x 1.1.1.1/99", "couicctl: \"x\" is not a CIDR: not an IPv4 or IPv6 address; expected ADDRESS/LENGTH such as 192.0.2.0/24\ncouicctl: \"1.1.1.1/99\" is not a CIDR: prefix length out of range; 0 to 32 for IPv4, 0 to 128 for IPv6\n")]
    [InlineData("sets create drop a --from-asn ASX", "couicctl: \"ASX\" is not an autonomous system; expected its number, such as 64500 or AS64500\n")]
    [InlineData("sets create drop a --from-asn 4294967296", "couicctl: \"4294967296\" is not an autonomous system; expected its number, such as 64500 or AS64500\n")]
    [InlineData("sets create drop", "couicctl: argument NAME is missing; see \"couicctl sets create --help\"\n")]
    public void BadArgumentsAreNamedAndNothingIsSent(string words, string error)
    {
        Assert.Equal(new CliResult(2, "", error), _rig.Run(words));
        Assert.Empty(_rig.Daemon.Requests);
    }
}
