using Couic.Bpf;

namespace Couic.Daemon;

/// <summary>The interfaces in a line, for the service manager and the log.</summary>
internal static class InterfaceSummary
{
    private const int MaxListed = 4, MaxPresent = 8;

    /// <summary><c>filtering eth0</c>, or <c>filtering 1 of 2 (missing: wg0)</c>.</summary>
    public static string Line(IReadOnlyList<InterfaceState> states, bool isLost)
    {
        string line = states.Count == 0 ? "filtering nothing (no interfaces configured)"
            : states.All(s => s.IsAttached) ? $"filtering {List([.. states.Select(Name)], MaxListed)}"
            : $"filtering {states.Count(s => s.IsAttached)} of {states.Count} ({string.Join("; ", Troubles(states))})";
        return isLost ? line + ", the attacher process has ended" : line;
    }

    /// <summary>Both names where they differ.</summary>
    public static string Name(InterfaceState state) =>
        state.Configured == state.Name ? state.Name : $"{state.Configured} ({state.Name})";

    /// <summary>Why it is not attached; for one that is missing with what there is.</summary>
    public static string Cause(InterfaceState state) => state.State == AttachState.Missing ? $"{state.Error} (have: {Present()})" : state.Error;

    /// <summary>So many names, and how many more there are.</summary>
    public static string List(IReadOnlyCollection<string> names, int most) =>
        string.Join(", ", names.Take(most)) + (names.Count > most ? $" and {names.Count - most} more" : "");

    private static string Present()
    {
        try
        {
            return List([.. XdpAttacher.ReadInterfaces().Select(i => i.Name)], MaxPresent);
        }
        catch (BpfException e)
        {
            return e.Message;
        }
    }

    private static IEnumerable<string> Troubles(IReadOnlyList<InterfaceState> states) =>
        states.Where(s => !s.IsAttached).GroupBy(s => s.State)
            .Select(group => $"{group.Key.ToString().ToLowerInvariant()}: {List([.. group.Select(s => s.Configured)], MaxListed)}");
}
