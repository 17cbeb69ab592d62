using System.Globalization;
using System.Text;
using System.Text.Json;
using Couic.Cli.Api;
using Couic.CommandLine;
using Couic.Store;

namespace Couic.Cli.Values;

/// <summary>One network of a list, or a line that is not one.</summary>
/// <param name="Line">Line number, from 1.</param>
/// <param name="Fault">What is wrong with the line; null for a network.</param>
/// <param name="Tag">The entry's own tag; null when the line has none, empty for untagged.</param>
/// <param name="Expiration">The entry's own expiration in Unix seconds, 0 for never; null when the line has none.</param>
/// <param name="Policy">The entry's own policy, as in an export; null when the line has none.</param>
/// <param name="Reason">The entry's own reason; null when the line has none.</param>
/// <param name="IsClaim">Whether it is a claim besides the one that its entry shows, as in an export.</param>
internal readonly record struct ListItem(int Line, Cidr Cidr, string? Fault, string? Tag = null, ulong? Expiration = null, Policy? Policy = null, string? Reason = null, bool IsClaim = false);

/// <summary>
/// Reads networks from a list in any usual format: one per line with comments, CSV, ranges, JSON lines, a JSON array,
/// <c>ipset save</c>, and the sets of <c>nft list</c>. Memory grows with the longest line, not with the list.
/// </summary>
internal sealed class NetworkList(Stream stream, TimeProvider clock) : IDisposable
{
    /// <summary>Bytes; longer lines are faults.</summary>
    private const int MaxLine = 16 * 1024 * 1024;

    /// <summary>Bytes of an entry that spans several lines.</summary>
    private const int MaxEntry = 64 * 1024;

    /// <summary>Lines of such an entry. Each line parses the entry again, so a long one would cost the square of its length.</summary>
    private const int MaxEntryLines = 64;

    private static readonly string[] NftWords = ["table", "set", "map", "chain", "type", "typeof", "flags", "policy", "size", "timeout", "gc-interval", "auto-merge", "counter", "comment", "}"];

    private readonly byte[] _buffer = new byte[65536];
    private readonly Queue<ListItem> _found = new();
    private readonly List<Cidr> _cidrs = [];
    private byte[] _line = new byte[4096];
    private int _start;
    private int _end;
    private bool _isFirstBlock = true;
    private bool _isNft;
    private bool _isInElements;
    private int _number;

    /// <summary>For messages; null for standard input.</summary>
    public string? FileName { get; private init; }

    /// <summary>Bytes read so far.</summary>
    public long Position { get; private set; }

    /// <summary>Advances to the next network or fault.</summary>
    /// <returns>False at the end of the list.</returns>
    public bool TryNext(out ListItem item)
    {
        while (!_found.TryDequeue(out item))
        {
            if (!TryReadLine(out ReadOnlySpan<byte> line, out bool isTooLong))
            {
                return false;
            }

            _number++;
            line = line.Trim(" \t\r\f\v"u8);
            if (isTooLong)
            {
                AddFault("the line is longer than 16 MiB");
            }
            else if (!line.IsEmpty && !TryPlain(line, ref item))
            {
                Parse(line);
            }
            else if (!line.IsEmpty)
            {
                return true;
            }
        }

        return true;
    }

    public void Dispose() => stream.Dispose();

    /// <summary>The fast path: a line that is exactly one network.</summary>
    private bool TryPlain(ReadOnlySpan<byte> line, ref ListItem item)
    {
        bool isPlain = Cidr.TryParseAddress(line, out Cidr cidr) || (Cidr.TryParse(line, out cidr) == CidrFault.None && !cidr.HasStrayHostBits);
        item = new ListItem(_number, cidr, null);
        return isPlain;
    }

    private void Parse(ReadOnlySpan<byte> line)
    {
        if (!_isInElements && IsJson(line))
        {
            ParseJson(line);
            return;
        }

        string text = Encoding.UTF8.GetString(line);
        int comment = text.AsSpan().IndexOfAny('#', ';');
        text = (comment < 0 ? text : text[..comment]).Trim();
        if (text.Length == 0 || text.StartsWith("//", StringComparison.Ordinal))
        {
            return;
        }

        string[] words = text.Split((char[])[' ', '\t'], StringSplitOptions.RemoveEmptyEntries);
        if (_isInElements || IsElements(text, words))
        {
            ParseElements(text);
        }
        else if (words is ["add" or "-A", _, _, ..])
        {
            ParseIpset(words);
        }
        else if (words is ["table", ..] && text.EndsWith('{'))
        {
            _isNft = true;
        }
        else if (text == "]" || IsIpsetCreate(words) || (_isNft && NftWords.Contains(words[0])) || IsCsvHeader(text))
        {
            // A declaration, not a network.
        }
        else
        {
            AddNetworks(FirstField(text), text);
        }
    }

    /// <summary>The text before the first separator; a range may have blanks around its dash.</summary>
    private static string FirstField(string text)
    {
        int comma = text.AsSpan().IndexOfAny(',', '\t');
        string field = (comma < 0 ? text : text[..comma]).Trim().Trim('"', '\'');
        string[] words = field.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        return words is [_, "-", _, ..] ? string.Concat(words[..3]) : words.Length == 0 ? field : words[0];
    }

    private void AddNetworks(string field, string line, string? tag = null, ulong? expiration = null)
    {
        _cidrs.Clear();
        string? fault = NetworkText.TryParse(field, _cidrs);
        if (fault is null && _cidrs is [{ HasStrayHostBits: true } cidr])
        {
            fault = $"\"{Printable.Quote(field)}\": {CidrFault.StrayHostBits.Explain()}; it would cover {cidr.Network}";
        }

        if (fault is not null)
        {
            AddFault(field.Length == 0 ? $"\"{Printable.Quote(line)}\" has no network in its first field" : fault);
            return;
        }

        foreach (Cidr network in _cidrs)
        {
            _found.Enqueue(new ListItem(_number, network, null, tag, expiration));
        }
    }

    private void AddFault(string fault) => _found.Enqueue(new ListItem(_number, default, fault));

    /// <summary>The first line of a CSV file with column names.</summary>
    private bool IsCsvHeader(string text) =>
        _number == 1 && text.Contains(',', StringComparison.Ordinal) && FirstField(text) is { Length: > 0 } name && name.All(c => char.IsAsciiLetter(c) || c is '_' or '-' or ' ');

    private static bool IsIpsetCreate(string[] words) => words is ["create" or "-N", _, var type, ..] && type.Contains(':', StringComparison.Ordinal);

    private void ParseIpset(string[] words)
    {
        string element = words[2];
        int comma = element.IndexOf(',', StringComparison.Ordinal);
        if (comma >= 0)
        {
            AddFault($"\"{Printable.Quote(element)}\" is more than a network: couic matches the source address alone (write {element[..comma]})");
        }
        else if (words.Contains("nomatch"))
        {
            AddFault($"\"{Printable.Quote(element)}\" is an exception (nomatch): add it to ignore instead");
        }
        else
        {
            int timeout = Array.IndexOf(words, "timeout");
            bool expires = timeout > 0 && timeout + 1 < words.Length && ulong.TryParse(words[timeout + 1], NumberStyles.None, CultureInfo.InvariantCulture, out ulong seconds) && seconds > 0;
            ulong? expiration = expires ? (ulong)clock.GetUtcNow().ToUnixTimeSeconds() + ulong.Parse(words[timeout + 1], CultureInfo.InvariantCulture) : null;
            AddNetworks(element, element, null, expiration);
        }
    }

    private static bool IsElements(string text, string[] words) =>
        text.Contains('{', StringComparison.Ordinal) && (words[0] == "elements" || words is ["add" or "create", "element", ..]);

    /// <summary>The elements of an nft set: <c>elements = { 192.0.2.0/24, 198.51.100.7 timeout 1h }</c>, over several lines.</summary>
    private void ParseElements(string text)
    {
        int start = _isInElements ? 0 : text.IndexOf('{', StringComparison.Ordinal) + 1;
        int end = text.IndexOf('}', start);
        _isInElements = end < 0;
        foreach (string part in text[start..(end < 0 ? text.Length : end)].Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
        {
            AddNetworks(part.Split(' ')[0], part);
        }
    }

    /// <summary>An object per line as the API writes entries, or a whole array. An object may span lines, as <c>list --json</c> prints it.</summary>
    private void ParseJson(ReadOnlySpan<byte> first)
    {
        if (first.SequenceEqual("["u8))
        {
            return; // the elements of an indented array follow on separate lines
        }

        int line = _number;
        byte[] text = first.TrimEnd((byte)',').ToArray();
        byte[]? following = null;
        while (StateOf(text) == JsonState.Incomplete && following is null && TryReadLine(out ReadOnlySpan<byte> next, out _))
        {
            _number++;
            next = next.Trim(" \t\r"u8);
            byte[] longer = [.. text, (byte)' ', .. next];
            longer = StateOf(longer) == JsonState.Invalid ? longer.AsSpan().TrimEnd((byte)',').ToArray() : longer;
            bool belongs = StateOf(longer) != JsonState.Invalid && longer.Length <= MaxEntry && _number - line < MaxEntryLines;
            text = belongs ? longer : text;
            following = belongs ? null : next.ToArray();
        }

        try
        {
            if (text[0] == '[')
            {
                JsonArrayReader.ForEach(new MemoryStream(text), element => ParseEntry(element, line));
            }
            else
            {
                ParseEntry(text, line);
            }
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            _found.Enqueue(new ListItem(line, default, $"\"{Printable.Quote(Encoding.UTF8.GetString(text))}\" is not an entry: a JSON object with a valid \"cidr\" is expected"));
        }

        if (following is { Length: > 0 })
        {
            Parse(following);
        }
    }

    private static bool IsJson(ReadOnlySpan<byte> line) =>
        line[0] == '{' || (line[0] == '[' && (line.Length == 1 || line[1..].TrimStart((byte)' ')[0] is (byte)'{' or (byte)']' or (byte)'"'));

    private enum JsonState
    {
        Incomplete,
        Complete,
        Invalid,
    }

    /// <summary>Whether a text is one JSON value, the start of one, or neither.</summary>
    private static JsonState StateOf(ReadOnlySpan<byte> text)
    {
        var reader = new Utf8JsonReader(text, isFinalBlock: false, default);
        try
        {
            return !reader.Read() || !reader.TrySkip() ? JsonState.Incomplete
                : reader.BytesConsumed == text.Length ? JsonState.Complete : JsonState.Invalid;
        }
        catch (JsonException)
        {
            return JsonState.Invalid;
        }
    }

    private void ParseEntry(ReadOnlySpan<byte> json, int line)
    {
        if (EntryLine.IsMetadata(json))
        {
            return;
        }

        EntryLine entry = EntryLine.Parse(json);
        string tag = Encoding.UTF8.GetString(entry.Tag);
        string? fault = TagRule.Fault(entry.Tag) is { } tagFault ? $"tag \"{Printable.Quote(tag)}\": {tagFault}"
            : ReasonRule.Fault(entry.Reason) is { } reasonFault ? $"reason: {reasonFault}"
            : null;
        string? reason = entry.Reason.IsEmpty ? null : Encoding.UTF8.GetString(entry.Reason);
        _found.Enqueue(new ListItem(line, entry.Cidr, fault, entry.HasTag ? tag : null, entry.HasExpiration ? entry.Expiration : null, entry.Policy, reason, entry.IsClaim));
    }

    private bool TryReadLine(out ReadOnlySpan<byte> line, out bool isTooLong)
    {
        int length = 0;
        isTooLong = false;
        bool isAny = false;
        while (_start < _end || Fill())
        {
            isAny = true;
            ReadOnlySpan<byte> rest = _buffer.AsSpan(_start, _end - _start);
            int newline = rest.IndexOf((byte)'\n');
            ReadOnlySpan<byte> part = newline < 0 ? rest : rest[..newline];
            isTooLong |= length + part.Length > MaxLine;
            if (!isTooLong)
            {
                if (length + part.Length > _line.Length)
                {
                    Array.Resize(ref _line, Math.Max(_line.Length * 2, length + part.Length));
                }

                part.CopyTo(_line.AsSpan(length));
                length += part.Length;
            }

            _start += newline < 0 ? rest.Length : newline + 1;
            if (newline >= 0)
            {
                break;
            }
        }

        line = _line.AsSpan(0, isTooLong ? 0 : length);
        return isAny;
    }

    private bool Fill()
    {
        try
        {
            (_start, _end) = (0, stream.Read(_buffer));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CliException($"read line {_number + 1}: {SystemErrors.Text(e)}");
        }

        Position += _end;
        ReadOnlySpan<byte> block = _buffer.AsSpan(0, _end);
        if (_isFirstBlock && (block.StartsWith((ReadOnlySpan<byte>)[0xff, 0xfe]) || block.StartsWith((ReadOnlySpan<byte>)[0xfe, 0xff])))
        {
            throw new CliException("the list is UTF-16; convert it first (iconv -f UTF-16 -t UTF-8)");
        }

        _start = _isFirstBlock && block.StartsWith("\uFEFF"u8) ? 3 : 0;
        _isFirstBlock = false;
        return _end > 0 && (_start < _end || Fill());
    }

    /// <summary>Opens a FILE argument.</summary>
    /// <param name="file"><c>-</c> is standard input.</param>
    /// <exception cref="CliException">The file cannot be opened.</exception>
    public static NetworkList Open(CliContext context, string file, out long? size)
    {
        Stream input = OpenStream(context, file);
        size = input.CanSeek ? input.Length : null;
        return new NetworkList(input, context.Clock) { FileName = file == "-" ? null : Printable.Escape(file) };
    }

    /// <inheritdoc cref="Open"/>
    public static Stream OpenStream(CliContext context, string file)
    {
        try
        {
            return file == "-" ? context.Input : new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite, 65536);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException)
        {
            string cause = Directory.Exists(file) ? "is a directory" : SystemErrors.Text(e);
            throw new CliException($"read \"{Printable.Quote(file)}\": {cause}");
        }
    }
}
