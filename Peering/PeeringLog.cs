using Microsoft.Extensions.Logging;

namespace Couic.Peering;

internal static partial class PeeringLog
{
    [LoggerMessage(EventName = "peer_failed", Level = LogLevel.Warning, Message = "send to peer \"{Peer}\": {Cause} ({Queued} rules wait)")]
    public static partial void Failed(ILogger log, string peer, string cause, int queued);

    [LoggerMessage(EventName = "peer_up", Level = LogLevel.Information, Message = "peer \"{Peer}\" is connected {Transport} ({Kind})")]
    public static partial void Up(ILogger log, string peer, string transport, string kind);

    [LoggerMessage(EventName = "peer_clock_off", Level = LogLevel.Warning, Message = "the clock of peer \"{Peer}\" is off by {Seconds} s (rules are not affected; is NTP running on both?)")]
    public static partial void ClockOff(ILogger log, string peer, long seconds);

    [LoggerMessage(EventName = "peer_policy_refused", Level = LogLevel.Warning, Message = "peer \"{Peer}\" refuses policy {Policy} (401): the token is wrong or the policy is not in its [peering] policies")]
    public static partial void PolicyRefused(ILogger log, string peer, string policy);

    [LoggerMessage(EventName = "peer_job_refused", Level = LogLevel.Warning, Message = "peer \"{Peer}\" refuses {Policy} {Cidr} with {Status}; the job is given up")]
    public static partial void JobRefused(ILogger log, string peer, string policy, string cidr, int status);

    [LoggerMessage(EventName = "peer_rules_fetched", Level = LogLevel.Information, Message = "fetched {Policy} rules from peer \"{Peer}\": {Records} records read, {Applied} changes")]
    public static partial void Fetched(ILogger log, string peer, string policy, int records, int applied);

    [LoggerMessage(EventName = "peer_batch", Level = LogLevel.Information, Message = "peer batch: {Policy}, client {Client}, {Jobs} jobs, {Applied} applied, {Known} stale, {OwnedBySet} of sets, {Refused} refused")]
    public static partial void Batch(ILogger log, string client, string policy, int jobs, int applied, int known, int ownedBySet, int refused);

    [LoggerMessage(EventName = "peer_clock_refused", Level = LogLevel.Warning, Message = "refuse peer client \"{Client}\": {Objection} (is NTP running on both?)")]
    public static partial void ClockRefused(ILogger log, string client, string objection);

    [LoggerMessage(EventName = "peering_restamped", Level = LogLevel.Warning, Message = "renew versions of {Policy} rules: the wall clock was set back, and {Count} versions were ahead of it")]
    public static partial void VersionsRenewed(ILogger log, string policy, int count);

    [LoggerMessage(EventName = "peer_fault", Level = LogLevel.Error, Message = "flush peer \"{Peer}\": unexpected fault; the other peers are not affected")]
    public static partial void SessionFault(ILogger log, string peer, Exception fault);

    [LoggerMessage(EventName = "peering_upkeep_failed", Level = LogLevel.Error, Message = "keep {Policy} records: unexpected fault; peering continues")]
    public static partial void UpkeepFailed(ILogger log, string policy, Exception fault);

    [LoggerMessage(EventName = "peer_change_may_lock_out", Level = LogLevel.Warning, Message = "{Action} of {Policy} {Cidr} by peer client {Client}: {Reason}")]
    public static partial void MayLockOut(ILogger log, string action, string policy, Couic.Store.Cidr cidr, string client, string reason);

    [LoggerMessage(EventName = "peer_change_withheld", Level = LogLevel.Error, Message = "{Action} of {Policy} {Cidr} by peer client {Client} is not made here: {Reason}")]
    public static partial void Withheld(ILogger log, string action, string policy, Couic.Store.Cidr cidr, string client, string reason);

    [LoggerMessage(EventName = "bus_live", Level = LogLevel.Information, Message = "bus \"{Name}\" is read to its end and followed, through {Server} ({Messages} messages)")]
    public static partial void BusLive(ILogger log, string name, string server, ulong messages);

    [LoggerMessage(EventName = "bus_failed", Level = LogLevel.Warning, Message = "use bus \"{Name}\": {Cause} ({Marked} rules wait; it is tried again)")]
    public static partial void BusFailed(ILogger log, string name, string cause, int marked);

    [LoggerMessage(EventName = "bus_created_again", Level = LogLevel.Warning, Message = "the stream of bus \"{Name}\" was created again: this node publishes what it lacks")]
    public static partial void BusCreatedAgain(ILogger log, string name);

    [LoggerMessage(EventName = "bus_lacks", Level = LogLevel.Warning, Message = "the stream of bus \"{Name}\" has lost rules that it had acknowledged: it is read again, and this node publishes what it lacks")]
    public static partial void BusLacks(ILogger log, string name);

    [LoggerMessage(EventName = "bus_swept", Level = LogLevel.Information, Message = "{Count} rules of {Policy} were removed from the bus while this node was away: removed here too")]
    public static partial void BusSwept(ILogger log, string policy, int count);
}
