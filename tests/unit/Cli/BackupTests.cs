using Xunit;

namespace Couic.Tests.Cli;

public sealed class BackupTests : IDisposable
{
    private const string Drop = """
        [{"creation":1,"cidr":"10.0.0.0/8","tag":"a","expiration":0},{"creation":1,"cidr":"10.1.2.3/32","tag":null,"expiration":1772366460},
         {"creation":1,"cidr":"10.9.0.0/16","tag":"bl.couic","expiration":0},{"creation":1,"cidr":"2001:db8::/32","tag":"b","expiration":0}]
        """;

    private const string Exported = """
        {"couic_export":1,"couicctl":"2.0.0","created":1772366400}
        {"policy":"ignore","cidr":"192.0.2.0/24","tag":"office","expiration":0}
        {"policy":"drop","cidr":"10.0.0.0/8","tag":"a","expiration":0}
        {"policy":"drop","cidr":"10.1.2.3/32","tag":null,"expiration":1772366460}
        {"policy":"drop","cidr":"2001:db8::/32","tag":"b","expiration":0}

        """;

    private readonly CliRig _rig = new();

    public BackupTests() => _rig.Daemon.Answer = request => new StubAnswer(200, request.Method == "POST"
        ? """{"created":1,"updated":0,"unchanged":0,"rejected":[],"rejected_count":0}"""
        : request.Target == "/v1/drop" ? Drop : """[{"creation":1,"cidr":"192.0.2.0/24","tag":"office","expiration":0}]""");

    public void Dispose() => _rig.Dispose();

    [Fact]
    public void AnExport_HasPolicyTagAndExpirationOfEveryDynamicEntry() =>
        Assert.Equal(new CliResult(0, Exported, ""), _rig.Run("export"));

    [Fact]
    public void AnImport_OfAnExport_SendsTheSameEntriesPerPolicy()
    {
        _rig.Input = Exported;
        Assert.Equal(
            new CliResult(0, "ignore: 1 created, 0 updated, 0 unchanged, 0 rejected\ndrop: 1 created, 0 updated, 0 unchanged, 0 rejected\n", ""),
            _rig.Run("import -"));
        Assert.Equal("""
            POST /v1/ignore/bulk?on_conflict=keep&guard=refuse {"cidr":"192.0.2.0/24","tag":"office","expiration":0}

            POST /v1/drop/bulk?on_conflict=keep&guard=refuse {"cidr":"10.0.0.0/8","tag":"a","expiration":0}
            {"cidr":"10.1.2.3/32","tag":null,"expiration":1772366460}
            {"cidr":"2001:db8::/32","tag":"b","expiration":0}

            """, _rig.Asked);
    }

    [Fact]
    public void AnImport_SkipsWhatHasExpired_AndRejectsWhatIsNotOfAnExport()
    {
        _rig.Input = """
            {"policy":"drop","cidr":"10.1.2.3/32","tag":null,"expiration":1}
            {"policy":"drop","cidr":"10.0.0.0/8","tag":"a","expiration":0}
            10.2.0.0/16
            {"policy":"nonsense","cidr":"10.3.0.0/16"}
            """;
        CliResult result = _rig.Run("import -");
        Assert.Equal((1, "drop: 1 created, 0 updated, 0 unchanged, 2 rejected\n"), (result.Status, result.Out));
        Assert.Equal("""
            couicctl: line 3: 10.2.0.0/16 has no policy: this is not an export (use "couicctl drop import")
            couicctl: line 4: "{"policy":"nonsense","cidr":"10.3.0.0/16"}" is not an entry: a JSON object with a valid "cidr" is expected
            couicctl: note: 1 entries have expired since the export and were skipped

            """, result.Error);
        Assert.Equal("POST /v1/drop/bulk?on_conflict=keep&guard=refuse {\"cidr\":\"10.0.0.0/8\",\"tag\":\"a\",\"expiration\":0}\n", _rig.Asked);
    }

    [Fact]
    public void AnExport_ForOtherTools_HasTheirFormat()
    {
        Assert.Equal("10.0.0.0/8\n10.1.2.3/32\n2001:db8::/32\n", _rig.Run("export --format plain -p drop").Out);
        Assert.Equal("10.0.0.0/8\n10.9.0.0/16\n", _rig.Run("export --format plain -p drop --sets -t a,bl.couic").Out);
        Assert.Equal("""
            create couic-drop4 hash:net family inet maxelem 1048576 timeout 0
            add couic-drop4 10.0.0.0/8
            add couic-drop4 10.1.2.3/32 timeout 60
            create couic-drop6 hash:net family inet6 maxelem 1048576 timeout 0
            add couic-drop6 2001:db8::/32

            """, _rig.Run("export --format ipset -p drop").Out);
        Assert.Equal(
            "table inet couic {\n\tset drop4 {\n\t\ttype ipv4_addr\n\t\tflags interval, timeout\n\t\tauto-merge\n\t\telements = {\n\t\t\t10.0.0.0/8,\n\t\t\t10.1.2.3/32 timeout 60s,\n\t\t}\n\t}\n"
            + "\tset drop6 {\n\t\ttype ipv6_addr\n\t\tflags interval, timeout\n\t\tauto-merge\n\t\telements = {\n\t\t\t2001:db8::/32,\n\t\t}\n\t}\n}\n",
            _rig.Run("export --format nft -p drop").Out);
        Assert.Equal(new CliResult(2, "", "couicctl: \"xml\" is not a format; expected one of json, plain, nft, ipset\n"), _rig.Run("export --format xml"));
    }
}
