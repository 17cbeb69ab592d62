namespace Couic.Daemon;

/// <summary>
/// Runs something when it is asked for. What is asked for during a run is one more run after it, however often that is, so that one
/// thread at most is busy with it: that of the first who asked. Thread-safe.
/// </summary>
/// <param name="run">Must not throw.</param>
internal sealed class CoalescedRuns(Action run)
{
    private readonly Lock _gate = new();
    private bool _isRunning;
    private bool _isAskedAgain;

    public void Request()
    {
        lock (_gate)
        {
            if (_isRunning)
            {
                _isAskedAgain = true;
                return;
            }

            _isRunning = true;
        }

        do
        {
            run();
        }
        while (GoesOn());
    }

    private bool GoesOn()
    {
        lock (_gate)
        {
            _isRunning = _isAskedAgain;
            _isAskedAgain = false;
            return _isRunning;
        }
    }
}
