using System.Text;

namespace Couic.Store;

/// <summary>
/// Interns short names (tags, clients) as small dense numbers, so that an entry holds four bytes and looking a name up
/// allocates nothing. Numbers up to <paramref name="pinned"/> are kept for good once given; those above are reused when
/// their last holder is gone, so memory stays bounded whatever names arrive. Number 0 is "no name". Not thread-safe.
/// </summary>
internal sealed class NameTable(int pinned)
{
    private readonly Dictionary<byte[], int> _ids = new(Utf8Comparer.Instance);
    private readonly List<Name> _names = [new Name([], string.Empty)];
    private readonly Stack<int> _free = new();

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

        _names[id].Holders++;
        return id;
    }

    /// <summary>One more holder of a name that is held.</summary>
    public void Hold(int id) => _names[id].Holders++;

    public void Release(int id)
    {
        Name name = _names[id];
        if (--name.Holders == 0 && id > pinned)
        {
            _ids.Remove(name.Utf8);
            _free.Push(id);
            _last = 0;
        }
    }

    private int Insert(byte[] utf8)
    {
        var name = new Name(utf8, Encoding.UTF8.GetString(utf8));
        if (_free.TryPop(out int id))
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
