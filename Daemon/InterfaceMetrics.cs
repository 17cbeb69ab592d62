using Couic.Config;
using Couic.Http.Metrics;

namespace Couic.Daemon;

/// <summary>The metrics families of the interfaces: which of them are filtered, and whether the attacher is there.</summary>
internal static class InterfaceMetrics
{
    /// <param name="configured">The mode that an interface is shown with while it is not attached.</param>
    public static void Write(MetricsText text, AttacherChannel attacher, OperationMode configured)
    {
        text.Family("couic_interface_attached", "gauge", "Whether the interface of the configuration is filtered.");
        foreach ((string label, InterfaceState state) in Labels(attacher.States))
        {
            string mode = state.IsAttached ? state.Mode : configured.ToString().ToLowerInvariant();
            text.Sample("couic_interface_attached", [("interface", label), ("mode", mode)], state.IsAttached ? 1 : 0);
        }

        text.Family("couic_attacher_up", "gauge", "Whether the process that attaches is there; without it no interface is attached again.");
        text.Sample("couic_attacher_up", attacher.IsLost ? 0UL : 1UL);
    }

    /// <summary>The configured name; the present one for a renamed interface whose old name another interface has taken.</summary>
    internal static IEnumerable<(string Label, InterfaceState State)> Labels(IReadOnlyList<InterfaceState> states)
    {
        var seen = new HashSet<string>();
        return states.Select(state => (seen.Add(state.Configured) ? state.Configured : state.Name, state));
    }
}
