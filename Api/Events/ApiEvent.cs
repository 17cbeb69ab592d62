using System.Buffers;
using System.Buffers.Text;
using Couic.Http;
using Couic.Store;

namespace Couic.Api.Events;

/// <summary>What an event is about.</summary>
internal enum EventType : byte
{
    Rule,
    Set,
    Client,
    Interface,
    Peer,
}

internal enum EventAction : byte
{
    Created,
    Updated,
    Deleted,
    Expired,
    Reloaded,

    /// <summary>An interface or a peer has another state.</summary>
    Changed,
}

/// <summary>Which way a change came in.</summary>
internal enum EventCause : byte
{
    Api,

    /// <summary>One of many changes of a request.</summary>
    Bulk,
    Peer,
    Set,
    Expiry,

    /// <summary>A reload of the configuration or of the sets.</summary>
    Reload,

    /// <summary>The machine: an interface that came or went.</summary>
    System,
}

/// <summary>One event, as the ring keeps it: its names are arrays that other objects own.</summary>
internal struct ApiEvent
{
    /// <summary>Milliseconds since 1970.</summary>
    public long Time;
    public EventType Type;
    public EventAction Action;
    public EventCause Cause;

    /// <summary>Null where no policy is concerned.</summary>
    public Policy? Policy;

    /// <summary>Of a rule only.</summary>
    public Cidr Cidr;

    /// <summary>Of a rule only: seconds since 1970, 0 for never.</summary>
    public ulong Expiration;

    /// <summary>Of a rule or a set.</summary>
    public ReadOnlyMemory<byte> Tag;

    /// <summary>Of a rule: why it exists; empty for none.</summary>
    public ReadOnlyMemory<byte> Reason;

    /// <summary>Name of the client, peer or set that made the change; empty when there is none.</summary>
    public ReadOnlyMemory<byte> By;

    /// <summary>Further members of the JSON object, each after its comma; null for none.</summary>
    public byte[]? Members;

    public static ApiEvent Of(in RuleEvent change)
    {
        bool isRemoval = change.Kind is RuleEventKind.Deleted or RuleEventKind.Expired;
        return new ApiEvent
        {
            Type = EventType.Rule,
            Action = change.Kind switch
            {
                RuleEventKind.Created => EventAction.Created,
                RuleEventKind.Updated => EventAction.Updated,
                RuleEventKind.Expired => EventAction.Expired,
                _ => EventAction.Deleted,
            },
            Cause = change.Origin switch
            {
                ChangeOrigin.Peer => EventCause.Peer,
                ChangeOrigin.Set => EventCause.Set,
                ChangeOrigin.Expiry => EventCause.Expiry,
                _ => change.IsBulk ? EventCause.Bulk : EventCause.Api,
            },
            Policy = change.Policy,
            Cidr = change.Entry.Cidr,
            Expiration = change.Entry.Expiration,
            Tag = change.Entry.Tag,
            Reason = change.Entry.Reason,
            By = change.Actor.Length > 0 ? change.Actor : isRemoval && change.Origin != ChangeOrigin.Set ? default : change.Entry.Creator,
        };
    }

    /// <summary>The members after the id, from a comma to the closing brace.</summary>
    public readonly void WriteMembers(IBufferWriter<byte> writer)
    {
        writer.Raw(",\"time\":"u8);
        WriteTime(writer, Time);
        writer.Raw(",\"type\":\""u8);
        writer.Raw(Type.Word());
        writer.Raw("\",\"action\":\""u8);
        writer.Raw(Action.Word());
        writer.Raw("\",\"cause\":\""u8);
        writer.Raw(Cause.Word());
        writer.Raw("\",\"by\":"u8);
        WriteName(writer, By.Span);
        if (Policy is { } policy)
        {
            writer.Raw(",\"policy\":\""u8);
            writer.Raw(policy.Utf8Name());
            writer.Raw("\""u8);
        }

        if (Type == EventType.Rule)
        {
            writer.Raw(",\"cidr\":\""u8);
            writer.Advance(Cidr.Format(writer.GetSpan(Cidr.MaxTextLength)));
            writer.Raw("\",\"tag\":"u8);
            WriteName(writer, Tag.Span);
            writer.Raw(",\"expiration\":"u8);
            writer.Number(Expiration);
            if (!Reason.IsEmpty)
            {
                writer.Raw(",\"reason\":"u8);
                writer.String(Reason.Span);
            }
        }

        writer.Raw(Members ?? []);
        writer.Raw("}"u8);
    }

    /// <summary>Seconds with three decimals.</summary>
    private static void WriteTime(IBufferWriter<byte> writer, long milliseconds)
    {
        writer.Number(milliseconds / 1000);
        Span<byte> room = writer.GetSpan(4);
        room[0] = (byte)'.';
        Utf8Formatter.TryFormat(milliseconds % 1000, room[1..], out _, new StandardFormat('D', 3));
        writer.Advance(4);
    }

    private static void WriteName(IBufferWriter<byte> writer, ReadOnlySpan<byte> name)
    {
        if (name.IsEmpty)
        {
            writer.Raw("null"u8);
        }
        else
        {
            writer.String(name);
        }
    }
}

/// <summary>The stable words of the API.</summary>
internal static class EventWords
{
    public static readonly EventType[] Types = Enum.GetValues<EventType>();

    public static ReadOnlySpan<byte> Word(this EventType type) => type switch
    {
        EventType.Rule => "rule"u8,
        EventType.Set => "set"u8,
        EventType.Client => "client"u8,
        EventType.Interface => "interface"u8,
        _ => "peer"u8,
    };

    public static ReadOnlySpan<byte> Word(this EventAction action) => action switch
    {
        EventAction.Created => "created"u8,
        EventAction.Updated => "updated"u8,
        EventAction.Deleted => "deleted"u8,
        EventAction.Expired => "expired"u8,
        EventAction.Reloaded => "reloaded"u8,
        _ => "changed"u8,
    };

    public static ReadOnlySpan<byte> Word(this EventCause cause) => cause switch
    {
        EventCause.Api => "api"u8,
        EventCause.Bulk => "bulk"u8,
        EventCause.Peer => "peer"u8,
        EventCause.Set => "set"u8,
        EventCause.Expiry => "expiry"u8,
        EventCause.Reload => "reload"u8,
        _ => "system"u8,
    };

    public static bool TryParse(ReadOnlySpan<byte> word, out EventType type)
    {
        foreach (EventType known in Types)
        {
            if (known.Word().SequenceEqual(word))
            {
                type = known;
                return true;
            }
        }

        type = default;
        return false;
    }
}
