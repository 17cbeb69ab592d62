using System.Globalization;

#pragma warning disable CA1720 // the types are called as TOML calls them
namespace Couic.Config;

/// <summary>The types of TOML 1.0.</summary>
public enum TomlKind
{
    String,
    Integer,
    Float,
    Boolean,
    OffsetDateTime,
    LocalDateTime,
    LocalDate,
    LocalTime,
    Array,
    Table,
}

/// <summary>Where something stands in a file: both from 1, the column in characters.</summary>
public readonly record struct TomlPosition(int Line, int Column);

/// <summary>A value and where it was written. What it holds is reached by its <see cref="Kind"/>; asking for another throws.</summary>
public sealed class TomlValue
{
    private readonly object _content;

    internal TomlValue(TomlKind kind, TomlPosition at, object content)
    {
        Kind = kind;
        At = at;
        _content = content;
    }

    public TomlKind Kind { get; }

    public TomlPosition At { get; }

    public string String => (string)_content;

    public long Integer => (long)_content;

    public double Float => (double)_content;

    public bool Boolean => (bool)_content;

    /// <summary>For all four kinds of dates and times.</summary>
    public TomlDateTime DateTime => (TomlDateTime)_content;

    public IReadOnlyList<TomlValue> Array => (List<TomlValue>)_content;

    public TomlTable Table => (TomlTable)_content;

    internal List<TomlValue> Items => (List<TomlValue>)_content;

    /// <summary>The kind in words, with its article: <c>a string</c>.</summary>
    public string KindText => Describe(Kind);

    public static string Describe(TomlKind kind) => kind switch
    {
        TomlKind.String => "a string",
        TomlKind.Integer => "an integer",
        TomlKind.Float => "a float",
        TomlKind.Boolean => "a boolean",
        TomlKind.OffsetDateTime or TomlKind.LocalDateTime => "a date and time",
        TomlKind.LocalDate => "a date",
        TomlKind.LocalTime => "a time",
        TomlKind.Array => "an array",
        _ => "a table",
    };

    /// <summary>Short text for messages; long content is cut.</summary>
    public override string ToString() => Kind switch
    {
        TomlKind.String => $"\"{(String.Length > 60 ? String[..60] + "…" : String)}\"",
        TomlKind.Array => $"an array of {Array.Count}",
        TomlKind.Table => "a table",
        TomlKind.Boolean => Boolean ? "true" : "false",
        TomlKind.Float when double.IsNaN(Float) => "nan",
        TomlKind.Float when double.IsInfinity(Float) => Float > 0 ? "inf" : "-inf",
        _ => string.Create(CultureInfo.InvariantCulture, $"{_content}"),
    };
}
