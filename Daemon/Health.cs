using Couic.Api.Access;
using Couic.Api.Contracts;
using Couic.Journal;
using Couic.Peering;
using Couic.Sets;
using Couic.Store;

namespace Couic.Daemon;

/// <summary>
/// Whether the machine is filtered as configured: the present faults, one line each, with the remedy. Thread-safe.
/// </summary>
internal sealed class Health(
    AttacherChannel attacher, RuleStore store, SetLoader sets, Reloader reloader, PeeringService peering, DriftTimer drift, RuleJournal? journal,
    Func<GuardStatus> guard, CertificateKeeper certificate)
{
    public const string Interface = "interface";
    public const string Attacher = "attacher";
    public const string Configuration = "configuration";
    public const string Set = "set";
    public const string Client = "client";
    public const string Table = "table";
    public const string Peer = "peer";
    public const string Bus = "bus";
    public const string Drift = "drift";
    public const string Guard = "guard";
    public const string Certificate = "certificate";
    public const string Journal = "journal";

    /// <summary>A rule, or a message, that waits for longer is a fault.</summary>
    private static readonly TimeSpan SlowBus = TimeSpan.FromSeconds(30);

    /// <summary>Faults per kind that are listed; the rest are counted.</summary>
    private const int MaxPerKind = 20;

    /// <summary>All kinds, in the order of the list.</summary>
    public static readonly IReadOnlyList<string> Kinds = [Interface, Attacher, Configuration, Set, Client, Table, Peer, Bus, Drift, Guard, Certificate, Journal];

    public IReadOnlyList<FaultStatus> Find() =>
    [
        .. Interfaces(), .. Few(Configuration, reloader.Faults()), .. Few(Set, sets.Faults()), .. Few(Client, reloader.ClientFaults), .. Tables(), .. Peers(),
        .. BusFaults(), .. Few(Drift, drift.Fault is { } fault ? [fault] : []), .. Few(Guard, GuardFaults()),
        .. Few(Certificate, certificate.Fault is { } end ? [end] : []),
        .. Few(Journal, JournalFaults()),
    ];

    private IEnumerable<FaultStatus> Interfaces()
    {
        foreach (InterfaceState state in attacher.States.Where(state => !state.IsAttached))
        {
            yield return new FaultStatus(
                Interface, state.Configured, $"interface \"{state.Configured}\" is not filtered: {state.Error} (it is tried again when interfaces change)");
        }

        if (attacher.IsLost)
        {
            yield return new FaultStatus(Attacher, null, "the attacher process has ended: interfaces that change are not attached again (restart couic)");
        }
    }

    private IEnumerable<FaultStatus> Tables()
    {
        foreach (Policy policy in Enum.GetValues<Policy>())
        {
            foreach (IpFamily family in Enum.GetValues<IpFamily>())
            {
                (int count, int limit) = (store.Count(policy, family), store.Limits.Entries(policy));
                if (count >= limit)
                {
                    string name = $"{policy.Name()} {(family == IpFamily.V4 ? "ipv4" : "ipv6")}";
                    yield return new FaultStatus(
                        Table, name, $"table \"{name}\" is full: {count} of {limit} entries (remove some, or raise [limits] max_{policy.Name()}_entries and restart couic)");
                }
            }
        }
    }

    private IEnumerable<FaultStatus> Peers()
    {
        foreach (PeerStatus peer in peering.Status())
        {
            string name = $"{peer.Host}:{peer.Port}";
            string? fault = peer.State != PeerState.Up ? $"does not answer as a peer: {peer.LastError ?? "it was not asked yet"} (couicctl peers)"
                : peer.Refused.Count > 0 ? $"does not take our changes of {string.Join(", ", peer.Refused.Select(policy => policy.Name()))} (see [peering] in its configuration)"
                : peer.Plain || peer.InSync == true ? null
                : peer.InSync is null ? "was not compared with this node yet (it is within a minute)"
                : $"holds other rules than this node (couicctl peers diff {peer.Host})";
            if (fault is not null)
            {
                yield return new FaultStatus(Peer, name, $"peer \"{name}\" {fault}");
            }
        }
    }

    private IEnumerable<FaultStatus> BusFaults()
    {
        if (peering.BusStatus() is { } bus)
        {
            string? fault = bus.State != BusState.Live ? $"is not followed: {bus.LastError ?? "it was not read to its end yet"} ({bus.Marked} rules wait; couicctl bus)"
                : bus.OldestMarked > SlowBus ? $"does not acknowledge rules: {bus.LastError ?? "no answer"} ({bus.Marked} rules wait; couicctl bus)"
                : bus.Lag > SlowBus ? $"is read too slowly: {bus.Pending} messages are pending (couicctl bus)"
                : null;
            if (fault is not null)
            {
                yield return new FaultStatus(Bus, bus.Name, $"bus \"{bus.Name}\" {fault}");
            }
        }
    }

    private List<string> GuardFaults()
    {
        GuardStatus status = guard();
        return
        [
            .. status.Lockout.Select(lockout =>
                $"{lockout.Address} ({lockout.Role}) is dropped by {lockout.Cidr} (couicctl ignore add {lockout.Address}, or couicctl drop delete {lockout.Cidr})"),
            .. status.Withheld.Select(text => $"not in force, since it would lock out an address that is needed: {text}"),
        ];
    }

    private List<string> JournalFaults()
    {
        var faults = new List<string>();
        if (journal?.Fault is { } fault)
        {
            faults.Add($"the journal is not written: {fault} (a restart forgets the changes of rules since)");
        }

        if (journal?.Damage is { } damage)
        {
            faults.Add($"the journal was not read to its end at the start: {damage}{(journal.Writer.Aside is { } aside ? $" (remove \"{aside}\" when it is not needed)" : "")}");
        }

        return faults;
    }

    private static IEnumerable<FaultStatus> Few(string kind, IReadOnlyList<string> messages)
    {
        foreach (string message in messages.Take(MaxPerKind))
        {
            yield return new FaultStatus(kind, null, message);
        }

        if (messages.Count > MaxPerKind)
        {
            yield return new FaultStatus(kind, null, $"and {messages.Count - MaxPerKind} further faults of kind {kind}");
        }
    }
}
