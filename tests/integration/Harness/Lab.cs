using System.Text.Json;

namespace Couic.IntegrationTests.Harness;

/// <summary>
/// Two namespaces joined by a veth pair: <see cref="Inside"/> is the machine with the filter, on <c>cin</c>
/// (10.77.0.1, fd77::1), <see cref="Outside"/> is the world, on <c>cout</c> (10.77.0.2, fd77::2).
/// </summary>
public sealed class Lab : IDisposable
{
    public const string Interface = "cin";
    public const string OuterInterface = "cout";
    public const string InsideV4 = "10.77.0.1";
    public const string OutsideV4 = "10.77.0.2";
    public const string InsideV6 = "fd77::1";
    public const string OutsideV6 = "fd77::2";

    private Probe? _probe;

    public Lab() => MakePair();

    public NetSpace Inside { get; } = new();

    public NetSpace Outside { get; } = new();

    public Scratch Scratch { get; } = new();

    /// <summary>Sends frames from outside and sees which of them get past the filter.</summary>
    public Probe Probe => _probe ??= new Probe(Inside, Interface, Outside, OuterInterface);

    /// <summary>Runs <c>ip</c> inside.</summary>
    public string Ip(params string[] arguments) => Shell.Check(Inside, "ip", arguments);

    /// <summary>What the kernel says is attached to the interface, such as <c>xdpgeneric</c>; empty for nothing.</summary>
    public string Attached(string device = Interface)
    {
        string line = Ip("-o", "link", "show", "dev", device);
        string? word = line.Split(' ').FirstOrDefault(w => w.StartsWith("xdp", StringComparison.Ordinal) || w.StartsWith("prog/xdp", StringComparison.Ordinal));
        return word ?? "";
    }

    /// <summary>The mode and the id of the program that is attached to the interface.</summary>
    public string Program()
    {
        using JsonDocument shown = JsonDocument.Parse(Ip("-j", "link", "show", "dev", Interface));
        return shown.RootElement[0].GetProperty("xdp").GetRawText();
    }

    /// <summary>Deletes the interfaces and creates them again under the same names.</summary>
    public void RemakePair()
    {
        Ip("link", "delete", Interface);
        MakePair();
    }

    public void Dispose()
    {
        _probe?.Dispose();
        Inside.Dispose();
        Outside.Dispose();
        Scratch.Dispose();
    }

    private void MakePair()
    {
        // One queue a side: packets cannot overtake each other on their way.
        Shell.Check(
            Outside, "ip", "link", "add", OuterInterface, "numtxqueues", "1", "numrxqueues", "1", "type", "veth",
            "peer", "name", Interface, "numtxqueues", "1", "numrxqueues", "1", "netns", Inside.Path);
        ConfigurePair();
    }

    /// <summary>Adds the addresses of both ends and sets them up, which a move to another namespace or a new creation has lost.</summary>
    public void ConfigurePair()
    {
        Configure(Inside, Interface, "02:00:00:00:00:01", InsideV4, InsideV6);
        Configure(Outside, OuterInterface, "02:00:00:00:00:02", OutsideV4, OutsideV6);
    }

    private static void Configure(NetSpace space, string device, string hardware, string v4, string v6)
    {
        Shell.Check(space, "ip", "link", "set", device, "address", hardware);
        Shell.Check(space, "ip", "address", "replace", v4 + "/24", "dev", device);
        Shell.Check(space, "ip", "address", "replace", v6 + "/64", "dev", device, "nodad");
        Shell.Check(space, "ip", "link", "set", device, "up");
    }
}
