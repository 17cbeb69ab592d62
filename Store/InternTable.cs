using System.Runtime.InteropServices;
using System.Text;

namespace Couic.Store;

/// <summary>
/// Interns values (tags, clients, nodes) as small dense numbers, counted by holders. Numbers up to <paramref name="pinned"/> keep their
/// value after its last holder; once all of these are given, a new value evicts the one that has been without a holder for longest. Those
/// above are reused when their last holder is gone, so memory stays bounded whatever values arrive. Not thread-safe.
/// </summary>
/// <param name="none">The value with number 0, which is always there.</param>
/// <param name="time">Says for how long a value has had no holder.</param>
/// <param name="evicted">Called with each number whose value is evicted, before the number is given again.</param>
internal class InternTable<T>(
    T none, IEqualityComparer<T>? comparer = null, int pinned = 0, TimeProvider? time = null, Action<int>? evicted = null)
    where T : notnull
{
    /// <summary>A value without a holder is safe from eviction for so long: a packet that has read its rule is counted by then.</summary>
    internal static readonly TimeSpan Grace = TimeSpan.FromSeconds(1);

    private readonly TimeProvider _time = time ?? TimeProvider.System;
    private readonly List<Interned> _items = [new Interned { Value = none }];
    private readonly Stack<int> _free = new();

    /// <summary>Pinned values without a holder, in the order in which they lost their last one; 0 for none.</summary>
    private int _firstIdle, _lastIdle;

    /// <summary>Values that have a number, number 0 not included.</summary>
    public int Count => Ids.Count;

    /// <summary>Highest number given so far.</summary>
    public int Last => _items.Count - 1;

    public T this[int id] => _items[id].Value;

    protected Dictionary<T, int> Ids { get; } = new(comparer);

    /// <summary>How many hold the value.</summary>
    public int Holders(int id) => _items[id].Holders;

    /// <summary>The number of a value that is known, or -1.</summary>
    public int Find(T value) => Ids.Comparer.Equals(value, none) ? 0 : Ids.GetValueOrDefault(value, -1);

    /// <summary>The number of a value, given now if it is new, and one more holder.</summary>
    public int Acquire(T value)
    {
        int id = Find(value);
        if (id < 0)
        {
            id = Insert(value);
        }

        Hold(id);
        return id;
    }

    /// <summary>Adds a holder to a value that is known.</summary>
    public void Hold(int id)
    {
        ref Interned item = ref At(id);
        if (item.Holders++ == 0 && item.IsIdle)
        {
            RemoveIdle(ref item);
        }
    }

    public void Release(int id)
    {
        ref Interned item = ref At(id);
        if (--item.Holders > 0 || id == 0)
        {
            return;
        }

        if (id <= pinned)
        {
            AddIdle(id, ref item);
            return;
        }

        Ids.Remove(item.Value);
        _free.Push(id);
        OnRemoved();
    }

    protected int Insert(T value)
    {
        if (!TryEvict(out int id) && !_free.TryPop(out id))
        {
            id = _items.Count;
            _items.Add(default);
        }

        At(id) = new Interned { Value = value };
        Ids.Add(value, id);
        return id;
    }

    /// <summary>A number has lost its value.</summary>
    protected virtual void OnRemoved()
    {
    }

    private ref Interned At(int id) => ref CollectionsMarshal.AsSpan(_items)[id];

    private void AddIdle(int id, ref Interned item)
    {
        item.IsIdle = true;
        item.IdleSince = _time.GetTimestamp();
        item.IdleBefore = _lastIdle;
        item.IdleAfter = 0;
        (_lastIdle == 0 ? ref _firstIdle : ref At(_lastIdle).IdleAfter) = id;
        _lastIdle = id;
    }

    private void RemoveIdle(ref Interned item)
    {
        item.IsIdle = false;
        (item.IdleBefore == 0 ? ref _firstIdle : ref At(item.IdleBefore).IdleAfter) = item.IdleAfter;
        (item.IdleAfter == 0 ? ref _lastIdle : ref At(item.IdleAfter).IdleBefore) = item.IdleBefore;
    }

    /// <summary>Takes the number of the value that has been without a holder for longest, if all pinned ones are given.</summary>
    private bool TryEvict(out int id)
    {
        id = _firstIdle;
        if (_items.Count <= pinned || id == 0 || _time.GetElapsedTime(_items[id].IdleSince) < Grace)
        {
            return false;
        }

        ref Interned item = ref At(id);
        RemoveIdle(ref item);
        Ids.Remove(item.Value);
        OnRemoved();
        evicted?.Invoke(id);
        return true;
    }

    private struct Interned
    {
        public T Value;
        public int Holders;

        /// <summary>Whether it is pinned and has no holder; then it has neighbours in the order of eviction.</summary>
        public bool IsIdle;
        public long IdleSince;
        public int IdleBefore;
        public int IdleAfter;
    }
}

/// <summary>Interned UTF-8 names; number 0 is "no name". A lookup by bytes allocates nothing.</summary>
internal sealed class NameTable(int pinned, TimeProvider? time = null, Action<int>? evicted = null)
    : InternTable<byte[]>([], Utf8Comparer.Instance, pinned, time, evicted)
{
    /// <summary>The number that was found last: the next name is mostly the same one.</summary>
    private int _lastFound;

    public string Text(int id) => Encoding.UTF8.GetString(this[id]);

    /// <inheritdoc cref="InternTable{T}.Find"/>
    public int Find(ReadOnlySpan<byte> name)
    {
        if (name.SequenceEqual(this[_lastFound]))
        {
            return _lastFound;
        }

        return name.IsEmpty ? 0 : Ids.GetAlternateLookup<ReadOnlySpan<byte>>().TryGetValue(name, out int id) ? _lastFound = id : -1;
    }

    /// <inheritdoc cref="InternTable{T}.Acquire"/>
    public int Acquire(ReadOnlySpan<byte> name)
    {
        int id = Find(name);
        if (id < 0)
        {
            id = Insert(name.ToArray());
        }

        Hold(id);
        return id;
    }

    protected override void OnRemoved() => _lastFound = 0;

    private sealed class Utf8Comparer : IEqualityComparer<byte[]>, IAlternateEqualityComparer<ReadOnlySpan<byte>, byte[]>
    {
        public static readonly Utf8Comparer Instance = new();

        public bool Equals(byte[]? x, byte[]? y) => x.AsSpan().SequenceEqual(y);

        public bool Equals(ReadOnlySpan<byte> alternate, byte[] other) => alternate.SequenceEqual(other);

        public int GetHashCode(byte[] name) => GetHashCode(name.AsSpan());

        public int GetHashCode(ReadOnlySpan<byte> alternate)
        {
            var hash = new HashCode(); // seeded per process: names come from outside
            hash.AddBytes(alternate);
            return hash.ToHashCode();
        }

        public byte[] Create(ReadOnlySpan<byte> alternate) => alternate.ToArray();
    }
}
