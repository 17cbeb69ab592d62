using Couic.Native;

namespace Couic.Http;

// Answers leave in groups: what the requests of a group have left to be done together is done first, in few system calls, and a
// client that waits for several of the answers is woken once. All on the event loop's thread.
internal sealed partial class HttpServer
{
    /// <summary>Connections of a group.</summary>
    public const int GroupSize = 16;

    /// <summary>Requests of a group of several connections: each of their clients has others that wait, and work to do meanwhile.</summary>
    private const int GroupRequests = 32;

    /// <summary>Requests of a connection that is alone: few enough that its client and the server work at the same time.</summary>
    private const int AloneRequests = 8;

    private List<HttpConnection> _joined = new(GroupSize);
    private List<HttpConnection> _leaving = new(GroupSize);
    private IGroupWork? _work;
    private int _loopThread;

    /// <summary>Requests that were deferred and are not answered.</summary>
    private int _deferred;

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

        _deferred++;
    }

    /// <summary>Does what was deferred; afterwards all answers to it are there.</summary>
    internal void RunWork()
    {
        if (_work is not { } work)
        {
            return;
        }

        _work = null;
        _deferred = 0;
        using (BatchClock.Freeze())
        {
            work.Run();
        }
    }

    /// <summary>Whether a connection that has deferred so many requests should see them answered before it reads more.</summary>
    internal bool IsEnough(int deferred) => deferred >= AloneRequests && (!HasOthers || _deferred >= GroupRequests);

    /// <summary>Whether connections wait for their turn.</summary>
    private bool HasOthers => _served < _taken.Count || !_ready.IsEmpty;

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
                Leave(connection);
            }

            _leaving.Clear();
        }
    }

    private void Leave(HttpConnection connection)
    {
        try
        {
            connection.Leave(_lastTurn);
        }
        catch (Exception e)
        {
            connection.Abandon(e);
        }
    }
}
