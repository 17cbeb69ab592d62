using Couic.Store;
using Microsoft.Extensions.Logging;

namespace Couic.Http;

/// <summary>What was done over the API, and by whom. Event names are stable; no argument needs memory until it is written.</summary>
internal static partial class AuditLog
{
    [LoggerMessage(EventName = "entry_created", Level = LogLevel.Information,
        Message = "entry created: {policy} {cidr}, client {client}, tag {tag}, expiration {expiration}")]
    public static partial void EntryCreated(ILogger log, string policy, Cidr cidr, string client, Utf8Text tag, ulong expiration);

    [LoggerMessage(EventName = "entry_updated", Level = LogLevel.Information,
        Message = "entry updated: {policy} {cidr}, client {client}, tag {tag}, expiration {expiration}")]
    public static partial void EntryUpdated(ILogger log, string policy, Cidr cidr, string client, Utf8Text tag, ulong expiration);

    [LoggerMessage(EventName = "entry_deleted", Level = LogLevel.Information,
        Message = "entry deleted: {policy} {cidr}, client {client}, tag {tag}, expiration {expiration}")]
    public static partial void EntryDeleted(ILogger log, string policy, Cidr cidr, string client, Utf8Text tag, ulong expiration);

    [LoggerMessage(EventName = "entry_refused_by_kernel", Level = LogLevel.Error,
        Message = "change of entry {policy} {cidr} by client {client} failed: {cause}")]
    public static partial void EntryFailed(ILogger log, string policy, Cidr cidr, string client, string cause);

    [LoggerMessage(EventName = "entry_matches_no_ipv4", Level = LogLevel.Warning,
        Message = "entry {policy} {cidr} of client {client} is an IPv4-mapped IPv6 block: it matches no IPv4 packet")]
    public static partial void EntryIsMapped(ILogger log, string policy, Cidr cidr, string client);

    [LoggerMessage(EventName = "client_created", Level = LogLevel.Information, Message = "client created: {name}, group {group}, by client {client}")]
    public static partial void ClientCreated(ILogger log, string name, string group, string client);

    [LoggerMessage(EventName = "client_deleted", Level = LogLevel.Information, Message = "client deleted: {name}, by client {client}")]
    public static partial void ClientDeleted(ILogger log, string name, string client);

    [LoggerMessage(EventName = "client_failed", Level = LogLevel.Error, Message = "change of client {name} by client {client} failed: {cause}")]
    public static partial void ClientFailed(ILogger log, string name, string client, string cause);
}
