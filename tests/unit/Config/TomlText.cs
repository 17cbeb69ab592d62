using System.Text;
using Couic.Config;

namespace Couic.Tests.Config;

/// <summary>TOML in one line, so that a table of documents can say what they mean: keys in order, every type distinct.</summary>
internal static class TomlText
{
    public static string Read(string document, out List<Fault> faults) => Read(Encoding.UTF8.GetBytes(document), out faults);

    public static string Read(ReadOnlySpan<byte> document, out List<Fault> faults)
    {
        faults = [];
        return Table(TomlDocument.Read("f", document, faults));
    }

    private static string Table(TomlTable table) =>
        "{" + string.Join(", ", table.Entries.Select(entry => $"{entry.Key}={Value(entry.Value)}")) + "}";

    private static string Value(TomlValue value) => value.Kind switch
    {
        TomlKind.String => "'" + value.String.Replace("\n", "␊", StringComparison.Ordinal) + "'",
        TomlKind.Integer => $"i{value.Integer}",
        TomlKind.Float => $"f{value.Float}",
        TomlKind.Boolean => value.Boolean ? "true" : "false",
        TomlKind.DateTime => $"t {value.String}",
        TomlKind.Array => "[" + string.Join(", ", value.Array.Select(Value)) + "]",
        _ => Table(value.Table),
    };
}
