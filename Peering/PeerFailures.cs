using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography;
using Couic.Names;

namespace Couic.Peering;

/// <summary>What an exception of the HTTP client means for a peer, in our own words: the framework's may be mere keys.</summary>
internal static class PeerFailures
{
    public const string NoHttp = "the answer is no HTTP";
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
        HttpRequestError.InvalidResponse => Failed(PeerFailure.Garbage, NoHttp),
        HttpRequestError.ConfigurationLimitExceeded => Failed(PeerFailure.Garbage, "the head of the answer is too large"),
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
