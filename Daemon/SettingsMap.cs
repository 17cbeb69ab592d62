using Couic.Api.Contracts;
using Couic.Bpf;
using Couic.Config;
using Couic.Http;
using Couic.Peering;
using Couic.Sets;
using Couic.Store;

namespace Couic.Daemon;

/// <summary>Converts the configuration into the settings of each part.</summary>
internal static class SettingsMap
{
    public static PlaneOptions Plane(Settings settings) => new()
    {
        Limits = settings.Store,
        MatchSource = settings.Match.HasFlag(MatchSides.Source),
        MatchDestination = settings.Match.HasFlag(MatchSides.Destination),
        PerEntryCounters = settings.PerEntryCounters,
    };

    public static XdpMode Mode(Settings settings) => settings.OperationMode switch
    {
        OperationMode.Native => XdpMode.Native,
        OperationMode.Offloaded => XdpMode.Offloaded,
        OperationMode.Auto => XdpMode.Auto,
        _ => XdpMode.Generic,
    };

    public static LockoutMode Guard(GuardSettings settings) => settings.Mode switch
    {
        GuardMode.Refuse => LockoutMode.Refuse,
        GuardMode.Off => LockoutMode.Off,
        _ => LockoutMode.Warn,
    };

    /// <summary>For the status: what is looked up.</summary>
    public static IReadOnlyList<string> MatchWords(Settings settings) =>
        [.. new[] { (MatchSides.Source, "source"), (MatchSides.Destination, "destination") }.Where(m => settings.Match.HasFlag(m.Item1)).Select(m => m.Item2)];

    /// <summary>For the status: the interfaces as the attacher last saw them.</summary>
    /// <param name="since">When each interface was attached, by its index.</param>
    public static IReadOnlyList<InterfaceStatus> Interfaces(IEnumerable<InterfaceState> states, IReadOnlyDictionary<int, long> since) =>
        [.. states.Select(s => new InterfaceStatus(
            s.Configured, s.Name, s.IsAttached ? s.Mode : null, s.State.ToString().ToLowerInvariant(), s.IsAttached ? null : s.Error,
            s.IsAttached && since.TryGetValue(s.Index, out long at) ? (ulong)at : null))];

    public static ReloadStatus Reload(ConfigReload last) =>
        new((ulong)last.At.ToUnixTimeSeconds(), last.Ok, last.Ok ? null : last.Message, last.IsStart);

    /// <summary>Peers and the bus: the two ways of replication.</summary>
    public static Peering.PeeringSettings Replication(Settings settings)
    {
        Config.PeeringSettings peering = settings.Peering;
        Config.BusSettings bus = settings.Bus;
        return new Peering.PeeringSettings(peering.Enabled, Policies(peering.Drop, peering.Ignore), [.. peering.Peers.Select(
            p => new Peering.PeerSettings(p.Host, p.Port, p.Tls, p.Token, p.CaFile, p.CertFile, p.KeyFile, p.Fingerprint))])
        {
            Bus = !bus.Enabled ? null : new BusPlan(
                new Bus.BusSettings(
                    string.Join(',', bus.Servers), bus.Name, bus.Replicas, bus.Token, bus.User, bus.Password, bus.NkeyFile, bus.CredentialsFile,
                    bus.CaFile, bus.CertFile, bus.KeyFile),
                Policies(bus.Drop, bus.Ignore)),
        };
    }

    private static List<Policy> Policies(bool drop, bool ignore) =>
        [.. new[] { (Policy.Drop, drop), (Policy.Ignore, ignore) }.Where(policy => policy.Item2).Select(policy => policy.Item1)];
}
