namespace Couic.Config;

/// <summary>A key of couic.toml as it is explained to people; the source of couic.toml(5) and docs/reference/configuration.md.</summary>
/// <param name="Name">With its table, as in <c>logging.dir</c>.</param>
/// <param name="Values">Type, words or range.</param>
/// <param name="Default">Empty when the key is required.</param>
public sealed record SettingsKey(string Name, string Values, string Default, string Help)
{
    /// <summary>Every key that <see cref="SettingsReader"/> knows, in the order of the documentation.</summary>
    public static readonly IReadOnlyList<SettingsKey> All =
    [
        new("ifaces", "array of strings", "", "Interfaces whose incoming packets are filtered, by name or alternative name; one that is missing is attached as soon as it is there."),
        new("allow_no_ifaces", "boolean", "false", "Whether `ifaces` may be empty: the daemon then serves its API and filters nothing."),
        new("require_ifaces", "boolean", "false", "Whether the daemon does not start unless every interface of `ifaces` can be attached."),
        new("operation_mode", "`generic` `native` `offloaded` `auto`", "generic", "How the filter is attached; `auto` is native, else generic, and says so in the log."),
        new("match", "array of `source` `destination`", "source", "Which addresses of a packet are looked up."),
        new("working_dir", "path", "", "Folder of clients and sets; must exist."),
        new("user", "name or number", "", "Owner of all files, and what the process becomes after the start. Looked up in /etc/passwd."),
        new("group", "name or number", "", "The same for the group, in /etc/group."),
        new("logging.dir", "path or `-`", "", "Folder of the log files; `-` for none."),
        new("logging.rotation", "`daily` `weekly` `never`", "daily", "When a new file is begun: at midnight UTC, on Sundays, never."),
        new("logging.max_log_files", "1 to 100000 files", "7", "Log files that are kept; those of one day, or week, count as one."),
        new("logging.max_file_bytes", "65536 to 2147483647 bytes", "104857600", "A file that would be larger gets a number, and another one is begun."),
        new("logging.max_total_bytes", "65536 to 2147483647 bytes", "1073741824", "All log files together; the oldest go first. At least `max_file_bytes`."),
        new("logging.format", "`text` `json`", "text", "Form of the files; without files, of standard output, which otherwise is text."),
        new("logging.level", "`debug` `info` `warn` `error`", "info", "The least important lines that are written."),
        new("server.socket", "path of at most 107 bytes", "", "The API's socket; mode 770."),
        new("limits.max_drop_entries", "1 to 16777216 entries", "262144", "Entries of `drop`, for each of IPv4 and IPv6."),
        new("limits.max_ignore_entries", "1 to 16777216 entries", "65536", "Entries of `ignore`, for each of IPv4 and IPv6."),
        new("limits.max_tags", "1 to 65000 tags", "4096", "Tags of each policy with counters of their own; further ones share one."),
        new("limits.per_entry_counters", "boolean", "true", "Whether packets and last hit of each entry are kept."),
        new("limits.max_connections", "1 to 1000000 connections", "12000", "Open connections; beyond it whoever has most of them loses the one that waits longest."),
        new("limits.max_request_line_bytes", "256 to 1048576 bytes", "8192", "Method, target and version of a request; beyond it 414."),
        new("limits.max_header_fields", "8 to 10000 fields", "100", "Header fields of a request; beyond it 431."),
        new("limits.max_header_bytes", "1024 to 16777216 bytes", "32768", "All header fields of a request together; beyond it 431."),
        new("limits.max_body_bytes", "1024 to 1073741824 bytes", "8388608", "A request body that is read as a whole; beyond it 413. Bulk bodies have no limit; unless this is lowered, the body of a set may have one and a half times `max_set_file_bytes`."),
        new("limits.max_set_file_bytes", "1024 to 1073741824 bytes", "12582912", "One set file. All files of a policy together may have four times as much. The default is 48 bytes per entry of the larger table, at least 5242880."),
        new("limits.max_set_files", "1 to 100000 files", "4096", "Set files of each policy."),
        new("limits.max_item_bytes", "1024 to 16777216 bytes", "262144", "One item of a bulk body."),
        new("limits.max_parked_bytes", "1048576 to 1073741824 bytes", "16777216", "Memory of all connections that wait in the middle of a request, for a turn or for a slow reader; above it those that wait longest are closed."),
        new("limits.header_timeout_secs", "1 to 86400 seconds", "10", "From a connection's first byte to a complete header; beyond it 408."),
        new("limits.keep_alive_timeout_secs", "1 to 86400 seconds", "75", "Idle time between two requests."),
        new("limits.rate_grace_secs", "1 to 86400 seconds", "10", "How long a body or an answer may stand still before its rate counts."),
        new("limits.min_body_bytes_per_sec", "1 to 1073741824 bytes a second", "4096", "Slowest body; below it 408."),
        new("limits.min_answer_bytes_per_sec", "1 to 1073741824 bytes a second", "16384", "Slowest reader of an answer."),
        new("guard.mode", "`warn` `refuse` `off`", "warn", "What happens to a change that would cut off an address the operator needs, however it comes in: a warning, a refusal, nothing."),
        new("reporting.enabled", "boolean", "false", "Whether changes of rules are posted to `webhook`."),
        new("reporting.webhook", "http or https address", "none", "Where to; required when enabled."),
        new("peering.enabled", "boolean", "false", "Whether dynamic rules are kept the same on all peers."),
        new("peering.policies", "array of `drop` `ignore`", "drop", "Policies whose rules travel and are taken."),
        new("peering.peers.host", "name or address", "", "The other node."),
        new("peering.peers.port", "1 to 65535", "", "Its port."),
        new("peering.peers.tls", "boolean", "false", "Whether to speak TLS; certificate and name are verified."),
        new("peering.peers.token", "UUID", "", "Token of our client on that node."),
        new("peering.peers.ca_file", "path", "the system's", "PEM file of the only authorities to trust; with `tls`."),
        new("peering.peers.cert_file", "path", "none", "PEM file of our certificate, with `key_file`; with `tls`."),
        new("peering.peers.key_file", "path", "none", "PEM file of its key."),
    ];

    /// <summary>A Markdown table a TOML table.</summary>
    public static string Markdown()
    {
        var text = new System.Text.StringBuilder();
        foreach (IGrouping<string, SettingsKey> table in All.GroupBy(key => key.TableName))
        {
            string heading = table.Key switch { "" => "Top of the file", "peering.peers" => "`[[peering.peers]]`", _ => $"`[{table.Key}]`" };
            text.Append(System.Globalization.CultureInfo.InvariantCulture, $"### {heading}\n\n| key | values | default | |\n| --- | --- | --- | --- |\n");
            foreach (SettingsKey key in table)
            {
                string preset = key.Default.Length == 0 ? "required" : key.Default;
                text.Append(System.Globalization.CultureInfo.InvariantCulture, $"| `{key.KeyName}` | {key.Values} | {preset} | {key.Help} |\n");
            }

            text.Append('\n');
        }

        return text.ToString().TrimEnd('\n') + "\n";
    }

    private string TableName => Name.Contains('.', StringComparison.Ordinal) ? Name[..Name.LastIndexOf('.')] : string.Empty;

    private string KeyName => Name[(Name.LastIndexOf('.') + 1)..];
}
