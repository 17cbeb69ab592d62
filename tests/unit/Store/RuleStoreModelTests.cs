using System.Text;
using Couic.Store;
using Couic.Tests.Fakes;
using Xunit;

namespace Couic.Tests.Store;

/// <summary>Random operations against a store that is a plain dictionary, and what a steady state allocates.</summary>
public class RuleStoreModelTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void RandomOperationsAgreeWithABruteForceModel(int seed)
    {
        var random = new Random(seed);
        var rig = new StoreRig(new StoreLimits(MaxDropEntries: 300, MaxIgnoreEntries: 100, MaxTags: 8));
        var model = new Dictionary<(Policy, Cidr), (string Tag, ulong Expiration)>();
        for (int round = 0; round < 8_000; round++)
        {
            Policy policy = random.Next(3) == 0 ? Policy.Ignore : Policy.Drop;
            Cidr cidr = RandomCidr(random);
            if (random.Next(200) == 0)
            {
                rig.Plane.RefuseAt = 1;
            }

            switch (random.Next(10))
            {
                case < 6:
                    Add(rig, model, random, policy, cidr);
                    break;
                case < 8:
                    Remove(rig, model, policy, cidr);
                    break;
                case 8:
                    CompareCovering(rig, model, policy, cidr.WithLength(cidr.MaxLength));
                    break;
                default:
                    rig.Clock.AdvanceSeconds(random.Next(3));
                    rig.Plane.RefuseAt = 0;
                    rig.Store.Expire();
                    Drop(model, rig.Clock.Seconds);
                    break;
            }

            rig.Plane.RefuseAt = 0;
            if (round % 500 == 0)
            {
                rig.Store.Expire();
                Drop(model, rig.Clock.Seconds);
                Compare(rig, model);
            }
        }
    }

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
        StoreRig rig, Dictionary<(Policy, Cidr), (string Tag, ulong Expiration)> model, Random random, Policy policy, Cidr cidr)
    {
        string tag = random.Next(4) == 0 ? "" : $"t{random.Next(14)}";
        ulong expiration = random.Next(2) == 0 ? 0 : rig.Clock.Seconds + (ulong)random.Next(1, 20);
        var mode = (ConflictMode)random.Next(2);
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

    private static Cidr RandomCidr(Random random) => random.Next(2) == 0
        ? Cidr.FromV4((uint)(0x0a000000 | random.Next(64)), random.Next(20, 33))
        : new Cidr(IpFamily.V6, 0x20010db8UL << 32, (ulong)random.Next(64) << random.Next(3), random.Next(112, 129));
}
