using Couic.Store;

namespace Couic.Peering;

internal sealed partial class RegisterTable
{
    /// <summary>Slots that changed since the journal wrote them; null without a journal.</summary>
    private SlotMarks? _changes;

    private volatile bool _isSeeded;

    /// <summary>Whether it has a register for each rule that the store held at first.</summary>
    public bool IsSeeded
    {
        get => _isSeeded;
        set => _isSeeded = value;
    }

    /// <summary>One past the highest slot ever used.</summary>
    public int UsedSlots
    {
        get
        {
            lock (_gate)
            {
                return _table.Used;
            }
        }
    }

    public bool HasChanges
    {
        get
        {
            lock (_gate)
            {
                return _changes is { Count: > 0 };
            }
        }
    }

    /// <summary>Starts to note the slots that change.</summary>
    public void NoteChanges()
    {
        lock (_gate)
        {
            _changes ??= new SlotMarks();
        }
    }

    /// <summary>Takes the first changed slot from a slot on; -1 when there is none.</summary>
    public int TakeChange(int from)
    {
        lock (_gate)
        {
            return _changes?.Take(from) ?? -1;
        }
    }

    public void MarkChange(int slot)
    {
        lock (_gate)
        {
            _changes?.Set(slot);
        }
    }

    /// <summary>Marks the register of a CIDR, if there is one.</summary>
    public void MarkChange(Cidr cidr)
    {
        lock (_gate)
        {
            if (_table.Find(cidr) is >= 0 and var slot)
            {
                _changes?.Set(slot);
            }
        }
    }

    /// <summary>Reads a slot below <see cref="UsedSlots"/>. False when it is free.</summary>
    public bool TryRead(int slot, out OutgoingJob job)
    {
        lock (_gate)
        {
            bool isUsed = _table[slot].InUse;
            job = isUsed ? Read(slot, default, known: true) : default;
            return isUsed;
        }
    }
}
