using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;

namespace Couic.Tests.Api;

/// <summary>Keeps what is logged.</summary>
internal sealed class LogBook : ILoggerFactory, ILogger
{
    public ConcurrentQueue<(LogLevel Level, string? Event, string Text)> Lines { get; } = new();

    public ILogger CreateLogger(string categoryName) => this;

    public void AddProvider(ILoggerProvider provider)
    {
    }

    public void Dispose()
    {
    }

    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => true;

    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
        Lines.Enqueue((logLevel, eventId.Name, formatter(state, exception) + exception));

    public bool Has(string name) => Lines.Any(line => line.Event == name);
}
