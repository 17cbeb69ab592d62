using System.Text.Json;
using System.Text.RegularExpressions;
using Couic.Cli;
using Couic.CommandLine;
using Xunit;

namespace Couic.Tests.Cli;

/// <summary>Every command in every format, on narrow terminals and without one.</summary>
public sealed partial class OutputTests : IDisposable
{
    private const string LongTag = "a-tag-of-sixty-four-bytes-which-is-the-longest-that-a-tag-can-be";

    private const string Entries = $$"""
        [{"creation":1772366338,"cidr":"2001:db8:1234:5678:9abc:def0:1234:5678/128","tag":"{{LongTag}}","expiration":1772966460,"added_by":"a-client-with-a-long-name","packets":1234567,"last_hit":1772366398},
         {"creation":1772366338,"cidr":"192.0.2.0/24","tag":null,"expiration":0,"added_by":"couicctl","packets":0,"last_hit":0}]
        """;

    /// <summary>Command lines, with the answer to every request but those that <see cref="Answer"/> knows.</summary>
    public static readonly TheoryData<string> Commands =
    [
        "drop add 192.0.2.0/24", "drop add 192.0.2.0/24 192.0.3.0/24", "drop delete 192.0.2.0/24", "drop delete 192.0.2.0/24 192.0.3.0/24", "drop delete -t x",
        "drop flush", "drop list", "drop list --details", "drop inspect 192.0.2.0/24", "drop import -", "import -", "why 192.0.2.1 2001:db8::1", "why 192.0.2.0/24",
        "sets list", "sets list drop", "sets inspect drop a", "sets diff", "sets add drop a 192.0.3.0/24", "sets remove drop a 192.0.2.0/24", "sets create drop a 192.0.2.0/24", "sets update drop a 192.0.2.0/24", "sets delete drop a", "sets reload",
        "stats", "stats global", "stats drop", "clients list", "clients inspect a", "clients add -n a -g admin", "clients delete a", "peers", "peers diff h", "bus", "status", "reload", "version", "history",
    ];

    private readonly CliRig _rig = new();

    public OutputTests()
    {
        _rig.Daemon.Answer = Answer;
        _rig.Input = """{"policy":"drop","cidr":"192.0.2.0/24","tag":null,"expiration":0}""" + "\n";
    }

    public void Dispose() => _rig.Dispose();

    [Theory]
    [MemberData(nameof(Commands))]
    public void JsonIsOneValue_AndNothingElse(string words)
    {
        foreach (string option in new[] { "--json", "-o json" })
        {
            CliResult result = _rig.Run($"{words} {option}");
            Assert.Contains(result.Status, (int[])[0, 1, 4, 6, 7]); // an absent network, a dropped one and an unhealthy daemon have a status
            Assert.Equal("", result.Error);
            using JsonDocument json = JsonDocument.Parse(result.Out);
            Assert.True(json.RootElement.ValueKind is JsonValueKind.Object or JsonValueKind.Array);
            Assert.Equal(0, result.Out.IndexOfAny(['{', '[']));
        }
    }

    [Theory]
    [MemberData(nameof(Commands))]
    public void AFailureIsOneJsonObject_WithItsStatus(string words)
    {
        foreach ((int http, int status, string code) in ((int, int, string)[])[(401, 4, "refused"), (404, 6, "absent"), (409, 5, "present"), (422, 4, "refused"), (500, 1, "failed")])
        {
            _rig.Answering(http, """{"code":"x","errors":{},"message":"it is so"}""");
            CliResult result = _rig.Run($"{words} --json");
            Assert.Equal((status, ""), (result.Status, result.Out));
            using JsonDocument json = JsonDocument.Parse(result.Error);
            Assert.Equal(code, json.RootElement.GetProperty("code").GetString());
            Assert.Equal(status, json.RootElement.GetProperty("exit_status").GetInt32());
            Assert.NotEqual("", json.RootElement.GetProperty("error").GetString());
            Assert.Equal(status, _rig.Run(words).Status);
        }

        _rig.Daemon.Dispose();
        Assert.Equal(3, _rig.Run(words).Status);
        using JsonDocument unreachable = JsonDocument.Parse(_rig.Run($"{words} --json").Error);
        Assert.Equal("unreachable", unreachable.RootElement.GetProperty("code").GetString());
    }

    [Theory]
    [MemberData(nameof(Commands))]
    public void ANarrowTerminal_IsNotOverrun(string words)
    {
        foreach (int width in new[] { 80, 60 })
        {
            _rig.Terminal = new Terminal(true, false, () => width);
            CliResult result = _rig.Run(words);
            Assert.All(result.Out.Split('\n').Where(line => !line.StartsWith("Imported into ", StringComparison.Ordinal)), line => Assert.True(line.Length <= width, $"{words} at {width}: {line}"));
        }
    }

    [Theory]
    [MemberData(nameof(Commands))]
    public void WithoutATerminal_ThereIsNoFrameAndNoColour_AndTsvHasTabs(string words)
    {
        _rig.Environment.Clear();
        _rig.Terminal = Terminal.None;
        CliResult plain = _rig.Run(words), tsv = _rig.Run($"{words} -o tsv");
        Assert.False(Frames().IsMatch(plain.Out + plain.Error + tsv.Out), plain.Out);
        Assert.DoesNotContain('\e', plain.Out + plain.Error + tsv.Out);
        Assert.Equal(plain.Status, tsv.Status);
        Assert.DoesNotContain('…', plain.Out);
    }

    [Fact]
    public void TheFormatsOfAList()
    {
        _rig.Terminal = new Terminal(true, false, () => 80);
        Assert.Equal("""
            ┌─────────────────────────────────────────────┬─────────────────┬──────────────┐
            │ CIDR                                        ┆ Tag             ┆ Expiration   │
            ╞═════════════════════════════════════════════╪═════════════════╪══════════════╡
            │ 2001:db8:1234:5678:9abc:def0:1234:5678/128  ┆ a-tag-of-sixty… ┆ 6d 22h41m0s  │
            ├╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌┼╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌┼╌╌╌╌╌╌╌╌╌╌╌╌╌╌┤
            """.Split('\n')[0].Length, _rig.Run("drop list").Out.Split('\n')[0].Length);
        Assert.Contains("2001:db8:1234:5678:9abc:def0:1234:5678/128", _rig.Run("drop list").Out, StringComparison.Ordinal);
        _rig.Terminal = Terminal.None;
        string wide = "2001:db8:1234:5678:9abc:def0:1234:5678/128";
        Assert.Equal(
            $"Policy  CIDR{new string(' ', wide.Length - 4)}  Tag{new string(' ', LongTag.Length - 3)}  Expiration\n"
            + $"drop    {wide}  {LongTag}  6d 22h41m0s\n"
            + $"drop    192.0.2.0/24{new string(' ', wide.Length - 12)}  -{new string(' ', LongTag.Length - 1)}  never\n",
            _rig.Run("drop list").Out);
        Assert.Equal(
            $"policy\tcidr\ttag\texpiration\treason\ndrop\t{wide}\t{LongTag}\t2026-03-08T10:41:00Z\t\ndrop\t192.0.2.0/24\t\tnever\t\n", _rig.Run("drop list -o tsv").Out);
        Assert.Contains($"│ drop   ┆ {wide} ┆ {LongTag} ┆ 6d 22h41m0s │", _rig.Run("drop list -o table").Out, StringComparison.Ordinal);
    }

    [Fact]
    public void WarningsOfTheDaemon_AreInTheJsonAnswer()
    {
        const string Added = """{"cidr":"10.0.0.0/8","tag":null,"creation":1,"expiration":0,"nested":[{"a":[1,{}]}],"warnings":["it has no effect"]}""";
        const string Head = "HTTP/1.1 200 Stub\r\nwarning: 199 - \"it has no effect\"\r\ncontent-length: ";
        _rig.Daemon.Answer = request => request.Method == "POST"
            ? new StubAnswer(200) { Raw = $"{Head}{Added.Length}\r\n\r\n{Added}" }
            : new StubAnswer(200) { Raw = $"{Head}2\r\n\r\n{{}}" };
        using JsonDocument added = JsonDocument.Parse(_rig.Run("drop add 10.0.0.0/8 --json").Out);
        Assert.Equal(["it has no effect"], added.RootElement.GetProperty("warnings").EnumerateArray().Select(w => w.GetString()!));
        Assert.Equal(JsonValueKind.Object, added.RootElement.GetProperty("nested")[0].GetProperty("a")[1].ValueKind);
        CliResult removed = _rig.Run("drop delete 10.0.0.0/8 --json");
        Assert.Equal("{\n  \"removed\": 1,\n  \"warnings\": [\n    \"it has no effect\"\n  ]\n}\n", removed.Out);
        Assert.Equal(("", "couicctl: note: it has no effect\n"), (removed.Error, _rig.Run("drop delete 10.0.0.0/8").Error));
    }

    /// <summary>A command that is missing from the list above has no test of its formats.</summary>
    [Fact]
    public void EveryCommandIsCovered()
    {
        HashSet<string> tested = [.. Commands.Select(row => row.Data).Select(words => Path(words.Split(' ')))];
        string[] withoutResult = ["export", "completion", "help", "monitor", "top"];
        Assert.Equal([], All(CouicctlCommands.Root, "").Where(path => !tested.Contains(path) && !path.StartsWith("ignore ", StringComparison.Ordinal)).Except(withoutResult).Except(["stats ignore"]));

        static string Path(string[] words)
        {
            ParsedCommand parsed = CommandLineParser.Parse(CouicctlCommands.Root, words);
            return string.Join(' ', parsed.Path.Skip(1).Select(c => c.Name));
        }

        static IEnumerable<string> All(CommandSpec command, string path) => command.Commands.Where(c => !c.Hidden)
            .SelectMany(c => (c.Run is null ? [] : new[] { $"{path} {c.Name}".Trim() }).Concat(All(c, $"{path} {c.Name}".Trim())));
    }

    private static StubAnswer Answer(StubRequest request)
    {
        string path = request.Target.Split('?')[0];
        return (request.Method, path) switch
        {
            ("GET", "/v1/drop" or "/v1/ignore") => new StubAnswer(200, Entries),
            ("GET" or "POST", "/v1/drop/192.0.2.0/24" or "/v1/drop") => new StubAnswer(200, """{"creation":1,"cidr":"192.0.2.0/24","tag":null,"expiration":0}"""),
            ("DELETE", "/v1/drop/192.0.2.0/24") => new StubAnswer(204),
            (_, "/v1/drop/bulk" or "/v1/drop/tag/x") => new StubAnswer(200, """{"created":1,"updated":0,"unchanged":0,"removed":1,"absent":1,"rejected":[{"index":0,"code":"x","message":"bad"}],"rejected_count":1}"""),
            ("GET", "/v1/sets/drop" or "/v1/sets/ignore") => new StubAnswer(200, """[{"name":"a","entry_count":2,"file_size":31}]"""),
            ("POST", "/v1/sets/reload" or "/v1/reload") => new StubAnswer(201, """{"reload_status":"OK","message":"ifaces: restart"}"""),
            ("DELETE", "/v1/sets/drop/a") => new StubAnswer(200, """{"deleted":true,"reload_required":true}"""),
            (_, "/v1/sets/drop" or "/v1/sets/drop/a" or "/v1/sets/ignore/a") => new StubAnswer(200, """{"name":"a","entries":["192.0.2.0/24"]}"""),
            ("GET", "/v1/history") => new StubAnswer(200, $$$"""{"changes":[{"time":"2026-02-27T10:00:00.123456Z","event":"entry_created","client":"fail2ban","policy":"drop","cidr":"2001:db8:1234:5678:9abc:def0:1234:5678/128","tag":"{{{LongTag}}}","expiration":1772190000,"message":"entry created"},{"time":"2026-02-27T10:00:00Z","event":"bulk_applied","client":"x","policy":"drop","cidr":null,"tag":null,"expiration":null,"message":"bulk add of drop by client x: 10 created, 0 updated, 0 unchanged, 0 removed, 0 absent, 0 rejected"}],"complete":true}"""),
            ("GET", "/v1/client") => new StubAnswer(200, """[{"name":"a","token":"0d8de2b2-16d1-4a37-9ad6-1d27e8a5c8a3","group":"admin"}]"""),
            (_, "/v1/client" or "/v1/client/a") => new StubAnswer(200, """{"name":"a","token":"0d8de2b2-16d1-4a37-9ad6-1d27e8a5c8a3","group":"admin"}"""),
            (_, "/v1/stats") => new StubAnswer(200, """{"drop_cidr_count":1,"ignore_cidr_count":0,"xdp":{"XDP_DROP":{"rx_packets":1,"rx_bytes":2}}}"""),
            (_, "/v1/stats/tags/drop") => new StubAnswer(200, $$$"""{"tags":{"{{{LongTag}}}":{"rx_packets":1,"rx_bytes":18446744073709551615} } }"""),
            (_, "/v1/metrics") => new StubAnswer(200, $$$"""{"drop_cidr_count":1,"ignore_cidr_count":0,"xdp":{"XDP_DROP":{"rx_packets":1,"rx_bytes":2}},"drop_tags":{"tags":{"{{{LongTag}}}":{"rx_packets":1,"rx_bytes":2} } },"ignore_tags":{"tags":{} } }"""),
            (_, "/v1/peers/h/diff") => new StubAnswer(200, $$$"""{"host":"h","differences":[{"policy":"drop","cidr":"192.0.2.0/24","here":{"tag":"{{{LongTag}}}","expiration":0},"there":null}],"truncated":false}"""),
            (_, "/v1/bus") => new StubAnswer(200, """{"name":"couic","state":"unreachable","servers":["tls://a-host-with-a-rather-long-name.datacentre.example.net:4222"],"server":null,"messages":0,"lag_messages":0,"lag_secs":null,"marked":12,"oldest_marked_secs":70000,"last_error":"bus1:4222: connection refused","last_error_at":1772366300,"counts":{"published":0,"unacknowledged":0,"received":0,"applied":0,"repaired":0,"malformed":0,"later_version":0,"deleted":0,"swept":0,"opened":0,"failures":9}}"""),
            (_, "/v1/peers") => new StubAnswer(200, """[{"host":"a-host-with-a-rather-long-name.datacentre.example.net","port":2900,"tls":true,"state":"unreachable","plain":true,"queued":12,"oldest_queued_secs":70000,"last_success":1772366300,"last_error":null,"in_sync":false}]"""),
            (_, "/v1/status") => new StubAnswer(200, """{"version":"2.0.0","uptime_secs":1,"started_at":1,"match":["source"],"interfaces":[{"configured":"eth0","name":"eth0","mode":null,"state":"missing","error":"no such interface (have: lo, uxv1, a, b, c, d, e, f, g, h, i, j, k, l, m)"}],"health":"degraded","faults":[{"kind":"interface","subject":"eth0","message":"interface \"eth0\" is not there at all, and this sentence is longer than sixty columns (ip link)"}]}"""),
            _ => new StubAnswer(200, "{}"),
        };
    }

    [GeneratedRegex("[─│┌┐└┘├┤┬┴┼┆╌═╞╡╪]")]
    private static partial Regex Frames();
}
