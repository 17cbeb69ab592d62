using System.Text;

namespace Couic.Store;

/// <summary>
/// Interns short names (tags, clients) as small dense numbers, so that an entry holds four bytes and looking a name up
/// allocates nothing. Numbers up to <paramref name="pinned"/> keep their name after its last holder; when all of them are given, a new
/// name evicts the one that has been without a holder for longest. Those above are reused when their last holder is gone, so memory
/// stays bounded whatever names arrive. Number 0 is "no name". Not thread-safe.
/// </summary>
/// <param name="time">Says for how long a name has had no holder.</param>
/// <param name="evicted">Told of each number whose name is evicted, before it is given again.</param>
internal sealed class NameTable(int pinned, TimeProvider? time = null, Action<int>? evicted = null)
{
    /// <summary>A name without a holder is safe from eviction for so long: a packet that has read its rule is counted by then.</summary>
    internal static readonly TimeSpan Grace = TimeSpan.FromSeconds(1);

    private readonly TimeProvider _time = time ?? TimeProvider.System;
    private readonly Dictionary<byte[], int> _ids = new(Utf8Comparer.Instance);
    private readonly List<Name> _names = [new Name([], string.Empty)];
    private readonly Stack<int> _free = new();

    /// <summary>Pinned names without a holder, by when they lost their last one; 0 for none.</summary>
    private int _firstIdle, _lastIdle;

    /// <summary>The number that was found last: the next name is mostly the same one.</summary>
    private int _last;

    /// <summary>Highest number given so far.</summary>
    public int Last => _names.Count - 1;

    public string Text(int id) => _names[id].Text;

    public byte[] Utf8(int id) => _names[id].Utf8;

    /// <summary>How many entries hold the name.</summary>
    public int Holders(int id) => _names[id].Holders;

    /// <summary>The number of a name that is known; 0 for the empty one, -1 for an unknown one.</summary>
    public int Find(ReadOnlySpan<byte> name)
    {
        if (name.SequenceEqual(_names[_last].Utf8))
        {
            return _last;
        }

        return name.IsEmpty ? 0 : _ids.GetAlternateLookup<ReadOnlySpan<byte>>().TryGetValue(name, out int id) ? _last = id : -1;
    }

    /// <summary>The number of a name, given now if it is new, and one more holder.</summary>
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

    /// <summary>One more holder of a name that is known.</summary>
    public void Hold(int id)
    {
        Name name = _names[id];
        if (name.Holders++ == 0 && name.IsIdle)
        {
            RemoveIdle(id);
        }
    }

    public void Release(int id)
    {
        Name name = _names[id];
        if (--name.Holders > 0 || id == 0)
        {
            return;
        }

        if (id > pinned)
        {
            _ids.Remove(name.Utf8);
            _free.Push(id);
            _last = 0;
        }
        else
        {
            AddIdle(id);
        }
    }

    private void AddIdle(int id)
    {
        Name name = _names[id];
        name.IsIdle = true;
        name.IdleSince = _time.GetTimestamp();
        name.IdleBefore = _lastIdle;
        name.IdleAfter = 0;
        if (_lastIdle == 0)
        {
            _firstIdle = id;
        }
        else
        {
            _names[_lastIdle].IdleAfter = id;
        }

        _lastIdle = id;
    }

    private void RemoveIdle(int id)
    {
        Name name = _names[id];
        name.IsIdle = false;
        if (name.IdleBefore == 0)
        {
            _firstIdle = name.IdleAfter;
        }
        else
        {
            _names[name.IdleBefore].IdleAfter = name.IdleAfter;
        }

        if (name.IdleAfter == 0)
        {
            _lastIdle = name.IdleBefore;
        }
        else
        {
            _names[name.IdleAfter].IdleBefore = name.IdleBefore;
        }
    }

    /// <summary>Takes the number of the name that has been without a holder for longest, if all pinned ones are given.</summary>
    private bool TryEvict(out int id)
    {
        id = _firstIdle;
        if (_names.Count <= pinned || id == 0 || _time.GetElapsedTime(_names[id].IdleSince) < Grace)
        {
            return false;
        }

        RemoveIdle(id);
        _ids.Remove(_names[id].Utf8);
        _last = 0;
        evicted?.Invoke(id);
        return true;
    }

    private int Insert(byte[] utf8)
    {
        var name = new Name(utf8, Encoding.UTF8.GetString(utf8));
        if (TryEvict(out int id) || _free.TryPop(out id))
        {
            _names[id] = name;
        }
        else
        {
            id = _names.Count;
            _names.Add(name);
        }

        _ids.Add(utf8, id);
        return id;
    }

    private sealed class Name(byte[] utf8, string text)
    {
        public byte[] Utf8 { get; } = utf8;

        public string Text { get; } = text;

        public int Holders { get; set; }

        /// <summary>Whether it is pinned and has no holder; then it has neighbours in the order of eviction.</summary>
        public bool IsIdle { get; set; }

        public long IdleSince { get; set; }

        public int IdleBefore { get; set; }

        public int IdleAfter { get; set; }
    }

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
