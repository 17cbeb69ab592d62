using Couic.Bpf;
using Couic.Http.Metrics;

namespace Couic.Daemon;

/// <summary>The metrics families of the data plane that no other implementation of it has.</summary>
internal static class PlaneMetrics
{
    public static void Write(MetricsText text, BpfDataPlane plane)
    {
        text.Family("couic_malformed_packets", "counter", "Frames too short for the header that they announce; they passed to the kernel, which discards them.");
        text.Sample("couic_malformed_packets_total", plane.ReadMalformed().Packets);
        text.Family("couic_frames_too_many_tags", "counter", "Frames dropped because they have more VLAN tags than the filter looks behind (8).");
        text.Sample("couic_frames_too_many_tags_total", plane.ReadTooManyTags().Packets);
    }
}
