using Microsoft.Extensions.Logging;

namespace Couic.Peering;

internal static partial class PeeringLog
{
    [LoggerMessage(EventId = 400, EventName = "peer-failed", Level = LogLevel.Warning, Message = "send to peer \"{Peer}\": {Cause} ({Queued} rules wait)")]
    public static partial void Failed(ILogger log, string peer, string cause, int queued);

    [LoggerMessage(EventId = 401, EventName = "peer-up", Level = LogLevel.Information, Message = "peer \"{Peer}\" is connected ({Wire} wire)")]
    public static partial void Up(ILogger log, string peer, string wire);

    [LoggerMessage(EventId = 402, EventName = "peer-clock", Level = LogLevel.Warning, Message = "the clock of peer \"{Peer}\" is off by {Seconds} s (rules are not affected; is NTP running on both?)")]
    public static partial void ClockOff(ILogger log, string peer, long seconds);

    [LoggerMessage(EventId = 403, EventName = "peer-policy-refused", Level = LogLevel.Warning, Message = "peer \"{Peer}\" refuses policy {Policy} (401): the token is wrong or the policy is not in its [peering] policies")]
    public static partial void PolicyRefused(ILogger log, string peer, string policy);

    [LoggerMessage(EventId = 404, EventName = "peer-job-refused", Level = LogLevel.Warning, Message = "peer \"{Peer}\" refuses {Policy} {Cidr} with {Status}; the job is given up")]
    public static partial void JobRefused(ILogger log, string peer, string policy, string cidr, int status);

    [LoggerMessage(EventId = 405, EventName = "peer-fetched", Level = LogLevel.Information, Message = "fetched {Policy} rules from peer \"{Peer}\": {Records} records read, {Applied} changes")]
    public static partial void Fetched(ILogger log, string peer, string policy, int records, int applied);

    [LoggerMessage(EventId = 406, EventName = "peer-batch", Level = LogLevel.Information, Message = "peer batch client={Client} policy={Policy} jobs={Jobs} applied={Applied} known={Known} of-sets={OwnedBySet} refused={Refused}")]
    public static partial void Batch(ILogger log, string client, string policy, int jobs, int applied, int known, int ownedBySet, int refused);

    [LoggerMessage(EventId = 407, EventName = "peering-tick-failed", Level = LogLevel.Error, Message = "flush peers: unexpected fault; peering goes on")]
    public static partial void TickFailed(ILogger log, Exception fault);
}
