using System.Text;
using Couic.CommandLine;
using Couic.Config;

namespace Couic.Cli.Api;

/// <summary>
/// Reads couicctl.toml and the client file that it names. Without a file, uses the same embedded default as the daemon.
/// </summary>
internal static class EndpointReader
{
    public const string DefaultPath = "/etc/couic/couicctl.toml";

    public const string ServerVariable = "COUICCTL_SERVER", TokenVariable = "COUICCTL_TOKEN", FingerprintVariable = "COUICCTL_FINGERPRINT";

    /// <summary>Where couic 1.x was served by its proxy, and the examples are.</summary>
    private const int DefaultPort = 2900;

    /// <summary>Length of sun_path in linux/un.h, without the NUL.</summary>
    private const int MaxSocketPathBytes = 107;

    private enum Mode
    {
        Local,
        Remote,
    }

    /// <param name="path">The given file; null for the default.</param>
    /// <exception cref="CliException">The configuration is invalid or unreadable; every fault is named.</exception>
    public static Endpoint Read(string? path)
    {
        if (path is null && !File.Exists(DefaultPath))
        {
            string clientFile = DefaultFolder.ClientFile;
            return new Endpoint { Socket = DefaultFolder.Socket, Token = ClientToken(clientFile), TokenFile = clientFile };
        }

        path ??= DefaultPath;
        var faults = new List<Fault>();
        TomlTable table = TomlDocument.Read(path, ConfigFile.Read(path, "configuration"), faults);
        var keys = new KeyReader(path, table, faults, isComplete: faults.Count == 0);
        Draft draft = ReadKeys(keys);
        return faults.Count > 0
            ? throw new CliException([.. faults.OrderBy(f => f.Line).ThenBy(f => f.Column).Select(f => f.ToString())])
            : draft.ToEndpoint(path);
    }

    /// <summary>
    /// The daemon of <c>--server</c>, or of the environment. The token of a configuration goes only to the daemon that the configuration names.
    /// </summary>
    /// <param name="environment">Reads a variable.</param>
    /// <exception cref="CliException">The address is not one, or there is no token for it.</exception>
    public static Endpoint Read(string? server, string? path, Func<string, string?> environment)
    {
        server ??= environment(ServerVariable) is { Length: > 0 } variable ? variable : null;
        if (server is null)
        {
            return Read(path);
        }

        if (!WebAddress.TryParse(server, out Uri? uri) || uri.PathAndQuery != "/" || uri.UserInfo.Length > 0)
        {
            throw new UsageException($"--server \"{server}\" is not the address of a daemon (https://HOST:PORT)");
        }

        bool isTls = uri.Scheme == Uri.UriSchemeHttps;
        if (!isTls && !uri.IsLoopback)
        {
            throw new UsageException($"--server \"{server}\": the token would travel in clear (https://{uri.Authority})");
        }

        var wanted = new Endpoint { Host = uri.DnsSafeHost, Port = uri.IsDefaultPort ? DefaultPort : uri.Port, Tls = isTls, Token = string.Empty, TokenFile = TokenVariable };
        Endpoint? known = path is not null || File.Exists(DefaultPath) ? Read(path) : null;
        if (known is { Socket: null } && known.Host.Equals(wanted.Host, StringComparison.OrdinalIgnoreCase) && known.Port == wanted.Port)
        {
            wanted = known with { Tls = isTls };
        }

        if (environment(FingerprintVariable) is { Length: > 0 } pin)
        {
            wanted = wanted with { CaFile = null, Fingerprint = Fingerprint.Read(pin) ?? throw new UsageException($"{FingerprintVariable} \"{pin}\" {Fingerprint.Fault}") };
        }

        if (environment(TokenVariable) is { Length: > 0 } token)
        {
            wanted = TokenText.TryParse(token, out _) ? wanted with { Token = token, TokenFile = TokenVariable } : throw new UsageException($"{TokenVariable} {TokenText.Fault}");
        }

        return wanted.Token.Length > 0 ? wanted : throw new CliException($"no token for {wanted.Display} (set {TokenVariable}, or host, port and token in {path ?? DefaultPath})");
    }

    /// <summary>
    /// Both modes know all keys, so that one line switches a file over; only the keys of the active mode are required.
    /// </summary>
    private static Draft ReadKeys(KeyReader keys)
    {
        Mode mode = keys.Word("mode", Mode.Local, ("local", Mode.Local), ("remote", Mode.Remote));
        bool remote = mode == Mode.Remote;
        var draft = new Draft(
            remote,
            keys.FullPath("socket", isRequired: !remote),
            remote ? keys.RequiredText("host") : keys.Text("host"),
            remote ? keys.RequiredNumber("port", 1, 65_535) : keys.Number("port", 0, 1, 65_535),
            keys.Boolean("tls", false),
            keys.FullPath("ca_file", isRequired: false),
            keys.Text("fingerprint"),
            keys.FullPath("cert_file", isRequired: false),
            keys.FullPath("key_file", isRequired: false),
            keys.Text("token"),
            keys.FullPath("client_file", isRequired: !remote),
            keys.Text("ripestat_url"));
        keys.Finish();
        Check(keys, draft);
        return draft;
    }

    private static void Check(KeyReader keys, Draft draft)
    {
        if (draft.Socket is not null && Encoding.UTF8.GetByteCount(draft.Socket) > MaxSocketPathBytes)
        {
            keys.Fail("socket", $"socket is longer than {MaxSocketPathBytes} bytes, the most that the system takes");
        }

        if (draft.Host is not null && HostText.Read(draft.Host) is null)
        {
            keys.Fail("host", $"host = \"{draft.Host}\" {HostText.FaultOf(draft.Host)}");
        }

        if (!draft.Remote)
        {
            return;
        }

        if (draft.CaFile is not null && !draft.Tls)
        {
            keys.Fail("ca_file", "ca_file without tls = true: nothing would be verified, and the token would travel in the clear");
        }

        foreach (string key in (ReadOnlySpan<string>)["fingerprint", "cert_file", "key_file"])
        {
            if (keys.Has(key) && !draft.Tls)
            {
                keys.Fail(key, $"{key} without tls = true");
            }
        }

        if (draft.Fingerprint is not null && Fingerprint.Read(draft.Fingerprint) is null)
        {
            keys.Fail("fingerprint", $"fingerprint = {TomlValue.Quote(draft.Fingerprint)} {Fingerprint.Fault}");
        }

        if (draft.Fingerprint is not null && draft.CaFile is not null)
        {
            keys.Fail("fingerprint", "fingerprint and ca_file exclude each other");
        }

        if (draft.CertFile is null != draft.KeyFile is null)
        {
            keys.Fail(draft.CertFile is null ? "key_file" : "cert_file", "cert_file and key_file belong together");
        }

        if (keys.Has("token") == keys.Has("client_file"))
        {
            keys.Fail("token", keys.Has("token") ? "token and client_file exclude each other" : "key \"token\" or \"client_file\" is missing");
        }

        if (draft.Token is not null && !TokenText.TryParse(draft.Token, out _))
        {
            keys.Fail("token", $"token {TokenText.Fault}");
        }
    }

    /// <summary>Reads the token of a client file; the group concerns only the daemon.</summary>
    private static string ClientToken(string path)
    {
        var faults = new List<Fault>();
        TomlTable table = TomlDocument.Read(path, ConfigFile.Read(path, "client file"), faults);
        string? token = new KeyReader(path, table, faults, isComplete: faults.Count == 0).RequiredText("token");
        if (token is not null && !TokenText.TryParse(token, out _))
        {
            faults.Add(new Fault(path, $"token {TokenText.Fault}"));
        }

        return faults.Count == 0 ? token! : throw new CliException([.. faults.Select(f => f.ToString())]);
    }

    private sealed record Draft(
        bool Remote, string? Socket, string? Host, int Port, bool Tls, string? CaFile, string? Fingerprint, string? CertFile, string? KeyFile,
        string? Token, string? ClientFile, string? RipeStatUrl)
    {
        public Endpoint ToEndpoint(string path)
        {
            bool ownToken = Remote && Token is not null;
            var endpoint = new Endpoint
            {
                Token = ownToken ? Token! : ClientToken(ClientFile!),
                TokenFile = ownToken ? path : ClientFile!,
                RipeStatUrl = RipeStatUrl,
            };
            return Remote
                ? endpoint with
                {
                    Host = HostText.Read(Host!)!,
                    Port = Port,
                    Tls = Tls,
                    CaFile = CaFile,
                    Fingerprint = Fingerprint is null ? null : Config.Fingerprint.Read(Fingerprint),
                    CertFile = CertFile,
                    KeyFile = KeyFile,
                }
                : endpoint with { Socket = Socket };
        }
    }
}

/// <summary>The address of the daemon and the token for it.</summary>
internal sealed record Endpoint
{
    /// <summary>Path of the Unix socket; null for a remote daemon.</summary>
    public string? Socket { get; init; }

    public string Host { get; init; } = "";

    public int Port { get; init; }

    public bool Tls { get; init; }

    /// <summary>PEM file of the only trusted authorities; null for the system's.</summary>
    public string? CaFile { get; init; }

    /// <summary>The only certificate to trust; null: name and authority decide.</summary>
    public string? Fingerprint { get; init; }

    /// <summary>PEM files of our own certificate and its key; null: none.</summary>
    public string? CertFile { get; init; }

    public string? KeyFile { get; init; }

    /// <summary>Secret.</summary>
    public required string Token { get; init; }

    /// <summary>The file of the token, for error messages.</summary>
    public required string TokenFile { get; init; }

    /// <summary>Base URL for RIPEstat; null for the public one.</summary>
    public string? RipeStatUrl { get; init; }

    /// <summary>For error messages: the socket in quotes, or the URL.</summary>
    public string Display => Socket is not null ? $"\"{Socket}\"" : BaseUri.GetLeftPart(UriPartial.Authority);

    public Uri BaseUri => Socket is not null
        ? new Uri("http://couic/")
        : new UriBuilder(Tls ? "https" : "http", Host, Port).Uri;
}

/// <summary>Reads small configuration files.</summary>
internal static class ConfigFile
{
    /// <summary>Bytes; a real file has a few hundred.</summary>
    private const int MaxBytes = 64 * 1024;

    /// <param name="what">Such as <c>configuration</c>, for the error message.</param>
    /// <exception cref="CliException">The file cannot be read.</exception>
    public static byte[] Read(string path, string what)
    {
        try
        {
            using FileStream file = File.OpenRead(path);
            byte[] content = new byte[MaxBytes + 1];
            int length = file.ReadAtLeast(content, content.Length, throwOnEndOfStream: false);
            return length <= MaxBytes ? content[..length] : throw new CliException($"read {what} \"{path}\": more than {MaxBytes} bytes");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            string cause = Directory.Exists(path) ? "is a directory" : SystemErrors.Text(e);
            throw new CliException($"read {what} \"{path}\": {cause}{Hint(what, e)}");
        }
    }

    private static string Hint(string what, Exception e) => (what, e) switch
    {
        (_, UnauthorizedAccessException) => " (run as root, or as the user that the daemon runs as)",
        ("client file", FileNotFoundException or DirectoryNotFoundException) => " (the daemon makes it at its first start; systemctl status couic)",
        _ => " (-c names another)",
    };
}
