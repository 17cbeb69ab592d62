namespace Couic.IntegrationTests.Harness;

/// <summary>
/// Sends packets of listed and of ignored sources without a pause, as fast as their arrival can be seen, and counts the errors of the filter:
/// a listed packet that arrives, an ignored one that does not.
/// </summary>
internal sealed class Crossing : IDisposable
{
    private readonly Probe _probe;
    private readonly byte[][] _frames;
    private readonly int _listed;
    private readonly Task _sending;
    private volatile bool _isStopped;
    private long _rounds, _admitted, _lost;

    public Crossing(Probe probe, string[] listed, string[] others)
    {
        _probe = probe;
        _listed = listed.Length;
        _frames = [.. listed.Concat(others).Select(source => Frame.UdpFrom(source))];
        _sending = Task.Factory.StartNew(Send, TaskCreationOptions.LongRunning);
        Eventually.Holds(() => Interlocked.Read(ref _rounds) > 1, "the first frames are sent");
    }

    /// <summary>Packets that have been sent.</summary>
    public long Sent => Interlocked.Read(ref _rounds) * _frames.Length;

    /// <summary>Listed packets that arrived, and others that did not.</summary>
    public (long Admitted, long Lost) Errors => (Interlocked.Read(ref _admitted), Interlocked.Read(ref _lost));

    public void Dispose()
    {
        _isStopped = true;
        _sending.Wait();
    }

    private void Send()
    {
        bool[] arrived = new bool[_frames.Length];
        while (!_isStopped)
        {
            _probe.Glance(_frames, arrived);
            Interlocked.Add(ref _admitted, arrived.AsSpan(0, _listed).Count(true));
            Interlocked.Add(ref _lost, arrived.AsSpan(_listed).Count(false));
            Interlocked.Increment(ref _rounds);
        }
    }
}
