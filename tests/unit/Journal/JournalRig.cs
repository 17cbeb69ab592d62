using System.Globalization;
using System.Text;
using Couic.Journal;
using Couic.Peering;
using Couic.Store;
using Couic.Tests.Fakes;
using Couic.Tests.Store;
using Microsoft.Extensions.Logging.Abstractions;

namespace Couic.Tests.Journal;

/// <summary>A store with a journal on a disk in memory. <see cref="Restart"/> is the next process, which finds what that disk has.</summary>
internal sealed class JournalRig
{
    public JournalRig(MemoryPlace? place = null, StoreLimits? limits = null, ManualClock? clock = null, bool isReplicated = false)
    {
        Place = place ?? new MemoryPlace();
        Limits = limits ?? new StoreLimits(2_000, 100, 8);
        Clock = clock ?? new ManualClock();
        Plane = new ModelPlane(Limits) { Checks = false };
        Store = new RuleStore(Plane, Limits, Clock);
        Node = (ulong)Random.Shared.NextInt64();
        Engine = isReplicated ? new PeeringEngine(Store, new NoTransport(), Clock, new Random(1), NullLogger.Instance, Node, 1) : null;
        Journal = new RuleJournal(Store, Place, Engine, Clock, Log, Node);
        Engine?.Reconfigure(new PeeringSettings(true, [Policy.Drop], []));
    }

    public MemoryPlace Place { get; }

    public StoreLimits Limits { get; }

    public ManualClock Clock { get; }

    public ModelPlane Plane { get; }

    public RuleStore Store { get; }

    public ulong Node { get; }

    public PeeringEngine? Engine { get; }

    public RuleJournal Journal { get; }

    public ListLogger Log { get; } = new();

    public JournalWriter Writer => Journal.Writer;

    /// <param name="content">What the disk has; null for all that was written.</param>
    public JournalRig Restart(byte[]? content = null, StoreLimits? limits = null, bool? isReplicated = null, Action<JournalRig>? before = null)
    {
        var next = new JournalRig(new MemoryPlace(content ?? Place.Content), limits ?? Limits, Clock, isReplicated ?? Engine is not null);
        before?.Invoke(next);
        next.Journal.Restore();
        return next;
    }

    public void Tick()
    {
        Clock.Advance(JournalWriter.Interval);
        Writer.Tick();
    }

    public void Add(string cidr, string tag = "", ulong expiration = 0, Policy policy = Policy.Drop, ConflictMode mode = ConflictMode.Update, string creator = "tester", string reason = "") =>
        Store.Add(policy, StoreRig.Net(cidr), Encoding.UTF8.GetBytes(tag), expiration, mode, new ChangeContext(ChangeOrigin.Api, Encoding.UTF8.GetBytes(creator), reason: Encoding.UTF8.GetBytes(reason)), out _);

    public void Remove(string cidr, Policy policy = Policy.Drop) =>
        Store.Remove(policy, StoreRig.Net(cidr), new ChangeContext(ChangeOrigin.Api, "tester"u8), out _);

    /// <summary>All rules, each with what is known of it, in order.</summary>
    public string[] Rules()
    {
        var rules = new List<string>();
        foreach (Policy policy in Policies.All)
        {
            foreach (Cidr cidr in Store.SortedNetworks(policy))
            {
                if (Store.TryGet(policy, cidr, out Entry entry))
                {
                    rules.Add(string.Create(
                        CultureInfo.InvariantCulture,
                        $"{policy.Name()} {cidr} {Text(entry.Tag)} {Text(entry.Creator)} {entry.Origin} {entry.Creation} {entry.Expiration} {Text(entry.Reason)}"));
                }
            }
        }

        return [.. rules];
    }

    public bool Has(string cidr, Policy policy = Policy.Drop) => Store.TryGet(policy, StoreRig.Net(cidr), out _);

    private static string Text(ReadOnlyMemory<byte> text) => Encoding.UTF8.GetString(text.Span);

    private sealed class NoTransport : IPeerTransport
    {
        public void Post(PeerRequest request)
        {
        }

        public void AwaitReachable(PeerSettings peer, Action<bool> reachable)
        {
        }

        public void Forget(PeerSettings peer)
        {
        }
    }
}
