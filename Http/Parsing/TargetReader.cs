namespace Couic.Http.Parsing;

/// <summary>The forms of a request target (RFC 9112 §3.2), taken apart into path and query.</summary>
internal static class TargetReader
{
    public static ParseFault Read(ReadOnlySpan<byte> request, Slice target, RequestHead head)
    {
        ReadOnlySpan<byte> text = target.Of(request);
        if (text.IsEmpty || !Grammar.IsTarget(text))
        {
            return ParseFault.Target;
        }

        if (text[0] == '/')
        {
            Split(text, target.Start, head);
            return ParseFault.None;
        }

        ReadOnlySpan<byte> method = head.Method.Of(request);
        if (text.SequenceEqual("*"u8))
        {
            return method.SequenceEqual("OPTIONS"u8) ? ParseFault.None : ParseFault.Target;
        }

        if (method.SequenceEqual("CONNECT"u8))
        {
            return Grammar.IsHost(text) ? ParseFault.None : ParseFault.Target;
        }

        return ReadAbsolute(text, target.Start, head);
    }

    private static ParseFault ReadAbsolute(ReadOnlySpan<byte> text, int offset, RequestHead head)
    {
        int scheme = text.IndexOf("://"u8);
        if (scheme < 0 || !(Grammar.Same(text[..scheme], "http"u8) || Grammar.Same(text[..scheme], "https"u8)))
        {
            return ParseFault.Target;
        }

        int host = scheme + 3;
        int length = text[host..].IndexOfAny((byte)'/', (byte)'?');
        length = length < 0 ? text.Length - host : length;
        if (length == 0 || !Grammar.IsHost(text.Slice(host, length)))
        {
            return ParseFault.HostInvalid;
        }

        Split(text[(host + length)..], offset + host + length, head);
        return ParseFault.None;
    }

    private static void Split(ReadOnlySpan<byte> text, int offset, RequestHead head)
    {
        int question = text.IndexOf((byte)'?');
        if (question < 0)
        {
            head.Path = new Slice(offset, text.Length);
            return;
        }

        head.Path = new Slice(offset, question);
        head.Query = new Slice(offset + question + 1, text.Length - question - 1);
    }
}
