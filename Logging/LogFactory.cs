using System.Collections.Concurrent;
using Couic.Config;
using Couic.Native;
using Microsoft.Extensions.Logging;

namespace Couic.Logging;

/// <summary>
/// Makes the loggers of the program. Each call of a logger puts one line into a bounded queue and returns; one thread writes.
/// Thread-safe. Disposing writes what is queued and waits for it at most two seconds.
/// </summary>
public sealed class LogFactory : ILoggerFactory
{
    /// <summary>How long stopping waits for a reader of standard output that is stuck.</summary>
    private static readonly TimeSpan StopTime = TimeSpan.FromSeconds(2);

    private readonly ConcurrentDictionary<string, AreaLogger> _loggers = new(StringComparer.Ordinal);
    private readonly LogQueue _queue;
    private readonly LogWriter _writer;
    private readonly TimeProvider _time;
    private volatile int _level;
    private int _isDisposed;

    public LogFactory(LoggingSettings settings)
        : this(settings, new StandardOutput(), BatchClock.Instance, LogQueue.DefaultBytes, StopTime)
    {
    }

    internal LogFactory(LoggingSettings settings, ILogOutput output, TimeProvider time, int queueBytes, TimeSpan stopTime)
    {
        _time = time;
        _level = (int)settings.Level;
        _queue = new LogQueue(settings, output.Reader, queueBytes);
        _writer = new LogWriter(_queue, settings, output, time, stopTime);
    }

    /// <summary>Lines that found the queue full, since the start.</summary>
    public long Dropped => _queue.Dropped;

    /// <summary>Lines that could not be written to the log file, since the start.</summary>
    public long Lost => _writer.Lost;

    /// <summary>Changes level, format, folder and rotation while the program runs.</summary>
    public void Apply(LoggingSettings settings)
    {
        _level = (int)settings.Level;
        _queue.Apply(settings);
    }

    /// <param name="categoryName">An area such as <c>audit</c>; of <c>Couic.Http.Router</c> the area is <c>http</c>.</param>
    public ILogger CreateLogger(string categoryName) =>
        _loggers.GetOrAdd(categoryName, static (name, factory) => new AreaLogger(factory, factory._queue, factory._time, name), this);

    /// <summary>There is one provider.</summary>
    /// <exception cref="NotSupportedException">Always.</exception>
    public void AddProvider(ILoggerProvider provider) => throw new NotSupportedException();

    public void Dispose()
    {
        if (Interlocked.Exchange(ref _isDisposed, 1) == 0)
        {
            _level = (int)LogLevel.None;
            _writer.Dispose();
        }
    }

    internal bool IsEnabled(LogLevel level) => (int)level >= _level && level != LogLevel.None;
}
