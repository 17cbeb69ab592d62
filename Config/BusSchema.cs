using System.Globalization;
using Key = Couic.Config.Setting<Couic.Config.Settings>;

namespace Couic.Config;

/// <summary>The keys of <c>[bus]</c>, and what they must be together.</summary>
internal static class BusSchema
{
    /// <summary>A word of a subject, and the name of a stream.</summary>
    private const int MaxNameLength = 32;

    /// <summary>More than JetStream has.</summary>
    private const int MaxReplicas = 5;

    private const int DefaultPort = 4222;

    public static readonly SettingsTable Table = new(
        "bus",
        [
            Key.Flag("enabled",
                "Whether dynamic rules are kept the same on all nodes of a message bus (NATS JetStream).",
                s => s.Bus.Enabled, (s, v) => s with { Bus = s.Bus with { Enabled = v } }),
            new("servers", "array of `tls://HOST:PORT` `nats://HOST:PORT`", "none",
                "Servers of one NATS cluster, tried one after the other; required when enabled. The default port is 4222. With `tls`, certificate and name are verified.",
                s => string.Join(' ', s.Bus.Servers), ReadServers),
            new("name", $"1 to {MaxNameLength} letters, digits, `-`, `_`", "couic",
                "Name of the stream and first word of its subjects.",
                s => s.Bus.Name, ReadName),
            new("policies", "array of `drop` `ignore`", "drop",
                "Policies whose rules are replicated; those of `[peering]` when both are enabled.",
                s => (s.Bus.Drop, s.Bus.Ignore), ReadPolicies),
            Key.Number("replicas", 1, MaxReplicas, "servers",
                "Servers that store the stream, if this node has to create it.",
                s => s.Bus.Replicas, (s, v) => s with { Bus = s.Bus with { Replicas = v } }),
            Secret("token", "Token of this node.", s => s.Bus.Token, (s, v) => s with { Bus = s.Bus with { Token = v } }),
            new("user", "text", "none", "User name of this node, with `password`.",
                s => s.Bus.User, (table, s) => table.Text("user") is { } text ? s with { Bus = s.Bus with { User = text } } : s),
            Secret("password", "Its password.", s => s.Bus.Password, (s, v) => s with { Bus = s.Bus with { Password = v } }),
            Key.Path("nkey_file", "path", "none", "File with the nkey seed of this node.", s => s.Bus.NkeyFile, (s, v) => s with { Bus = s.Bus with { NkeyFile = v } }),
            Key.Path("credentials_file", "path", "none", "Credentials file (`.creds`) of this node.",
                s => s.Bus.CredentialsFile, (s, v) => s with { Bus = s.Bus with { CredentialsFile = v } }),
            Key.Path("ca_file", "path", "the system's", "PEM file of the only authorities to trust; with `tls`.",
                s => s.Bus.CaFile, (s, v) => s with { Bus = s.Bus with { CaFile = v } }),
            Key.Path("cert_file", "path", "none", "PEM file of our certificate, with `key_file`; with `tls`.",
                s => s.Bus.CertFile, (s, v) => s with { Bus = s.Bus with { CertFile = v } }),
            Key.Path("key_file", "path", "none", "PEM file of its key.", s => s.Bus.KeyFile, (s, v) => s with { Bus = s.Bus with { KeyFile = v } }),
        ],
        Reload: (running, read) => running with { Bus = read.Bus },
        Complete: Check);

    private static readonly string[] Credentials = ["token", "user", "nkey_file", "credentials_file"];

    private static readonly string[] TlsKeys = ["ca_file", "cert_file", "key_file"];

    /// <summary>A text that is never quoted in a message.</summary>
    private static Key Secret(string key, string help, Func<Settings, string?> get, Func<Settings, string, Settings> set) => new(
        key, "text", "none", help, get, (table, settings) => table.Text(key) is { } text ? set(settings, text) : settings);

    private static Settings ReadServers(KeyReader table, Settings settings)
    {
        List<string> servers = [];
        foreach (TomlValue item in table.Texts("servers") ?? [])
        {
            if (!TryReadServer(item.String, out string server))
            {
                // Not quoted: a user may have written the password into it.
                table.Fail(item.At, "bus.servers holds something else than tls://HOST:PORT or nats://HOST:PORT (user and password have separate keys)");
            }
            else if (servers.Contains(server))
            {
                table.Fail(item.At, $"bus.servers names {TomlValue.Quote(server)} twice");
            }
            else if (servers.Count == BusSettings.MaxServers)
            {
                table.Fail(item.At, $"bus.servers names too many servers: at most {BusSettings.MaxServers}");
                break;
            }

            servers.Add(server);
        }

        return settings with { Bus = settings.Bus with { Servers = servers } };
    }

    private static bool TryReadServer(string text, out string server)
    {
        server = text;
        string scheme = text.StartsWith("tls://", StringComparison.Ordinal) ? "tls://" : "nats://";
        if (!text.StartsWith(scheme, StringComparison.Ordinal))
        {
            return false;
        }

        // Not by Uri, which reads 010.1 as 8.0.0.1.
        string place = text[scheme.Length..].TrimEnd('/');
        int colon = place.LastIndexOf(':');
        bool hasPort = colon >= 0 && !place.EndsWith(']');
        int port = DefaultPort;
        if (HostText.Read(hasPort ? place[..colon] : place) is not { } host
            || (hasPort && !(int.TryParse(place.AsSpan(colon + 1), NumberStyles.None, CultureInfo.InvariantCulture, out port) && port is >= 1 and <= 65_535)))
        {
            return false;
        }

        server = $"{scheme}{(host.Contains(':', StringComparison.Ordinal) ? $"[{host}]" : host)}:{port}";
        return true;
    }

    private static Settings ReadName(KeyReader table, Settings settings)
    {
        if (table.Text("name") is not { } name)
        {
            return settings;
        }

        if (name.Length > MaxNameLength || !name.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_'))
        {
            table.Fail("name", $"bus.name = {TomlValue.Quote(name)} is not 1 to {MaxNameLength} letters, digits, \"-\" or \"_\"");
        }

        return settings with { Bus = settings.Bus with { Name = name } };
    }

    private static Settings ReadPolicies(KeyReader table, Settings settings) =>
        table.Words<string>("policies", SettingsSchema.PolicyWords) is { Count: > 0 } policies
            ? settings with { Bus = settings.Bus with { Drop = policies.Contains("drop"), Ignore = policies.Contains("ignore") } }
            : settings;

    private static Settings Check(KeyReader table, Settings settings)
    {
        BusSettings bus = settings.Bus;
        if (bus.Enabled && bus.Servers.Count == 0 && !table.Has("servers"))
        {
            table.Fail("enabled", "bus is enabled and has no servers (servers = [\"tls://HOST:4222\"])");
        }

        string[] ways = [.. Credentials.Where(table.Has)];
        if (ways.Length > 1)
        {
            table.Fail(ways[1], $"bus.{ways[1]} beside {ways[0]} (a node has one credential)");
        }

        CheckPair(table, "user", "password", "a user needs a password");
        CheckPair(table, "cert_file", "key_file", "a certificate needs its key");
        foreach (string key in TlsKeys.Where(key => table.Has(key) && !bus.Servers.Any(server => server.StartsWith("tls:", StringComparison.Ordinal))))
        {
            table.Fail(key, $"bus.{key} without a tls:// server");
        }

        if (bus.Enabled && settings.Peering.Enabled && (bus.Drop, bus.Ignore) != (settings.Peering.Drop, settings.Peering.Ignore))
        {
            table.Fail("policies", "bus.policies and peering.policies differ (a node replicates the same policies everywhere)");
        }

        if (bus.Enabled && settings.Peering.Peers.Count > PeeringSettings.MaxPeersWithBus)
        {
            table.Fail("enabled", $"bus is enabled beside {settings.Peering.Peers.Count} peers: at most {PeeringSettings.MaxPeersWithBus} peers beside a bus");
        }

        return settings;
    }

    private static void CheckPair(KeyReader table, string one, string other, string why)
    {
        if (table.Has(one) != table.Has(other))
        {
            (string given, string missing) = table.Has(one) ? (one, other) : (other, one);
            table.Fail(given, $"bus.{given} without {missing} ({why})");
        }
    }
}
