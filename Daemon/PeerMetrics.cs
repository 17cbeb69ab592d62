using Couic.Http.Metrics;
using Couic.Http.Wire;
using Couic.Peering;
using Couic.Store;

namespace Couic.Daemon;

/// <summary>The metrics families of peering, and its line in the status.</summary>
internal static class PeerMetrics
{
    public static void Write(MetricsText text, PeeringService peering)
    {
        (string Name, PeerStatus Status)[] peers = [.. peering.Status()
            .Select(status => ($"{status.Host}:{status.Port}", status)).OrderBy(peer => peer.Item1, StringComparer.Ordinal)];
        Family(text, peers, "couic_peer_up", "gauge", "Whether the peer's last answer was good.", s => s.State == PeerState.Up ? 1 : 0);
        Family(text, peers, "couic_peer_in_sync", "gauge", "Whether the peer holds the same rules, by the last comparison.", s => s.InSync == true ? 1 : 0);
        Family(text, peers, "couic_peer_queued", "gauge", "Rules that the peer has yet to confirm.", s => s.Queued);
        Family(text, peers, "couic_peer_oldest_queued_seconds", "gauge", "For how long the oldest of them waits.", s => Math.Round(s.OldestQueued.TotalSeconds, 3));
        Family(text, peers, "couic_peer_clock_offset_seconds", "gauge", "The peer's clock minus ours.", s => Math.Round(s.ClockOffset?.TotalSeconds ?? 0, 3));
        Family(text, peers, "couic_peer_jobs", "counter", "Jobs that the peer confirmed.", s => s.Counters.JobsSent);
        Family(text, peers, "couic_peer_requests", "counter", "Requests to the peer.", s => s.Counters.Requests);
        Family(text, peers, "couic_peer_failures", "counter", "Requests to the peer that failed.", s => s.Counters.Failures);
        Family(text, peers, "couic_peer_sent_bytes", "counter", "Bytes of bodies sent to the peer.", s => s.Counters.BytesSent);
        Family(text, peers, "couic_peer_received_bytes", "counter", "Bytes of bodies received from the peer.", s => s.Counters.BytesReceived);
        Family(text, peers, "couic_peer_records_fetched", "counter", "Rules fetched from the peer in comparisons.", s => s.Counters.RecordsFetched);

        Records(text, peering, "couic_peering_live_records", "gauge", "Rules of the cluster that are known here.", counts => counts.Live);
        Records(text, peering, "couic_peering_waiting_records", "gauge", "Those of them that wait for room in the table.", counts => counts.Waiting);
        Records(text, peering, "couic_peering_removed_records", "gauge", "Removed and expired rules that are remembered until no peer can bring them back.", counts => counts.Tombstones);
        Records(text, peering, "couic_peering_evicted_records", "counter", "Removed rules that were forgotten early as there were too many; an absent peer may bring them back.", counts => counts.Evicted);
        Records(text, peering, "couic_peering_refused_records", "counter", "Changes of peers that were refused as there was no room to remember them.", counts => counts.Refused);
        text.Family("couic_peering_clock_refusals", "counter", "Messages and rules of peers that were refused as a clock is wrong.");
        text.Sample("couic_peering_clock_refusals_total", (ulong)peering.ClockRefusals);
    }

    private static void Records(MetricsText text, PeeringService peering, string name, string type, string help, Func<RecordCounts, double> value)
    {
        text.Family(name, type, help);
        foreach (Policy policy in Policies.All)
        {
            if (peering.Records(policy) is { } counts)
            {
                text.Sample(type == "counter" ? name + "_total" : name, [("policy", policy.Name())], value(counts));
            }
        }
    }

    /// <summary>Null when peering is off.</summary>
    public static PeersStatus? Summary(PeeringService peering)
    {
        if (!peering.Settings.Enabled)
        {
            return null;
        }

        IReadOnlyList<PeerStatus> peers = peering.Status();
        return new PeersStatus(
            (ulong)peers.Count, (ulong)peers.Count(p => p.State == PeerState.Up), (ulong)peers.Count(p => p.InSync == true), (ulong)peers.Sum(p => p.Queued));
    }

    private static void Family(
        MetricsText text, (string Name, PeerStatus Status)[] peers, string name, string type, string help, Func<PeerStatus, double> value)
    {
        text.Family(name, type, help);
        foreach ((string peer, PeerStatus status) in peers)
        {
            text.Sample(type == "counter" ? name + "_total" : name, [("peer", peer)], value(status));
        }
    }
}
