using Couic.Config;
using Couic.Logging.Abstractions;

namespace Couic.Logging;

/// <summary>
/// The thread that takes lines from the queue and writes them to standard output and to the file. Standard output gets text, but the
/// configured format where there is no file.
/// </summary>
internal sealed partial class LogWriter : IDisposable
{
    /// <summary>How long a line waits for others to be written with.</summary>
    private static readonly TimeSpan Gather = TimeSpan.FromMilliseconds(10);

    private readonly LogQueue _queue;
    private readonly ILogOutput _output;
    private readonly TimeProvider _time;
    private readonly TimeSpan _stopTime;
    private readonly LogFile _file;
    private readonly LogBatch _own;
    private readonly Thread _thread;
    private LoggingSettings _inForce;
    private string _fileName = string.Empty;
    private long _fileDay = -1;
    private long _lostEver;
    private long _lostUnsaid;
    private bool _isFaultSaid;
    private volatile bool _isStopping;

    public LogWriter(LogQueue queue, LoggingSettings settings, ILogOutput output, TimeProvider time, TimeSpan stopTime)
    {
        _queue = queue;
        _inForce = settings;
        _output = output;
        _time = time;
        _stopTime = stopTime;
        _file = new LogFile(time);
        _own = new LogBatch(LogRecord.MaxBytes, output.Reader);
        _thread = new Thread(Run) { IsBackground = true, Name = "log" };
        _thread.Start();
    }

    /// <summary>Lines of the file that a full disk or the like has cost since the start.</summary>
    public long Lost => Interlocked.Read(ref _lostEver);

    /// <summary>Writes what is queued and ends the thread.</summary>
    public void Dispose()
    {
        _isStopping = true;
        _queue.Wake();
        if (_thread.Join(_stopTime))
        {
            _file.Dispose();
            _output.Dispose();
        }
    }

    private void Run()
    {
        bool isLast;
        do
        {
            _queue.WaitForLines(_isStopping ? TimeSpan.Zero : Gather);
            isLast = _isStopping;
            TryWriteBatch();
        }
        while (!isLast);
    }

    private void TryWriteBatch()
    {
        try
        {
            InternalErrors.Enter(Place.LogWriter);
            Write(_queue.Take());
        }
#pragma warning disable CA1031 // whatever goes wrong here costs lines, never the process
        catch (Exception)
#pragma warning restore CA1031
        {
            InternalErrors.Caught(Place.LogWriter); // it is the log that fails
            Interlocked.Increment(ref _lostEver);
            _lostUnsaid++;
            Thread.Sleep(Gather);
            _queue.Wake(); // the lines may be there still, and a queue that is not empty wakes nobody
        }
    }
}
