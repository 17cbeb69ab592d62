using Couic.Native;

namespace Couic.Bpf.Tables;

/// <summary>
/// The free lines of a tree, and how much the others hold. A line that was given back may still be read by a packet that found
/// it a moment ago, so it is used again only after all packets that were under way are done.
/// </summary>
internal sealed class LinePool(uint size)
{
    private readonly ushort[] _held = new ushort[size];
    private readonly Stack<int> _free = [];
    private readonly Stack<int> _resting = [];
    private int _used;

    /// <summary>Takes a line; false with -1 when there is none.</summary>
    public bool TryTake(out int line)
    {
        if (_free.Count == 0 && _used == _held.Length && _resting.Count > 0 && Membarrier.WaitForKernelReaders())
        {
            while (_resting.TryPop(out int rested))
            {
                _free.Push(rested);
            }
        }

        line = _free.TryPop(out int free) ? free : _used < _held.Length ? _used++ : -1;
        return line >= 0;
    }

    /// <summary>One more prefix or line below is held by the line.</summary>
    public void Enter(int line) => _held[line]++;

    /// <summary>One less; true when it was the last.</summary>
    public bool Leave(int line) => --_held[line] == 0;

    public void Return(int line) => _resting.Push(line);
}
