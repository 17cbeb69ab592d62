using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Text.Json;
using Couic.Names;
using Couic.Store;

namespace Couic.Peering;

/// <summary>
/// Sends requests to peers: over HTTP in the daemon, over a simulated network in tests. Callbacks come from any thread, but
/// never from inside a call to it.
/// </summary>
internal interface IPeerTransport
{
    /// <summary>Sends a request; <see cref="PeerRequest.Done"/> is called exactly once.</summary>
    void Post(PeerRequest request);

    /// <summary>
    /// Calls back once when the peer can be reached: at once, or within 250 ms after the path works again. The argument says
    /// whether the peer was unreachable in between.
    /// </summary>
    void AwaitReachable(PeerSettings peer, Action<bool> reachable);

    /// <summary>The settings of the peer were removed or changed: closes its connections and cancels its callbacks.</summary>
    void Forget(PeerSettings peer);
}

internal enum PeerVerb : byte
{
    /// <summary><c>POST /v1/{policy}/peer</c>: jobs.</summary>
    Jobs,

    /// <summary><c>POST /v1/{policy}/peer/sync</c>: a <see cref="SyncMessage"/>.</summary>
    Sync,
}

internal sealed record PeerRequest(
    PeerSettings Peer, Policy Policy, PeerVerb Verb, ReadOnlyMemory<byte> Body, Action<PeerAnswer> Done);

internal enum PeerFailure : byte
{
    None,

    /// <summary>No connection, or it broke; the session continues as soon as the peer can be reached.</summary>
    Unreachable,

    /// <summary>Connected, but without a complete answer within the time limit.</summary>
    TimedOut,

    /// <summary>The peer's certificate or name could not be verified, or the handshake failed.</summary>
    Tls,

    /// <summary>The answer is not HTTP, too large, or malformed.</summary>
    InvalidResponse,

    /// <summary>A status that refuses the request.</summary>
    Refused,
}

/// <param name="Detail">The cause for the log; null for none.</param>
internal readonly record struct PeerAnswer(PeerFailure Failure, int Status, ReadOnlyMemory<byte> Body, string? Detail = null)
{
    /// <summary>An HTML page, which couic never sends.</summary>
    public bool IsHypertext => Body.Span.TrimStart(" \t\r\n"u8) is [(byte)'<', ..];

    public bool IsSuccess => Failure == PeerFailure.None && Status is >= 200 and < 300;
}

/// <summary>Translates exceptions of the HTTP client: their own messages may be bare resource keys.</summary>
internal static class PeerFailures
{
    public const string NoHttp = "the answer is not HTTP";
    public const string Broke = "the connection broke";
    public const string Reset = "connection reset";
    public const string Ended = "the connection ended before the answer";

    public static PeerAnswer Of(Exception fault)
    {
        for (Exception? e = fault; e is not null; e = e.InnerException)
        {
            switch (e)
            {
                case AuthenticationException:
                    return Failed(PeerFailure.Tls, "TLS failed: its certificate or name is not trusted, or it wants a certificate of ours");
                case CryptographicException or UnauthorizedAccessException or FileNotFoundException or DirectoryNotFoundException:
                    return Failed(PeerFailure.Tls, $"read TLS files: {e.Message}");
                case UnresolvedHostException unresolved:
                    return Failed(PeerFailure.Unreachable, unresolved.Message);
                case SocketException socket:
                    return Failed(PeerFailure.Unreachable, Words(socket.SocketErrorCode));
                case HttpIOException io when Of(io.HttpRequestError) is { } answer:
                    return answer;
                case HttpRequestException http when Of(http.HttpRequestError) is { } answer:
                    return answer;
                default:
                    break;
            }
        }

        return Failed(PeerFailure.Unreachable, Broke);
    }

    public static PeerAnswer Failed(PeerFailure failure, string cause) => new(failure, 0, default, cause);

    private static PeerAnswer? Of(HttpRequestError error) => error switch
    {
        HttpRequestError.NameResolutionError => Failed(PeerFailure.Unreachable, "its name cannot be resolved"),
        HttpRequestError.SecureConnectionError => null, // the inner exception says more
        HttpRequestError.InvalidResponse => Failed(PeerFailure.InvalidResponse, NoHttp),
        HttpRequestError.ConfigurationLimitExceeded => Failed(PeerFailure.InvalidResponse, "the head of the answer is too large"),
        HttpRequestError.ResponseEnded => Failed(PeerFailure.Unreachable, Ended),
        _ => null,
    };

    private static string Words(SocketError error) => error switch
    {
        SocketError.ConnectionRefused => "connection refused",
        SocketError.ConnectionReset => Reset,
        SocketError.HostNotFound or SocketError.NoData or SocketError.TryAgain => "its name cannot be resolved",
        SocketError.HostUnreachable or SocketError.NetworkUnreachable or SocketError.HostDown => "no route to it",
        SocketError.TimedOut => "connecting timed out",
        _ => $"the connection failed ({error})",
    };
}

/// <summary>Reads the message in the body of a refusal. It comes from another machine, so it is cut and cleaned.</summary>
internal static class RefusalText
{
    private const int MaxBody = 4_096;
    private const int MaxText = 200;

    /// <summary>Null when the body is not in couic's error format.</summary>
    public static string? Of(ReadOnlySpan<byte> body)
    {
        if (body.Length > MaxBody)
        {
            return null;
        }

        try
        {
            var reader = new Utf8JsonReader(body);
            while (reader.Read())
            {
                if (reader.TokenType == JsonTokenType.PropertyName && reader.ValueTextEquals("message"u8)
                    && reader.Read() && reader.TokenType == JsonTokenType.String)
                {
                    return Cleaned(reader.GetString()!);
                }
            }
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // Not JSON, or not text: the status alone is reported.
        }

        return null;
    }

    private static string? Cleaned(string text)
    {
        string cut = text.Length > MaxText ? text[..MaxText] : text;
        return cut.Length == 0 ? null : string.Create(cut.Length, cut, static (to, from) =>
        {
            for (int i = 0; i < from.Length; i++)
            {
                to[i] = from[i] is >= ' ' and <= '~' ? from[i] : '?';
            }
        });
    }
}
