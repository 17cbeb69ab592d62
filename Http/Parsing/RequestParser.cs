namespace Couic.Http.Parsing;

/// <summary>
/// Reads request line and header fields as in RFC 9112, strictly: CR LF only, single spaces, no folding. It knows no
/// transport: it gets the bytes so far and returns whether the head is complete. Each byte is read once, however small
/// the pieces are that a client sends.
/// </summary>
internal static class RequestParser
{
    /// <summary>Continues with a head. The bytes start with the request's first one; each call has at least those of the last.</summary>
    /// <returns>True when the head is complete; otherwise it is malformed if there is a fault, and incomplete if there is none.</returns>
    public static bool TryParse(ReadOnlySpan<byte> request, HttpLimits limits, RequestHead head, out ParseFault fault)
    {
        fault = ParseFault.None;
        while (true)
        {
            if (head.HasRequestLine && head.Scanned == head.LineStart && TryParseCommonHeader(request, limits, head, out fault))
            {
                if (fault != ParseFault.None)
                {
                    return false;
                }

                continue;
            }

            int found = request[head.Scanned..].IndexOf((byte)'\n');
            if (found < 0)
            {
                head.Scanned = request.Length;
                fault = CheckRoom(head, limits, request.Length);
                return false;
            }

            int end = head.Scanned + found;
            fault = CheckRoom(head, limits, end);
            if (fault == ParseFault.None && (end == head.LineStart || request[end - 1] != '\r'))
            {
                fault = ParseFault.BareLineFeed;
            }

            if (fault != ParseFault.None)
            {
                return false;
            }

            var line = new Slice(head.LineStart, end - 1 - head.LineStart);
            head.LineStart = head.Scanned = end + 1;
            if (line.Length == 0 && head.HasRequestLine)
            {
                head.Length = end + 1;
                head.Fields = new Slice(head.Fields.Start, line.Start - head.Fields.Start);
                fault = Finish(head);
                return fault == ParseFault.None;
            }

            fault = head.HasRequestLine ? ReadField(request, line, limits, head) : ReadRequestLine(request, line, head);
            if (fault != ParseFault.None)
            {
                return false;
            }
        }
    }

    private static ParseFault CheckRoom(RequestHead head, HttpLimits limits, int end)
    {
        if (!head.HasRequestLine)
        {
            return end - head.LineStart > limits.MaxRequestLineBytes + 1 ? ParseFault.RequestLineTooLong : ParseFault.None;
        }

        return end - head.Fields.Start > limits.MaxHeaderBytes ? ParseFault.FieldsTooLong : ParseFault.None;
    }

    private static ParseFault ReadRequestLine(ReadOnlySpan<byte> request, Slice line, RequestHead head)
    {
        if (line.Length == 0)
        {
            // RFC 9112 §2.2: one empty line before the request is accepted.
            return line.Start == 0 ? ParseFault.None : ParseFault.EmptyLines;
        }

        ReadOnlySpan<byte> text = line.Of(request);
        int methodEnd = text.IndexOf((byte)' ');
        int targetEnd = text.LastIndexOf((byte)' ');
        if (methodEnd < 0 || targetEnd == methodEnd)
        {
            return ParseFault.RequestLine;
        }

        if (!Grammar.IsToken(text[..methodEnd]))
        {
            return ParseFault.Method;
        }

        ParseFault fault = ReadVersion(text[(targetEnd + 1)..], head);
        if (fault != ParseFault.None)
        {
            return fault;
        }

        head.Method = new Slice(line.Start, methodEnd);
        head.Verb = VerbOf(text[..methodEnd]);
        head.HasRequestLine = true;
        head.Fields = new Slice(line.Start + line.Length + 2, 0);
        var target = new Slice(line.Start + methodEnd + 1, targetEnd - methodEnd - 1);
        return TargetReader.Read(request, target, head);
    }

    private static ParseFault ReadVersion(ReadOnlySpan<byte> text, RequestHead head)
    {
        if (text.Length != 8 || !text.StartsWith("HTTP/"u8) || text[6] != '.'
            || !char.IsAsciiDigit((char)text[5]) || !char.IsAsciiDigit((char)text[7]))
        {
            return ParseFault.Version;
        }

        head.IsHttp10 = text[7] == '0';
        return text[5] == '1' ? ParseFault.None : ParseFault.VersionUnsupported;
    }

    private static Verb VerbOf(ReadOnlySpan<byte> method) => method switch
    {
        _ when method.SequenceEqual("GET"u8) => Verb.Get,
        _ when method.SequenceEqual("POST"u8) => Verb.Post,
        _ when method.SequenceEqual("DELETE"u8) => Verb.Delete,
        _ when method.SequenceEqual("HEAD"u8) => Verb.Head,
        _ when method.SequenceEqual("PUT"u8) => Verb.Put,
        _ => Verb.Other,
    };

    /// <summary>
    /// Fast path: reads the next line if it is complete, and a common form of a field that the server interprets. Otherwise changes nothing. One
    /// scan finds the end of the line and characters that it must not have.
    /// </summary>
    private static bool TryParseCommonHeader(ReadOnlySpan<byte> request, HttpLimits limits, RequestHead head, out ParseFault fault)
    {
        fault = ParseFault.None;
        ReadOnlySpan<byte> rest = request[head.LineStart..];
        int name = FieldReader.KnownLength(rest);
        if (name == 0 || head.FieldCount == limits.MaxHeaderFields)
        {
            return false;
        }

        int end = Grammar.FieldValueLength(rest);
        int start = name + (rest[name + 1] == ' ' ? 2 : 1);
        if (end <= start || end + 1 >= rest.Length || rest[end] != '\r' || rest[end + 1] != '\n'
            || Grammar.IsBlank(rest[start]) || Grammar.IsBlank(rest[end - 1])
            || CheckRoom(head, limits, head.LineStart + end + 1) != ParseFault.None)
        {
            return false;
        }

        fault = FieldReader.Read(rest[..name], rest[start..end], head.LineStart + start, head);
        head.FieldCount++;
        head.LineStart = head.Scanned = head.LineStart + end + 2;
        return true;
    }

    private static ParseFault ReadField(ReadOnlySpan<byte> request, Slice line, HttpLimits limits, RequestHead head)
    {
        ReadOnlySpan<byte> text = line.Of(request);
        if (Grammar.IsBlank(text[0]))
        {
            return ParseFault.FieldFolded;
        }

        if (++head.FieldCount > limits.MaxHeaderFields)
        {
            return ParseFault.TooManyFields;
        }

        int colon = Grammar.TokenLength(text);
        if (colon == 0 || colon == text.Length || text[colon] != ':')
        {
            return ParseFault.FieldName;
        }

        int start = colon + 1, end = text.Length;
        while (start < end && Grammar.IsBlank(text[start]))
        {
            start++;
        }

        while (end > start && Grammar.IsBlank(text[end - 1]))
        {
            end--;
        }

        return Grammar.IsFieldValue(text[start..end])
            ? FieldReader.Read(text[..colon], text[start..end], line.Start + start, head)
            : ParseFault.FieldValue;
    }

    /// <summary>Checks that need all fields (RFC 9112 §6.3, §9.3).</summary>
    private static ParseFault Finish(RequestHead head)
    {
        if (head.SawTransferEncoding)
        {
            if (head.IsHttp10)
            {
                return ParseFault.TransferEncodingOld;
            }

            if (head.ContentLength >= 0)
            {
                return ParseFault.LengthTwice;
            }

            if (head.Chunkeds > 1 || (head.Chunkeds == 1 && !head.ChunkedIsLast) || (head.Chunkeds == 0 && !head.SawUnknownCoding))
            {
                return ParseFault.TransferEncoding;
            }

            if (head.SawUnknownCoding)
            {
                return ParseFault.TransferEncodingUnknown;
            }

            head.IsChunked = true;
        }

        head.KeepAlive = !head.SawClose && (!head.IsHttp10 || head.SawKeepAlive);
        head.ExpectsContinue &= !head.IsHttp10 && head.HasBody;
        return ParseFault.None;
    }
}
