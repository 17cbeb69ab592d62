using System.Runtime.CompilerServices;
using Couic.Http.Parsing;

namespace Couic.Http;

// What many want and few can have at a time (memory, a turn at a long list or a large body) is not kept from them by a slow client.
internal sealed partial class HttpConnection
{
    /// <summary>How long a request may compute before it lets others in line go on.</summary>
    private static readonly TimeSpan LongWork = TimeSpan.FromMilliseconds(50);

    /// <summary>How long a client may keep such a connection waiting, all its waits together, while others are in line.</summary>
    private static readonly TimeSpan HolderPatience = TimeSpan.FromSeconds(1);

    /// <summary>
    /// What a request in line keeps beside its buffers, about: the objects of its exchange, its handler and their waits. Ten thousand of them
    /// took 40 MB, and the collector's look at each of them kept others waiting.
    /// </summary>
    private const int InLineBytes = 4 * 1024;

    private volatile Turns? _held;
    private volatile TaskCompletionSource<bool>? _place;
    private Turns? _work;
    private long _workingSince;
    private bool _isWarm;
    private int _parkedBytes;
    private long _parkedSince;
    private long _waited;
    private long _waitingForClientSince;

    /// <summary>
    /// Waits in its client's line with as little memory as can be; what was read of the body may move. The turn is held until
    /// <see cref="LetGo"/>. False: there is none, as its share of the memory was taken away or its client has gone.
    /// </summary>
    public async ValueTask<bool> WaitTurnAsync(Turns turns)
    {
        if (!await WaitInLineAsync(turns))
        {
            return false;
        }

        if (_isAbandoned)
        {
            turns.Release();
            return false;
        }

        _waited = 0;
        _held = turns;
        return true;
    }

    /// <summary>
    /// Goes on on a pool thread as one of a few: what they have in memory while they compute is in no account. Until <see cref="LeaveWork"/>.
    /// False: its share of the memory was taken away, or its client has gone and changes nothing.
    /// </summary>
    public ValueTask<bool> EnterWorkAsync(Work work) => EnterWorkAsync(_server.TurnsAt(work));

    private async ValueTask<bool> EnterWorkAsync(Turns work)
    {
        if (_work is null && await WaitInLineAsync(work))
        {
            _work = work;
            _workingSince = _server.Now;
        }

        if (_isAbandoned && _exchange!.Verb is Verb.Get or Verb.Head)
        {
            LeaveWork(); // nobody waits for the answer, and nothing else comes of it
        }

        if (_work is not null && _server.IsOnLoop)
        {
            await Exchange.YieldAsync();
        }

        return _work is not null;
    }

    /// <summary>Lets another one compute. The turn that it had; null: none.</summary>
    public Turns? LeaveWork()
    {
        Turns? work = _work;
        _work = null;
        work?.Release();
        return work;
    }

    /// <summary>Whether others wait to compute, it has done so for long, and waiting would cost it nothing: there is memory for those that wait.</summary>
    public bool HasWorkedLong =>
        _work is { } work && _server.Now - _workingSince > _server.Ticks(LongWork) && _server.HasRoomToPark && work.HasLine;

    private async ValueTask<bool> WaitInLineAsync(Turns turns)
    {
        if (turns.Enter(_exchange!.ClientName) is { } place)
        {
            Input.Shrink(Buffers.Parked);
            if (!TryPark(_holdsLargeBody ? 0 : HeldBytes + InLineBytes))
            {
                place.TrySetResult(false);
            }

            _place = place;
            if (_isEvicted)
            {
                place.TrySetResult(false);
            }

            bool isTurn = await place.Task;
            _place = null;
            if (!isTurn)
            {
                return false; // it counts until its memory is given back
            }

            Unpark();
        }

        return true;
    }

    /// <summary>Lets others go on, and comes back when it is its caller's turn again. False: it was closed meanwhile.</summary>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<bool> GiveWayAsync()
    {
        _out.Release();
        _exchange?.ReleaseBuffers();
        Input.Shrink(Buffers.Parked);
        bool mayWait = TryPark(Input.Capacity);
        if (mayWait)
        {
            await WaitForTurnAsync();
            _drained = false;
            Unpark();
        }

        _isGone |= _expired || !mayWait;
        return !_isGone;
    }

    private Gate.Waiting WaitForTurnAsync()
    {
        _waitsForTurn = true;
        _server.ServeLater(this);
        return _turn.WaitAsync();
    }

    /// <summary>Whether it keeps its buffers although it rests: its next request is expected at once.</summary>
    private bool TryStayWarm() =>
        Input.Capacity <= Buffers.Working && _out.Capacity <= Buffers.Answer && (_isWarm || (_isWarm = _server.TryWarm()));

    /// <summary>Gives the buffers back that it has kept, if it has rested since then.</summary>
    public void CoolDown(long since)
    {
        if (_isWarm && _rests && WaitingSince < since)
        {
            Cool();
            Input.Release();
            _out.Release();
        }
    }

    private void Cool()
    {
        if (_isWarm)
        {
            _isWarm = false;
            _server.Cool();
        }
    }

    /// <summary>Gives the turn to the next one.</summary>
    public void LetGo()
    {
        if (_held is { } turns)
        {
            _held = null;
            turns.Release();
        }
    }

    /// <summary>Memory of all its buffers, and what the handler says that it holds.</summary>
    private int HeldBytes => Input.Capacity + _out.Capacity + (_exchange?.HeldBytes ?? 0);

    /// <summary>Memory that it holds while it waits for its client; 0 while it does not.</summary>
    public int ParkedBytes => Volatile.Read(ref _parkedBytes);

    /// <summary>Since when, in timestamps.</summary>
    public long ParkedSince => Volatile.Read(ref _parkedSince);

    /// <summary>Takes a share of the memory of those that wait.</summary>
    private bool TryPark(int bytes)
    {
        Unpark();
        if (bytes == 0)
        {
            return true;
        }

        Volatile.Write(ref _parkedSince, _server.Now);
        if (!_server.TryPark(bytes))
        {
            return false;
        }

        Volatile.Write(ref _parkedBytes, bytes);
        return true;
    }

    private void Unpark()
    {
        if (_parkedBytes != 0)
        {
            _server.Unpark(_parkedBytes);
            Volatile.Write(ref _parkedBytes, 0);
        }
    }

    private void BeginWaitForClient() => Volatile.Write(ref _waitingForClientSince, _server.Now);

    private void EndWaitForClient()
    {
        Volatile.Write(ref _waited, _waited + _server.Now - _waitingForClientSince);
        Volatile.Write(ref _waitingForClientSince, 0);
    }

    private bool IsInTheWay(long now)
    {
        if (_held is not { HasLine: true })
        {
            return false;
        }

        long since = Volatile.Read(ref _waitingForClientSince);
        return Volatile.Read(ref _waited) + (since == 0 ? 0 : now - since) > _server.Ticks(HolderPatience);
    }
}
