using Couic.Store;

namespace Couic.Peering;

/// <summary>The registers of one policy by network, each slot also on the list of its digest leaf. Not thread-safe.</summary>
internal sealed class RegisterSlots
{
    private readonly int[] _leaves = SlotTable<Register>.NewHeads(DigestTree.Leaves);

    /// <summary>Enough for the default limits: growing would hold the store lock longer than any change.</summary>
    public SlotTable<Register> Table { get; } = new(buckets: 1 << 19);

    public int Count => Table.Count;

    public ref Register this[int slot] => ref Table[slot];

    /// <summary>One past the highest slot ever used.</summary>
    public int Used => Table.Used;

    /// <summary>First slot on the list of a leaf, -1 for none; <see cref="Register.LeafNext"/> is the next one.</summary>
    public int FirstOfLeaf(int leaf) => _leaves[leaf];

    public int Find(Cidr cidr) => Table.Find(cidr);

    /// <summary>Inserts a CIDR that must be absent.</summary>
    public int Insert(Cidr cidr)
    {
        int slot = Table.Insert(cidr);
        ref int leaf = ref _leaves[DigestTree.LeafOf(cidr)];
        ref Register register = ref Table[slot];
        register.LeafPrevious = register.ListNext = register.ListPrevious = -1;
        register.LeafNext = leaf;
        if (leaf >= 0)
        {
            Table[leaf].LeafPrevious = slot;
        }

        leaf = slot;
        return slot;
    }

    public void Remove(int slot)
    {
        ref Register register = ref Table[slot];
        (register.LeafPrevious >= 0 ? ref Table[register.LeafPrevious].LeafNext : ref _leaves[DigestTree.LeafOf(register.Cidr)]) = register.LeafNext;
        if (register.LeafNext >= 0)
        {
            Table[register.LeafNext].LeafPrevious = register.LeafPrevious;
        }

        Table.Remove(slot);
    }
}

/// <summary>
/// A list of slots in insertion order, linked through the registers: no slot is in it twice, and it needs no memory. A slot is
/// in at most one list. Not thread-safe.
/// </summary>
internal sealed class SlotList(RegisterSlots table)
{
    private int _last = -1;

    public int Count { get; private set; }

    /// <summary>The oldest slot, -1 for none.</summary>
    public int First { get; private set; } = -1;

    public void Append(int slot)
    {
        ref Register register = ref table[slot];
        register.ListPrevious = _last;
        register.ListNext = -1;
        if (_last >= 0)
        {
            table[_last].ListNext = slot;
        }
        else
        {
            First = slot;
        }

        _last = slot;
        Count++;
    }

    /// <summary>Removes a slot that is in the list.</summary>
    public void Remove(int slot)
    {
        ref Register register = ref table[slot];
        if (register.ListPrevious >= 0)
        {
            table[register.ListPrevious].ListNext = register.ListNext;
        }
        else
        {
            First = register.ListNext;
        }

        if (register.ListNext >= 0)
        {
            table[register.ListNext].ListPrevious = register.ListPrevious;
        }
        else
        {
            _last = register.ListPrevious;
        }

        Count--;
    }

    public void MoveToEnd(int slot)
    {
        Remove(slot);
        Append(slot);
    }
}
