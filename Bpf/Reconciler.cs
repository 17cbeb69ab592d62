using System.Collections;
using Couic.Store;

namespace Couic.Bpf;

/// <summary>
/// Compares the kernel's tries with the store and repairs differences, which other privileged processes can cause. It takes the store's
/// lock for one entry at a time. One comparison at a time.
/// </summary>
/// <param name="pause">Called between batches, so that a full table is not read without a pause.</param>
public sealed class Reconciler(RuleStore store, BpfDataPlane plane, Action pause)
{
    /// <summary>Entries read without a pause: about a millisecond.</summary>
    private const int BatchSize = 512;

    private readonly (Cidr Cidr, uint Value)[] _batch = new (Cidr, uint)[BatchSize];

    /// <summary>Compares all four tables.</summary>
    public DriftReport Run()
    {
        var report = new DriftReport(0, 0);
        foreach (Policy policy in Policies.All)
        {
            report = Compare(policy, IpFamily.V6, Compare(policy, IpFamily.V4, report));
        }

        return report;
    }

    private DriftReport Compare(Policy policy, IpFamily family, DriftReport report)
    {
        var seen = new BitArray(0);
        int seenCount = 0;
        byte[] last = [];

        // The kernel starts over when the key of the cursor has gone; the number of keys read is bounded.
        int left = 2 * Layout.Headroom * plane.Limits.Entries(policy);
        for (int count; left > 0 && (count = plane.ReadTrie(policy, family, ref last, _batch)) > 0; left -= count)
        {
            foreach ((Cidr cidr, uint value) in _batch.AsSpan(0, count))
            {
                if (!store.TryGet(policy, cidr, out Entry entry))
                {
                    report = RemoveUnknown(policy, cidr, report);
                    continue;
                }

                report = value == plane.Expected(policy, cidr, entry.Slot) ? report : Restore(policy, cidr, report);
                seenCount += Mark(seen, entry.Slot) ? 1 : 0;
            }

            pause();
        }

        return seenCount >= store.Count(policy, family) ? report : RestoreUnseen(policy, family, seen, report);
    }

    private DriftReport RestoreUnseen(Policy policy, IpFamily family, BitArray seen, DriftReport report)
    {
        int sincePause = 0;
        foreach (Cidr cidr in store.SortedNetworks(policy))
        {
            if (cidr.Family == family && store.TryGet(policy, cidr, out Entry entry) && !(entry.Slot < seen.Length && seen[entry.Slot]))
            {
                report = Restore(policy, cidr, report);
            }

            if (++sincePause % (8 * BatchSize) == 0)
            {
                pause();
            }
        }

        return report;
    }

    private static bool Mark(BitArray seen, int slot)
    {
        if (slot >= seen.Length)
        {
            seen.Length = Math.Max(slot + 1, seen.Length * 2);
        }

        bool isNew = !seen[slot];
        seen[slot] = true;
        return isNew;
    }

    private DriftReport Restore(Policy policy, Cidr cidr, DriftReport report)
    {
        using (store.Hold())
        {
            return store.TryGet(policy, cidr, out Entry entry) && plane.Restore(policy, cidr, entry.Slot)
                ? report with { Restored = report.Restored + 1 }
                : report;
        }
    }

    private DriftReport RemoveUnknown(Policy policy, Cidr cidr, DriftReport report)
    {
        // The key of an expired entry is not unknown.
        store.Expire();
        using (store.Hold())
        {
            if (store.TryGet(policy, cidr, out _))
            {
                return report;
            }

            return plane.RemoveUnknown(policy, cidr) ? report with { Removed = report.Removed + 1 } : report;
        }
    }
}

/// <param name="Restored">Entries that the kernel lacked, or had with another value.</param>
/// <param name="Removed">Keys that the kernel had and the store had not.</param>
public readonly record struct DriftReport(int Restored, int Removed)
{
    public int Total => Restored + Removed;
}
