using Couic.Http.Transport;

namespace Couic.Http;

// Answers leave in groups: what the requests of a group have left to be done together is done first, in few system calls, and a
// client that waits for several of the answers is woken once. All on the event loop's thread.
internal sealed partial class HttpServer
{
    /// <summary>Connections, or requests of one connection, of a group: few enough that clients and server work at the same time.</summary>
    public const int GroupSize = 8;

    private List<HttpConnection> _joined = new(GroupSize);
    private List<HttpConnection> _leaving = new(GroupSize);
    private IGroupWork? _work;
    private int _loopThread;

    /// <summary>Whether the caller is the event loop's thread.</summary>
    internal bool IsOnLoop => Environment.CurrentManagedThreadId == _loopThread;

    /// <summary>Has the work run before the next answers go out.</summary>
    internal void Defer(IGroupWork work)
    {
        if (_work != work)
        {
            RunWork();
            _work = work;
        }
    }

    /// <summary>Does what was deferred; afterwards all answers to it are there.</summary>
    internal void RunWork()
    {
        IGroupWork? work = _work;
        _work = null;
        work?.Run();
    }

    /// <summary>Puts a connection with answers to send into the group. False where there is none: elsewhere than on the loop.</summary>
    internal bool TryJoin(HttpConnection connection)
    {
        if (!IsOnLoop)
        {
            return false;
        }

        _joined.Add(connection);
        return true;
    }

    private void FinishGroup()
    {
        RunWork();
        while (_joined.Count > 0)
        {
            (_joined, _leaving) = (_leaving, _joined);
            foreach (HttpConnection connection in _leaving)
            {
                connection.Leave();
            }

            _leaving.Clear();
        }
    }
}
