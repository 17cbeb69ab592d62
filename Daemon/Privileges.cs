using System.ComponentModel;
using Couic.Native;

namespace Couic.Daemon;

/// <summary>
/// Giving up privileges in two steps. Capabilities belong to threads and the runtime has several before Main runs, so each
/// step ends in a program that is executed by the one thread whose privileges were changed: the attacher with two capabilities,
/// then the daemon itself with none.
/// </summary>
internal static class Privileges
{
    private static readonly ulong Attaching = Capabilities.Mask(Capabilities.Bpf) | Capabilities.Mask(Capabilities.NetAdmin);

    /// <summary>Becomes the daemon's user; what is executed now gets CAP_BPF and CAP_NET_ADMIN, as far as this process has them.</summary>
    /// <exception cref="StartException">The change of user is not allowed.</exception>
    public static void ReduceToAttaching(FileOwner owner)
    {
        ulong setPcap = Capabilities.Mask(Capabilities.SetPcap);
        Prctl.SetNoNewPrivileges();
        Capabilities.ReduceBounding(keep: Attaching | setPcap);
        Prctl.KeepCapabilities();
        ulong permitted = Capabilities.Permitted();
        try
        {
            Identity.Become(owner);
        }
        catch (Win32Exception e)
        {
            throw new StartException($"become user {owner.Uid}:{owner.Gid}: {e.Message} (start as root, or set user and group to your own)", e);
        }

        Capabilities.Set(permitted & (Attaching | setPcap), inheritable: permitted & Attaching);
        Capabilities.SetAmbient(permitted & Attaching);
        Capabilities.ReduceBounding(keep: Attaching);
    }

    /// <summary>
    /// Drops the rest. On Linux below 5.19, where changing a map through its descriptor takes CAP_BPF while unprivileged bpf is
    /// disabled, that one is kept.
    /// </summary>
    /// <returns>Whether CAP_BPF was kept.</returns>
    public static bool DropAll()
    {
        bool keepBpf = MapUpdatesNeedPrivilege();
        ulong keep = keepBpf ? Capabilities.Permitted() & Capabilities.Mask(Capabilities.Bpf) : 0;
        Prctl.ClearAmbient();

        // CAP_SETPCAP is still effective here; without it the bounding set stays, which NoNewPrivs makes harmless.
        Capabilities.ReduceBounding(keep);
        Capabilities.Set(keep, inheritable: keep);
        Capabilities.SetAmbient(keep);
        return keepBpf;
    }

    private static bool MapUpdatesNeedPrivilege()
    {
        try
        {
            return Environment.OSVersion.Version < new Version(5, 19)
                && File.ReadAllText("/proc/sys/kernel/unprivileged_bpf_disabled").Trim() != "0";
        }
        catch (IOException)
        {
            return Environment.OSVersion.Version < new Version(5, 19); // no /proc: assume what distributions set
        }
    }
}
