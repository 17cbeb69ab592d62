using System.Runtime.InteropServices;
using Couic.Store;

namespace Couic.Tests.Fakes;

/// <summary>
/// A data plane in memory: one longest-prefix table per policy and family, held as plain dictionaries and searched by
/// brute force. It fails a test that breaks its contract: a key removed that is absent, a slot shared or out of range, a table over its
/// limit, a batch of two policies.
/// </summary>
public sealed class ModelPlane(StoreLimits? limits = null) : IDataPlane
{
    private readonly StoreLimits _limits = limits ?? StoreLimits.Default;
    /// <summary>The pipeline plans a batch while another one is written.</summary>
    private readonly Lock _gate = new();
    private readonly Dictionary<Cidr, Value>[] _tables = [[], [], [], []];
    private readonly Dictionary<int, Cidr>[] _slots = [[], [], [], []];

    /// <summary>The value of a key.</summary>
    public readonly record struct Value(int Counter, int Slot);

    /// <summary>Changes that were applied so far.</summary>
    public int Applied { get; private set; }

    /// <summary>Calls of <see cref="Write"/> so far.</summary>
    public int Calls { get; private set; }

    /// <summary>Refuses the n-th change from now on (1 is the next one), once; 0 for none.</summary>
    public int RefuseAt { get; set; }

    /// <summary>Refuses every change for which it is true.</summary>
    public Func<EntryMutation, bool>? Refuses { get; set; }

    /// <summary>Runs after each change that was applied, with the tables as a packet would see them.</summary>
    public Action<EntryMutation>? AfterChange { get; set; }

    /// <summary>Runs after a batch was written, before the store commits it.</summary>
    public Action? AfterWrite { get; set; }

    /// <summary>Runs before a change is planned, and may fail it.</summary>
    public Func<Exception?>? BeforePlan { get; set; }

    /// <summary>Off for tests that count allocations.</summary>
    public bool Checks { get; set; } = true;

    public IReadOnlyDictionary<Cidr, Value> Table(Policy policy, IpFamily family) => _tables[Index(policy, family)];

    public void Prepare(ref EntryMutation mutation)
    {
        if (BeforePlan?.Invoke() is { } failure)
        {
            throw failure;
        }

        lock (_gate)
        {
            mutation.IsWritten = mutation.Kind == MutationKind.Put
                && _tables[Index(mutation.Policy, mutation.Cidr.Family)].TryGetValue(mutation.Cidr, out Value held) && held.Counter == mutation.Counter;
        }
    }

    public void Write(Span<EntryMutation> mutations)
    {
        Calls++;
        foreach (ref EntryMutation mutation in mutations)
        {
            Require(!Checks || mutation.Policy == mutations[0].Policy, mutation, "is in a batch of the other policy");
            if (mutation.IsWritten)
            {
                continue;
            }

            if ((RefuseAt > 0 && --RefuseAt == 0) || Refuses?.Invoke(mutation) == true)
            {
                mutation.Refusal = new PlaneRefusal(12, "set key: ENOMEM (as the test asked)");
                continue;
            }

            lock (_gate)
            {
                ApplyOne(mutation);
            }

            Applied++;
            AfterChange?.Invoke(mutation);
        }

        AfterWrite?.Invoke();
    }

    public void Publish(in EntryMutation mutation)
    {
    }

    /// <summary>What happens to a packet from this address: null passes for want of any match.</summary>
    public Policy? Verdict(Cidr address) =>
        Match(Policy.Ignore, address) is not null ? Policy.Ignore
        : Match(Policy.Drop, address) is not null ? Policy.Drop : null;

    /// <summary>The longest key of a policy that covers an address.</summary>
    public Cidr? Match(Policy policy, Cidr address)
    {
        Dictionary<Cidr, Value> table = _tables[Index(policy, address.Family)];
        for (int length = address.Length; length >= 0; length--)
        {
            if (table.ContainsKey(address.WithLength(length)))
            {
                return address.WithLength(length);
            }
        }

        return null;
    }

    public void ReadActions(Span<Counter> actions) => actions.Clear();

    /// <summary>What the counters of the tags of a policy have counted.</summary>
    public Dictionary<(Policy, int), Counter> TagCounters { get; } = [];

    public void ReadTags(Policy policy, Span<Counter> counters)
    {
        for (int i = 0; i < counters.Length; i++)
        {
            counters[i] = ReadTag(policy, i);
        }

        AfterReadTags?.Invoke();
    }

    /// <summary>What happens after the counters were read.</summary>
    public Action? AfterReadTags { get; set; }

    public Counter ReadTag(Policy policy, int counter) => TagCounters.GetValueOrDefault((policy, counter));

    /// <summary>What entries have counted; entries that are not in it are not counted.</summary>
    public Dictionary<(Policy, Cidr), EntryHits> Hits { get; } = [];

    public bool TryReadHits(Policy policy, Cidr cidr, int slot, out EntryHits hits) => Hits.TryGetValue((policy, cidr), out hits);

    public IReadOnlyList<MapMemory> ReadMemory() => [];

    private static int Index(Policy policy, IpFamily family) => ((int)policy * 2) + (int)family;

    private void ApplyOne(in EntryMutation change)
    {
        int index = Index(change.Policy, change.Cidr.Family);
        Dictionary<Cidr, Value> table = _tables[index];
        if (change.Kind == MutationKind.Remove)
        {
            Require(table.Remove(change.Cidr, out Value old), change, "is not there");
            Require(old.Slot == change.Slot, change, "has another slot");
            _slots[index].Remove(change.Slot);
            return;
        }

        Require(change.Cidr.IsNetwork, change, "has host bits");
        ref Value value = ref CollectionsMarshal.GetValueRefOrAddDefault(table, change.Cidr, out bool exists);
        Require(!exists || value.Slot == change.Slot, change, "changes its slot");
        value = new Value(change.Counter, change.Slot);
        if (Checks)
        {
            int limit = _limits.Entries(change.Policy);
            Require(table.Count <= limit, change, "is over the limit");
            Require(change.Slot >= 0 && change.Slot < limit, change, "has a slot out of range");
            Require(change.Counter >= 0 && change.Counter < _limits.Counters, change, "has a counter out of range");
            Require(!_slots[index].TryGetValue(change.Slot, out Cidr holder) || holder == change.Cidr, change, "shares a slot");
            _slots[index][change.Slot] = change.Cidr;
        }
    }

    private static void Require(bool condition, in EntryMutation change, string fault)
    {
        if (!condition)
        {
            throw new InvalidOperationException($"{change.Kind} {change.Policy} {change.Cidr}: key {fault}");
        }
    }
}
