using System.Net.Sockets;
using System.Text.Json;
using Couic.Api.Contracts;
using Couic.Cli.Values;
using Couic.CommandLine;

namespace Couic.Cli.Api;

/// <summary>Formats a refusal for the operator: one line per faulty field, otherwise the message.</summary>
internal static class ApiRefusal
{
    /// <summary>Bytes read of an error's body; a set with 5 MiB of invalid lines still fits.</summary>
    public const int MaxBytes = 64 * 1024 * 1024;

    /// <summary>Suffixes of paths that couic 1.x does not have; it takes some of them for a policy.</summary>
    private static readonly string[] NewPaths = ["/v1/status", "/v1/events", "/v1/peers", "/v1/reload", "/bulk"];

    /// <param name="path">The requested path.</param>
    public static CliException Explain(int status, string path, byte[] body, Endpoint endpoint)
    {
        if (Read(body) is not { } error)
        {
            bool isOtherWire = endpoint.Socket is null && !endpoint.Tls && status is 400 or (>= 300 and < 400) or 426;
            string hint = isOtherWire ? "does that port speak TLS? set \"tls = true\"" : "does a proxy stand in between?";
            return new CliException($"{endpoint.Display} answered {status} without couic's error format ({hint})");
        }

        // The message of the whole repeats those of its fields.
        var lines = new List<string>();
        foreach ((string field, FieldError fault) in error.Errors ?? [])
        {
            lines.Add($"{(field is "cidr" ? "" : Printable.Escape(field) + ": ")}{InOurWords(fault.Message)}");
        }

        if (lines.Count == 0)
        {
            lines.Add(InOurWords(error.Message) + Hint(status, endpoint));
        }

        if (status is 400 or 404 or 405 && NewPaths.Any(end => path.Split('?')[0].EndsWith(end, StringComparison.Ordinal)))
        {
            lines.Add($"the daemon seems to be older than couicctl {ProductVersion.Text}, which is the first that asks for this");
        }

        return new CliException(lines) { ExitStatus = ExitStatusOf(status) };
    }

    private static int ExitStatusOf(int status) => status switch
    {
        401 or 403 or 422 => ExitStatus.Refused,
        404 => ExitStatus.Absent,
        409 => ExitStatus.Present,
        _ => ExitStatus.Failure,
    };

    /// <summary>The daemon advises query parameters; couicctl has options.</summary>
    private static string InOurWords(string message) =>
        Printable.Escape(message).Replace("say ?force=true", "use --force", StringComparison.Ordinal).Replace("?force=true", "--force", StringComparison.Ordinal);

    private static string Hint(int status, Endpoint endpoint) => status == 401
        ? $" (the token in \"{endpoint.TokenFile}\" is unknown to the daemon, or its group may not do this)"
        : "";

    private static ErrorBody? Read(byte[] body)
    {
        try
        {
            ErrorBody? error = JsonSerializer.Deserialize(body, WireJson.Default.ErrorBody);
            return error is { Code: not null, Message: not null } ? error : null;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            return null;
        }
    }
}

/// <summary>Explains why the daemon could not be reached.</summary>
internal static class ConnectFailure
{
    private const int NoAccess = 13;

    public static CliException Explain(HttpRequestException e, Endpoint endpoint, string? certificateRefusal) =>
        new($"cannot reach the daemon at {endpoint.Display}: {Cause(e, endpoint, certificateRefusal)}") { ExitStatus = ExitStatus.Unreachable };

    private static string Cause(HttpRequestException e, Endpoint endpoint, string? certificateRefusal)
    {
        if (certificateRefusal is not null)
        {
            return certificateRefusal;
        }

        // TLS 1.3: the server refuses a client's certificate, or the lack of one, after the handshake.
        if (FindText(e, "certificate required", "bad certificate", "unknown ca", "alert handshake failure"))
        {
            return $"it refuses this machine's certificate{(endpoint.CertFile is null ? ": it wants one (set \"cert_file\" and \"key_file\")" : " (is its authority in \"client_ca_file\" there?)")}";
        }

        if (FindSocketError(e) is { } socket)
        {
            return Cause(socket, endpoint);
        }

        return e.HttpRequestError switch
        {
            HttpRequestError.SecureConnectionError => "it does not speak TLS (\"tls = false\"? or the wrong \"port\")",
            HttpRequestError.NameResolutionError => "the name is unknown (check \"host\")",
            HttpRequestError.InvalidResponse => "it does not speak HTTP (is \"port\" right? does it need \"tls = true\"?)",
            HttpRequestError.ResponseEnded => "it closed the connection without an answer (see its log: journalctl -u couic)",
            _ => SystemErrors.Text(e.InnerException ?? e),
        };
    }

    private static bool FindText(Exception? e, params ReadOnlySpan<string> texts)
    {
        for (; e is not null; e = e.InnerException)
        {
            foreach (string text in texts)
            {
                if (e.Message.Contains(text, StringComparison.OrdinalIgnoreCase))
                {
                    return true;
                }
            }
        }

        return false;
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
