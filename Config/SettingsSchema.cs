using System.Globalization;
using System.Net;
using System.Text;
using Couic.Http;
using Couic.Native;
using Couic.Sets;
using Microsoft.Extensions.Logging;
using Key = Couic.Config.Setting<Couic.Config.Settings>;
using PeerKey = Couic.Config.Setting<Couic.Config.PeerSettings>;

namespace Couic.Config;

/// <summary>A table of couic.toml.</summary>
/// <param name="Name">Empty for the top of the file.</param>
/// <param name="Reload">Takes the table of a configuration over into the running one; null when that takes a restart.</param>
/// <param name="Complete">What depends on several keys: checks them and derives what is not given.</param>
internal sealed record SettingsTable(
    string Name,
    IReadOnlyList<Key> Keys,
    Func<Settings, Settings, Settings>? Reload = null,
    Func<KeyReader, Settings, Settings>? Complete = null);

/// <summary>
/// Every key of couic.toml, in the order of the documentation. The reader, the reload, couic.toml(5) and the reference page go by these rows;
/// the defaults are those of the settings that they name.
/// </summary>
internal static class SettingsSchema
{
    private const int KiB = 1024;
    private const int MiB = 1024 * KiB;
    private const int GiB = 1024 * MiB;

    /// <summary>Values of <c>policies</c>.</summary>
    internal static readonly (string Word, string Meaning)[] PolicyWords = [("drop", "drop"), ("ignore", "ignore")];

    private static readonly string[] TlsKeys = ["ca_file", "fingerprint", "cert_file", "key_file"];

    private const string NeedsRestart = "A change needs a restart.";

    private const int MaxListen = HttpServer.MaxListeners - 1;
    private const int MaxAllowed = 1_000;

    /// <summary>sun_path of linux/un.h without the NUL.</summary>
    private const int MaxSocketPathBytes = 107;

    public static readonly IReadOnlyList<SettingsTable> Tables =
    [
        new(
            "",
            [
                new("ifaces", "array of strings", Key.Required,
                    "Interfaces whose incoming packets are filtered, by name or alternative name; one that is missing is attached as soon as it is there.",
                    s => string.Join(' ', s.Ifaces), ReadIfaces),
                Key.Flag("allow_no_ifaces",
                    "Whether `ifaces` may be empty: the daemon then serves its API and filters nothing.",
                    s => s.AllowNoIfaces, (s, v) => s with { AllowNoIfaces = v }),
                Key.Flag("require_ifaces",
                    "Whether the daemon does not start unless every interface of `ifaces` can be attached.",
                    s => s.RequireIfaces, (s, v) => s with { RequireIfaces = v }),
                Key.Word("operation_mode",
                    "How the filter is attached; `auto` is native, else generic, and says so in the log.",
                    s => s.OperationMode, (s, v) => s with { OperationMode = v },
                    ("generic", OperationMode.Generic), ("native", OperationMode.Native), ("offloaded", OperationMode.Offloaded), ("auto", OperationMode.Auto)),
                new("match", "array of `source` `destination`", "source", "Which addresses of a packet are looked up.", s => s.Match, ReadMatch),
                Key.Path("working_dir", "path", null,
                    "Folder of clients and sets; must exist.",
                    s => s.WorkingDir, (s, v) => s with { WorkingDir = v }),
                Key.Text("user", "name or number",
                    "Owner of all files, and the user of the process after startup. Looked up in /etc/passwd.",
                    s => s.User, (s, v) => s with { User = v }),
                Key.Text("group", "name or number", "The same for the group, in /etc/group.", s => s.Group, (s, v) => s with { Group = v }),
            ],
            Complete: CheckIfaces),
        new(
            "logging",
            [
                new("dir", "path or `-`", Key.Required, "Folder of the log files; `-` for none.", s => s.Logging.Dir, ReadLogFolder),
                Key.Word("rotation",
                    "When a new file is started: at midnight UTC, on Sundays, never.",
                    s => s.Logging.Rotation, (s, v) => s with { Logging = s.Logging with { Rotation = v } },
                    ("daily", LogRotation.Daily), ("weekly", LogRotation.Weekly), ("never", LogRotation.Never)),
                Key.Number("max_log_files", 1, 100_000, "files",
                    "Log files that are kept; those of one day, or week, count as one.",
                    s => s.Logging.MaxLogFiles, (s, v) => s with { Logging = s.Logging with { MaxLogFiles = v } }),
                Key.Number("max_file_bytes", 64 * KiB, int.MaxValue, "bytes",
                    "A file that would be larger gets a number, and another one is started.",
                    s => s.Logging.MaxFileBytes, (s, v) => s with { Logging = s.Logging with { MaxFileBytes = v } }),
                Key.Number("max_total_bytes", 64 * KiB, int.MaxValue, "bytes",
                    "All log files in total; the oldest are deleted first. At least `max_file_bytes`.",
                    s => s.Logging.MaxTotalBytes, (s, v) => s with { Logging = s.Logging with { MaxTotalBytes = v } }),
                Key.Word("format",
                    "Form of the files; without files, of standard output, which otherwise is text.",
                    s => s.Logging.Format, (s, v) => s with { Logging = s.Logging with { Format = v } },
                    ("text", LogFormat.Text), ("json", LogFormat.Json)),
                Key.Word("level",
                    "The least important lines that are written.",
                    s => s.Logging.Level, (s, v) => s with { Logging = s.Logging with { Level = v } },
                    ("debug", LogLevel.Debug), ("info", LogLevel.Information), ("warn", LogLevel.Warning), ("error", LogLevel.Error)),
            ],
            Reload: (running, read) => running with { Logging = read.Logging },
            Complete: CheckLogSizes),
        new(
            "server",
            [
                Key.Path("socket", $"path of at most {MaxSocketPathBytes} bytes", null, "The API's socket; mode 770.", s => s.Socket, (s, v) => s with { Socket = v }) with { NeedsRestart = true },
                new("listen", "array of `ADDRESS:PORT`", "none",
                    "Addresses of the network on which the API is served, `[::]:2900` for all; without `[server.tls]` only loopback ones.",
                    s => string.Join(' ', s.Listen), ReadListen) { NeedsRestart = true },
                new("allow", "array of networks", "everybody",
                    "Networks from which clients of `listen` may connect; other connections are closed at once.",
                    s => s.Allow is { } networks ? string.Join(' ', networks) : null, ReadAllow),
                Key.Flag("page",
                    "Whether the page for browsers is served at `/`, wherever the API is.",
                    s => s.Page, (s, v) => s with { Page = v }) with { NeedsRestart = true },
            ],
            Reload: (running, read) => running with { Allow = read.Allow },
            Complete: CheckSocket),
        new(
            "server.tls",
            [
                new("cert_file", "path", "none",
                    "PEM file of the certificate with which `listen` is served, followed by those between it and its authority. Read again by each reload, also under the same name.",
                    s => s.Tls?.CertFile, static (_, s) => s),
                new("key_file", "path", "none", "PEM file of its key; not encrypted, and only its owner, or a group besides, may read it.", s => s.Tls?.KeyFile, static (_, s) => s),
                new("client_ca_file", "path", "none",
                    "PEM file of authorities: clients then must present a certificate of one of them.",
                    s => s.Tls?.ClientCaFile, static (_, s) => s),
            ],

            // What was started with TLS is never continued without.
            Reload: (running, read) => running.Tls is null || read.Tls is null ? running : running with { Tls = read.Tls },
            Complete: ReadTls),
        new(
            "limits",
            [
                // The size of a kernel table is fixed when it is created; 16 Mi entries are more than the kernel's memory limits allow.
                Key.Number("max_drop_entries", 1, 16 * MiB, "entries",
                    "Entries of `drop`, for each of IPv4 and IPv6.",
                    s => s.Store.MaxDropEntries, (s, v) => s with { Store = s.Store with { MaxDropEntries = v } }),
                Key.Number("max_ignore_entries", 1, 16 * MiB, "entries",
                    "Entries of `ignore`, for each of IPv4 and IPv6.",
                    s => s.Store.MaxIgnoreEntries, (s, v) => s with { Store = s.Store with { MaxIgnoreEntries = v } }),
                Key.Number("max_tags", 1, 65_000, "tags",
                    "Tags of each policy with separate counters; further tags share one.",
                    s => s.Store.MaxTags, (s, v) => s with { Store = s.Store with { MaxTags = v } }),
                Key.Flag("per_entry_counters",
                    "Whether packets and last hit of each entry are counted.",
                    s => s.PerEntryCounters, (s, v) => s with { PerEntryCounters = v }),
                Key.Number("max_connections", 1, 1_000_000, "connections",
                    "Open connections; above this, the client with the most connections loses its longest-idle one.",
                    s => s.Http.MaxConnections, (s, v) => s with { Http = s.Http with { MaxConnections = v } }),
                Key.Number("max_connections_per_address", 1, 1_000_000, "connections",
                    "Open connections of one address of the network, of IPv6 of one /64; above this new ones are closed.",
                    s => s.Http.MaxConnectionsPerAddress, (s, v) => s with { Http = s.Http with { MaxConnectionsPerAddress = v } }),
                Key.Number("max_request_line_bytes", 256, MiB, "bytes",
                    "Method, target and version of a request; above this 414.",
                    s => s.Http.MaxRequestLineBytes, (s, v) => s with { Http = s.Http with { MaxRequestLineBytes = v } }),
                Key.Number("max_header_fields", 8, 10_000, "fields",
                    "Header fields of a request; above this 431.",
                    s => s.Http.MaxHeaderFields, (s, v) => s with { Http = s.Http with { MaxHeaderFields = v } }),
                Key.Number("max_header_bytes", KiB, 16 * MiB, "bytes",
                    "All header fields of a request in total; above this 431.",
                    s => s.Http.MaxHeaderBytes, (s, v) => s with { Http = s.Http with { MaxHeaderBytes = v } }),
                Key.Number("max_body_bytes", KiB, GiB, "bytes",
                    "A request body that is read as a whole; above this 413. Bulk bodies have no limit; unless this is lowered, the body of a set may have one and a half times `max_set_file_bytes`.",
                    s => s.Http.MaxBodyBytes, (s, v) => s with { Http = s.Http with { MaxBodyBytes = v } }),
                Key.Number("max_set_file_bytes", KiB, GiB, "bytes",
                    "One set file. All files of a policy in total may have four times as much. The default is 48 bytes per entry of the larger table, at least 5242880.",
                    s => s.Sets.MaxFileBytes, (s, v) => s with { Sets = s.Sets with { MaxFileBytes = v } }),
                Key.Number("max_set_files", 1, 100_000, "files",
                    "Set files of each policy.",
                    s => s.Sets.MaxFiles, (s, v) => s with { Sets = s.Sets with { MaxFiles = v } }),
                Key.Number("max_item_bytes", KiB, 16 * MiB, "bytes",
                    "One item of a bulk body.",
                    s => s.Http.MaxItemBytes, (s, v) => s with { Http = s.Http with { MaxItemBytes = v } }),
                Key.Number("connection_memory_bytes", MiB, GiB, "bytes",
                    "Memory of all connections that wait: for the rest of a request, for a worker, or for a slow reader. Above this the longest-waiting connections are closed.",
                    s => s.Http.MaxParkedBytes, (s, v) => s with { Http = s.Http with { MaxParkedBytes = v } }),
                Key.Seconds("header_timeout_secs",
                    "From a connection's first byte to a complete header; after this 408.",
                    s => s.Http.HeaderTimeout, (s, v) => s with { Http = s.Http with { HeaderTimeout = v } }),
                Key.Seconds("keep_alive_timeout_secs",
                    "Idle time between two requests.",
                    s => s.Http.KeepAliveTimeout, (s, v) => s with { Http = s.Http with { KeepAliveTimeout = v } }),
                Key.Seconds("rate_grace_secs",
                    "How long a body or a response may stand still before its rate counts.",
                    s => s.Http.RateGrace, (s, v) => s with { Http = s.Http with { RateGrace = v } }),
                Key.Number("min_body_bytes_per_sec", 1, GiB, "bytes per second",
                    "Slowest body; below this 408.",
                    s => s.Http.MinBodyBytesPerSecond, (s, v) => s with { Http = s.Http with { MinBodyBytesPerSecond = v } }),
                Key.Number("min_answer_bytes_per_sec", 1, GiB, "bytes per second",
                    "Slowest reader of a response.",
                    s => s.Http.MinAnswerBytesPerSecond, (s, v) => s with { Http = s.Http with { MinAnswerBytesPerSecond = v } }),
            ],
            Complete: DeriveLimits),
        new(
            "state",
            [
                Key.Word("dynamic",
                    "What a restart does to rules of the API and of peers: it forgets them, or restores them from a journal in `working_dir`.",
                    s => s.State.Dynamic, (s, v) => s with { State = new StateSettings(v) }, ("volatile", DynamicRules.Volatile), ("kept", DynamicRules.Kept)),
            ]),
        new(
            "daemon",
            [
                Key.Path("pin", "path", "none",
                    "Folder on a BPF file system, such as `/sys/fs/bpf/couic`, that keeps the filter while no daemon runs: after a crash, `kill -9` and "
                    + "SIGTERM, until the next daemon takes over or `couic detach` removes it. For machines without systemd, whose descriptor store does the same.",
                    s => s.Pin, (s, v) => s with { Pin = v }),
            ]),
        new(
            "guard",
            [Key.Word("mode", "What happens to a change that would cut off an address the operator needs, whichever way it arrives: a warning, a refusal, nothing.", s => s.Guard.Mode, (s, v) => s with { Guard = new GuardSettings(v) }, ("warn", GuardMode.Warn), ("refuse", GuardMode.Refuse), ("off", GuardMode.Off))],
            Reload: (running, read) => running with { Guard = read.Guard }),
        new(
            "reporting",
            [
                Key.Flag("enabled",
                    "Whether changes of rules are posted to `webhook`.",
                    s => s.Reporting.Enabled, (s, v) => s with { Reporting = s.Reporting with { Enabled = v } }),
                new("webhook", "http or https address", "none", "Where to; required when enabled.", s => s.Reporting.Webhook, ReadWebhook),
            ],
            Reload: (running, read) => running with { Reporting = read.Reporting }),
        new(
            "peering",
            [
                Key.Flag("enabled",
                    "Whether dynamic rules are kept the same on all peers.",
                    s => s.Peering.Enabled, (s, v) => s with { Peering = s.Peering with { Enabled = v } }),
                new("policies", "array of `drop` `ignore`", "drop",
                    "Policies whose rules are replicated.",
                    s => (s.Peering.Drop, s.Peering.Ignore), ReadPolicies),
            ],
            Reload: (running, read) => running with { Peering = read.Peering },
            Complete: ReadPeers),
        BusSchema.Table,
    ];

    /// <summary>Keys of each <c>[[peering.peers]]</c>.</summary>
    public static readonly IReadOnlyList<PeerKey> PeerKeys =
    [
        new("host", "name or address", PeerKey.Required, "The other node.", p => p.Host, ReadHost),
        new("port",
            "1 to 65535",
            PeerKey.Required, "Its port.", p => p.Port, (table, p) => p with { Port = table.RequiredNumber("port", 1, 65_535) }),
        PeerKey.Flag("tls", "Whether to speak TLS; certificate and name are verified.", p => p.Tls, (p, v) => p with { Tls = v }),
        new("token", "UUID", PeerKey.Required, "Token of our client on that node.", p => p.Token, ReadToken),
        PeerKey.Path("ca_file", "path", "the system's",
            "PEM file of the only authorities to trust; with `tls`.",
            p => p.CaFile, (p, v) => p with { CaFile = v }),
        new("fingerprint", "`sha256:` and 64 hexadecimal digits", "none",
            "The only certificate to trust, whatever name, authority and dates it has, as `couic certificate` prints it on the peer; in place of `ca_file`.",
            p => p.Fingerprint, ReadFingerprint),
        PeerKey.Path("cert_file", "path", "none",
            "PEM file of our certificate, with `key_file`; with `tls`.",
            p => p.CertFile, (p, v) => p with { CertFile = v }),
        PeerKey.Path("key_file", "path", "none", "PEM file of its key.", p => p.KeyFile, (p, v) => p with { KeyFile = v }),
    ];

    /// <summary>All keys but those of peers with their tables, for hints about keys under a wrong header.</summary>
    public static readonly IReadOnlyList<string> Names = [.. Tables.SelectMany(table => table.Keys.Select(key => FullName(table, key)))];

    /// <summary>Former names of keys, with their tables.</summary>
    public static readonly IReadOnlyDictionary<string, string> RenamedKeys = new Dictionary<string, string>
    {
        ["limits.max_parked_bytes"] = "connection_memory_bytes",
    };

    /// <summary>What a running daemon goes by after a reload: the new configuration, but the old one where that takes a restart.</summary>
    /// <param name="needRestart">Keys that differ and whose change takes a restart.</param>
    public static Settings Reload(Settings running, Settings read, out string[] needRestart)
    {
        needRestart =
        [
            .. from table in Tables
               from key in table.Keys
               where table.Reload is null || key.NeedsRestart
               where !Equals(key.Value(running), key.Value(read))
               select FullName(table, key),
            .. running.Tls is null != read.Tls is null ? ["server.tls"] : Array.Empty<string>(),
        ];
        return Tables.Aggregate(running, (merged, table) => table.Reload?.Invoke(merged, read) ?? merged);
    }

    /// <summary>The reference: a Markdown table for each TOML table.</summary>
    public static string Markdown()
    {
        var text = new StringBuilder();
        foreach (SettingsTable table in Tables)
        {
            string heading = table.Name.Length == 0 ? "Top of the file" : $"`[{table.Name}]`";
            Append(text, heading, table.Reload is null ? NeedsRestart : "A reload applies a change.", table.Keys);
        }

        Append(text, "`[[peering.peers]]`", "A reload applies a change.", PeerKeys);
        return text.ToString().TrimEnd('\n') + "\n";
    }

    private static void Append<T>(StringBuilder text, string heading, string reload, IReadOnlyList<Setting<T>> keys)
        where T : new()
    {
        text.Append(CultureInfo.InvariantCulture, $"### {heading}\n\n{reload}\n\n| key | values | default | |\n| --- | --- | --- | --- |\n");
        foreach (Setting<T> key in keys)
        {
            text.Append(CultureInfo.InvariantCulture, $"| `{key.Key}` | {key.Values} | {key.Default} | {key.Help}{(key.NeedsRestart && reload != NeedsRestart ? " " + NeedsRestart : string.Empty)} |\n");
        }

        text.Append('\n');
    }

    private static string FullName(SettingsTable table, Key key) => table.Name.Length == 0 ? key.Key : $"{table.Name}.{key.Key}";

    private static Settings ReadIfaces(KeyReader table, Settings settings)
    {
        List<string> names = [];
        foreach (TomlValue item in table.Texts("ifaces", isRequired: true) ?? [])
        {
            string name = item.String;
            int bytes = Encoding.UTF8.GetByteCount(name);
            bool isGood = bytes is > 0 and <= NetworkInterface.MaxAlternativeNameBytes && name is not ("." or "..")
                && !name.Any(c => c is '/' or ':' || char.IsWhiteSpace(c) || char.IsControl(c));
            if (!isGood)
            {
                table.Fail(item.At, $"ifaces: {item} is not an interface name (1 to {NetworkInterface.MaxNameBytes} bytes, an alternative name up to {NetworkInterface.MaxAlternativeNameBytes}; no blanks, \"/\" or \":\"; ip link shows them)");
            }
            else if (names.Contains(name))
            {
                table.Fail(item.At, $"ifaces names {item} twice");
            }

            names.Add(name);
        }

        return settings with { Ifaces = names };
    }

    private static Settings CheckIfaces(KeyReader table, Settings settings)
    {
        if (!settings.AllowNoIfaces && table.IsEmptyArray("ifaces"))
        {
            table.Fail("ifaces", "ifaces is empty: nothing would be filtered (allow_no_ifaces = true if that is meant)");
        }

        return settings;
    }

    private static Settings ReadMatch(KeyReader table, Settings settings) =>
        table.Words("match", ("source", MatchSides.Source), ("destination", MatchSides.Destination)) is { Count: > 0 } sides
            ? settings with { Match = sides.Aggregate((all, side) => all | side) }
            : settings;

    private static Settings ReadLogFolder(KeyReader table, Settings settings) =>
        table.RequiredText("dir") is { } dir and not "-" ? settings with { Logging = settings.Logging with { Dir = Path.GetFullPath(dir) } } : settings;

    private static Settings CheckLogSizes(KeyReader table, Settings settings)
    {
        LoggingSettings logging = settings.Logging;
        if (logging.MaxTotalBytes < logging.MaxFileBytes)
        {
            table.Fail(
                table.Has("max_total_bytes") ? "max_total_bytes" : "max_file_bytes",
                $"max_total_bytes ({logging.MaxTotalBytes}) is less than max_file_bytes ({logging.MaxFileBytes})");
        }

        return settings;
    }

    private static Settings ReadListen(KeyReader table, Settings settings)
    {
        List<IPEndPoint> addresses = [];
        IReadOnlyList<TomlValue> items = table.Texts("listen") ?? [];
        foreach (TomlValue item in items)
        {
            if (!HostText.TryParseEndPoint(item.String, out IPEndPoint? address))
            {
                table.Fail(item.At, $"server.listen: {item} is not an address with a port (such as \"[::]:2900\" or \"127.0.0.1:2900\")");
            }
            else if (addresses.Contains(address))
            {
                table.Fail(item.At, $"server.listen names {item} twice");
            }
            else if (!IPAddress.IsLoopback(address.Address) && !table.Has("tls"))
            {
                table.Fail(item.At, $"server.listen: {item} is reachable from the network, and tokens would travel in clear (add [server.tls], or listen on 127.0.0.1 or [::1])");
            }
            else
            {
                addresses.Add(address);
            }
        }

        if (items.Count > MaxListen)
        {
            table.Fail("listen", $"server.listen names {items.Count} addresses (at most {MaxListen})");
        }

        return settings with { Listen = addresses };
    }

    private static Settings ReadAllow(KeyReader table, Settings settings)
    {
        if (table.Texts("allow") is not { } items)
        {
            return settings;
        }

        List<IPNetwork> networks = [];
        foreach (TomlValue item in items)
        {
            if (HostText.NetworkFault(item.String, out IPNetwork network) is { } fault)
            {
                table.Fail(item.At, $"server.allow: {item} {fault}");
            }

            networks.Add(network);
        }

        if (items.Count is 0 or > MaxAllowed)
        {
            table.Fail("allow", items.Count == 0
                ? "server.allow is empty: no client could connect (leave it out to admit everybody)"
                : $"server.allow names {items.Count} networks (at most {MaxAllowed})");
        }

        return settings with { Allow = networks };
    }

    /// <summary>The keys of [server.tls] need each other.</summary>
    private static Settings ReadTls(KeyReader table, Settings settings)
    {
        string? certificate = table.FullPath("cert_file", isRequired: table.IsPresent), key = table.FullPath("key_file", isRequired: table.IsPresent);
        string? authorities = table.FullPath("client_ca_file", isRequired: false);
        return certificate is null || key is null ? settings : settings with { Tls = new TlsSettings(certificate, key, authorities) };
    }

    private static Settings CheckSocket(KeyReader table, Settings settings)
    {
        int bytes = Encoding.UTF8.GetByteCount(settings.Socket);
        if (bytes > MaxSocketPathBytes)
        {
            table.Fail("socket", $"server.socket is {bytes} bytes long (the system takes at most {MaxSocketPathBytes} for a socket's path)");
        }

        return settings;
    }

    /// <summary>A set file has room for every entry of the larger table; the body of a set has room for such a file in JSON.</summary>
    private static Settings DeriveLimits(KeyReader table, Settings settings)
    {
        SetLimits sets = table.Has("max_set_file_bytes") ? settings.Sets : settings.Sets with
        {
            MaxFileBytes = (int)Math.Clamp((long)SetLimits.BytesPerEntry * Math.Max(settings.Store.MaxDropEntries, settings.Store.MaxIgnoreEntries), 5 * MiB, GiB),
        };
        int body = settings.Http.MaxBodyBytes;
        return settings with
        {
            Sets = sets,
            Http = settings.Http with { MaxSetBodyBytes = body < HttpLimits.Default.MaxBodyBytes ? body : (int)Math.Max(body, sets.MaxFileBytes * 3L / 2) },
        };
    }

    private static Settings ReadWebhook(KeyReader table, Settings settings)
    {
        string? text = settings.Reporting.Enabled ? table.RequiredText("webhook") : table.Text("webhook");
        Uri? webhook = null;
        if (text is not null && !WebAddress.TryParse(text, out webhook))
        {
            // The address is not quoted: its path is a secret.
            table.Fail("webhook", "reporting.webhook is not a web address (https://HOST/PATH; HOST is a name, or an address in its usual spelling)");
        }

        return settings with { Reporting = settings.Reporting with { Webhook = webhook } };
    }

    private static Settings ReadPolicies(KeyReader table, Settings settings) =>
        table.Words<string>("policies", PolicyWords) is { Count: > 0 } policies
            ? settings with { Peering = settings.Peering with { Drop = policies.Contains("drop"), Ignore = policies.Contains("ignore") } }
            : settings;

    private static Settings ReadPeers(KeyReader table, Settings settings)
    {
        List<PeerSettings> peers = [];
        foreach (KeyReader peerTable in table.Tables("peers"))
        {
            PeerSettings peer = PeerKeys.Aggregate(new PeerSettings(), (peer, key) => key.Read(peerTable, peer));
            CheckTls(peerTable, peer);
            peerTable.Finish();
            if (peer.Host.Length > 0 && peers.Any(other => other.ToString() == peer.ToString()))
            {
                peerTable.Fail("host", $"peering.peers names {peer} twice");
            }

            peers.Add(peer);
            if (peers.Count == PeeringSettings.MaxPeers + 1)
            {
                peerTable.Fail("host", $"peering.peers names too many peers: at most {PeeringSettings.MaxPeers} peers");
            }
        }

        return settings with { Peering = settings.Peering with { Peers = peers } };
    }

    private static void CheckTls(KeyReader table, PeerSettings peer)
    {
        if (table.Has("cert_file") != table.Has("key_file"))
        {
            (string given, string missing) = table.Has("cert_file") ? ("cert_file", "key_file") : ("key_file", "cert_file");
            table.Fail(given, $"peering.peers.{given} without {missing} (a certificate needs its key)");
        }

        if (table.Has("ca_file") && table.Has("fingerprint"))
        {
            table.Fail("fingerprint", "peering.peers.fingerprint and ca_file exclude each other");
        }

        foreach (string key in TlsKeys.Where(key => !peer.Tls && table.Has(key)))
        {
            table.Fail(key, $"peering.peers.{key} without tls = true");
        }
    }

    private static PeerSettings ReadHost(KeyReader table, PeerSettings peer)
    {
        string? text = table.RequiredText("host"), host = text is null ? null : HostText.Read(text);
        if (text is not null && host is null)
        {
            table.Fail("host", $"host = {TomlValue.Quote(text)} {HostText.FaultOf(text)}");
        }

        return peer with { Host = host ?? string.Empty };
    }

    private static PeerSettings ReadFingerprint(KeyReader table, PeerSettings peer)
    {
        string? text = table.Text("fingerprint"), fingerprint = text is null ? null : Fingerprint.Read(text);
        if (text is not null && fingerprint is null)
        {
            table.Fail("fingerprint", $"fingerprint = {TomlValue.Quote(text)} {Fingerprint.Fault}");
        }

        return peer with { Fingerprint = fingerprint };
    }

    /// <summary>The text is a secret and never quoted.</summary>
    private static PeerSettings ReadToken(KeyReader table, PeerSettings peer)
    {
        Guid token = default;
        if (table.RequiredText("token") is { } text && !TokenText.TryParse(text, out token))
        {
            table.Fail("token", $"token {TokenText.Fault}");
        }

        return peer with { Token = token };
    }
}
