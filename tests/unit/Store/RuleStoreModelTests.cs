using System.Text;
using Couic.Store;
using Couic.Tests.Fakes;
using CsCheck;
using Xunit;

namespace Couic.Tests.Store;

/// <summary>Random operations against a store that is a plain dictionary, and what a steady state allocates.</summary>
public class RuleStoreModelTests
{
    /// <summary>What one operation may use; each kind takes what it needs.</summary>
    private static readonly Gen<Operation> AnyOperation = Gen.Select(
        Gen.Int[0, 9], Gen.Frequency((2, Policy.Drop), (1, Policy.Ignore)), AnyCidr(), Gen.Frequency((199, false), (1, true)),
        Gen.Frequency((1, Gen.Const("")), (3, Gen.Int[0, 13].Select(i => $"t{i}"))), Gen.Frequency((1, Gen.Const(0)), (1, Gen.Int[1, 19])), Gen.Bool, Gen.Int[0, 2],
        (kind, policy, cidr, isRefused, tag, lifetime, updates, seconds) => new Operation(kind, policy, cidr, isRefused, tag, (ulong)lifetime, updates ? ConflictMode.Update : ConflictMode.Refuse, seconds));

    [Fact]
    public void RandomOperationsAgreeWithABruteForceModel() => AnyOperation.Array[0, 1_000].Sample(
        operations =>
        {
            var rig = new StoreRig(new StoreLimits(MaxDropEntries: 300, MaxIgnoreEntries: 100, MaxTags: 8));
            var model = new Dictionary<(Policy, Cidr), (string Tag, ulong Expiration)>();
            foreach (Operation operation in operations)
            {
                rig.Plane.RefuseAt = operation.IsRefused ? 1 : 0;
                switch (operation.Kind)
                {
                    case < 6:
                        Add(rig, model, operation);
                        break;
                    case < 8:
                        Remove(rig, model, operation.Policy, operation.Cidr);
                        break;
                    case 8:
                        CompareCovering(rig, model, operation.Policy, operation.Cidr.WithLength(operation.Cidr.MaxLength));
                        break;
                    default:
                        rig.Clock.AdvanceSeconds(operation.Seconds);
                        rig.Plane.RefuseAt = 0;
                        rig.Store.Expire();
                        Drop(model, rig.Clock.Seconds);
                        break;
                }

                rig.Plane.RefuseAt = 0;
            }

            rig.Store.Expire();
            Drop(model, rig.Clock.Seconds);
            Compare(rig, model);
        },
        iter: 48);

    [Fact]
    public void SteadyStateChangesAllocateNothing()
    {
        var plane = new ModelPlane { Checks = false };
        var clock = new ManualClock();
        var store = new RuleStore(plane, StoreLimits.Default, clock);
        long allocated = long.MaxValue;
        for (int round = 0; round < 6; round++)
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            for (uint i = 0; i < 2_000; i++)
            {
                var context = new ChangeContext(ChangeOrigin.Api, "client"u8);
                store.Add(Policy.Drop, Cidr.FromV4(i), "scan"u8, clock.Seconds + 9, ConflictMode.Refuse, context, out _);
                store.Add(Policy.Drop, Cidr.FromV4(i), "probe"u8, clock.Seconds + 5, ConflictMode.Update, context, out _);
                store.TryGet(Policy.Drop, Cidr.FromV4(i), out _);
                if (i % 2 == 0)
                {
                    store.Remove(Policy.Drop, Cidr.FromV4(i), context, out _);
                }
            }

            clock.AdvanceSeconds(5);
            store.Expire();
            allocated = Math.Min(allocated, GC.GetAllocatedBytesForCurrentThread() - before);
            Assert.Equal(0, store.Count(Policy.Drop));
        }

        // The clock's own few objects for moving on are all there may be, whatever the number of changes. Now and then the runtime
        // itself allocates on a thread, so the round with the least counts.
        Assert.InRange(allocated, 0, 1_000);
    }

    private static void Add(
        StoreRig rig, Dictionary<(Policy, Cidr), (string Tag, ulong Expiration)> model, Operation operation)
    {
        (_, Policy policy, Cidr cidr, _, string tag, ulong lifetime, ConflictMode mode, _) = operation;
        ulong expiration = lifetime == 0 ? 0 : rig.Clock.Seconds + lifetime;
        bool refused = rig.Plane.RefuseAt > 0;
        (Policy, Cidr) key = (policy, cidr.Network);
        bool known = Drop(model, rig.Clock.Seconds).TryGetValue(key, out (string Tag, ulong Expiration) old);

        StoreOutcome outcome = rig.Add(cidr, tag, expiration, mode, policy);
        if (refused && outcome is StoreOutcome.Refused or StoreOutcome.Full)
        {
            return; // full: what would have made room was not let go
        }

        StoreOutcome expected = !known
            ? model.Keys.Count(k => k.Item1 == policy && k.Item2.Family == cidr.Family) >= rig.Limits.Entries(policy)
                ? StoreOutcome.Full : StoreOutcome.Created
            : mode == ConflictMode.Refuse ? StoreOutcome.Conflict
            : old == (tag, expiration) ? StoreOutcome.Unchanged : StoreOutcome.Updated;
        Assert.Equal(expected, outcome);
        if (outcome is StoreOutcome.Created or StoreOutcome.Updated)
        {
            model[key] = (tag, expiration);
        }
    }

    private static void Remove(
        StoreRig rig, Dictionary<(Policy, Cidr), (string Tag, ulong Expiration)> model, Policy policy, Cidr cidr)
    {
        bool refused = rig.Plane.RefuseAt > 0;
        StoreOutcome outcome = rig.Remove(cidr, policy);
        if (!refused || outcome != StoreOutcome.Refused)
        {
            bool known = Drop(model, rig.Clock.Seconds).Remove((policy, cidr.Network));
            Assert.Equal(known ? StoreOutcome.Removed : StoreOutcome.Absent, outcome);
        }
    }

    private static void CompareCovering(
        StoreRig rig, Dictionary<(Policy, Cidr), (string Tag, ulong Expiration)> model, Policy policy, Cidr address)
    {
        IEnumerable<Cidr> expected = Drop(model, rig.Clock.Seconds).Keys
            .Where(k => k.Item1 == policy && k.Item2.Contains(address))
            .Select(k => k.Item2)
            .OrderByDescending(c => c.Length);
        Assert.Equal(expected, rig.Store.Covering(policy, address).Select(e => e.Cidr));
    }

    private static void Compare(StoreRig rig, Dictionary<(Policy, Cidr), (string Tag, ulong Expiration)> model)
    {
        rig.AssertPlaneAgrees();
        foreach (Policy policy in Policies.All)
        {
            Cidr[] networks = rig.Store.SortedNetworks(policy);
            Assert.Equal(model.Keys.Where(k => k.Item1 == policy).Select(k => k.Item2).Order(), networks);
            foreach (Cidr cidr in networks)
            {
                Assert.True(rig.Store.TryGet(policy, cidr, out Entry entry));
                Assert.Equal(model[(policy, cidr)], (Encoding.UTF8.GetString(entry.Tag.Span), entry.Expiration));
            }
        }
    }

    private static Dictionary<(Policy, Cidr), (string Tag, ulong Expiration)> Drop(
        Dictionary<(Policy, Cidr), (string Tag, ulong Expiration)> model, ulong now)
    {
        foreach ((Policy, Cidr) key in model.Where(m => m.Value.Expiration != 0 && m.Value.Expiration <= now).Select(m => m.Key).ToList())
        {
            model.Remove(key);
        }

        return model;
    }

    private static Gen<Cidr> AnyCidr() => Gen.OneOf(
        Gen.Select(Gen.UInt[0, 63], Gen.Int[20, 32], (host, length) => Cidr.FromV4(0x0a000000 | host, length)),
        Gen.Select(Gen.ULong[0, 63], Gen.Int[0, 2], Gen.Int[112, 128], (host, shift, length) => new Cidr(IpFamily.V6, 0x20010db8UL << 32, host << shift, length)));

    private sealed record Operation(int Kind, Policy Policy, Cidr Cidr, bool IsRefused, string Tag, ulong Lifetime, ConflictMode Mode, int Seconds);
}
