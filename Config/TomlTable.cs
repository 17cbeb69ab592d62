using System.Diagnostics.CodeAnalysis;

namespace Couic.Config;

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

    /// <summary>How the table came to be, which decides who may still add to it.</summary>
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

    /// <summary>On the way to a deeper header; may still be defined, once.</summary>
    Passed,

    /// <summary>By dotted keys; open for more of them, which can only come under the same header.</summary>
    Dotted,

    /// <summary>In braces; complete.</summary>
    Inline,
}
