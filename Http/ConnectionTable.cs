namespace Couic.Http;

/// <summary>
/// The open connections by the key that the poller knows them by: a place in the table and, above it, a number that is
/// different for each user of the place, so that a late event reaches nobody else. Thread-safe.
/// </summary>
internal sealed class ConnectionTable
{
    private const int PlaceBits = 24;

    private readonly Lock _gate = new();
    private readonly Stack<int> _free = new();
    private readonly List<HttpConnection> _snapshot = [];
    private readonly Dictionary<int, Caller> _callers = [];
    private HttpConnection?[] _places = new HttpConnection?[64];
    private ulong _next;
    private int _used;
    private int _count;

    public int Count => Volatile.Read(ref _count);

    /// <summary>How many were ever added.</summary>
    public long Opened => (long)Volatile.Read(ref _next);

    /// <summary>How many the process has that has most.</summary>
    public int MostOfOne
    {
        get
        {
            lock (_gate)
            {
                int most = 0;
                foreach (Caller caller in _callers.Values)
                {
                    most = Math.Max(most, caller.Connections);
                }

                return most;
            }
        }
    }

    /// <summary>How many a process has.</summary>
    public int CountOf(int process)
    {
        lock (_gate)
        {
            return _callers.TryGetValue(process, out Caller? caller) ? caller.Connections : 0;
        }
    }

    /// <param name="process">That opened it.</param>
    public HttpConnection Add(int process, Func<ulong, Caller, HttpConnection> create)
    {
        lock (_gate)
        {
            if (!_callers.TryGetValue(process, out Caller? caller))
            {
                _callers.Add(process, caller = new Caller(process));
            }

            caller.Connections++;
            if (!_free.TryPop(out int place))
            {
                place = _used++;
                if (place == _places.Length)
                {
                    Array.Resize(ref _places, place * 2);
                }
            }

            HttpConnection connection = create((++_next << PlaceBits) | (uint)place, caller);
            _places[place] = connection;
            _count++;
            return connection;
        }
    }

    public void Remove(HttpConnection connection)
    {
        lock (_gate)
        {
            int place = PlaceOf(connection.Key);
            if (_places[place] == connection)
            {
                _places[place] = null;
                _free.Push(place);
                _count--;
                if (--connection.Caller.Connections == 0)
                {
                    _callers.Remove(connection.Caller.Process);
                }
            }
        }
    }

    public HttpConnection? Find(ulong key)
    {
        HttpConnection?[] places = Volatile.Read(ref _places);
        int place = PlaceOf(key);
        HttpConnection? connection = place < places.Length ? places[place] : null;
        return connection?.Key == key ? connection : null;
    }

    /// <summary>All of them, in a list that is used again: for the event loop's thread alone, until the next call.</summary>
    public List<HttpConnection> Snapshot()
    {
        lock (_gate)
        {
            _snapshot.Clear();
            for (int i = 0; i < _used; i++)
            {
                if (_places[i] is { } connection)
                {
                    _snapshot.Add(connection);
                }
            }

            return _snapshot;
        }
    }

    private static int PlaceOf(ulong key) => (int)(key & ((1 << PlaceBits) - 1));
}
