namespace Couic.Http;

/// <summary>
/// The deadline of what a connection does now, and how long its client has kept it waiting in all. Written by the owner of the connection,
/// read by the event loop.
/// </summary>
internal struct ConnectionTimeouts
{
    private long _deadline = long.MaxValue;
    private long _waited;
    private long _waitingSince;

    public ConnectionTimeouts()
    {
    }

    public readonly bool HasExpired(long now) => now > Volatile.Read(in _deadline);

    public void Set(long deadline) => Volatile.Write(ref _deadline, deadline);

    public void Clear() => Set(long.MaxValue);

    /// <summary>A deadline that moves on with the bytes that have come, or gone: slow is allowed, standing still is not.</summary>
    public void SetRate(HttpServer server, long start, long bytes, int bytesPerSecond) =>
        Set(start + server.Ticks(server.Limits.RateGrace + TimeSpan.FromSeconds(bytes / (double)bytesPerSecond)));

    public void ResetWaited() => _waited = 0;

    public void BeginWaitForClient(long now) => Volatile.Write(ref _waitingSince, now);

    public void EndWaitForClient(long now)
    {
        Volatile.Write(ref _waited, _waited + now - _waitingSince);
        Volatile.Write(ref _waitingSince, 0);
    }

    /// <summary>How long the client has kept the connection waiting.</summary>
    public readonly long Waited(long now)
    {
        long since = Volatile.Read(in _waitingSince);
        return Volatile.Read(in _waited) + (since == 0 ? 0 : now - since);
    }
}
