using Microsoft.Extensions.Logging;

namespace Couic.Http;

/// <summary>What the server logs. Event names are stable.</summary>
internal static partial class HttpLog
{
    /// <summary>The end of a message: how many similar ones were suppressed; empty for none.</summary>
    public static string More(long suppressed) => suppressed == 0
        ? string.Empty
        : string.Create(System.Globalization.CultureInfo.InvariantCulture, $" ({suppressed} more not logged)");

    [LoggerMessage(EventName = "api_request_refused", Level = LogLevel.Warning,
        Message = "request refused: {cause}, status {status}, route {route}, client {client}, from {caller}: {message}{more}")]
    public static partial void RequestRefused(
        ILogger log, string cause, int status, string route, string client, string caller, string message, string more);

    [LoggerMessage(EventName = "api_request_failed", Level = LogLevel.Error, Message = "request on {route} failed")]
    public static partial void RequestFailed(ILogger log, string route, Exception exception);

    [LoggerMessage(EventName = "api_loop_failed", Level = LogLevel.Critical, Message = "event loop failed")]
    public static partial void LoopFailed(ILogger log, Exception exception);

    [LoggerMessage(EventName = "api_accept_failed", Level = LogLevel.Warning, Message = "accept connection: errno {errno}; retried in a moment")]
    public static partial void AcceptFailed(ILogger log, int errno);

    [LoggerMessage(EventName = "api_parked_full", Level = LogLevel.Warning,
        Message = "waiting connections hold {limit} bytes; the longest-waiting ones are closed{more}")]
    public static partial void MemoryFull(ILogger log, int limit, string more);

    [LoggerMessage(EventName = "api_connections_full", Level = LogLevel.Warning,
        Message = "{limit} connections are open; the longest-idle ones are closed for new ones{more}")]
    public static partial void ConnectionsFull(ILogger log, int limit, string more);

    [LoggerMessage(EventName = "api_address_refused", Level = LogLevel.Warning, Message = "connection from {address} refused: {cause}{more}")]
    public static partial void AddressRefused(ILogger log, string address, string cause, string more);

    [LoggerMessage(EventName = "api_handshake_failed", Level = LogLevel.Information, Message = "TLS handshake with {address} failed: {cause}{more}")]
    public static partial void HandshakeFailed(ILogger log, string address, string cause, string more);
}
