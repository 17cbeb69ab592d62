using System.Buffers;
using System.Text;
using Couic.Http;
using Couic.Store;

namespace Couic.Api.Events;

/// <summary>Events that do not come from the store.</summary>
internal static class EventSources
{
    /// <summary>Longest error text in an event, in characters.</summary>
    private const int MaxErrorChars = 250;

    /// <summary>A set file was written or deleted; a reload brings it into force.</summary>
    public static void SetChanged(this EventHub hub, EventAction action, Policy policy, string name, int? entries, string client)
    {
        var members = new ArrayBufferWriter<byte>();
        members.Raw(",\"name\":"u8);
        members.String(name);
        if (entries is { } count)
        {
            members.Raw(",\"entries\":"u8);
            members.Number((long)count);
        }

        hub.Publish(new ApiEvent
        {
            Type = EventType.Set,
            Action = action,
            Policy = policy,
            Tag = Encoding.UTF8.GetBytes(name + TagRule.SetSuffix),
            By = Encoding.UTF8.GetBytes(client),
            Members = members.WrittenSpan.ToArray(),
        });
    }

    /// <summary>The sets of a policy were brought into force; each network is an event, too.</summary>
    public static void SetsReloaded(this EventHub hub, Policy policy, int added, int removed, string actor)
    {
        var members = new ArrayBufferWriter<byte>();
        members.Raw(",\"added\":"u8);
        members.Number((long)added);
        members.Raw(",\"removed\":"u8);
        members.Number((long)removed);
        hub.Publish(new ApiEvent
        {
            Type = EventType.Set,
            Action = EventAction.Reloaded,
            Cause = EventCause.Reload,
            Policy = policy,
            By = Encoding.UTF8.GetBytes(actor),
            Members = members.WrittenSpan.ToArray(),
        });
    }

    /// <param name="group">Null when the client is gone.</param>
    public static void ClientChanged(this EventHub hub, EventAction action, string name, string? group, string actor, EventCause cause = EventCause.Api)
    {
        var members = new ArrayBufferWriter<byte>();
        members.Raw(",\"name\":"u8);
        members.String(name);
        if (group is not null)
        {
            members.Raw(",\"group\":"u8);
            members.String(group);
        }

        hub.Publish(new ApiEvent
        {
            Type = EventType.Client,
            Action = action,
            Cause = cause,
            By = Encoding.UTF8.GetBytes(actor),
            Members = members.WrittenSpan.ToArray(),
        });
    }

    /// <summary>An interface or a peer is in another state.</summary>
    /// <param name="error">Empty or null when there is none.</param>
    public static void StateChanged(this EventHub hub, EventType type, string name, string state, string? error)
    {
        var members = new ArrayBufferWriter<byte>();
        members.Raw(",\"name\":"u8);
        members.String(name);
        members.Raw(",\"state\":"u8);
        members.String(state);
        if (!string.IsNullOrEmpty(error))
        {
            members.Raw(",\"error\":"u8);
            members.String(error.Length > MaxErrorChars ? error[..MaxErrorChars] : error);
        }

        hub.Publish(new ApiEvent
        {
            Type = type,
            Action = EventAction.Changed,
            Cause = type == EventType.Peer ? EventCause.Peer : EventCause.System,
            Members = members.WrittenSpan.ToArray(),
        });
    }
}

/// <summary>The last states of some things by name, to find those that changed. Not thread-safe.</summary>
internal sealed class ObservedStates
{
    private Dictionary<string, string> _states = [];

    /// <summary>Reports each name whose state differs from that of the last call, or only remembers the states.</summary>
    public void Compare(IEnumerable<(string Name, string State, string? Error)> states, bool isFirst, Action<string, string, string?> report)
    {
        var now = new Dictionary<string, string>();
        foreach ((string name, string state, string? error) in states)
        {
            now[name] = state;
            if (!isFirst && _states.GetValueOrDefault(name) != state)
            {
                report(name, state, error);
            }
        }

        foreach (string gone in isFirst ? [] : _states.Keys.Except(now.Keys))
        {
            report(gone, "removed", null);
        }

        _states = now;
    }
}
