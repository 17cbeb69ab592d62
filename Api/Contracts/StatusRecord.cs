namespace Couic.Api.Contracts;

/// <summary>The answer of <c>GET /v1/status</c>: the daemon on one screen. Times are seconds since 1970.</summary>
/// <param name="UptimeSecs">Since the start of the daemon.</param>
/// <param name="Match">What is looked up: <c>source</c>, <c>destination</c>.</param>
/// <param name="Attacher">The process that attaches: <c>running</c> or <c>lost</c>.</param>
/// <param name="LastReload">Null when there was none since the start.</param>
/// <param name="Peers">Null when peering is off.</param>
/// <param name="Consistency">Whether kernel and store agree.</param>
/// <param name="Guard">The lockout guard.</param>
/// <param name="Certificate">Null when the network is not served, or not with TLS.</param>
/// <param name="Journal">Null where a restart forgets dynamic rules.</param>
/// <param name="Restart">What a restart keeps.</param>
/// <param name="Health"><c>ok</c>, or <c>degraded</c> when there are <paramref name="Faults"/>.</param>
public sealed record StatusRecord(
    string Version,
    ulong UptimeSecs,
    ulong StartedAt,
    string[]? Match,
    InterfaceStatus[]? Interfaces,
    string? Attacher,
    TableStatus[]? Tables,
    TagStatus[]? Tags,
    ulong? KernelMemoryBytes,
    ulong? ResidentMemoryBytes,
    PeersStatus? Peers,
    LastReload? LastReload,
    ReloadsStatus? Reloads,
    ConsistencyStatus? Consistency,
    GuardStatus? Guard,
    string? Health,
    FaultStatus[]? Faults,
    CertificateStatus? Certificate = null,
    JournalStatus? Journal = null,
    RestartStatus? Restart = null,
    ClientStatus? Client = null);

/// <summary>What outlives this process, when it restarts or crashes.</summary>
/// <param name="Filter"><c>stored</c> by the service manager, <c>pinned</c>, or <c>detached</c>: then nothing is filtered until the next start is complete.</param>
/// <param name="Rules"><c>kept</c> or <c>volatile</c>: the rules of the API and of peers.</param>
/// <param name="HandoverSecs">From this start to the end of the earlier filter, which it replaced without a gap; null when there was none.</param>
public sealed record RestartStatus(string Filter, string Rules, double? HandoverSecs);

/// <summary>The client that asks.</summary>
/// <param name="May">What its group allows, such as <c>entries_read</c>.</param>
public sealed record ClientStatus(string Name, string Group, string[] May);

/// <param name="Configured">As the configuration names it.</param>
/// <param name="Name">As the kernel names it now: another one after a renaming, or for an alternative name.</param>
/// <param name="Mode"><c>generic</c>, <c>native</c> or <c>offloaded</c>; null when it is not attached.</param>
/// <param name="State"><c>attached</c>, <c>missing</c>, <c>taken</c> (it has another XDP program) or <c>failed</c>.</param>
/// <param name="Error">Why it is not attached; null when it is.</param>
/// <param name="AttachedAt">Since when it has been filtered, over restarts too; null when it is not attached, or the time is unknown.</param>
public sealed record InterfaceStatus(string? Configured, string Name, string? Mode, string State, string? Error = null, ulong? AttachedAt = null);

/// <param name="Family"><c>ipv4</c> or <c>ipv6</c>.</param>
public sealed record TableStatus(string Policy, string Family, ulong Entries, ulong Limit);

/// <summary>Tags that have a counter.</summary>
public sealed record TagStatus(string Policy, ulong Used, ulong Limit);

/// <param name="Up">Peers whose last answer was good.</param>
/// <param name="InSync">Peers that hold the same rules.</param>
/// <param name="Queued">CIDRs that some peer has yet to confirm.</param>
public sealed record PeersStatus(ulong Configured, ulong Up, ulong InSync, ulong Queued);

/// <param name="Message">What went wrong; null when it went well.</param>
/// <param name="AtStart">Whether it was the start of the daemon, not a reload.</param>
public sealed record ReloadStatus(ulong At, bool Ok, string? Message, bool AtStart = false);

/// <summary>The last reload, of either kind.</summary>
public sealed record LastReload(ulong At, bool Ok, string? Message);

/// <summary>The last time that each was loaded, or tried to be.</summary>
public sealed record ReloadsStatus(ReloadStatus? Configuration, ReloadStatus? Sets);

/// <summary>Something that is wrong now.</summary>
/// <param name="Kind"><c>interface</c>, <c>attacher</c>, <c>configuration</c>, <c>set</c>, <c>client</c>, <c>table</c>, <c>peer</c>, <c>drift</c>, <c>guard</c>, <c>certificate</c> or <c>journal</c>.</param>
/// <param name="Subject">The interface, table or peer; null for others.</param>
/// <param name="Message">One line that says what to do.</param>
public sealed record FaultStatus(string Kind, string? Subject, string Message);

/// <param name="LastCheck">Null before the first comparison.</param>
/// <param name="Drift">Differences found and repaired since the start.</param>
public sealed record ConsistencyStatus(bool Ok, ulong? LastCheck, ulong Drift);

/// <param name="Mode"><c>warn</c>, <c>refuse</c> or <c>off</c>.</param>
/// <param name="Protected">How many addresses are protected.</param>
/// <param name="Lockout">The protected addresses that are dropped now.</param>
/// <param name="Withheld">Entries of sets and rules of peers that are kept out of force, with the reasons.</param>
/// <param name="Unreadable">Sources of addresses that cannot be read.</param>
public sealed record GuardStatus(string Mode, ulong Protected, LockoutStatus[] Lockout, string[] Withheld, UnreadableStatus[] Unreadable);

/// <summary>The certificate of <c>[server.tls]</c>; times are seconds since 1970.</summary>
/// <param name="Fingerprint"><c>sha256:</c> and 64 hexadecimal digits.</param>
/// <param name="Names">DNS names and addresses that it is for.</param>
public sealed record CertificateStatus(ulong NotBefore, ulong NotAfter, string Fingerprint, string[] Names);

/// <param name="Role">Such as <c>the default gateway</c>.</param>
/// <param name="Cidr">The entry of drop that covers it.</param>
public sealed record LockoutStatus(string Address, string Role, string Cidr);

/// <summary>The journal of rules, with <c>[state] dynamic = "kept"</c>.</summary>
/// <param name="Records">Rules, and with peers the removed rules that they may not know of.</param>
/// <param name="SyncAgeSecs">Age of the oldest change that may not be on the disk.</param>
/// <param name="Restored">Rules that the start brought back into force.</param>
/// <param name="Expired">Rules whose time ended before the start.</param>
/// <param name="Dropped">Rules that were not restored: a set defines them now, or they were refused.</param>
/// <param name="Fault">Why changes are not kept now; null when they are.</param>
/// <param name="Damage">What of the journal could not be read at the start; null when all could.</param>
public sealed record JournalStatus(
    ulong Bytes, ulong Records, double SyncAgeSecs, ulong WriteErrors, ulong Restored, ulong Expired, ulong Dropped, string? Fault, string? Damage);

public sealed record UnreadableStatus(string Source, string Cause);
