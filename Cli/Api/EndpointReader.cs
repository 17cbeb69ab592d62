namespace Couic.Cli.Api;

/// <summary>Reads couicctl.toml and the client file that it names.</summary>
internal static class EndpointReader
{
    public const string DefaultPath = "/etc/couic/couicctl.toml";

    /// <exception cref="CliException">The configuration is bad or cannot be read.</exception>
    public static Endpoint Read(string? path)
    {
        string file = path ?? DefaultPath;
        Dictionary<string, string> keys = ReadKeys(file);
        bool remote = keys.GetValueOrDefault("mode") == "remote";
        string tokenFile = keys.GetValueOrDefault("client_file", file);
        string token = keys.TryGetValue("token", out string? own) ? own : ReadKeys(tokenFile)["token"];
        return remote
            ? new Endpoint
            {
                Host = keys["host"],
                Port = int.Parse(keys["port"], System.Globalization.CultureInfo.InvariantCulture),
                Tls = keys.GetValueOrDefault("tls") == "true",
                CaFile = keys.GetValueOrDefault("ca_file"),
                Token = token,
                TokenFile = tokenFile,
            }
            : new Endpoint { Socket = keys["socket"], Token = token, TokenFile = tokenFile };
    }

    /// <summary>The configured address of RIPEstat; null for the default.</summary>
    public static string? RipeStatUrl(string? path) => ReadKeys(path ?? DefaultPath).GetValueOrDefault("ripestat_url");

    private static Dictionary<string, string> ReadKeys(string path)
    {
        try
        {
            return File.ReadLines(path).Select(l => l.Trim()).Where(l => l.Length > 0 && l[0] != '#').Select(l => l.Split('=', 2))
                .ToDictionary(p => p[0].Trim(), p => p[1].Trim().Trim('"'));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CliException($"read \"{path}\": {SystemErrors.Text(e)}");
        }
    }
}
