using System.Globalization;
using System.Text;
using Couic.Api.Contracts;
using Couic.Config;
using Couic.Native;

namespace Couic.Api.Access;

/// <summary>
/// The file of one client: <c>NAME.toml</c> with <c>token</c>, <c>group</c>, and the keys of its <see cref="Rails"/>. Other keys are left
/// alone, as in couic 1.x, unless the file has rails or the key may be a misspelled one: a rail must not be missing unnoticed.
/// </summary>
public static class ClientFile
{
    public const string Suffix = ".toml";

    private static readonly string[] OwnKeys = ["token", "group"];

    /// <summary>Bytes; a client file has about 70, and up to some thousand with rails. Bounds what a stray file can cost.</summary>
    public const int MaxBytes = 16 * 1024;

    public static string PathOf(string folder, string name) => Path.Combine(folder, name + Suffix);

    /// <summary>The file's content; holds the secret.</summary>
    public static byte[] Format(Client client)
    {
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"token = \"{client.Token:D}\"\ngroup = \"{client.Group.Name()}\"\n");
        foreach ((string key, object value) in client.Rails?.Record.Values() ?? [])
        {
            text.Append(CultureInfo.InvariantCulture, $"{key} = {(value is string[] items ? $"[{string.Join(", ", items.Select(item => $"\"{item}\""))}]" : value)}\n");
        }

        return Encoding.ASCII.GetBytes(text.ToString());
    }

    /// <summary>
    /// Reads a client. With <paramref name="owner"/> null the file's owner and mode are not looked at. Null when anything is wrong;
    /// <paramref name="faults"/> then says what, without a token.
    /// </summary>
    public static Client? Read(string path, FileOwner? owner, List<Fault> faults)
    {
        string name = Path.GetFileNameWithoutExtension(path);
        if (NameRule.Fault(Encoding.UTF8.GetBytes(name)) is { } bad)
        {
            faults.Add(new Fault(path, $"client name \"{name}\": {bad}"));
            return null;
        }

        GuardResult result = GuardedFile.Read(path, MaxBytes, owner, out byte[] content);
        if (!result.IsOk)
        {
            faults.Add(new Fault(path, result.Message));
            return null;
        }

        return Parse(path, name, content, faults);
    }

    /// <summary>The same from a file's content.</summary>
    public static Client? Parse(string path, string name, ReadOnlySpan<byte> content, List<Fault> faults)
    {
        int before = faults.Count;
        List<Fault> syntax = [];
        TomlTable table = TomlDocument.Read(path, content, syntax);

        // The reader quotes what it does not understand, which here may be the token: only the place is reported.
        faults.AddRange(syntax.Select(fault => fault with { Message = "not in the form of a client file (token = \"UUID\", group = \"WORD\")" }));
        if (faults.Count != before)
        {
            return null;
        }

        Token token = ReadToken(path, table, faults);
        Group group = ReadGroup(path, table, faults);
        Rails? rails = ReadRails(path, table, group, faults);
        return faults.Count == before ? new Client(name, group, token.ToGuid(), rails) : null;
    }

    private static Rails? ReadRails(string path, TomlTable table, Group group, List<Fault> faults)
    {
        int before = faults.Count;
        var keys = new KeyReader(path, table, faults, isComplete: true);
        var record = new RailsRecord
        {
            Policies = Texts(keys, "policies"),
            MinPrefixV4 = keys.OptionalInteger("min_prefix_v4"),
            MinPrefixV6 = keys.OptionalInteger("min_prefix_v6"),
            MaxTtl = keys.OptionalInteger("max_ttl"),
            MaxEntries = keys.OptionalInteger("max_entries"),
            Rate = keys.OptionalInteger("rate"),
            Burst = keys.OptionalInteger("burst"),
            Tags = Texts(keys, "tags"),
            From = Texts(keys, "from"),
        };
        bool hasRails = Rails.Keys.Any(key => table.TryGet(key, out _));
        foreach (TomlEntry entry in table.Entries.Where(entry => !OwnKeys.Contains(entry.Key) && !Rails.Keys.Contains(entry.Key)))
        {
            string? near = Suggestion.For(entry.Key, Rails.Keys);
            if (hasRails || (near is not null && entry.Key.Contains('_', StringComparison.Ordinal)))
            {
                keys.Fail(entry.At, $"unknown key {TomlValue.Quote(entry.Key)} ({(near is null ? $"known: {string.Join(", ", OwnKeys.Concat(Rails.Keys))}" : $"did you mean \"{near}\"?")})");
            }
        }

        if (faults.Count > before)
        {
            return null;
        }

        List<(string Key, string Message)> broken = [];
        Rails? rails = Rails.Create(record, group, broken);
        foreach ((string key, string message) in broken)
        {
            keys.Fail(key, $"\"{key}\": {message}");
        }

        return rails;
    }

    private static string[]? Texts(KeyReader keys, string key) => keys.Texts(key) is { } items ? [.. items.Select(item => item.String)] : null;

    private static Token ReadToken(string path, TomlTable table, List<Fault> faults)
    {
        if (Text(path, table, "token", faults) is not { } value)
        {
            return default;
        }

        if (!Token.TryParse(Encoding.UTF8.GetBytes(value.String), out Token token))
        {
            faults.Add(new Fault(path, value.At.Line, value.At.Column, "token is not a UUID (36 characters, hex digits and hyphens)"));
        }
        else if (token == default)
        {
            faults.Add(new Fault(path, value.At.Line, value.At.Column, "token is all zeros (anyone would guess it)"));
        }

        return token;
    }

    private static Group ReadGroup(string path, TomlTable table, List<Fault> faults)
    {
        Group group = default;
        if (Text(path, table, "group", faults) is { } value && !Groups.TryParse(value.String, out group))
        {
            faults.Add(new Fault(path, value.At.Line, value.At.Column, $"group {value} is unknown (one of: {Groups.Words})"));
        }

        return group;
    }

    private static TomlValue? Text(string path, TomlTable table, string key, List<Fault> faults)
    {
        if (!table.TryGet(key, out TomlEntry? entry))
        {
            faults.Add(new Fault(path, $"key \"{key}\" is missing"));
            return null;
        }

        if (entry.Value.Kind == TomlKind.String)
        {
            return entry.Value;
        }

        faults.Add(new Fault(path, entry.Value.At.Line, entry.Value.At.Column, $"\"{key}\" must be a string, is {entry.Value.KindText}"));
        return null;
    }
}
