using Couic.Native;

namespace Couic.Bpf;

/// <summary>What this thread lacks to load the program, said in one line instead of the verifier's log.</summary>
internal static class LoadPrivileges
{
    private static readonly (int Capability, string Name)[] Needed =
        [(Capabilities.Bpf, "CAP_BPF"), (Capabilities.PerfMon, "CAP_PERFMON"), (Capabilities.NetAdmin, "CAP_NET_ADMIN")];

    /// <summary>What the kernel refuses with the same number when no capability is missing.</summary>
    public static string OtherCause =>
        "every capability is there: a security module, a seccomp filter of a container, or a user namespace refuses bpf(2)"
        + (BpfSyscall.LockedMemoryLimit() is { } bytes ? $"; below Linux 5.11 also the limit of locked memory, here {bytes} bytes: LimitMEMLOCK=infinity" : "");

    /// <summary>Null when every capability is there. Without CAP_PERFMON the verifier refuses arithmetic on pointers.</summary>
    public static string? Missing()
    {
        ulong have = Capabilities.Permitted();
        if ((have & Capabilities.Mask(Capabilities.SysAdmin)) != 0)
        {
            // It stands for CAP_BPF and CAP_PERFMON, and below Linux 5.8 takes their place.
            have |= Capabilities.Mask(Capabilities.Bpf) | Capabilities.Mask(Capabilities.PerfMon);
        }

        string[] missing = [.. Needed.Where(n => (have & Capabilities.Mask(n.Capability)) == 0).Select(n => n.Name)];
        return missing.Length == 0 ? null : $"lacks {string.Join(", ", missing)}: start as root or through the service; in a container, add the capability";
    }
}
