using Couic.Config;
using Couic.Http.Wire;

namespace Couic.Daemon;

/// <summary>Names the peers to whom a token would be sent without TLS over a network.</summary>
internal static class ClearTokens
{
    public static IEnumerable<string> WarningsOf(PeeringSettings peering) => peering.Enabled
        ? peering.Peers.Where(peer => !peer.Tls && !Loopback.IsHost(peer.Host))
            .Select(peer => $"peering.peers {peer}: its token goes over the network in clear (set tls = true)")
        : [];
}
