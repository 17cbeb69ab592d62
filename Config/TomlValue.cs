using System.Diagnostics.CodeAnalysis;
using System.Globalization;

#pragma warning disable CA1720 // the kinds have the names that TOML gives them
namespace Couic.Config;

public enum TomlKind
{
    String,
    Integer,
    Float,
    Boolean,
    DateTime,
    Array,
    Table,
}

/// <summary>A place in a file: both from 1, the column in characters.</summary>
public readonly record struct TomlPosition(int Line, int Column);

/// <summary>A value and where it was written. Reading it as another <see cref="Kind"/> throws.</summary>
public sealed class TomlValue
{
    private const int MaxShownCharacters = 60;

    private readonly object _content;

    internal TomlValue(TomlKind kind, TomlPosition at, object content) => (Kind, At, _content) = (kind, at, content);

    public TomlKind Kind { get; }

    public TomlPosition At { get; }

    /// <summary>A string, or a date or time as it was written.</summary>
    public string String => (string)_content;

    public long Integer => (long)_content;

    public double Float => (double)_content;

    public bool Boolean => (bool)_content;

    public IReadOnlyList<TomlValue> Array => (List<TomlValue>)_content;

    public TomlTable Table => (TomlTable)_content;

    internal List<TomlValue> Items => (List<TomlValue>)_content;

    /// <summary>The kind with its article: <c>a string</c>.</summary>
    public string KindText => Describe(Kind);

    public static string Describe(TomlKind kind) => kind switch
    {
        TomlKind.String => "a string",
        TomlKind.Integer => "an integer",
        TomlKind.Float => "a float",
        TomlKind.Boolean => "a boolean",
        TomlKind.DateTime => "a date or time",
        TomlKind.Array => "an array",
        _ => "a table",
    };

    /// <summary>A text from a file as messages quote it: in quotes, and at most 60 characters of it.</summary>
    public static string Quote(string text) =>
        text.Length <= MaxShownCharacters ? $"\"{text}\"" : $"\"{text[..(char.IsHighSurrogate(text[MaxShownCharacters - 1]) ? MaxShownCharacters - 1 : MaxShownCharacters)]}…\"";

    /// <summary>A short text for messages.</summary>
    public override string ToString() => Kind switch
    {
        TomlKind.String => Quote(String),
        TomlKind.Array => $"an array of {Array.Count}",
        TomlKind.Table => "a table",
        TomlKind.Boolean => Boolean ? "true" : "false",
        TomlKind.Float when double.IsNaN(Float) => "nan",
        TomlKind.Float when double.IsInfinity(Float) => Float > 0 ? "inf" : "-inf",
        _ => string.Create(CultureInfo.InvariantCulture, $"{_content}"),
    };
}

/// <summary>A key with its value.</summary>
/// <param name="At">Where the key was written; for one part of a dotted key, that part.</param>
public sealed record TomlEntry(string Key, TomlPosition At, TomlValue Value);

/// <summary>Keys in the order of the file.</summary>
public sealed class TomlTable
{
    private readonly List<TomlEntry> _entries = [];
    private readonly Dictionary<string, TomlEntry> _byKey = new(StringComparer.Ordinal);

    internal TomlTable(TomlTableOrigin origin) => Origin = origin;

    public IReadOnlyList<TomlEntry> Entries => _entries;

    /// <summary>How the table was created, which decides what may still add to it.</summary>
    internal TomlTableOrigin Origin { get; set; }

    public bool TryGet(string key, [NotNullWhen(true)] out TomlEntry? entry) => _byKey.TryGetValue(key, out entry);

    internal void Add(TomlEntry entry)
    {
        _byKey.Add(entry.Key, entry);
        _entries.Add(entry);
    }
}

/// <summary>TOML lets each table be defined once; these are the ways.</summary>
internal enum TomlTableOrigin
{
    /// <summary>The file, a <c>[header]</c>, or an element of <c>[[headers]]</c>.</summary>
    Header,

    /// <summary>Implied by a deeper header; may still be defined, once.</summary>
    Implied,

    /// <summary>By dotted keys; open for more of them, which can only come under the same header.</summary>
    Dotted,

    /// <summary>In braces; complete.</summary>
    Inline,
}
