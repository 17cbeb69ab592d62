using System.Text.Json;
using Couic.IntegrationTests.Harness;
using Xunit;

namespace Couic.IntegrationTests;

/// <summary>Nodes on Debian's nats-server: what the broker may do, and what comes over it.</summary>
public sealed class BusTests : IDisposable
{
    private readonly Scratch _scratch = new();
    private readonly NetSpace _space = new();
    private readonly List<IDisposable> _running = [];

    [Fact]
    public void RulesSurviveEveryFaultOfABroker()
    {
        NatsServer broker = Kept(new NatsServer(_space, _scratch));
        Daemon one = Start("one", Bus()), two = Start("two", Bus());
        one.Api.Add("drop", "198.51.100.1/32", "ssh");
        one.Api.Add("drop", "2001:db8::/32");
        AssertCounts(2, one, two);
        Assert.Contains("\"ssh\"", two.Api.Get("/v1/drop").Body, StringComparison.Ordinal);
        two.Api.Remove("drop", "2001:db8::/32");
        AssertCounts(1, one, two);

        // Killed; rules change on both sides; back.
        broker.Kill();
        Eventually.Holds(() => State(one) == "unreachable" && State(two) == "unreachable", "both notice it");
        Eventually.Holds(() => one.Api.Get("/v1/bus").Body.Contains("connection refused", StringComparison.Ordinal), "the cause is shown");
        one.Api.Add("drop", "198.51.100.2/32");
        two.Api.Remove("drop", "198.51.100.1/32");
        Assert.Equal(1, Value(one, "marked").GetInt32());
        broker.Start();
        Eventually.Holds(() => Cidrs(one) == "198.51.100.2/32" && Cidrs(two) == "198.51.100.2/32", "both hold the same");
        Assert.Contains("bus_failed", one.Said, StringComparison.Ordinal);

        // The stream is deleted.
        using (NatsClient operatorClient = new(_space))
        {
            Assert.Contains("\"success\":true", operatorClient.Request("$JS.API.STREAM.DELETE.couic", ""), StringComparison.Ordinal);
        }

        two.Api.Add("drop", "198.51.100.3/32");
        AssertCounts(2, one, two);
        Daemon three = Start("three", Bus());
        AssertCounts(2, three); // the new stream has both

        // Everything is deleted from it.
        using (NatsClient operatorClient = new(_space))
        {
            Assert.Contains("\"success\":true", operatorClient.Request("$JS.API.STREAM.PURGE.couic", ""), StringComparison.Ordinal);
            // Besides the rules, recent tombstones are published again.
            AssertSoon(
                () => Array.TrueForAll(["c6336402", "c6336403"], address => operatorClient.Request(
                    "$JS.API.STREAM.MSG.GET.couic", $$"""{"last_by_subj":"couic.rule.drop.4.{{address}}.32"}""").Contains("\"message\":", StringComparison.Ordinal)),
                "it is filled again", one, two, three);
        }

        AssertCounts(2, one, two, three);
        Assert.Equal(0, Value(one, "counts").GetProperty("swept").GetInt32());
        Assert.DoesNotContain("ended the consumer", one.Said + two.Said + three.Said, StringComparison.Ordinal);
    }

    [Fact]
    public void MessagesThatAreNotRulesChangeNothing()
    {
        Kept(new NatsServer(_space, _scratch));
        using NatsClient producer = new(_space);

        // A stream that another program made, without a limit of the size of messages.
        Assert.Contains("\"name\":\"couic\"", producer.Request(
            "$JS.API.STREAM.CREATE.couic", """{"name":"couic","subjects":["couic.rule.>"],"max_msgs_per_subject":1,"storage":"file","num_replicas":1}"""), StringComparison.Ordinal);
        Daemon one = Start("one", Bus());
        one.Api.Add("drop", "198.51.100.1/32");
        Eventually.Holds(() => Value(one, "marked").GetInt32() == 0 && State(one) == "live", "it is published");
        producer.Publish("couic.rule.drop.4.c6336402.32", "\u0001garbage");
        producer.Publish("couic.rule.drop.4.c6336403.32", new byte[8 * 1024 * 1024]);
        producer.Publish("couic.rule.drop.4.c6336404.32", [2, 0, 0]);
        producer.Publish("couic.rule.x", []);
        one.Api.Add("drop", "198.51.100.5/32");
        Daemon two = Start("two", Bus());
        AssertCounts(2, one, two);
        Eventually.Holds(() => Value(two, "counts").GetProperty("malformed").GetInt32() == 3, "they are counted");
        Assert.Equal(1, Value(two, "counts").GetProperty("later_version").GetInt32());
        Assert.Equal("live", State(two));
        Assert.InRange(two.Resident, 0, 120L * 1024 * 1024);
    }

    [Fact]
    public void TlsAndCredentialsAreChecked()
    {
        using Authority authority = new(_scratch, "ca");
        (string certificate, string key) = authority.Issue("server", ["127.0.0.1"]);
        (string wrong, string wrongKey) = authority.Issue("wrong", ["other.example"]);
        string Config(string file, string keyFile) => $$"""
            tls { cert_file: "{{file}}", key_file: "{{keyFile}}" }
            authorization { users: [ { user: node, password: "a secret" } ] }
            """;
        Kept(new NatsServer(_space, _scratch, more: Config(certificate, key)));
        Kept(new NatsServer(_space, _scratch, "mitm", 4223, Config(wrong, wrongKey)));
        string ca = $"ca_file = \"{authority.File}\"\n";
        const string Credential = "user = \"node\"\npassword = \"a secret\"\n";

        Daemon one = Start("one", Bus("tls", ca + Credential));
        Eventually.Holds(() => State(one) == "live", "it is followed");
        one.Api.Add("drop", "198.51.100.1/32");
        Eventually.Holds(() => Value(one, "marked").GetInt32() == 0, "it is published");

        AssertFails(Start("two", Bus("tls", ca + "user = \"node\"\npassword = \"wrong\"\n")), "refuses the credentials");
        AssertFails(Start("three", Bus("tls", Credential)), "TLS failed");
        AssertFails(Start("four", Bus("tls", ca + Credential, 4223)), "TLS failed");
        AssertFails(Start("five", Bus("nats", Credential)), "the server requires TLS (write ");
        Kept(new NatsServer(_space, _scratch, "plain", 4224));
        AssertFails(Start("six", Bus("tls", ca, 4224)), "the server offers no TLS");
        Assert.DoesNotContain("a secret", one.Said, StringComparison.Ordinal);
    }

    [Fact]
    public void OneOfThreeBrokersMayBeKilled()
    {
        string Routes(int own) => $$"""
            cluster { name: c, listen: "127.0.0.1:{{6221 + own}}", routes: [ {{string.Join(", ", Enumerable.Range(1, 3).Where(n => n != own).Select(n => $"\"nats://127.0.0.1:{6221 + n}\""))}} ] }
            """;
        NatsServer[] brokers = [.. Enumerable.Range(1, 3).Select(n => Kept(new NatsServer(_space, _scratch, $"nats{n}", 4221 + n, Routes(n))))];
        string bus = """

            [bus]
            enabled = true
            servers = ["nats://127.0.0.1:4222", "nats://127.0.0.1:4223", "nats://127.0.0.1:4224"]
            replicas = 3
            """;
        Daemon one = Start("one", bus), two = Start("two", bus);
        one.Api.Add("drop", "198.51.100.1/32");
        AssertCounts(1, two);
        foreach (NatsServer broker in brokers)
        {
            int before = (int)Stats.Count(one, "drop");
            broker.Kill();
            one.Api.Add("drop", $"198.51.101.{before}/32");
            two.Api.Add("drop", $"198.51.102.{before}/32");
            AssertCounts(before + 2, one, two);
            broker.Start();
            Eventually.Holds(() => State(one) == "live" && State(two) == "live", "both follow it");
            Eventually.Holds(IsReplicated, "all three brokers hold the stream", 60); // two must be left when the next one is killed
        }
    }

    private bool IsReplicated()
    {
        try
        {
            using NatsClient client = new(_space);
            string info = client.Request("$JS.API.STREAM.INFO.couic", "");
            return info.Contains("\"replicas\"", StringComparison.Ordinal) && !info.Contains("\"current\":false", StringComparison.Ordinal)
                && !info.Contains("\"offline\":true", StringComparison.Ordinal);
        }
        catch (IOException)
        {
            return false; // no leader yet
        }
    }

    [Fact]
    public void WithoutABusThereIsNone()
    {
        Daemon one = Start("one", "");
        Assert.Equal(404, one.Api.Get("/v1/bus").Status);
        Assert.DoesNotContain("couic_bus", one.Api.Get("/v1/metrics?format=prometheus").Expect(200).Body, StringComparison.Ordinal);
    }

    public void Dispose()
    {
        _running.ForEach(one => one.Dispose());
        _space.Dispose();
        _scratch.Dispose();
    }

    private static string Bus(string scheme = "nats", string more = "", int port = 4222) => $"""

        [bus]
        enabled = true
        servers = ["{scheme}://127.0.0.1:{port}"]
        {more}
        """;

    private Daemon Start(string name, string bus) => Kept(Daemon.Start(
        _scratch, _space, new DaemonOptions { Name = name, Interfaces = [], Top = "allow_no_ifaces = true", Tables = bus }));

    private T Kept<T>(T one)
        where T : IDisposable
    {
        _running.Add(one);
        return one;
    }

    private static JsonElement Value(Daemon daemon, string name) => daemon.Api.Get("/v1/bus").Expect(200).Json.GetProperty(name);

    /// <summary>The socket answers a moment before replication starts.</summary>
    private static string State(Daemon daemon) =>
        daemon.Api.Get("/v1/bus") is { Status: 200 } answer ? answer.Json.GetProperty("state").GetString()! : "none";

    private static string Cidrs(Daemon daemon) =>
        string.Join(' ', daemon.Api.Get("/v1/drop").Expect(200).Json.EnumerateArray().Select(entry => entry.GetProperty("cidr").GetString()));

    private static void AssertCounts(int count, params Daemon[] daemons) =>
        AssertSoon(() => daemons.All(daemon => Stats.Count(daemon, "drop") == count), $"every node holds {count} rules", daemons);

    /// <summary>A failure shows what each node held and said.</summary>
    private static void AssertSoon(Func<bool> condition, string what, params Daemon[] daemons)
    {
        try
        {
            Eventually.Holds(condition, what, 60);
        }
        catch (InvalidOperationException e)
        {
            throw new InvalidOperationException(e.Message + string.Concat(daemons.Select(daemon => "\n" + Cidrs(daemon) + "\n" + daemon.Api.Get("/v1/bus").Body + "\n" + daemon.Said)));
        }
    }

    private static void AssertFails(Daemon daemon, string cause)
    {
        Eventually.Holds(() => daemon.Api.Get("/v1/bus").Body.Contains(cause, StringComparison.Ordinal), cause);
        Assert.NotEqual("live", State(daemon));
        Assert.Equal(0, Stats.Count(daemon, "drop"));
    }
}
