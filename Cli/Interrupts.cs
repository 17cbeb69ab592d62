using System.Runtime.InteropServices;

namespace Couic.Cli;

/// <summary>
/// While it lives, the signals that end a program end a wait instead, so that the terminal can be put back in order.
/// </summary>
internal sealed class Interrupts : IDisposable
{
    private readonly CancellationTokenSource _source;
    private readonly PosixSignalRegistration[] _registrations;
    private readonly Func<TimeSpan, CancellationToken, bool> _wait;

    public Interrupts(Func<TimeSpan, CancellationToken, bool> wait)
    {
        _wait = wait;
        _source = new CancellationTokenSource();
        PosixSignal[] signals = [PosixSignal.SIGINT, PosixSignal.SIGTERM, PosixSignal.SIGHUP];
        _registrations = Array.ConvertAll(signals, signal => PosixSignalRegistration.Create(signal, context =>
        {
            context.Cancel = true;
            _source.Cancel();
        }));
    }

    /// <summary>Waits. Returns true as soon as a signal has arrived.</summary>
    public bool Wait(TimeSpan time) => _wait(time, _source.Token);

    public void Dispose()
    {
        Array.ForEach(_registrations, r => r.Dispose());
        _source.Dispose();
    }
}
