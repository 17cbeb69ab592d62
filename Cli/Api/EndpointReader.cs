using System.Text;
using Couic.Config;

namespace Couic.Cli.Api;

/// <summary>
/// Reads couicctl.toml and the client file that it names. Without a file it is the embedded default of the daemon, so that
/// both meet when neither is configured.
/// </summary>
internal static class EndpointReader
{
    public const string DefaultPath = "/etc/couic/couicctl.toml";

    /// <summary>sun_path of linux/un.h without the NUL.</summary>
    private const int MaxSocketPathBytes = 107;

    private enum Mode
    {
        Local,
        Remote,
    }

    /// <param name="path">The file that was asked for; null for the default.</param>
    /// <exception cref="CliException">The configuration is bad or cannot be read; every fault is named.</exception>
    public static Endpoint Read(string? path)
    {
        if (path is null && !File.Exists(DefaultPath))
        {
            string clientFile = DefaultFolder.ClientFile;
            return new Endpoint { Socket = DefaultFolder.Socket, Token = ClientToken(clientFile), TokenFile = clientFile };
        }

        path ??= DefaultPath;
        var faults = new List<Fault>();
        byte[] content = ConfigFile.Read(path, "configuration");
        TomlTable table = TomlReader.Read(path, content, faults);
        ConfigFile.HideSecrets(content, faults);
        var keys = new KeyReader(path, table, faults, isComplete: faults.Count == 0);
        Draft draft = ReadKeys(keys);
        return faults.Count > 0
            ? throw new CliException([.. faults.OrderBy(f => f.Line).ThenBy(f => f.Column).Select(f => f.ToString())])
            : draft.ToEndpoint(path);
    }

    /// <summary>All keys of both modes are known in either, so that one line switches a file over; only those of its mode are required.</summary>
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

        if (keys.Has("token") == keys.Has("client_file"))
        {
            keys.Fail("token", keys.Has("token") ? "token and client_file exclude each other" : "key \"token\" or \"client_file\" is missing");
        }

        if (draft.Token is not null && !TokenText.TryParse(draft.Token, out _))
        {
            keys.Fail("token", $"token {TokenText.Fault}");
        }
    }

    /// <summary>The token of a client file; its group is the daemon's business.</summary>
    private static string ClientToken(string path)
    {
        var faults = new List<Fault>();
        byte[] content = ConfigFile.Read(path, "client file");
        TomlTable table = TomlReader.Read(path, content, faults);
        ConfigFile.HideSecrets(content, faults);
        string? token = new KeyReader(path, table, faults, isComplete: faults.Count == 0).RequiredText("token");
        if (token is not null && !TokenText.TryParse(token, out _))
        {
            faults.Add(new Fault(path, $"token {TokenText.Fault}"));
        }

        return faults.Count == 0 ? token! : throw new CliException([.. faults.Select(f => f.ToString())]);
    }

    private sealed record Draft(
        bool Remote, string? Socket, string? Host, int Port, bool Tls, string? CaFile, string? Token, string? ClientFile, string? RipeStatUrl)
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
                ? endpoint with { Host = HostText.Read(Host!)!, Port = Port, Tls = Tls, CaFile = CaFile }
                : endpoint with { Socket = Socket };
        }
    }
}
