using Couic.Store;

namespace Couic.Tests.Fakes;

/// <summary>Keeps every change it is told of.</summary>
public sealed class RecordingFeed : IChangeListener
{
    public List<RuleEvent> Events { get; } = [];

    public void OnChange(in RuleEvent change) => Events.Add(change);

    /// <summary>The events as short lines, and forgets them.</summary>
    public List<string> Drain()
    {
        List<string> lines = Events.ConvertAll(e => $"{e.Kind} {e.Policy} {e.Entry.Cidr} {e.Origin}");
        Events.Clear();
        return lines;
    }
}
