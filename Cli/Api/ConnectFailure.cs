using System.Net.Sockets;

namespace Couic.Cli.Api;

/// <summary>Words for a daemon that could not be reached.</summary>
internal static class ConnectFailure
{
    private const int NoAccess = 13;

    public static CliException Explain(HttpRequestException e, Endpoint endpoint, string? certificateRefusal)
    {
        string where = $"cannot reach the daemon at {endpoint.Display}: ";
        if (certificateRefusal is not null)
        {
            return new CliException($"{where}{certificateRefusal} (set \"ca_file\" to the authority that signed it, or \"host\" to its name)");
        }

        if (FindSocketError(e) is { } socket)
        {
            return new CliException(where + Cause(socket, endpoint));
        }

        return e.HttpRequestError switch
        {
            HttpRequestError.SecureConnectionError => new CliException($"{where}it does not speak TLS (\"tls = false\"? or the wrong \"port\")"),
            HttpRequestError.NameResolutionError => new CliException($"{where}the name is unknown (check \"host\")"),
            HttpRequestError.InvalidResponse => new CliException($"{where}it does not speak HTTP (is \"port\" right? does it need \"tls = true\"?)"),
            HttpRequestError.ResponseEnded => new CliException($"{where}it closed the connection without an answer (see its log: journalctl -u couic)"),
            _ => new CliException($"{where}{SystemErrors.Text(e.InnerException ?? e)}"),
        };
    }

    private static SocketException? FindSocketError(Exception? e)
    {
        while (e is not null and not SocketException)
        {
            e = e.InnerException;
        }

        return e as SocketException;
    }

    private static string Cause(SocketException e, Endpoint endpoint)
    {
        if (e.SocketErrorCode is SocketError.HostNotFound or SocketError.NoData or SocketError.TryAgain)
        {
            return "the name is unknown (check \"host\")";
        }

        string cause = SystemErrors.Text(e);
        bool local = endpoint.Socket is not null;
        return (e.SocketErrorCode, e.NativeErrorCode) switch
        {
            (SocketError.ConnectionRefused, _) when !local => $"{cause} (is it running there, and is \"port\" right?)",
            (SocketError.ConnectionRefused, _) => $"{cause} (is it running? systemctl status couic)",
            (SocketError.AddressNotAvailable, _) when local => "no such socket (is it running? systemctl status couic)",
            (SocketError.AccessDenied, _) or (_, NoAccess) => $"{cause} (run as root, or as a member of the socket's group)",
            (SocketError.TimedOut, _) => $"{cause} (check \"host\", \"port\" and the firewalls between)",
            _ => cause,
        };
    }
}
