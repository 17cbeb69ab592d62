using Couic.Api.Contracts;
using Couic.Bpf;
using Couic.Config;
using Couic.Http;
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

    public static Peering.PeeringSettings Peering(Config.PeeringSettings settings)
    {
        var policies = new List<Policy>();
        if (settings.Drop)
        {
            policies.Add(Policy.Drop);
        }

        if (settings.Ignore)
        {
            policies.Add(Policy.Ignore);
        }

        return new Peering.PeeringSettings(settings.Enabled, policies, [.. settings.Peers.Select(
            p => new Peering.PeerSettings(p.Host, p.Port, p.Tls, p.Token, p.CaFile, p.CertFile, p.KeyFile, p.Fingerprint))]);
    }
}
