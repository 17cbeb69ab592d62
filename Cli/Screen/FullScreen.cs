using System.Runtime.InteropServices;
using Couic.CommandLine;
using Couic.Native;
using Microsoft.Win32.SafeHandles;

namespace Couic.Cli.Screen;

/// <summary>
/// The whole terminal, until it is disposed: alternate screen, keys without echo, no cursor. Signals end it, resize it, or suspend it;
/// whichever way it is left, the terminal is as before. One thread uses it; <see cref="Wake"/> is thread-safe.
/// </summary>
internal sealed class FullScreen : IDisposable
{
    /// <summary>How long the bytes of one key may take over a slow line.</summary>
    private static readonly TimeSpan SequenceTime = TimeSpan.FromMilliseconds(50);

    private readonly CliContext _context;
    private readonly FramePainter _painter;
    private readonly KeyReader _reader = new();
    private readonly Poller _poller = new();
    private readonly TerminalMode? _mode = TerminalMode.TryOpen();
    private readonly SafeFileHandle _input = new(0, ownsHandle: false);
    private readonly PosixSignalRegistration[] _registrations;
    private bool _isEntered;
    private volatile bool _isEnding;
    private volatile bool _isSuspending;
    private volatile bool _isContinued;

    /// <param name="colour">Whether styles may use colours.</param>
    public FullScreen(CliContext context, bool colour)
    {
        _context = context;
        _painter = new FramePainter(colour);
        if (_mode is not null)
        {
            _poller.Add(_input, PollEvents.Readable, 0);
        }

        _registrations =
        [
            On(PosixSignal.SIGINT, End), On(PosixSignal.SIGTERM, End), On(PosixSignal.SIGHUP, End), On(PosixSignal.SIGQUIT, End),
            On(PosixSignal.SIGTSTP, _ => _isSuspending = true), On(PosixSignal.SIGCONT, _ => _isContinued = true),
            On(PosixSignal.SIGWINCH, static _ => { }),
        ];
    }

    /// <summary>Cells; 80 by 24 where the terminal does not know.</summary>
    public static (int Width, int Height) Size => StandardStream.Output.Size is { Rows: > 0 } size ? (size.Columns, size.Rows) : (80, 24);

    /// <summary>Whether a signal asks to end, or the terminal is gone.</summary>
    public bool IsEnding => _isEnding;

    /// <summary>Makes the present wait, or the next one, return. Does nothing once this is disposed.</summary>
    public void Wake()
    {
        try
        {
            _poller.Wake();
        }
        catch (ObjectDisposedException)
        {
            // A sample that came too late.
        }
    }

    /// <summary>Shows a frame, by one write of what differs from the one before.</summary>
    public void Draw(IReadOnlyList<ScreenLine> frame, (int Width, int Height) size)
    {
        string enter = "";
        if (!_isEntered)
        {
            _isEntered = true;
            _mode?.Enter();
            _painter.Forget();
            enter = FramePainter.Enter;
        }

        string text = enter + _painter.Paint(frame, size.Width, size.Height);
        if (text.Length > 0)
        {
            _context.Out.Write(text);
            _context.Flush();
        }
    }

    /// <summary>Waits for keys, a signal, a wake-up, or the time.</summary>
    public void Wait(TimeSpan time, List<Key> keys)
    {
        TimeSpan limit = _reader.IsPending && SequenceTime < time ? SequenceTime : time;
        bool wasPending = _reader.IsPending;
        bool hasInput = false;
        int events = _poller.Wait((int)Math.Max(0, Math.Ceiling(limit.TotalMilliseconds)));
        for (int i = 0; i < events; i++)
        {
            hasInput |= _poller.Event(i, out _, out _);
        }

        if (hasInput)
        {
            ReadKeys(keys);
        }
        else if (wasPending && events == 0)
        {
            _reader.EndSequence(keys);
        }

        if (_isSuspending)
        {
            _isSuspending = false;
            Leave();
            TerminalMode.StopProcess();
            _isContinued = true;
        }

        if (_isContinued)
        {
            // Another program may have used the terminal, and set its mode.
            _isContinued = false;
            _isEntered = false;
        }
    }

    public void Dispose()
    {
        try
        {
            Leave();
        }
        finally
        {
            _mode?.Dispose();
            Array.ForEach(_registrations, registration => registration.Dispose());
            _poller.Dispose();
        }
    }

    private void ReadKeys(List<Key> keys)
    {
        Span<byte> bytes = stackalloc byte[256];
        try
        {
            int read = StandardStream.Input.Read(bytes);
            _isEnding |= read == 0;
            _reader.Read(bytes[..read], keys);
        }
        catch (IOException)
        {
            _isEnding = true; // the terminal is gone
        }
    }

    private void Leave()
    {
        _mode?.Restore();
        if (_isEntered)
        {
            _isEntered = false;
            _context.Out.Write(FramePainter.Leave);
            _context.Flush();
        }
    }

    /// <summary>The second signal ends the process at once: a write to a stopped terminal may block the first one.</summary>
    private void End(PosixSignalContext signal)
    {
        if (_isEnding)
        {
            _mode?.Restore();
            signal.Cancel = false;
        }

        _isEnding = true;
    }

    private PosixSignalRegistration On(PosixSignal signal, Action<PosixSignalContext> action) => PosixSignalRegistration.Create(signal, context =>
    {
        context.Cancel = true;
        action(context);
        Wake();
    });
}
