namespace Couic.Http.Transport;

// What many want and few can have at a time (memory, a turn at a long list or a large body) is not kept from them by a slow client.
internal sealed partial class HttpConnection
{
    /// <summary>How long a client may keep such a connection waiting, all its waits together, while others are in line.</summary>
    private static readonly TimeSpan HolderPatience = TimeSpan.FromSeconds(1);

    private volatile Turns? _held;
    private volatile TaskCompletionSource<bool>? _place;
    private int _parkedBytes;
    private long _parkedSince;
    private long _waited;
    private long _waitingForClientSince;

    /// <summary>
    /// Waits in line with as little memory as can be; what was read of the body may move. False: there is no turn, as its share of the
    /// memory was taken away or its client has gone.
    /// </summary>
    public async ValueTask<bool> WaitTurnAsync(Turns turns, string name)
    {
        if (turns.Enter(name) is { } place)
        {
            Input.Shrink(Buffers.Parked);
            if (!TryPark(Input.Capacity))
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
            Unpark();
            if (!isTurn)
            {
                return false;
            }
        }

        if (_isAbandoned)
        {
            turns.Release();
            return false;
        }

        Hold(turns);
        return true;
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

    private void Hold(Turns turns)
    {
        _waited = 0;
        _held = turns;
    }

    /// <summary>Memory that it holds while it waits for its client; 0 while it does not.</summary>
    public int ParkedBytes => Volatile.Read(ref _parkedBytes);

    /// <summary>Since when, in timestamps.</summary>
    public long ParkedSince => Volatile.Read(ref _parkedSince);

    /// <summary>Takes a share of the memory of those that wait. <see cref="Unpark"/> is due in either case.</summary>
    private bool TryPark(int bytes)
    {
        Volatile.Write(ref _parkedSince, _server.Now);
        if (bytes > 0 && !_server.TryPark(bytes))
        {
            return false;
        }

        Volatile.Write(ref _parkedBytes, bytes);
        return true;
    }

    private void Unpark()
    {
        _server.Unpark(_parkedBytes);
        Volatile.Write(ref _parkedBytes, 0);
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
