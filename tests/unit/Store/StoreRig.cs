using System.Text;
using Couic.Store;
using Couic.Tests.Fakes;
using Xunit;

namespace Couic.Tests.Store;

/// <summary>A store over a model of a data plane and a clock that stands still, with short forms for tests.</summary>
internal sealed class StoreRig
{
    public StoreRig(StoreLimits? limits = null)
    {
        Limits = limits ?? StoreLimits.Default;
        Plane = new ModelPlane(Limits);
        Store = new RuleStore(Plane, Limits, Clock);
        Store.Subscribe(Feed);
    }

    public StoreLimits Limits { get; }

    public ManualClock Clock { get; } = new();

    public ModelPlane Plane { get; }

    public RecordingFeed Feed { get; } = new();

    public RuleStore Store { get; }

    public static Cidr Net(string text)
    {
        Assert.Equal(CidrFault.None, Cidr.TryParse(text, out Cidr cidr));
        return cidr;
    }

    public StoreOutcome Add(string cidr, string tag = "", ulong expiration = 0, ConflictMode mode = ConflictMode.Refuse,
        Policy policy = Policy.Drop) => Add(Net(cidr), tag, expiration, mode, policy);

    public StoreOutcome Add(Cidr cidr, string tag = "", ulong expiration = 0, ConflictMode mode = ConflictMode.Refuse,
        Policy policy = Policy.Drop) =>
        Store.Add(policy, cidr, Encoding.UTF8.GetBytes(tag), expiration, mode, new ChangeContext(ChangeOrigin.Api, "tester"u8), out _);

    public StoreOutcome Remove(string cidr, Policy policy = Policy.Drop) => Remove(Net(cidr), policy);

    public StoreOutcome Remove(Cidr cidr, Policy policy = Policy.Drop) =>
        Store.Remove(policy, cidr, new ChangeContext(ChangeOrigin.Api, "tester"u8), out _);

    public Entry Get(string cidr, Policy policy = Policy.Drop)
    {
        Assert.True(Store.TryGet(policy, Net(cidr), out Entry entry));
        return entry;
    }

    public bool Has(string cidr, Policy policy = Policy.Drop) => Store.TryGet(policy, Net(cidr), out _);

    /// <summary>Fails unless store and data plane hold the same networks with the same counters and slots.</summary>
    public void AssertPlaneAgrees()
    {
        foreach (Policy policy in Policies.All)
        {
            Dictionary<string, int> counters = Store.Tags(policy).ToDictionary(t => t.Tag, t => t.Counter);
            foreach (IpFamily family in (ReadOnlySpan<IpFamily>)[IpFamily.V4, IpFamily.V6])
            {
                IReadOnlyDictionary<Cidr, ModelPlane.Value> table = Plane.Table(policy, family);
                Assert.Equal(Store.Count(policy, family), table.Count);
                foreach ((Cidr cidr, ModelPlane.Value value) in table)
                {
                    if (Store.TryGet(policy, cidr, out Entry entry))
                    {
                        Assert.Equal(entry.Slot, value.Slot);
                        Assert.Equal(counters[Encoding.UTF8.GetString(entry.Tag.Span)], value.Counter);
                    }
                }
            }
        }
    }
}
