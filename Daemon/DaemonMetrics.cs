using Couic.Api.Contracts;
using Couic.Api.Events;
using Couic.Api.Metrics;
using Couic.Bpf;
using Couic.Config;
using Couic.Http;
using Couic.Journal;
using Couic.Logging;
using Couic.Logging.Abstractions;
using Couic.Peering;
using Couic.Reporting;
using Couic.Sets;
using Couic.Store;

namespace Couic.Daemon;

/// <summary>The metrics families of the daemon's parts, and the summary of peering in the status.</summary>
internal static class DaemonMetrics
{
    public static void WriteHealth(MetricsText text, Health health, Reloader reloader, SetLoader sets)
    {
        IReadOnlyList<FaultStatus> faults = health.Find();
        text.Family("couic_healthy", "gauge", "Whether everything is filtered, loaded and in agreement as it should be (couicctl status --check).");
        text.Sample("couic_healthy", faults.Count == 0 ? 1UL : 0UL);
        text.Family("couic_faults", "gauge", "What is wrong now, by kind.");
        foreach (string kind in Health.Kinds)
        {
            text.Sample("couic_faults", "kind", kind, (ulong)faults.Count(fault => fault.Kind == kind));
        }

        List<(string Kind, bool Ok, DateTimeOffset At)> reloads = [("configuration", reloader.Last.Ok, reloader.Last.At)];
        if (sets.Last is { } last)
        {
            reloads.Add(("sets", last.IsOk, last.Time));
        }

        text.Family("couic_last_reload_successful", "gauge", "Whether the last load or reload of this kind went well.");
        reloads.ForEach(reload => text.Sample("couic_last_reload_successful", "kind", reload.Kind, reload.Ok ? 1UL : 0UL));
        text.Family("couic_last_reload_timestamp_seconds", "gauge", "When that was, in seconds since 1970.");
        reloads.ForEach(reload => text.Sample("couic_last_reload_timestamp_seconds", "kind", reload.Kind, (ulong)reload.At.ToUnixTimeSeconds()));
    }

    public static void WritePeers(MetricsText text, PeeringService peering)
    {
        (string Name, PeerStatus Status)[] peers = [.. peering.Status()
            .Select(status => ($"{status.Host}:{status.Port}", status)).OrderBy(peer => peer.Item1, StringComparer.Ordinal)];
        PeerFamily(text, peers, "couic_peer_up", "gauge", "Whether the peer's last answer was good.", s => s.State == PeerState.Up ? 1 : 0);
        PeerFamily(text, peers, "couic_peer_in_sync", "gauge", "Whether the peer holds the same rules, by the last comparison.", s => s.InSync == true ? 1 : 0);
        PeerFamily(text, peers, "couic_peer_queued", "gauge", "Rules that the peer has yet to confirm.", s => s.Queued);
        PeerFamily(text, peers, "couic_peer_oldest_queued_seconds", "gauge", "For how long the oldest of them waits.", s => Math.Round(s.OldestQueued.TotalSeconds, 3));
        PeerFamily(text, peers, "couic_peer_clock_offset_seconds", "gauge", "The peer's clock minus ours.", s => Math.Round(s.ClockOffset?.TotalSeconds ?? 0, 3));
        PeerFamily(text, peers, "couic_peer_jobs", "counter", "Jobs that the peer confirmed.", s => s.Counters.JobsSent);
        PeerFamily(text, peers, "couic_peer_requests", "counter", "Requests to the peer.", s => s.Counters.Requests);
        PeerFamily(text, peers, "couic_peer_failures", "counter", "Requests to the peer that failed.", s => s.Counters.Failures);
        PeerFamily(text, peers, "couic_peer_sent_bytes", "counter", "Bytes of bodies sent to the peer.", s => s.Counters.BytesSent);
        PeerFamily(text, peers, "couic_peer_received_bytes", "counter", "Bytes of bodies received from the peer.", s => s.Counters.BytesReceived);
        PeerFamily(text, peers, "couic_peer_records_fetched", "counter", "Rules fetched from the peer in comparisons.", s => s.Counters.RecordsFetched);

        Records(text, peering, "couic_peering_live_records", "gauge", "Rules of the cluster that are known here.", counts => counts.Live);
        Records(text, peering, "couic_peering_waiting_records", "gauge", "Those of them that wait for room in the table.", counts => counts.Waiting);
        Records(text, peering, "couic_peering_removed_records", "gauge", "Removed and expired rules that are remembered until no peer can bring them back.", counts => counts.Tombstones);
        Records(text, peering, "couic_peering_evicted_records", "counter", "Removed rules that were forgotten early as there were too many; an absent peer may bring them back.", counts => counts.Evicted);
        Records(text, peering, "couic_peering_refused_records", "counter", "Changes of peers that were refused as there was no room to remember them.", counts => counts.Refused);
        text.Family("couic_peering_clock_refusals", "counter", "Messages and rules of peers that were refused as a clock is wrong.");
        text.Sample("couic_peering_clock_refusals_total", (ulong)peering.ClockRefusals);
    }

    /// <summary>Nothing without a bus.</summary>
    public static void WriteBus(MetricsText text, PeeringService peering)
    {
        if (peering.BusStatus() is not { } bus)
        {
            return;
        }

        BusCounters counts = bus.Counters;
        Gauge(text, "couic_bus_up", "Whether the stream was read to its end and is followed.", bus.State == BusState.Live ? 1UL : 0UL);
        Gauge(text, "couic_bus_messages", "Messages of the stream: one per rule, and recent removals.", bus.Messages);
        Gauge(text, "couic_bus_lag_messages", "Messages of the stream that this node has not read.", bus.Pending);
        text.Family("couic_bus_lag_seconds", "gauge", "How long ago the stream was read to its end; 0 while nothing is pending.");
        text.Sample("couic_bus_lag_seconds", [], Math.Round(bus.Lag.TotalSeconds, 3));
        Gauge(text, "couic_bus_marked", "Rules that the stream has yet to acknowledge.", (ulong)bus.Marked);
        text.Family("couic_bus_oldest_marked_seconds", "gauge", "For how long the oldest of them waits.");
        text.Sample("couic_bus_oldest_marked_seconds", [], Math.Round(bus.OldestMarked.TotalSeconds, 3));
        Counter(text, "couic_bus_published", "Values that the stream acknowledged.", counts.Published);
        Counter(text, "couic_bus_unacknowledged", "Values that the stream did not acknowledge; they are published again.", counts.Unacknowledged);
        Counter(text, "couic_bus_received", "Messages read from the stream.", counts.Received);
        Counter(text, "couic_bus_applied", "Messages that changed a rule.", counts.Applied);
        Counter(text, "couic_bus_repaired", "Messages that were older than what this node holds; the newer value was published.", counts.Repaired);
        Counter(text, "couic_bus_malformed", "Messages that are not rules.", counts.Malformed);
        Counter(text, "couic_bus_later_version", "Messages of a later version of couic.", counts.LaterVersion);
        Counter(text, "couic_bus_deleted", "Old removals that this node deleted from the stream.", counts.Deleted);
        Counter(text, "couic_bus_swept", "Rules that were removed while this node was away.", counts.Swept);
        Counter(text, "couic_bus_opened", "How often the stream was opened.", counts.Opened);
        Counter(text, "couic_bus_failures", "Faults of the connection, and publications that failed.", counts.Failures);
    }

    private static void Counter(MetricsText text, string name, string help, long value)
    {
        text.Family(name, "counter", help);
        text.Sample(name + "_total", (ulong)value);
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
    public static PeersStatus? SummarizePeers(PeeringService peering)
    {
        if (!peering.Settings.Enabled)
        {
            return null;
        }

        IReadOnlyList<PeerStatus> peers = peering.Status();
        return new PeersStatus(
            (ulong)peers.Count, (ulong)peers.Count(p => p.State == PeerState.Up), (ulong)peers.Count(p => p.InSync == true), (ulong)peers.Sum(p => p.Queued));
    }

    private static void PeerFamily(
        MetricsText text, (string Name, PeerStatus Status)[] peers, string name, string type, string help, Func<PeerStatus, double> value)
    {
        text.Family(name, type, help);
        foreach ((string peer, PeerStatus status) in peers)
        {
            text.Sample(type == "counter" ? name + "_total" : name, [("peer", peer)], value(status));
        }
    }

    /// <param name="configured">The mode that an interface is shown with while it is not attached.</param>
    public static void WriteInterfaces(MetricsText text, AttacherChannel attacher, OperationMode configured)
    {
        text.Family("couic_interface_attached", "gauge", "Whether the interface of the configuration is filtered.");
        foreach ((string label, InterfaceState state) in InterfaceLabels(attacher.States))
        {
            string mode = state.IsAttached ? state.Mode : configured.ToString().ToLowerInvariant();
            text.Sample("couic_interface_attached", [("interface", label), ("mode", mode)], state.IsAttached ? 1 : 0);
        }

        text.Family("couic_interface_attached_timestamp_seconds", "gauge", "Since when the interface has been filtered, over restarts too.");
        IReadOnlyDictionary<int, long> since = attacher.Since;
        foreach ((string label, InterfaceState state) in InterfaceLabels(attacher.States))
        {
            if (state.IsAttached && since.TryGetValue(state.Index, out long at))
            {
                text.Sample("couic_interface_attached_timestamp_seconds", [("interface", label)], (ulong)at);
            }
        }

        text.Family("couic_attacher_up", "gauge", "Whether the process that attaches is there; without it no interface is attached again.");
        text.Sample("couic_attacher_up", attacher.IsLost ? 0UL : 1UL);
    }

    /// <param name="stored">Links that the service manager holds.</param>
    public static void WriteRestart(MetricsText text, RestartStatus restart, int stored)
    {
        Gauge(text, "couic_filter_outlives_process", "Whether interfaces stay filtered over a restart.", restart.Filter == "detached" ? 0UL : 1UL);
        Gauge(text, "couic_stored_links", "Filters that the service manager holds.", (ulong)stored);
        if (restart.HandoverSecs is { } seconds)
        {
            text.Family("couic_handover_seconds", "gauge", "From this start to the end of the earlier filter, which it replaced without a gap.");
            text.Sample("couic_handover_seconds", seconds);
        }
    }

    /// <summary>The configured name; the present one for a renamed interface whose old name another interface has taken.</summary>
    internal static IEnumerable<(string Label, InterfaceState State)> InterfaceLabels(IReadOnlyList<InterfaceState> states)
    {
        var seen = new HashSet<string>();
        return states.Select(state => (seen.Add(state.Configured) ? state.Configured : state.Name, state));
    }

    public static void WriteGuard(MetricsText text, ProtectedAddresses guard)
    {
        GuardStatus status = guard.Status;
        Gauge(text, "couic_guard_protected_addresses", "Addresses that the guard protects.", status.Protected);
        Gauge(text, "couic_guard_locked_out_addresses", "Protected addresses that are dropped now.", (ulong)status.Lockout.Length);
        Gauge(text, "couic_guard_withheld_changes", "Entries of sets and rules of peers that the guard keeps out of force.", (ulong)status.Withheld.Length);
        Gauge(text, "couic_guard_unreadable_sources", "Sources of protected addresses that cannot be read.", (ulong)status.Unreadable.Length);
    }

    private static void Gauge(MetricsText text, string name, string help, ulong value)
    {
        text.Family(name, "gauge", help);
        text.Sample(name, value);
    }

    public static void WriteReports(MetricsText text, ReportSender reports)
    {
        text.Family("couic_reports_queued", "gauge", "Reports that wait to be sent.");
        text.Sample("couic_reports_queued", (ulong)reports.Queued);
        text.Family("couic_reports_sent", "counter", "Reports that the webhook took.");
        text.Sample("couic_reports_sent_total", (ulong)reports.Sent);
        text.Family("couic_reports_dropped", "counter", "Reports that were lost because the queue was full.");
        text.Sample("couic_reports_dropped_total", (ulong)reports.Dropped);
        text.Family("couic_reports_failures", "counter", "Requests to the webhook that failed.");
        text.Sample("couic_reports_failures_total", (ulong)reports.Failures);
    }

    public static void WritePlane(MetricsText text, BpfDataPlane plane)
    {
        text.Family("couic_malformed_packets", "counter", "Frames too short for the header that they announce; they passed to the kernel, which discards them.");
        text.Sample("couic_malformed_packets_total", plane.ReadMalformed().Packets);
        text.Family("couic_frames_too_many_tags", "counter", "Frames dropped because they have more VLAN tags than the filter parses (8).");
        text.Sample("couic_frames_too_many_tags_total", plane.ReadTooManyTags().Packets);
    }

    public static void WriteLog(MetricsText text, LogFactory logs)
    {
        text.Family("couic_log_lines_dropped", "counter", "Log lines that were dropped because the queue was full.");
        text.Sample("couic_log_lines_dropped_total", (ulong)logs.Dropped);
        text.Family("couic_log_lines_lost", "counter", "Log lines that could not be written to the log file.");
        text.Sample("couic_log_lines_lost_total", (ulong)logs.Lost);
    }

    public static void WriteEvents(MetricsText text, EventHub events)
    {
        Gauge(text, "couic_event_listeners", "Clients that are connected to the stream of events.", (ulong)events.ListenerCount);
        text.Family("couic_events_lost", "counter", "Events that listeners were told they lost, added up.");
        text.Sample("couic_events_lost_total", (ulong)events.Lost);
    }

    public static void WriteJournal(MetricsText text, RuleJournal? journal)
    {
        if (journal is null)
        {
            return;
        }

        text.Family("couic_journal_bytes", "gauge", "Size of the journal that keeps dynamic rules.");
        text.Sample("couic_journal_bytes", (ulong)journal.Writer.Bytes);
        text.Family("couic_journal_records", "gauge", "Rules in the journal, and with peers the removed rules that they may not know of.");
        text.Sample("couic_journal_records", (ulong)journal.Writer.Records);
        text.Family("couic_journal_sync_age_seconds", "gauge", "Age of the oldest change of a rule that may not be on the disk.");
        text.Sample("couic_journal_sync_age_seconds", journal.SyncAge.TotalSeconds);
        text.Family("couic_journal_write_errors", "counter", "Writes to the journal that failed.");
        text.Sample("couic_journal_write_errors_total", (ulong)journal.Writer.Errors);
        text.Family("couic_journal_compactions", "counter", "How often the journal was written as a whole.");
        text.Sample("couic_journal_compactions_total", (ulong)journal.Writer.Compactions);
        text.Family("couic_journal_restored_rules", "gauge", "Rules of the journal at the start, by what became of them.");
        RestoreCounts restored = journal.Restored;
        foreach ((string name, int count) in ((string, int)[])[
            ("in_force", restored.Rules), ("expired", restored.Expired), ("of_set", restored.OwnedBySet), ("refused", restored.Refused)])
        {
            text.Sample("couic_journal_restored_rules", "outcome", name, (ulong)count);
        }

        text.Family("couic_journal_damaged", "gauge", "Whether the journal was not read to its end at the start.");
        text.Sample("couic_journal_damaged", journal.Damage is null ? 0UL : 1UL);
    }

    public static JournalStatus SummarizeJournal(RuleJournal journal) => new(
        (ulong)journal.Writer.Bytes, (ulong)journal.Writer.Records, Math.Round(journal.SyncAge.TotalSeconds, 3), (ulong)journal.Writer.Errors,
        (ulong)journal.Restored.Rules, (ulong)journal.Restored.Expired, (ulong)(journal.Restored.OwnedBySet + journal.Restored.Refused), journal.Fault, journal.Damage);

    public static void WriteErrors(MetricsText text)
    {
        text.Family("couic_internal_errors", "counter", "Exceptions that nothing but the top-level handler of a loop, timer or callback caught: bugs, or no memory.");
        foreach (Place place in Enum.GetValues<Place>())
        {
            text.Sample("couic_internal_errors_total", "where", place.Name(), (ulong)InternalErrors.Count(place));
        }
    }

    public static void WriteTls(MetricsText text, CertificateKeeper certificate, HttpServer server)
    {
        if (certificate.Current is not { } current)
        {
            return;
        }

        text.Family("couic_tls_certificate_expiry_timestamp_seconds", "gauge", "When the certificate of [server.tls] ends, in seconds since 1970.");
        text.Sample("couic_tls_certificate_expiry_timestamp_seconds", (ulong)current.NotAfter.ToUnixTimeSeconds());
        (long established, long failed, long timedOut) = server.HandshakeCounts;
        text.Family("couic_tls_handshakes", "counter", "TLS handshakes by their ends.");
        text.Sample("couic_tls_handshakes_total", "result", "established", (ulong)established);
        text.Sample("couic_tls_handshakes_total", "result", "failed", (ulong)failed);
        text.Sample("couic_tls_handshakes_total", "result", "timed_out", (ulong)timedOut);
    }
}
