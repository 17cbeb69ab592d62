using System.Globalization;
using System.Text;
using System.Text.Json;
using Couic.Cli.Output;
using Couic.CommandLine;
using Couic.Config;

namespace Couic.Daemon;

/// <summary><c>couic config show</c>: every key with its value and where the value comes from.</summary>
internal static class ConfigCommand
{
    private const string Hidden = "(hidden)";

    public static readonly CommandSpec Spec = new()
    {
        Name = "config",
        Summary = "Show the configuration",
        Commands =
        [
            new CommandSpec
            {
                Name = "show",
                Summary = "Print every key with its value, and whether it is a default or from which line",
                Details =
                [
                    "This is what a start would use; \"couicctl status --check\" says whether a running daemon has it. The output is TOML without secrets: "
                    + "tokens and the paths of web hooks are hidden. Defaults that depend on the machine are comments.",
                ],
                Options = OutputStyle.Options,
                Examples = ["couic config show", "couic config show -o tsv"],
                Run = Show,
            },
        ],
    };

    /// <param name="Value">As TOML; null for a default that depends on other things.</param>
    /// <param name="Source"><c>default</c>, or <c>line N</c>.</param>
    private sealed record Row(string Table, string Key, string? Value, string Text, string Source);

    private static int Show(Invocation invocation)
    {
        SettingsSource source;
        try
        {
            source = SettingsSource.Locate(invocation.Option("config"));
        }
        catch (IOException e)
        {
            throw new CliException(e.Message);
        }

        List<Fault> faults = [];
        if (SettingsReader.Read(source, faults) is null)
        {
            throw new CliException([.. faults.Select(fault => fault.ToString())]);
        }

        List<Row> rows = Rows(TomlDocument.Read(source.Path, Encoding.UTF8.GetBytes(source.Text), []));
        if (invocation.IsJson)
        {
            WriteJson(invocation, source, rows);
        }
        else if (invocation.Option(OutputStyle.OutputOption.Long) is null)
        {
            WriteToml(invocation, source, rows);
        }
        else
        {
            Table.Write(
                invocation,
                rows,
                new Column<Row>("Key", row => row.Table.Length == 0 ? row.Key : $"{row.Table}.{row.Key}"),
                new Column<Row>("Value", row => row.Text) { IsText = true },
                new Column<Row>("Source", row => row.Source));
        }

        return ExitStatus.Success;
    }

    private static List<Row> Rows(TomlTable document)
    {
        var rows = new List<Row>();
        foreach (SettingsTable table in SettingsSchema.Tables)
        {
            TomlTable? given = Find(document, table.Name);
            foreach (Setting<Settings> key in table.Keys)
            {
                rows.Add(given is not null && given.TryGet(key.Key, out TomlEntry? entry)
                    ? new Row(table.Name, key.Key, Toml(key.Key, entry.Value), Toml(key.Key, entry.Value), Line(entry))
                    : new Row(table.Name, key.Key, given is null && IsOptional(table.Name) ? null : DefaultOf(key), key.Default, "default"));
            }
        }

        if (Find(document, "peering") is { } peering && peering.TryGet("peers", out TomlEntry? peers) && peers.Value.Kind == TomlKind.Array)
        {
            for (int i = 0; i < peers.Value.Array.Count; i++)
            {
                foreach (TomlEntry entry in peers.Value.Array[i].Table.Entries)
                {
                    rows.Add(new Row($"peering.peers[{i}]", entry.Key, Toml(entry.Key, entry.Value), Toml(entry.Key, entry.Value), Line(entry)));
                }
            }
        }

        return rows;
    }

    /// <summary>An inner table such as <c>server.tls</c> means something by being there, even with nothing but defaults.</summary>
    private static bool IsOptional(string table) => table.Contains('.', StringComparison.Ordinal);

    private static string Line(TomlEntry entry) => string.Create(CultureInfo.InvariantCulture, $"line {entry.At.Line}");

    private static TomlTable? Find(TomlTable document, string name)
    {
        TomlTable? found = document;
        foreach (string part in name.Split('.', StringSplitOptions.RemoveEmptyEntries))
        {
            found = found is not null && found.TryGet(part, out TomlEntry? entry) && entry.Value.Kind == TomlKind.Table ? entry.Value.Table : null;
        }

        return found;
    }

    /// <summary>The default in TOML; null where the documentation describes it in prose.</summary>
    private static string? DefaultOf(Setting<Settings> key) =>
        key.Values.StartsWith("array", StringComparison.Ordinal) ? null
        : key.Default is "true" or "false" || double.TryParse(key.Default, NumberStyles.Float, CultureInfo.InvariantCulture, out _) ? key.Default
        : key.Values.Contains($"`{key.Default}`", StringComparison.Ordinal) ? Quote(key.Default)
        : null;

    private static string Toml(string key, TomlValue value) => value.Kind switch
    {
        _ when IsSecret(key) => Quote(Hidden),
        TomlKind.String when key == "webhook" => Quote(WithoutPath(value.String)),
        TomlKind.String => Quote(value.String),
        TomlKind.DateTime => value.String,
        TomlKind.Array => $"[{string.Join(", ", value.Array.Select(item => Toml(key, item)))}]",
        TomlKind.Table => $"{{ {string.Join(", ", value.Table.Entries.Select(entry => $"{entry.Key} = {Toml(entry.Key, entry.Value)}"))} }}",
        _ => value.ToString(),
    };

    private static bool IsSecret(string key) => key.Contains("token", StringComparison.Ordinal) || key.Contains("secret", StringComparison.Ordinal);

    /// <summary>The path of a web hook is its secret.</summary>
    private static string WithoutPath(string url) =>
        Uri.TryCreate(url, UriKind.Absolute, out Uri? address) ? $"{address.GetLeftPart(UriPartial.Authority)}/{Hidden}" : Hidden;

    private static string Quote(string text) => $"\"{JsonEncodedText.Encode(text, System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping)}\"";

    private static void WriteToml(Invocation invocation, SettingsSource source, List<Row> rows)
    {
        invocation.Out.WriteLine($"# {source.Path}");
        int width = Math.Min(48, rows.Max(row => row.Key.Length + row.Text.Length + 3));
        string table = "";
        foreach (Row row in rows)
        {
            if (row.Table != table)
            {
                bool isElement = row.Table.EndsWith(']');
                bool isAbsent = IsOptional(row.Table) && rows.TrueForAll(other => other.Table != row.Table || other.Source == "default");
                invocation.Out.WriteLine($"\n{(isAbsent ? "# " : "")}{(isElement ? $"[[{row.Table[..row.Table.IndexOf('[', StringComparison.Ordinal)]}]]" : $"[{row.Table}]")}");
                table = row.Table;
            }

            string text = row.Value is null ? $"# {row.Key}: {row.Text}" : $"{row.Key} = {row.Value}";
            invocation.Out.WriteLine($"{text.PadRight(width)}  # {row.Source}");
        }
    }

    private static void WriteJson(Invocation invocation, SettingsSource source, List<Row> rows) => IndentedJson.WriteObject(invocation, json =>
    {
        json.WriteString("file"u8, source.Path);
        json.WriteStartArray("settings"u8);
        foreach (Row row in rows)
        {
            json.WriteStartObject();
            json.WriteString("key"u8, row.Table.Length == 0 ? row.Key : $"{row.Table}.{row.Key}");
            json.WriteString("value"u8, row.Text);
            json.WriteString("source"u8, row.Source);
            json.WriteEndObject();
        }

        json.WriteEndArray();
    });
}
