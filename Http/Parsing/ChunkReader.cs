namespace Couic.Http.Parsing;

internal enum ChunkStep : byte
{
    /// <summary>Framing, then content.</summary>
    Data,

    /// <summary>More bytes are needed.</summary>
    More,

    /// <summary>The body has ended; its trailer section was dropped.</summary>
    End,

    Malformed,
}

/// <summary>
/// Removes the framing of a chunked body (RFC 9112 §7.1). The syntax of extensions and trailer fields is checked, their content is dropped. Knows no
/// transport, and reads each byte once. A malformed body stays malformed, whatever follows.
/// </summary>
internal struct ChunkReader
{
    private State _state;
    private ParseFault _fault;
    private long _left;
    private int _scanned;
    private int _trailerFields;
    private int _trailerBytes;

    private enum State : byte
    {
        Size,
        Data,
        DataEnd,
        Trailer,
        Done,
    }

    /// <summary>Continues.</summary>
    /// <param name="raw">What was not consumed yet. Consumed are <paramref name="framing"/> and <paramref name="data"/>.</param>
    /// <param name="framing">Bytes at the start to drop.</param>
    /// <param name="data">Bytes of content after them.</param>
    public ChunkStep Next(ReadOnlySpan<byte> raw, HttpLimits limits, out int framing, out int data, out ParseFault fault)
    {
        framing = data = 0;
        ChunkStep step = _fault == ParseFault.None ? Read(raw, limits, ref framing, ref data) : ChunkStep.Malformed;
        fault = _fault;
        return step;
    }

    private ChunkStep Read(ReadOnlySpan<byte> raw, HttpLimits limits, ref int framing, ref int data)
    {
        while (true)
        {
            ReadOnlySpan<byte> rest = raw[framing..];
            switch (_state)
            {
                case State.Data:
                    data = (int)Math.Min(_left, rest.Length);
                    _left -= data;
                    _state = _left == 0 ? State.DataEnd : State.Data;
                    return data > 0 ? ChunkStep.Data : ChunkStep.More;

                case State.DataEnd:
                    if (rest.Length < 2 && "\r\n"u8.StartsWith(rest))
                    {
                        return ChunkStep.More;
                    }

                    if (!rest.StartsWith("\r\n"u8))
                    {
                        _fault = ParseFault.ChunkEnd;
                        return ChunkStep.Malformed;
                    }

                    framing += 2;
                    _state = State.Size;
                    break;

                case State.Done:
                    return ChunkStep.End;

                default:
                    _fault = TryLine(rest, limits, out int line);
                    if (_fault != ParseFault.None)
                    {
                        return ChunkStep.Malformed;
                    }

                    if (line < 0)
                    {
                        return ChunkStep.More;
                    }

                    _fault = _state == State.Size ? ReadSize(rest[..line]) : ReadTrailer(rest[..line], limits);
                    if (_fault != ParseFault.None)
                    {
                        return ChunkStep.Malformed;
                    }

                    framing += line + 2;
                    break;
            }
        }
    }

    /// <summary>The length of the next line without its end; -1 when it is incomplete.</summary>
    private ParseFault TryLine(ReadOnlySpan<byte> rest, HttpLimits limits, out int length)
    {
        length = -1;
        int max = _state == State.Size ? limits.MaxChunkLineBytes : limits.MaxHeaderBytes - _trailerBytes;
        ParseFault tooLong = _state == State.Size ? ParseFault.ChunkLineTooLong : ParseFault.FieldsTooLong;
        int found = rest[_scanned..].IndexOf((byte)'\n');
        if (found < 0)
        {
            _scanned = rest.Length;
            return rest.Length > max ? tooLong : ParseFault.None;
        }

        int end = _scanned + found;
        _scanned = 0;
        if (end > max)
        {
            return tooLong;
        }

        if (end == 0 || rest[end - 1] != '\r')
        {
            return ParseFault.BareLineFeed;
        }

        length = end - 1;
        return ParseFault.None;
    }

    private ParseFault ReadSize(ReadOnlySpan<byte> line)
    {
        int digits = 0;
        _left = 0;
        while (digits < line.Length && char.IsAsciiHexDigit((char)line[digits]))
        {
            if (_left >> 56 != 0)
            {
                return ParseFault.ChunkSize; // another digit would overflow
            }

            _left = (_left << 4) | (long)HexValue(line[digits++]);
        }

        if (digits == 0 || !AreExtensions(line[digits..]))
        {
            return ParseFault.ChunkSize;
        }

        _state = _left == 0 ? State.Trailer : State.Data;
        return ParseFault.None;
    }

    private static int HexValue(byte digit) => digit <= '9' ? digit - '0' : (digit | 0x20) - 'a' + 10;

    /// <summary><c>*( BWS ";" BWS name [ BWS "=" BWS value ] )</c></summary>
    private static bool AreExtensions(ReadOnlySpan<byte> text)
    {
        while (!text.IsEmpty)
        {
            text = text.TrimStart(" \t"u8);
            if (text.IsEmpty || text[0] != ';')
            {
                return false;
            }

            text = text[1..].TrimStart(" \t"u8);
            int name = Grammar.TokenLength(text);
            if (name == 0)
            {
                return false;
            }

            ReadOnlySpan<byte> behind = text[name..].TrimStart(" \t"u8);
            if (!behind.StartsWith("="u8))
            {
                text = text[name..];
                continue;
            }

            text = behind[1..].TrimStart(" \t"u8);
            int value = Math.Max(Grammar.TokenLength(text), Grammar.QuotedLength(text));
            if (value == 0 || !Grammar.IsFieldValue(text[..value]))
            {
                return false;
            }

            text = text[value..];
        }

        return true;
    }

    private ParseFault ReadTrailer(ReadOnlySpan<byte> line, HttpLimits limits)
    {
        if (line.IsEmpty)
        {
            _state = State.Done;
            return ParseFault.None;
        }

        _trailerBytes += line.Length + 2;
        if (++_trailerFields > limits.MaxHeaderFields)
        {
            return ParseFault.TooManyFields;
        }

        if (Grammar.IsBlank(line[0]))
        {
            return ParseFault.FieldFolded;
        }

        int colon = Grammar.TokenLength(line);
        if (colon == 0 || colon == line.Length || line[colon] != ':')
        {
            return ParseFault.FieldName;
        }

        return Grammar.IsFieldValue(line[(colon + 1)..]) ? ParseFault.None : ParseFault.FieldValue;
    }
}
