using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Net;
using System.Runtime.CompilerServices;
using System.Text;
using Couic.Logging.Abstractions;
using Couic.Store;
using Microsoft.Extensions.Logging;
using ZLogger;

namespace Couic.Api;

/// <summary>What clients did over the API. Event names are stable; lines about entries allocate nothing.</summary>
[UnconditionalSuppressMessage("Trimming", "IL2026", Justification = Unused)]
[UnconditionalSuppressMessage("AOT", "IL3050", Justification = Unused)]
internal static partial class AuditLog
{
    /// <summary>An IPv6 address with its scope.</summary>
    private const int MaxAddressLength = 65;

    private const string Unused = "ZLogger's generator serializes parameters for its own JSON formatter, which is not linked";

    public static void EntryCreated(ILogger log, Policy policy, in Entry entry, ReadOnlySpan<byte> client, IPAddress? address)
    {
        if (!log.IsEnabled(LogLevel.Information))
        {
            return;
        }

        if (entry.Reason.IsEmpty)
        {
            EntryCreated(log, FieldsOf(policy, entry, client, address));
        }
        else
        {
            EntryCreatedFor(log, FieldsOf(policy, entry, client, address), Encoding.UTF8.GetString(entry.Reason.Span));
        }
    }

    public static void EntryUpdated(ILogger log, Policy policy, in Entry entry, ReadOnlySpan<byte> client, IPAddress? address)
    {
        if (!log.IsEnabled(LogLevel.Information))
        {
            return;
        }

        if (entry.Reason.IsEmpty)
        {
            EntryUpdated(log, FieldsOf(policy, entry, client, address));
        }
        else
        {
            EntryUpdatedFor(log, FieldsOf(policy, entry, client, address), Encoding.UTF8.GetString(entry.Reason.Span));
        }
    }

    public static void EntryDeleted(ILogger log, Policy policy, in Entry entry, ReadOnlySpan<byte> client, IPAddress? address)
    {
        if (!log.IsEnabled(LogLevel.Information))
        {
            return;
        }

        if (entry.Reason.IsEmpty)
        {
            EntryDeleted(log, FieldsOf(policy, entry, client, address));
        }
        else
        {
            EntryDeletedFor(log, FieldsOf(policy, entry, client, address), Encoding.UTF8.GetString(entry.Reason.Span));
        }
    }

    public static void ClaimAdded(ILogger log, in ChangeRequest change, string from) => ClaimAdded(
        log, change.Policy.Name(), change.Cidr, Encoding.UTF8.GetString(change.Tag), Encoding.UTF8.GetString(change.Creator), from, change.Expiration);

    public static void ClaimRemoved(ILogger log, in ChangeRequest change, string from) => ClaimRemoved(
        log, change.Policy.Name(), change.Cidr, Encoding.UTF8.GetString(change.Tag), Encoding.UTF8.GetString(change.Creator), from,
        Encoding.UTF8.GetString(change.Entry.Tag.Span));

    [LoggerMessage(EventName = "entry_claimed", Level = LogLevel.Information,
        Message = "claim added: {policy} {cidr}, tag {tag}, by client {client} from {from}, expiration {expiration}; another tag's claim lasts longer")]
    private static partial void ClaimAdded(ILogger log, string policy, Cidr cidr, string tag, string client, string from, ulong expiration);

    [LoggerMessage(EventName = "entry_unclaimed", Level = LogLevel.Information,
        Message = "claim removed: {policy} {cidr}, tag {tag}, by client {client} from {from}; the entry stays under tag {shown}")]
    private static partial void ClaimRemoved(ILogger log, string policy, Cidr cidr, string tag, string client, string from, string shown);

    [LoggerMessage(EventName = "entry_failed", Level = LogLevel.Error, Message = "change of entry {policy} {cidr} by client {client} from {from} failed: {cause}")]
    public static partial void EntryFailed(ILogger log, string policy, Cidr cidr, string client, string from, string cause);

    [LoggerMessage(EventName = "entry_matches_no_ipv4", Level = LogLevel.Warning,
        Message = "entry {policy} {cidr} of client {client} is an IPv4-mapped IPv6 block: it matches no IPv4 packet")]
    public static partial void EntryIsMapped(ILogger log, string policy, Cidr cidr, string client);

    [LoggerMessage(EventName = "entry_may_lock_out", Level = LogLevel.Warning,
        Message = "entry {policy} {cidr} of client {client} {objection}")]
    public static partial void EntryMayLockOut(ILogger log, string policy, Cidr cidr, string client, string objection);

    [LoggerMessage(EventName = "peer_jobs_out_of_rails", Level = LogLevel.Warning,
        Message = "client {client}: {count} changes of a peer are not applied: {cause}")]
    public static partial void PeerJobsOutOfRails(ILogger log, string client, int count, string cause);

    [LoggerMessage(EventName = "client_created", Level = LogLevel.Information, Message = "client created: {name}, group {group}, by client {client} from {from}")]
    public static partial void ClientCreated(ILogger log, string name, string group, string client, string from);

    [LoggerMessage(EventName = "client_deleted", Level = LogLevel.Information, Message = "client deleted: {name}, by client {client} from {from}")]
    public static partial void ClientDeleted(ILogger log, string name, string client, string from);

    [LoggerMessage(EventName = "client_failed", Level = LogLevel.Error, Message = "change of client {name} by client {client} from {from} failed: {cause}")]
    public static partial void ClientFailed(ILogger log, string name, string client, string from, string cause);

    [LoggerMessage(EventName = "set_created", Level = LogLevel.Information, Message = "set created: {policy} {name}, {entries} entries, by client {client} from {from}")]
    public static partial void SetCreated(ILogger log, string policy, string name, int entries, string client, string from);

    [LoggerMessage(EventName = "set_updated", Level = LogLevel.Information, Message = "set updated: {policy} {name}, {entries} entries, by client {client} from {from}")]
    public static partial void SetUpdated(ILogger log, string policy, string name, int entries, string client, string from);

    [LoggerMessage(EventName = "set_deleted", Level = LogLevel.Information, Message = "set deleted: {policy} {name}, by client {client} from {from}")]
    public static partial void SetDeleted(ILogger log, string policy, string name, string client, string from);

    [LoggerMessage(EventName = "set_failed", Level = LogLevel.Error, Message = "change of set {policy} {name} by client {client} from {from} failed: {cause}")]
    public static partial void SetFailed(ILogger log, string policy, string name, string client, string from, string cause);

    [LoggerMessage(EventName = "bulk_applied", Level = LogLevel.Information,
        Message = "bulk {action} of {policy} by client {client} from {from}: {created} created, {updated} updated, {unchanged} unchanged, {removed} removed, {absent} absent, {rejected} rejected; changed: {networks}")]
    public static partial void BulkApplied(
        ILogger log, string action, string policy, string client, string from, long created, long updated, long unchanged, long removed, long absent, long rejected, string networks);

    [LoggerMessage(EventName = "tag_removed", Level = LogLevel.Information,
        Message = "tag {tag} removed from {policy} by client {client} from {from}: {removed} entries")]
    public static partial void TagRemoved(ILogger log, string policy, string tag, string client, string from, long removed);

    [LoggerMessage(EventName = "bulk_broken", Level = LogLevel.Error, Message = "bulk {action} of {policy} by client {client} from {from} broke off: {cause}")]
    public static partial void BulkBroken(ILogger log, string action, string policy, string client, string from, string cause);

    [ZLoggerMessage(EventName = "entry_created", Level = LogLevel.Information, Message = "entry created{fields}")]
    private static partial void EntryCreated(ILogger log, LogFields fields);

    [ZLoggerMessage(EventName = "entry_created", Level = LogLevel.Information, Message = "entry created{fields}: {reason}")]
    private static partial void EntryCreatedFor(ILogger log, LogFields fields, string reason);

    [ZLoggerMessage(EventName = "entry_updated", Level = LogLevel.Information, Message = "entry updated{fields}")]
    private static partial void EntryUpdated(ILogger log, LogFields fields);

    [ZLoggerMessage(EventName = "entry_updated", Level = LogLevel.Information, Message = "entry updated{fields}: {reason}")]
    private static partial void EntryUpdatedFor(ILogger log, LogFields fields, string reason);

    [ZLoggerMessage(EventName = "entry_deleted", Level = LogLevel.Information, Message = "entry deleted{fields}")]
    private static partial void EntryDeleted(ILogger log, LogFields fields);

    [ZLoggerMessage(EventName = "entry_deleted", Level = LogLevel.Information, Message = "entry deleted{fields}: {reason}")]
    private static partial void EntryDeletedFor(ILogger log, LogFields fields, string reason);

    [SkipLocalsInit] // only what was written is read
    private static LogFields FieldsOf(Policy policy, in Entry entry, ReadOnlySpan<byte> client, IPAddress? address)
    {
        Span<byte> cidr = stackalloc byte[Cidr.MaxTextLength];
        var fields = new LogFields();
        fields.AddWord("client"u8, client);
        if (address is not null)
        {
            Span<byte> from = stackalloc byte[MaxAddressLength];
            fields.AddWord("from"u8, address.TryFormat(from, out int length) ? from[..length] : default);
        }

        fields.AddWord("policy"u8, policy.Utf8Name());
        fields.AddWord("cidr"u8, cidr[..entry.Cidr.Format(cidr)]);
        fields.AddWord("tag"u8, entry.Tag.Span);
        fields.Add("expiration"u8, entry.Expiration);
        return fields;
    }
}

/// <summary>The first of many changed entries, for one log line of bounded length. Not thread-safe.</summary>
internal sealed class AuditSample
{
    /// <summary>Characters of the names: some 400 IPv4 hosts, within the limit of a log line.</summary>
    public const int MaxLength = 7_000;

    private readonly StringBuilder _named = new();
    private long _count;
    private long _unnamed;
    private string _tag = string.Empty;

    public void Add(Cidr network, ReadOnlySpan<byte> tag, string policy = "")
    {
        _count++;
        if (_unnamed > 0 || _named.Length > MaxLength)
        {
            _unnamed++;
            return;
        }

        _named.Append(_count == 1 ? "" : ", ").Append(policy).Append(policy.Length > 0 ? " " : "").Append(network);
        string text = Encoding.UTF8.GetString(tag);
        if (text != _tag)
        {
            _tag = text;
            _named.Append(" (").Append(text.Length > 0 ? text : "untagged").Append(')');
        }
    }

    /// <summary><c>192.0.2.1/32 (tag), 192.0.2.2/32 and 49,945 more</c>: a tag holds for the entries that follow it.</summary>
    public override string ToString() => _unnamed > 0
        ? string.Create(CultureInfo.InvariantCulture, $"{_named} and {_unnamed:N0} more")
        : _named.ToString();
}
