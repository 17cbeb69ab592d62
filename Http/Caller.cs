namespace Couic.Http;

/// <summary>
/// The connections of one process (unix(7), SO_PEERCRED), and those of them that have something to do, in the order in which it came.
/// <see cref="Connections"/> is the table's, the line is the event loop's.
/// </summary>
internal sealed class Caller(int process)
{
    private HttpConnection? _first;
    private HttpConnection? _last;

    public int Process { get; } = process;

    public int Connections { get; set; }

    public bool HasLine => _first is not null;

    public void Enter(HttpConnection connection)
    {
        if (_last is null)
        {
            _first = connection;
        }
        else
        {
            _last.Behind = connection;
        }

        _last = connection;
    }

    public HttpConnection Leave()
    {
        HttpConnection connection = _first!;
        _first = connection.Behind;
        _last = _first is null ? null : _last;
        connection.Behind = null;
        return connection;
    }
}
