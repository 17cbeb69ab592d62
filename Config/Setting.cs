using System.Globalization;

namespace Couic.Config;

/// <summary>One key of couic.toml: it is read, checked, compared at a reload and documented by this row.</summary>
/// <typeparam name="T">The immutable settings that hold the value; a new instance has the defaults.</typeparam>
/// <param name="Key">Without its table.</param>
/// <param name="Values">Type, words or range, as the documentation shows them.</param>
/// <param name="Default">As the documentation shows it; <c>required</c> where there is none.</param>
/// <param name="Value">What a reload compares.</param>
/// <param name="Read">Takes the value from its table, or reports a fault and leaves the settings as they are.</param>
internal sealed record Setting<T>(string Key, string Values, string Default, string Help, Func<T, object?> Value, Func<KeyReader, T, T> Read)
    where T : new()
{
    public const string Required = "required";

    /// <summary>Whether a change needs a restart although a reload applies other keys of the table.</summary>
    public bool NeedsRestart { get; init; }

    public static Setting<T> Number(string key, int min, int max, string unit, string help, Func<T, int> get, Func<T, int, T> set) => new(
        key,
        string.Create(CultureInfo.InvariantCulture, $"{min} to {max} {unit}"),
        get(new T()).ToString(CultureInfo.InvariantCulture),
        help,
        settings => get(settings),
        (table, settings) => set(settings, table.Number(key, get(settings), min, max)));

    public static Setting<T> Seconds(string key, string help, Func<T, TimeSpan> get, Func<T, TimeSpan, T> set) => Number(
        key, 1, 86_400, "seconds", help, settings => (int)get(settings).TotalSeconds, (settings, value) => set(settings, TimeSpan.FromSeconds(value)));

    public static Setting<T> Flag(string key, string help, Func<T, bool> get, Func<T, bool, T> set) => new(
        key,
        "boolean",
        get(new T()) ? "true" : "false",
        help,
        settings => get(settings),
        (table, settings) => set(settings, table.Boolean(key, get(settings))));

    /// <summary>One of a few words, of which the first is the default.</summary>
    public static Setting<T> Word<TWord>(
        string key, string help, Func<T, TWord> get, Func<T, TWord, T> set, params (string Word, TWord Meaning)[] words) => new(
        key,
        string.Join(' ', words.Select(word => $"`{word.Word}`")),
        words.First(word => Equals(word.Meaning, get(new T()))).Word,
        help,
        settings => get(settings),
        (table, settings) => set(settings, table.Word(key, get(settings), words)));

    public static Setting<T> Text(string key, string values, string help, Func<T, string> get, Func<T, string, T> set) => new(
        key, values, Required, help, get, (table, settings) => table.RequiredText(key) is { } text ? set(settings, text) : settings);

    /// <summary>A path that becomes absolute.</summary>
    /// <param name="otherwise">The default as the documentation shows it; null when the key is required.</param>
    public static Setting<T> Path(string key, string values, string? otherwise, string help, Func<T, string?> get, Func<T, string, T> set) => new(
        key,
        values,
        otherwise ?? Required,
        help,
        get,
        (table, settings) => table.FullPath(key, isRequired: otherwise is null) is { } path ? set(settings, path) : settings);
}
