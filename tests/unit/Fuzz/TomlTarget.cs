using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using Couic.Config;

namespace Couic.Tests.Fuzz;

/// <summary>TOML: faults lie in the file, and a good document written out as keys with inline values is read as the same.</summary>
internal sealed partial class TomlTarget : FuzzTarget
{
    public override string Name => "toml";

    public override byte[][] Pieces { get; } = Utf8Words(
        "a", "b", "\"", "'", "\"\"\"", "'''", "=", ".", ",", "[", "]", "[[", "]]", "{", "}", "#", "\n", "\r\n", "\r", " ", "\t", "\\", "\\u0041", "\\U0001F389",
        "\\\n", "0", "1", "_", "-", "+", "e", "x", "0x", "0b", "0o", "inf", "nan", "true", "1979-05-27", "07:32:00", ".5", "T", "Z", "+01:30", ":", "\0",
        "é", "🎉", "\u2028", "\ufeff", "a = 1\n", "[a]\n", "[[a]]\n", "a.b = 1\n", "a = {b = 1}\n", "9223372036854775807", "1e308", "[[[[[[[[[[");

    public override string Check(byte[] input)
    {
        List<Fault> faults = [];
        TomlTable table = null!;
        Bounded(input, 200_000, 1_000, () => table = TomlDocument.Read("f", input, faults));
        int lines = input.Count(b => b == '\n') + 1;
        Require(faults.All(f => f.Line <= lines && f.Column <= input.Length + 1), "a fault outside of the file");
        Require(faults.Count <= TomlDocument.MaxFaults + 1, "too many faults");
        Require(faults.All(f => f.Message.Length <= 1_001 && !f.Message.Any(char.IsControl)), "a fault that does not fit on a line");
        if (faults.Count > 0)
        {
            return Quoted().Replace(faults[0].Message, "…");
        }

        string written = string.Concat(table.Entries.Select(e => $"{Text(e.Key)} = {Write(e.Value)}\n"));
        List<Fault> again = [];
        TomlTable second = TomlDocument.Read("f", Encoding.UTF8.GetBytes(written), again);
        Require(again.Count == 0, $"written out it has a fault: {string.Join(' ', again.Take(1))} in {written}");
        Require(Shape(table) == Shape(second), $"written out it is another: {written}");
        return Kinds(table, 2);
    }

    private static string Write(TomlValue value) => value.Kind switch
    {
        TomlKind.String => Text(value.String),
        TomlKind.Integer => value.Integer.ToString(CultureInfo.InvariantCulture),
        TomlKind.Float => Number(value.Float),
        TomlKind.Boolean => value.Boolean ? "true" : "false",
        TomlKind.DateTime => value.String,
        TomlKind.Array => "[" + string.Join(", ", value.Array.Select(Write)) + "]",
        _ => "{" + string.Join(", ", value.Table.Entries.Select(e => $"{Text(e.Key)} = {Write(e.Value)}")) + "}",
    };

    private static string Number(double value) => double.IsNaN(value) ? "nan"
        : double.IsInfinity(value) ? value > 0 ? "inf" : "-inf"
        : value.ToString("E17", CultureInfo.InvariantCulture);

    private static string Text(string text)
    {
        var written = new StringBuilder("\"");
        foreach (Rune rune in text.EnumerateRunes())
        {
            written.Append(rune.Value is >= 0x20 and < 0x7f and not '"' and not '\\' ? rune.ToString() : $"\\U{rune.Value:X8}");
        }

        return written.Append('"').ToString();
    }

    private static string Shape(TomlTable table) =>
        "{" + string.Join(",", table.Entries.Select(e => $"{Text(e.Key)}:{e.Value.Kind}:{Shape(e.Value)}")) + "}";

    private static string Shape(TomlValue value) => value.Kind switch
    {
        TomlKind.Array => "[" + string.Join(",", value.Array.Select(v => v.Kind + Shape(v))) + "]",
        TomlKind.Table => Shape(value.Table),
        _ => Write(value),
    };

    private static string Kinds(TomlTable table, int depth) => string.Join(' ', table.Entries.Take(4).Select(e => depth == 0 ? "…"
        : e.Value.Kind == TomlKind.Table ? $"({Kinds(e.Value.Table, depth - 1)})"
        : e.Value.Kind == TomlKind.Array ? $"[{string.Join(' ', e.Value.Array.Take(3).Select(v => v.Kind))}]" : e.Value.Kind.ToString()));

    [GeneratedRegex("\"[^\"]*\"|[0-9]+|'[^']*'")]
    private static partial Regex Quoted();
}
