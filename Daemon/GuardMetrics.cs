using Couic.Http.Metrics;
using Couic.Http.Wire;

namespace Couic.Daemon;

/// <summary>The metrics families of the lock-out guard.</summary>
internal static class GuardMetrics
{
    public static void Write(MetricsText text, ProtectedSources guard)
    {
        GuardStatus status = guard.Status;
        Gauge(text, "couic_guard_protected_addresses", "Addresses that the guard protects.", status.Protected);
        Gauge(text, "couic_guard_locked_out_addresses", "Protected addresses that are dropped now.", (ulong)status.Lockout.Length);
        Gauge(text, "couic_guard_withheld_changes", "Entries of sets and rules of peers that the guard keeps out of force.", (ulong)status.Withheld.Length);
        Gauge(text, "couic_guard_unreadable_sources", "Sources of protected addresses that cannot be read.", (ulong)status.Unreadable.Length);
    }

    private static void Gauge(MetricsText text, string name, string help, ulong value)
    {
        text.Family(name, "gauge", help);
        text.Sample(name, value);
    }
}
