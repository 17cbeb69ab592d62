namespace Couic.IntegrationTests.Harness;

/// <summary>Sends the same frames over and over while a test changes rules, and counts those that pass the filter.</summary>
internal sealed class Traffic : IDisposable
{
    private readonly Probe _probe;
    private readonly byte[][] _frames;
    private readonly Task _sending;
    private volatile bool _isStopped;
    private int _rounds;
    private int _passed;

    public Traffic(Probe probe, byte[][] frames)
    {
        _probe = probe;
        _frames = frames;
        _sending = Task.Factory.StartNew(Send, TaskCreationOptions.LongRunning);
        Eventually.Holds(() => Volatile.Read(ref _rounds) > 1, "the first frames are sent");
    }

    /// <summary>Rounds that began and ended while something was changed: only these can have seen the change.</summary>
    public int RoundsDuringChanges { get; private set; }

    /// <summary>Makes a change beside the traffic.</summary>
    public void During(Action change)
    {
        int before = Volatile.Read(ref _rounds);
        change();
        RoundsDuringChanges += Math.Max(0, Volatile.Read(ref _rounds) - before - 1);
    }

    /// <summary>Ends the traffic. Returns how many frames passed and how many were sent.</summary>
    public (int Passed, int Sent) Stop()
    {
        Dispose();
        return (_passed, _rounds * _frames.Length);
    }

    public void Dispose()
    {
        _isStopped = true;
        _sending.Wait();
    }

    private void Send()
    {
        while (!_isStopped)
        {
            _passed += _probe.Glance(_frames);
            Interlocked.Increment(ref _rounds);
        }
    }
}
