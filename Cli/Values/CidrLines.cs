using System.Text;
using System.Text.Json;
using Couic.Cli.Api;
using Couic.Store;

namespace Couic.Cli.Values;

/// <summary>
/// Walks a file with one CIDR a line: blanks around it are trimmed, blank lines and <c>#</c> lines skipped, LF or CRLF.
/// Memory does not grow with the file.
/// </summary>
internal sealed class CidrLines(Stream stream) : IDisposable
{
    /// <summary>Bytes; a longer line cannot be a CIDR, and its start is shown.</summary>
    private const int MaxLine = 4096;

    private readonly byte[] _buffer = new byte[65536];
    private readonly byte[] _line = new byte[MaxLine];
    private int _start;
    private int _end;
    private bool _first = true;

    /// <summary>Whether a line may be an entry as the API writes it, a JSON object.</summary>
    public bool TakesEntries { get; init; }

    /// <summary>Tag and expiration of the last line as the members of a JSON object; null when it was a network alone.</summary>
    public string? Members { get; private set; }

    /// <summary>The number of the last line, from 1.</summary>
    public int Number { get; private set; }

    /// <summary>Bytes of the file that were read.</summary>
    public long Position { get; private set; }

    /// <summary>Goes to the next line that should hold a CIDR.</summary>
    /// <param name="fault">What is wrong with it; null when it is good.</param>
    /// <returns>False at the end of the file.</returns>
    public bool TryNext(bool allowBareAddress, out Cidr cidr, out string? fault)
    {
        while (TryReadLine(out ReadOnlySpan<byte> line))
        {
            Number++;
            Members = null;
            ReadOnlySpan<byte> text = line.Trim(" \t\r\f\v"u8);
            if (text.IsEmpty || text[0] == '#')
            {
                continue;
            }

            fault = TakesEntries && text[0] == '{' ? ParseEntry(text, out cidr) : Parse(text, allowBareAddress, out cidr);
            return true;
        }

        (cidr, fault) = (default, null);
        return false;
    }

    public void Dispose() => stream.Dispose();

    private string? ParseEntry(ReadOnlySpan<byte> text, out Cidr cidr)
    {
        cidr = default;
        try
        {
            EntryLine entry = EntryLine.Parse(text);
            string tag = Encoding.UTF8.GetString(entry.Tag);
            if (TagRule.Fault(entry.Tag) is { } fault)
            {
                return $"tag \"{Printable.Quote(tag)}\": {fault}";
            }

            cidr = entry.Cidr;
            Members = $"\"tag\":{(tag.Length == 0 ? "null" : $"\"{tag}\"")},\"expiration\":{entry.Expiration}";
            return null;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            return $"\"{Printable.Quote(Encoding.UTF8.GetString(text))}\" is not an entry: a JSON object with a good \"cidr\" is expected";
        }
    }

    private static string? Parse(ReadOnlySpan<byte> text, bool allowBareAddress, out Cidr cidr)
    {
        if (allowBareAddress && Cidr.TryParseAddress(text, out cidr))
        {
            return null;
        }

        CidrFault fault = Cidr.TryParse(text, out cidr);
        if (fault == CidrFault.None && cidr.HasStrayHostBits)
        {
            return $"\"{Printable.Quote(Encoding.UTF8.GetString(text))}\": {CidrFault.StrayHostBits.Explain()}; it would cover {cidr.Network}";
        }

        return fault == CidrFault.None ? null : $"\"{Printable.Quote(Encoding.UTF8.GetString(text))}\" is not a CIDR: {fault.Explain()}";
    }

    private bool TryReadLine(out ReadOnlySpan<byte> line)
    {
        int length = 0;
        while (true)
        {
            if (_start == _end && !Fill())
            {
                line = _line.AsSpan(0, length);
                return length > 0;
            }

            ReadOnlySpan<byte> rest = _buffer.AsSpan(_start, _end - _start);
            int newline = rest.IndexOf((byte)'\n');
            ReadOnlySpan<byte> part = newline < 0 ? rest : rest[..newline];
            int take = Math.Min(part.Length, MaxLine - length);
            part[..take].CopyTo(_line.AsSpan(length));
            length += take;
            _start += newline < 0 ? rest.Length : newline + 1;
            if (newline >= 0)
            {
                line = _line.AsSpan(0, length);
                return true;
            }
        }
    }

    private bool Fill()
    {
        try
        {
            (_start, _end) = (0, stream.Read(_buffer));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CliException($"read line {Number + 1}: {SystemErrors.Text(e)}");
        }

        Position += _end;
        if (_first && _buffer.AsSpan(0, _end).StartsWith("\uFEFF"u8))
        {
            _start = 3; // a byte order mark, as editors of other systems write
        }

        _first = false;
        return _start < _end;
    }
}

/// <summary>A network on the command line: API notation, or a bare address for its /32 or /128.</summary>
internal static class CidrArgument
{
    /// <returns>Null when the text is valid; otherwise the error and what was expected.</returns>
    public static string? TryParse(string text, out Cidr cidr)
    {
        Span<byte> utf8 = stackalloc byte[64];
        if (Encoding.UTF8.TryGetBytes(text, utf8, out int length) && Cidr.TryParseAddress(utf8[..length], out cidr))
        {
            return null;
        }

        CidrFault fault = Cidr.TryParse(text, out cidr);
        return fault == CidrFault.None ? null : $"\"{Printable.Quote(text)}\" is not a CIDR: {fault.Explain()}";
    }
}

/// <summary>Opens a FILE argument.</summary>
internal static class LineFile
{
    /// <param name="file"><c>-</c> is standard input.</param>
    /// <exception cref="CliException">The file cannot be opened.</exception>
    public static Stream Open(CliContext context, string file)
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
