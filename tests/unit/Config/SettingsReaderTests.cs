using System.Text;
using Couic.Config;
using Couic.Http;
using Couic.Native;
using Couic.Sets;
using Couic.Store;
using Couic.Tests.Support;
using Microsoft.Extensions.Logging;
using Xunit;

namespace Couic.Tests.Config;

public sealed class SettingsReaderTests
{
    private const string Minimal = """
        ifaces = ["eth0"]
        working_dir = "/var/lib/couic"
        user = "couic"
        group = "couic"
        [server]
        socket = "/run/couic/couic.sock"
        [logging]
        dir = "/var/log/couic"

        """;

    [Fact]
    public void AnAbsentKey_HasItsDefault()
    {
        Settings settings = ReadGood(Minimal);
        Assert.Equal(["eth0"], settings.Ifaces);
        Assert.Equal(OperationMode.Generic, settings.OperationMode);
        Assert.Equal(MatchSides.Source, settings.Match);
        Assert.Equal(("/var/lib/couic", "couic", "couic"), (settings.WorkingDir, settings.User, settings.Group));
        Assert.Equal(new LoggingSettings("/var/log/couic", LogRotation.Daily, 7, LogFormat.Text, LogLevel.Information), settings.Logging);
        Assert.Equal("/run/couic/couic.sock", settings.Socket);
        Assert.Equal((StoreLimits.Default, SetLimits.Default, HttpLimits.Default), (settings.Store, settings.Sets, settings.Http));
        Assert.True(settings.PerEntryCounters);
        Assert.Equal(new ReportingSettings(), settings.Reporting);
        Assert.Equal((false, true, false), (settings.Peering.Enabled, settings.Peering.Drop, settings.Peering.Ignore));
        Assert.Empty(settings.Peering.Peers);
        Assert.Equal(GuardMode.Warn, settings.Guard.Mode);
    }

    [Fact]
    public void EveryKeyIsRead()
    {
        Settings settings = ReadGood("""
            ifaces = ["eth0", 'wlp0s20f3.100', "an-alternative-name-of-more-than-15-bytes"]
            require_ifaces = true
            operation_mode = "auto"
            match = ["destination", "source"]
            working_dir = "/w"
            user = "u"
            group = "g"
            [logging]
            dir = "-"
            rotation = "weekly"
            max_log_files = 3
            format = "json"
            level = "warn"
            [server]
            socket = "/s"
            [limits]
            max_drop_entries = 1
            max_ignore_entries = 2
            max_tags = 3
            per_entry_counters = false
            max_connections = 4
            max_request_line_bytes = 8_001
            max_header_fields = 9
            max_header_bytes = 0x800
            max_body_bytes = 10_000
            max_item_bytes = 20_000
            connection_memory_bytes = 2_000_000
            header_timeout_secs = 11
            keep_alive_timeout_secs = 12
            rate_grace_secs = 13
            min_body_bytes_per_sec = 14
            min_answer_bytes_per_sec = 15
            [reporting]
            enabled = true
            webhook = "https://example.net/hook/secret"
            [guard]
            mode = "refuse"
            [peering]
            enabled = true
            policies = ["drop", "ignore"]
            [[peering.peers]]
            host = "couic2.couic.tld"
            port = 2900
            tls = true
            token = "bbfa1388-3218-463c-9722-6805507c14bb"
            ca_file = "/ca.pem"
            cert_file = "/cert.pem"
            key_file = "/key.pem"
            [[peering.peers]]
            host = "[2001:db8::1]"
            port = 1
            token = "E78336B3-8128-4C84-88C7-E2FAD9C32D99"
            """);
        Assert.Equal(["eth0", "wlp0s20f3.100", "an-alternative-name-of-more-than-15-bytes"], settings.Ifaces);
        Assert.True(settings.RequireIfaces);
        Assert.Equal(OperationMode.Auto, settings.OperationMode);
        Assert.Equal(MatchSides.Source | MatchSides.Destination, settings.Match);
        Assert.Equal(new LoggingSettings(null, LogRotation.Weekly, 3, LogFormat.Json, LogLevel.Warning), settings.Logging);
        Assert.Equal(new StoreLimits(1, 2, 3), settings.Store);
        Assert.False(settings.PerEntryCounters);
        Assert.Equal(
            new HttpLimits
            {
                MaxConnections = 4,
                MaxRequestLineBytes = 8001,
                MaxHeaderFields = 9,
                MaxHeaderBytes = 2048,
                MaxBodyBytes = 10_000,
                MaxSetBodyBytes = 10_000,
                MaxItemBytes = 20_000,
                MaxParkedBytes = 2_000_000,
                HeaderTimeout = TimeSpan.FromSeconds(11),
                KeepAliveTimeout = TimeSpan.FromSeconds(12),
                RateGrace = TimeSpan.FromSeconds(13),
                MinBodyBytesPerSecond = 14,
                MinAnswerBytesPerSecond = 15,
            },
            settings.Http);
        Assert.Equal(new ReportingSettings(true, new Uri("https://example.net/hook/secret")), settings.Reporting);
        Assert.Equal(GuardMode.Refuse, settings.Guard.Mode);
        Assert.True(settings.Peering is { Enabled: true, Drop: true, Ignore: true });
        Assert.Equal(
            [
                new PeerSettings
                {
                    Host = "couic2.couic.tld",
                    Port = 2900,
                    Tls = true,
                    Token = new Guid("bbfa1388-3218-463c-9722-6805507c14bb"),
                    CaFile = "/ca.pem",
                    CertFile = "/cert.pem",
                    KeyFile = "/key.pem",
                },
                new PeerSettings { Host = "2001:db8::1", Port = 1, Token = new Guid("e78336b3-8128-4c84-88c7-e2fad9c32d99") },
            ],
            settings.Peering.Peers);
        Assert.Equal("[2001:db8::1]:1", settings.Peering.Peers[1].ToString());
    }

    [Theory]
    [InlineData("iface = []", "1:1: unknown key \"iface\" (did you mean \"ifaces\"?)")]
    [InlineData("operation_mod = 1", "1:1: unknown key \"operation_mod\" (did you mean \"operation_mode\"?)")]
    [InlineData("Match = 1", "1:1: unknown key \"Match\" (did you mean \"match\"?)")]
    [InlineData("zzzzzzzzzz = 1", "1:1: unknown key \"zzzzzzzzzz\" (known: ifaces, allow_no_ifaces, require_ifaces, operation_mode, match, working_dir, user, group, logging, server, limits, state, daemon, guard, reporting, peering, bus)")]
    [InlineData("level = 'info'", "1:1: unknown key \"level\" (logging.level is known: is it under the wrong [table]?)")]
    [InlineData("guard.user = 'x'", "1:7: unknown key \"guard.user\" (user is known: is it under the wrong [table]?)")]
    [InlineData("limits.max_drop_entrys = 1", "1:8: unknown key \"limits.max_drop_entrys\" (did you mean \"max_drop_entries\"?)")]
    [InlineData("operation_mode = 'nativ'", "1:18: operation_mode = \"nativ\" is not allowed (one of: generic, native, offloaded, auto; did you mean \"native\"?)")]
    [InlineData("operation_mode = 'Native'", "1:18: operation_mode = \"Native\" is not allowed (one of: generic, native, offloaded, auto; did you mean \"native\"?)")]
    [InlineData("operation_mode = 1", "1:18: operation_mode must be a string, is an integer (1)")]
    [InlineData("match = []", "1:9: match must not be empty (one of: source, destination)")]
    [InlineData("match = ['source', 'source']", "1:20: match names \"source\" twice")]
    [InlineData("match = ['src']", "1:10: match = \"src\" is not allowed (one of: source, destination)")]
    [InlineData("match = 'source'", "1:9: match must be an array, is a string (\"source\")")]
    [InlineData("match = [1]", "1:10: match must hold strings only, not an integer")]
    [InlineData("guard = 1", "1:9: guard must be a table, is an integer (1)")]
    [InlineData("guard.mode = 'on'", "1:14: guard.mode = \"on\" is not allowed (one of: warn, refuse, off)")]
    [InlineData("limits.max_tags = 0", "1:19: limits.max_tags = 0 is out of range (1 to 65000)")]
    [InlineData("limits.max_tags = 9_999_999_999", "1:19: limits.max_tags = 9999999999 is out of range (1 to 65000)")]
    [InlineData("limits.max_tags = 1.5", "1:19: limits.max_tags must be an integer, is a float (1.5)")]
    [InlineData("limits.header_timeout_secs = 0", "1:30: limits.header_timeout_secs = 0 is out of range (1 to 86400)")]
    [InlineData("limits.per_entry_counters = 'no'", "1:29: limits.per_entry_counters must be a boolean, is a string (\"no\")")]
    [InlineData("reporting.enabled = true", "1:1: key \"reporting.webhook\" is missing")]
    [InlineData("reporting.webhook = 'example.net/secret'", "1:21: reporting.webhook is not a web address (https://HOST/PATH; HOST is a name, or an address in its usual spelling)")]
    [InlineData("reporting.webhook = 'ftp://example.net/secret'", "1:21: reporting.webhook is not a web address (https://HOST/PATH; HOST is a name, or an address in its usual spelling)")]
    [InlineData("peering.policies = []", "1:20: peering.policies must not be empty (one of: drop, ignore)")]
    [InlineData("peering.peers = 1", "1:17: peering.peers must be an array, is an integer (1)")]
    [InlineData("peering.peers = [1]", "1:18: peering.peers must hold tables only, not an integer")]
    [InlineData("peering.peers = [{}]", "1:18: key \"peering.peers.host\" is missing", "1:18: key \"peering.peers.port\" is missing", "1:18: key \"peering.peers.token\" is missing")]
    [InlineData("peering.peers = [{host='h', port=65536, token='T'}]", "1:34: peering.peers.port = 65536 is out of range (1 to 65535)")]
    [InlineData("peering.peers = [{host='https://h', port=1, token='T'}]", "1:24: host = \"https://h\" is neither a name nor an address (no scheme, no port, no path)")]
    [InlineData("peering.peers = [{host='h:1', port=1, token='T'}]", "1:24: host = \"h:1\" is neither a name nor an address (no scheme, no port, no path)")]
    [InlineData("peering.peers = [{host='h', port=1, token='secret'}]", "1:43: token is not a UUID (36 characters, hex digits and hyphens)")]
    [InlineData("peering.peers = [{host='h', port=1, token='0x8de2b2-16d1-4a37-9ad6-1d27e8a5c8a3'}]", "1:43: token is not a UUID (36 characters, hex digits and hyphens)")]
    [InlineData("peering.peers = [{host='h', port=1, token='T'}, {host='h', port=1, token='T'}]", "1:90: peering.peers names h:1 twice")]
    [InlineData("peering.peers = [{host='h', port=1, token='T', tls=true, cert_file='/c'}]", "1:103: peering.peers.cert_file without key_file (a certificate needs its key)")]
    [InlineData("peering.peers = [{host='h', port=1, token='T', ca_file='/c'}]", "1:91: peering.peers.ca_file without tls = true")]
    [InlineData("peering.peers = [{host='h', port=1, token='T', tsl=true}]", "1:83: unknown key \"peering.peers.tsl\" (did you mean \"tls\"?)")]
    public void AFaultNamesPlaceKeyValueAndWhatIsAllowed(string line, params string[] expected)
    {
        string text = line.Replace("'T'", "'e78336b3-8128-4c84-88c7-e2fad9c32d99'", StringComparison.Ordinal) + "\n" + Minimal;
        List<Fault> faults = ReadBad(text);
        Assert.Equal(expected.Select(one => "c.toml:" + one), faults.Select(fault => fault.ToString()));
    }

    [Theory]
    [InlineData("[]", "1:10: ifaces is empty: nothing would be filtered (allow_no_ifaces = true if that is meant)")]
    [InlineData("['']", "1:11: ifaces: \"\" is not an interface name (1 to 15 bytes, an alternative name up to 127; no blanks, \"/\" or \":\"; ip link shows them)")]
    [InlineData("['a b']", "1:11: ifaces: \"a b\" is not an interface name (1 to 15 bytes, an alternative name up to 127; no blanks, \"/\" or \":\"; ip link shows them)")]
    [InlineData("['..']", "1:11: ifaces: \"..\" is not an interface name (1 to 15 bytes, an alternative name up to 127; no blanks, \"/\" or \":\"; ip link shows them)")]
    [InlineData("['0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef']", "1:11: ifaces: \"0123456789abcdef0123456789abcdef0123456789abcdef0123456789ab…\" is not an interface name (1 to 15 bytes, an alternative name up to 127; no blanks, \"/\" or \":\"; ip link shows them)")]
    [InlineData("['a', 'a']", "1:16: ifaces names \"a\" twice")]
    [InlineData("'eth0'", "1:10: ifaces must be an array, is a string (\"eth0\")")]
    public void InterfaceNamesAreThoseThatTheKernelTakes(string value, string expected)
    {
        List<Fault> faults = ReadBad(Minimal.Replace("[\"eth0\"]", value, StringComparison.Ordinal));
        Assert.Equal(["c.toml:" + expected], faults.Select(fault => fault.ToString()));
    }

    [Fact]
    public void NoInterfacesAreTakenWhereThatIsSaid() =>
        Assert.Empty(ReadGood("allow_no_ifaces = true\n" + Minimal.Replace("\"eth0\"", string.Empty, StringComparison.Ordinal)).Ifaces);

    [Fact]
    public void AnEmptyFileLacksEveryRequiredKey()
    {
        string[] keys = ["ifaces", "working_dir", "user", "group", "logging.dir", "server.socket"];
        Assert.Equal(keys.Select(key => $"c.toml: key \"{key}\" is missing"), ReadBad(string.Empty).Select(fault => fault.ToString()));
    }

    [Fact]
    public void AKeyThatWasNotUnderstoodIsNotAlsoCalledMissing()
    {
        List<Fault> faults = ReadBad(Minimal.Replace("\"couic\"", "couic", StringComparison.Ordinal));
        Assert.Equal([3, 4], faults.Select(fault => fault.Line));
    }

    [Theory]
    [InlineData("user = \"\"", "user must not be empty")]
    [InlineData("user = \"a\\u0000b\"", "user must not hold a NUL")]
    public void TextsAreNeitherEmptyNorCutOffByANul(string line, string message) =>
        Assert.Equal(message, Assert.Single(ReadBad(Minimal.Replace("user = \"couic\"", line, StringComparison.Ordinal))).Message);

    [Fact]
    public void ASocketPathThatTheSystemCannotTakeIsRefused()
    {
        List<Fault> faults = ReadBad(Minimal.Replace("/run/couic", "/" + new string('x', 100), StringComparison.Ordinal));
        Assert.Equal("server.socket is 112 bytes long (the system takes at most 107 for a socket's path)", Assert.Single(faults).Message);
    }

    [Fact]
    public void NoSecretIsQuoted()
    {
        string text = "reporting.webhook = 'http:/host/SECRET'\npeering.peers = [{host='h', port=1, token='SECRET'}]\n" + Minimal;
        Assert.DoesNotContain(ReadBad(text), fault => fault.Message.Contains("SECRET", StringComparison.Ordinal));
    }

    [Fact]
    public void WhereThisMachineLacksSomething_TheFaultHasItsLine()
    {
        string text = Minimal.Replace("\"couic\"", "\"no-such-one\"", StringComparison.Ordinal)
            .Replace("/var/lib/couic", "/no/such/folder", StringComparison.Ordinal);
        List<Fault> faults = [];
        Assert.Null(SettingsReader.Read("c.toml", Encoding.UTF8.GetBytes(text), faults, checkHost: true));
        Assert.Equal(
            [
                "c.toml:2:15: working_dir = \"/no/such/folder\": no such file or directory (it must exist: mkdir -p \"/no/such/folder\")",
                "c.toml:3:8: user = \"no-such-one\": no such user (useradd --system no-such-one; a number is accepted too)",
                "c.toml:4:9: group = \"no-such-one\": no such group (groupadd --system no-such-one; a number is accepted too)",
            ],
            faults.Select(fault => fault.ToString()));
    }

    [Fact]
    public void TheEmbeddedDefaultIsGoodAndIsThePresentUsers()
    {
        List<Fault> faults = [];
        Settings? settings = SettingsReader.Read(SettingsSource.Embedded(), faults);
        Assert.Empty(faults);
        Assert.Equal(["lo"], settings!.Ifaces);
        Assert.Null(settings.Logging.Dir);
        Assert.StartsWith(settings.WorkingDir, settings.Socket, StringComparison.Ordinal);
        Assert.Equal(FileOwner.Current, Accounts.Resolve(settings.User, settings.Group));
    }

    [Fact]
    public void AFileThatCannotBeReadSaysWhy()
    {
        using TempFolder folder = new();
        Assert.Equal(
            $"read configuration \"{folder["no"]}\": no such file or directory",
            Assert.Throws<IOException>(() => SettingsSource.Locate(folder["no"])).Message);
        File.WriteAllBytes(folder["bad"], [(byte)'#', 0xff]);
        Assert.Equal(
            $"read configuration: {folder["bad"]}:1:2: byte 0xff is not UTF-8",
            Assert.Throws<IOException>(() => SettingsSource.Locate(folder["bad"])).Message);
    }

    [Theory]
    [InlineData("max_file_bytes = 2000000000", "[logging]", "max_total_bytes (1073741824) is less than max_file_bytes (2000000000)")]
    [InlineData("max_total_bytes = 100000", "[logging]", "max_total_bytes (100000) is less than max_file_bytes (104857600)")]
    public void Read_LogFileLargerThanAllTogether_IsAFault(string line, string table, string fault)
    {
        string text = $"ifaces = [\"lo\"]\nworking_dir = \"/w\"\nuser = \"0\"\ngroup = \"0\"\n[server]\nsocket = \"/s\"\n{table}\ndir = \"-\"\n{line}\n";
        Assert.Contains(fault, Assert.Single(ReadBad(text)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void AccountsAreFoundByNameAndByNumber()
    {
        Assert.Equal(0u, Accounts.FindUser("root"));
        Assert.Equal(0u, Accounts.FindGroup("root"));
        Assert.Equal(4_000_000u, Accounts.FindUser("4000000"));
        Assert.Null(Accounts.FindUser("4294967295"));
        Assert.Null(Accounts.FindUser("-1"));
        Assert.Equal("root", Accounts.UserName(0));
        Assert.Equal("4000000", Accounts.GroupName(4_000_000));
    }

    [Theory]
    [InlineData("", 12_582_912, 18_874_368)]
    [InlineData("max_drop_entries = 1000\nmax_ignore_entries = 2000", 5_242_880, 8_388_608)]
    [InlineData("max_drop_entries = 1_000_000", 48_000_000, 72_000_000)]
    [InlineData("max_set_file_bytes = 20_000_000", 20_000_000, 30_000_000)]
    [InlineData("max_body_bytes = 1_000_000", 12_582_912, 1_000_000)]
    public void SetFilesAndTheirBodies_HaveRoomForTheEntriesUnlessTheConfigurationSaysOtherwise(string limits, int file, int body)
    {
        Settings settings = ReadGood($"{Minimal}[limits]\n{limits}\n");
        Assert.Equal((file, body), (settings.Sets.MaxFileBytes, settings.Http.MaxSetBodyBytes));
    }

    [Fact]
    public void TheOldNameOfAKey_IsUnknownWithTheNewOneAsHint()
    {
        Fault fault = Assert.Single(ReadBad(Minimal + "[limits]\nmax_parked_bytes = 4_194_304\n"));
        Assert.Equal("c.toml:10:1: unknown key \"limits.max_parked_bytes\" (its name is \"connection_memory_bytes\" now)", fault.ToString());
    }

    private static Settings ReadGood(string text)
    {
        List<Fault> faults = [];
        Settings? settings = SettingsReader.Read("c.toml", Encoding.UTF8.GetBytes(text), faults, checkHost: false);
        Assert.Empty(faults);
        return settings!;
    }

    private static List<Fault> ReadBad(string text)
    {
        List<Fault> faults = [];
        Assert.Null(SettingsReader.Read("c.toml", Encoding.UTF8.GetBytes(text), faults, checkHost: false));
        return faults;
    }

    [Theory]
    [InlineData("listen = [\"127.0.0.1:2900\", \"[::1]:2900\"]", "")]
    [InlineData("listen = [\"[::]:2900\"]\n[server.tls]\ncert_file = \"/c\"\nkey_file = \"/k\"", "")]
    [InlineData("listen = [\"[::]:2900\"]", "9:11: server.listen: \"[::]:2900\" is reachable from the network, and tokens would travel in clear (add [server.tls], or listen on 127.0.0.1 or [::1])")]
    [InlineData("listen = [\"192.0.2.1:2900\"]", "9:11: server.listen: \"192.0.2.1:2900\" is reachable from the network, and tokens would travel in clear (add [server.tls], or listen on 127.0.0.1 or [::1])")]
    [InlineData("listen = [\":2900\"]", "9:11: server.listen: \":2900\" is not an address with a port (such as \"[::]:2900\" or \"127.0.0.1:2900\")")]
    [InlineData("listen = [\"::1:2900\"]", "9:11: server.listen: \"::1:2900\" is not an address with a port (such as \"[::]:2900\" or \"127.0.0.1:2900\")")]
    [InlineData("listen = [\"127.0.0.1:0\"]", "9:11: server.listen: \"127.0.0.1:0\" is not an address with a port (such as \"[::]:2900\" or \"127.0.0.1:2900\")")]
    [InlineData("listen = [\"localhost:2900\"]", "9:11: server.listen: \"localhost:2900\" is not an address with a port (such as \"[::]:2900\" or \"127.0.0.1:2900\")")]
    [InlineData("listen = [\"127.0.0.1:1\", \"127.0.0.1:1\"]", "9:26: server.listen names \"127.0.0.1:1\" twice")]
    [InlineData("allow = [\"192.0.2.7\", \"2001:db8::/32\", \"0.0.0.0/0\"]", "")]
    [InlineData("allow = []", "9:9: server.allow is empty: no client could connect (leave it out to admit everybody)")]
    [InlineData("allow = [\"192.0.2.7/24\"]", "9:10: server.allow: \"192.0.2.7/24\" has host bits set (\"192.0.2.0/24\"?)")]
    [InlineData("allow = [\"192.0.2.0/33\"]", "9:10: server.allow: \"192.0.2.0/33\" has no valid prefix length (0 to 32)")]
    [InlineData("allow = [\"fe80::1%eth0\"]", "9:10: server.allow: \"fe80::1%eth0\" is not a network (such as \"192.0.2.0/24\" or \"2001:db8::/32\")")]
    [InlineData("[server.tls]\nkey_file = \"/k\"", "9:9: key \"server.tls.cert_file\" is missing")]
    [InlineData("[server.tls]\ncert_file = \"/c\"\nkey_file = \"/k\"\nkeyfile = \"/k\"", "12:1: unknown key \"server.tls.keyfile\" (did you mean \"key_file\"?)")]
    public void TheListener_IsRead_AndEachFaultIsNamed(string lines, string fault)
    {
        var faults = new List<Fault>();
        string text = $"ifaces = [\"lo\"]\nworking_dir = \"/w\"\nuser = \"0\"\ngroup = \"0\"\n[logging]\ndir = \"-\"\n[server]\nsocket = \"/s\"\n{lines}\n";
        Settings? settings = SettingsReader.Read("f", System.Text.Encoding.UTF8.GetBytes(text), faults, checkHost: false);
        Assert.Equal(fault, string.Join('\n', faults.Select(f => $"{f.Line}:{f.Column}: {f.Message}")));
        Assert.Equal(fault.Length == 0, settings is not null);
    }
}
