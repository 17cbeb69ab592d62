using System.Collections.Concurrent;
using Couic.Config;
using Couic.Native;
using Microsoft.Extensions.Logging;
using ZLogger;

namespace Couic.Logging;

/// <summary>
/// Creates the program's loggers: ZLogger's, with a level that can change at run time. Each call adds one line to a bounded queue and
/// returns; one thread writes. Disposing writes the queued lines and waits at most two seconds. Thread-safe.
/// </summary>
public sealed class LogFactory : ILoggerFactory
{
    /// <summary>How long the end waits for a blocked reader of standard output.</summary>
    private static readonly TimeSpan StopTime = TimeSpan.FromSeconds(2);

    private readonly ConcurrentDictionary<string, AreaLogger> _loggers = new(StringComparer.Ordinal);
    private readonly ZLoggerOptions _options;
    private readonly LogQueue _queue;
    private readonly LogWriter _writer;
    private volatile int _level;
    private int _isDisposed;

    public LogFactory(LoggingSettings settings)
        : this(settings, new StandardOutput(), BatchClock.Instance, LogQueue.DefaultBytes, StopTime)
    {
    }

    internal LogFactory(LoggingSettings settings, ILogOutput output, TimeProvider time, int queueBytes, TimeSpan stopTime)
    {
        // The queue formats a line before Log returns, so no state has to be copied first.
        _options = new ZLoggerOptions { TimeProvider = time, IsFormatLogImmediatelyInStandardLog = false };
        _level = (int)settings.Level;
        _queue = new LogQueue(settings, output.Kind, queueBytes);
        _writer = new LogWriter(_queue, settings, output, _options, stopTime);
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
    public ILogger CreateLogger(string categoryName) => _loggers.GetOrAdd(
        categoryName, static (name, factory) => new AreaLogger(factory, new ZLoggerLogger(AreaOf(name), factory._queue, factory._options, null)), this);

    /// <summary>Not supported: there is one provider.</summary>
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

    private static string AreaOf(string category) =>
        (category.Split('.') is ["Couic", string folder, ..] ? folder : category).ToLowerInvariant();

    /// <summary>ZLogger's logger has every level enabled.</summary>
    private sealed class AreaLogger(LogFactory factory, ZLoggerLogger inner) : ILogger
    {
        public bool IsEnabled(LogLevel logLevel) => (int)logLevel >= factory._level && logLevel != LogLevel.None;

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            if (IsEnabled(logLevel))
            {
                inner.Log(logLevel, eventId, state, exception, formatter);
            }
        }
    }
}
