using System.Globalization;

namespace Couic.Config;

/// <summary>
/// Reads typed values from one TOML table. The keys that were read are the known ones: <see cref="Finish"/> reports every other key. After
/// a fault the result is a default, so that all faults are found.
/// </summary>
public sealed class KeyReader
{
    private readonly string _file;
    private readonly string _name;
    private readonly TomlTable? _table;
    private readonly TomlPosition _at;
    private readonly List<Fault> _faults;
    private readonly bool _isComplete;
    private readonly List<string> _known = [];

    /// <param name="table">Null when the table is absent: every required key is missing then.</param>
    /// <param name="isComplete">False after syntax faults: an absent key may just not have been understood.</param>
    public KeyReader(string file, TomlTable? table, List<Fault> faults, bool isComplete)
        : this(file, string.Empty, table, default, faults, isComplete)
    {
    }

    private KeyReader(string file, string name, TomlTable? table, TomlPosition at, List<Fault> faults, bool isComplete)
    {
        _file = file;
        _name = name;
        _table = table;
        _at = at;
        _faults = faults;
        _isComplete = isComplete;
    }

    public string File => _file;

    /// <summary>Whether the table is in the file.</summary>
    public bool IsPresent => _table is not null;

    /// <summary>Whether the key is present, with any type; the key is known from now on.</summary>
    public bool Has(string key) => Find(key) is not null;

    /// <summary>Reports a fault at a key's value, or at the table when the key is absent.</summary>
    public void Fail(string key, string message)
    {
        TomlPosition at = _table is not null && _table.TryGet(key, out TomlEntry? entry) ? entry.Value.At : _at;
        Fail(at, message);
    }

    public void Fail(TomlPosition at, string message) => _faults.Add(new Fault(_file, at.Line, at.Column, message));

    public bool IsEmptyArray(string key) => _table is not null && _table.TryGet(key, out TomlEntry? entry) && entry.Value is { Kind: TomlKind.Array, Array.Count: 0 };

    /// <summary>A value that must not be empty; null after a fault.</summary>
    public string? RequiredText(string key)
    {
        if (Find(key) is null)
        {
            FailMissing(key);
            return null;
        }

        return Text(key);
    }

    /// <summary>The same for a key that may be absent: null then as well.</summary>
    public string? Text(string key)
    {
        if (Find(key, TomlKind.String) is not { } value)
        {
            return null;
        }

        // The system would cut the text off at a NUL: a path would be another path.
        if (value.String.Length == 0 || value.String.Contains('\0', StringComparison.Ordinal))
        {
            Fail(value.At, $"{Full(key)} {(value.String.Length == 0 ? "must not be empty" : "must not hold a NUL")}");
            return null;
        }

        return value.String;
    }

    /// <summary>An absolute path; a relative one starts at the current folder. Null after a fault or when absent.</summary>
    public string? FullPath(string key, bool isRequired) =>
        (isRequired ? RequiredText(key) : Text(key)) is { } path ? Path.GetFullPath(path) : null;

    public bool Boolean(string key, bool otherwise) => Find(key, TomlKind.Boolean)?.Boolean ?? otherwise;

    public int Number(string key, int otherwise, int min, int max)
    {
        if (Find(key, TomlKind.Integer) is not { } value)
        {
            return otherwise;
        }

        if (value.Integer >= min && value.Integer <= max)
        {
            return (int)value.Integer;
        }

        Fail(value.At, string.Create(CultureInfo.InvariantCulture, $"{Full(key)} = {value.Integer} is out of range ({min} to {max})"));
        return otherwise;
    }

    /// <summary>A non-negative number whose range the caller checks; null when absent or after a fault.</summary>
    public long? OptionalInteger(string key)
    {
        if (Find(key, TomlKind.Integer) is not { } value)
        {
            return null;
        }

        if (value.Integer >= 0)
        {
            return value.Integer;
        }

        Fail(value.At, string.Create(CultureInfo.InvariantCulture, $"{Full(key)} = {value.Integer} is out of range (not negative)"));
        return null;
    }

    public int RequiredNumber(string key, int min, int max)
    {
        if (Find(key) is null)
        {
            FailMissing(key);
        }

        return Number(key, min, min, max);
    }

    /// <summary>One of a few words, case-sensitive.</summary>
    public T Word<T>(string key, T otherwise, params ReadOnlySpan<(string Word, T Meaning)> words)
    {
        if (Find(key, TomlKind.String) is not { } value)
        {
            return otherwise;
        }

        return TryWord(key, value, words, out T? meaning) ? meaning! : otherwise;
    }

    /// <summary>An array of strings with their places; null after a fault of type or when absent.</summary>
    public IReadOnlyList<TomlValue>? Texts(string key, bool isRequired = false)
    {
        if (isRequired && Find(key) is null)
        {
            FailMissing(key);
            return null;
        }

        if (Find(key, TomlKind.Array) is not { } array)
        {
            return null;
        }

        foreach (TomlValue item in array.Array.Where(item => item.Kind != TomlKind.String))
        {
            Fail(item.At, $"{Full(key)} must hold strings only, not {item.KindText}");
        }

        return array.Array.All(item => item.Kind == TomlKind.String) ? array.Array : null;
    }

    /// <summary>An array of a few words, each at most once, at least one; null when absent or after a fault.</summary>
    public IReadOnlyList<T>? Words<T>(string key, params ReadOnlySpan<(string Word, T Meaning)> words)
    {
        if (Texts(key) is not { } items)
        {
            return null;
        }

        List<T> meanings = [];
        foreach (TomlValue item in items)
        {
            if (!TryWord(key, item, words, out T? meaning))
            {
                return null;
            }

            if (meanings.Contains(meaning!))
            {
                Fail(item.At, $"{Full(key)} names {item} twice");
            }

            meanings.Add(meaning!);
        }

        if (meanings.Count == 0)
        {
            Fail(key, $"{Full(key)} must not be empty (one of: {Join(words)})");
        }

        return meanings;
    }

    /// <summary>An inner table; one of the wrong type is a fault and counts as absent.</summary>
    public KeyReader Table(string key)
    {
        TomlValue? value = Find(key, TomlKind.Table);
        bool mistyped = value is null && Has(key);
        return new KeyReader(_file, Full(key), value?.Table, value?.At ?? _at, _faults, _isComplete && !mistyped);
    }

    /// <summary>An array of tables; empty when absent.</summary>
    public IReadOnlyList<KeyReader> Tables(string key)
    {
        List<KeyReader> tables = [];
        foreach (TomlValue item in Find(key, TomlKind.Array)?.Array ?? [])
        {
            if (item.Kind == TomlKind.Table)
            {
                tables.Add(new KeyReader(_file, Full(key), item.Table, item.At, _faults, _isComplete));
            }
            else
            {
                Fail(item.At, $"{Full(key)} must hold tables only, not {item.KindText}");
            }
        }

        return tables;
    }

    /// <summary>Reports every key that was not read, with the nearest known one, here or in <paramref name="elsewhere"/>.</summary>
    public void Finish(params IEnumerable<string> elsewhere)
    {
        foreach (TomlEntry entry in _table?.Entries ?? [])
        {
            if (_known.Contains(entry.Key))
            {
                continue;
            }

            string? other = elsewhere.FirstOrDefault(place => place.EndsWith("." + entry.Key, StringComparison.Ordinal) || place == entry.Key);
            string hint = SettingsSchema.RenamedKeys.TryGetValue(Full(entry.Key), out string? renamed) ? $"its name is \"{renamed}\" now"
                : other is not null ? $"{other} is known: is it under the wrong [table]?"
                : Suggestion.For(entry.Key, _known) is { } near ? $"did you mean \"{near}\"?"
                : $"known: {string.Join(", ", _known)}";
            Fail(entry.At, $"unknown key {TomlValue.Quote(Full(entry.Key))} ({hint})");
        }
    }

    private bool TryWord<T>(string key, TomlValue value, ReadOnlySpan<(string Word, T Meaning)> words, out T? meaning)
    {
        foreach ((string word, T candidate) in words)
        {
            if (word == value.String)
            {
                meaning = candidate;
                return true;
            }
        }

        meaning = default;
        List<string> all = [];
        foreach ((string word, _) in words)
        {
            all.Add(word);
        }

        string near = Suggestion.For(value.String, all) is { } suggestion ? $"; did you mean \"{suggestion}\"?" : string.Empty;
        Fail(value.At, $"{Full(key)} = {value} is not allowed (one of: {string.Join(", ", all)}{near})");
        return false;
    }

    private static string Join<T>(ReadOnlySpan<(string Word, T Meaning)> words)
    {
        List<string> all = [];
        foreach ((string word, _) in words)
        {
            all.Add(word);
        }

        return string.Join(", ", all);
    }

    private TomlValue? Find(string key)
    {
        if (!_known.Contains(key))
        {
            _known.Add(key);
        }

        return _table is not null && _table.TryGet(key, out TomlEntry? entry) ? entry.Value : null;
    }

    private TomlValue? Find(string key, TomlKind kind)
    {
        TomlValue? value = Find(key);
        if (value is null || value.Kind == kind)
        {
            return value;
        }

        Fail(value.At, $"{Full(key)} must be {TomlValue.Describe(kind)}, is {value.KindText}{(value.Kind is TomlKind.Array or TomlKind.Table ? string.Empty : $" ({value})")}");
        return null;
    }

    private string Full(string key) => _name.Length == 0 ? key : $"{_name}.{key}";

    private void FailMissing(string key)
    {
        if (_isComplete)
        {
            Fail(_at, $"key \"{Full(key)}\" is missing");
        }
    }

}
