using Couic.Api.Contracts;
using Couic.Cli.Screen;
using Couic.Cli.Top;
using Couic.Store;
using Couic.Tests.Fakes;

namespace Couic.Tests.Cli.Top;

/// <summary>A model with samples of a daemon, and its frames as text.</summary>
internal sealed class TopRig
{
    public const ulong Started = 1_772_000_000;

    private readonly Dictionary<string, CounterRecord> _drop = [];
    private ulong _dropped;
    private ulong _passed;

    public TopRig() => Model = new TopModel(Clock);

    public ManualClock Clock { get; } = new();

    public TopModel Model { get; }

    public TopView View { get; } = new();

    public ulong StartedAt { get; set; } = Started;

    public PeersStatus? Peers { get; set; } = new(3, 2, 2, 12);

    public List<TopEntry>? Entries { get; set; } = [];

    public InterfaceStatus[] Interfaces { get; set; } =
        [new("eth0", "eth0", "native", "attached"), new("wg0", "wg0", null, "missing", "attach xdp program to \"wg0\": no such interface")];

    /// <summary>Counts packets of 60 bytes under a tag of drop.</summary>
    public void Count(string tag, ulong packets)
    {
        CounterRecord before = _drop.GetValueOrDefault(tag) ?? new CounterRecord(0, 0);
        _drop[tag] = new CounterRecord(before.RxPackets + packets, before.RxBytes + (packets * 60));
        _dropped += packets;
    }

    public void Pass(ulong packets) => _passed += packets;

    /// <summary>The daemon is a new process.</summary>
    public void Restart()
    {
        (_dropped, _passed) = (0, 0);
        _drop.Clear();
        StartedAt += 1000;
    }

    /// <summary>A sample, a second after the one before.</summary>
    public void Sample(double seconds = 1)
    {
        Clock.Advance(TimeSpan.FromSeconds(seconds));
        Model.Add(Take());
    }

    public TopSample Take()
    {
        var xdp = new Dictionary<string, CounterRecord>
        {
            ["XDP_DROP"] = new(_dropped, _dropped * 60),
            ["XDP_PASS"] = new(_passed, _passed * 1000),
        };
        var metrics = new MetricsRecord(200_001, 3, xdp, new TagStatsRecord(new(_drop)), new TagStatsRecord(new() { ["office"] = new(7, 700) }));
        TableStatus[] tables =
        [
            new("drop", "ipv4", 200_001, 262_144), new("drop", "ipv6", 12, 262_144), new("ignore", "ipv4", 65_000, 65_536), new("ignore", "ipv6", 0, 65_536),
        ];
        var status = new StatusRecord(
            "2.0.0", Clock.Seconds - StartedAt, StartedAt, ["source"], Interfaces, "running", tables, [], null, null, Peers, null, null, null, null, "ok", []);
        PeerRecord[] peers =
        [
            new("couic2.example.net", 2900, true, "up", false, 0, 0, Clock.Seconds - 3, null, null, 0.1, true, []),
            new("couic3.example.net", 2900, true, "unreachable", false, 12, 60, null, "connection refused", 1, null, null, []),
        ];
        return new TopSample(Clock.GetTimestamp(), Clock.GetUtcNow(), metrics, status, peers, Entries);
    }

    public static TopEntry Entry(string cidr, string? tag, double? rate, ulong packets, ulong lastHit = 0, ulong expiration = 0, Policy policy = Policy.Drop) =>
        new(policy, new EntryRecord { Cidr = cidr, Tag = tag, Rate = rate, Packets = packets, LastHit = lastHit, Expiration = expiration, Creation = 1 });

    public List<ScreenLine> Lines(int width, int height, bool unicode = true) =>
        new TopRenderer(Model, View, unicode).Draw(width, height, Clock.GetUtcNow());

    /// <summary>A frame as text, lines without blanks at their ends.</summary>
    public string Frame(int width, int height, bool unicode = true) =>
        string.Join('\n', Lines(width, height, unicode).Select(line => line.Text.TrimEnd()));

    public void Press(params Key[] keys) => Array.ForEach(keys, key => View.Press(key));

    /// <summary>Half a minute of an attack that begins, grows and ends, on a machine with other traffic.</summary>
    public static TopRig UnderAttack()
    {
        var rig = new TopRig();
        rig.Sample();
        for (ulong i = 0; i < 90; i++)
        {
            rig.Count("scanners", 20 + (i % 7));
            rig.Count("sshd", 3);
            rig.Count("botnet", i is < 30 or > 80 ? 0 : (i - 30) * (i - 30) * 90);
            rig.Pass(5000 + (i * 37 % 900));
            rig.Sample();
        }

        ulong now = rig.Clock.Seconds;
        rig.Entries =
        [
            Entry("203.0.113.0/24", "botnet", 48_211.5, 3_612_001, now - 1),
            Entry("198.51.100.7/32", "botnet", 1_204, 88_121, now, now + 7200),
            Entry("2001:db8:bad::/48", "scanners", 18.4, 12_007, now - 2),
            Entry("192.0.2.128/25", "office", 3, 7, now - 4, 0, Policy.Ignore),
            Entry("192.0.2.7/32", "sshd", 0, 512, now - 400, now + 90),
            Entry("192.0.2.8/32", null, 0, 0),
        ];
        rig.Count("botnet", 49_416);
        rig.Pass(5320);
        rig.Sample();
        return rig;
    }
}
