using System.Text;
using System.Text.RegularExpressions;
using Couic.Http;
using Couic.Http.Parsing;

namespace Couic.Tests.Fuzz;

/// <summary>
/// The head of a request. It must come out the same however it arrives in pieces, and what is accepted must be accepted by a second,
/// simple reading of RFC 9112, with the same lengths and the same target.
/// </summary>
internal sealed partial class RequestHeadTarget : FuzzTarget
{
    private const string Token = "[-!#$%&'*+.^_`|~0-9A-Za-z]+";

    public override string Name => "request";

    public override byte[][] Pieces { get; } = Words(
        "GET ", "POST ", "DELETE ", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "OPTIONS * ", "/v1/drop", "?force=true", "http://a/", " HTTP/1.1\r\n",
        " HTTP/1.0\r\n", " HTTP/2\r\n", "\r\n", "\n", "\r", "\r\n\r\n", ": ", ":", " ", "\t", "\0", ",", ";", "Host: a\r\n", "Host: [::1]:80\r\n",
        "Content-Length: 5\r\n", "Content-Length: +5\r\n", "Content-Length: 5, 5\r\n", "content-length:0\r\n", "Transfer-Encoding: chunked\r\n",
        "Transfer-Encoding: gzip, chunked\r\n", "Transfer-Encoding:\tchunked\r\n", "Transfer-Encoding: xchunked\r\n", "chunked", "identity",
        "Connection: close\r\n", "Connection: keep-alive, x\r\n", "Expect: 100-continue\r\n", "Authorization: Bearer x\r\n",
        "Content-Type: application/json\r\n", " folded\r\n", "18446744073709551616", "%2e%2e", "\x7f", "\x80", "é", "X: y\r\n");

    public override string Check(byte[] input)
    {
        var head = new RequestHead();
        head.Reset();
        bool complete = false;
        ParseFault fault = ParseFault.None;
        Bounded(input, 10_000, 0, () => complete = RequestParser.TryParse(input, HttpLimits.Default, head, out fault));
        CheckPieces(input, complete, head, fault);
        if (!complete)
        {
            return fault.ToString();
        }

        CheckReference(Encoding.Latin1.GetString(input, 0, head.Length), head, input);
        return $"{head.Verb} {head.IsHttp10} {head.IsChunked} {Math.Sign(head.ContentLength)} {head.KeepAlive} {head.ExpectsContinue} "
            + $"{head.Path.Length > 0} {head.Query.Length > 0} {head.AuthorizationCount} {head.ContentTypeCount}";
    }

    /// <summary>One byte more at a time; what a prefix says is final.</summary>
    private static void CheckPieces(byte[] input, bool complete, RequestHead whole, ParseFault fault)
    {
        var head = new RequestHead();
        head.Reset();
        for (int length = 0; length <= input.Length; length++)
        {
            bool done = RequestParser.TryParse(input.AsSpan(0, length), HttpLimits.Default, head, out ParseFault now);
            if (done || now != ParseFault.None)
            {
                Require((done, now) == (complete, fault), $"whole: {(complete, fault)}, after {length} bytes one at a time: {(done, now)}");
                Require(!done || (length == whole.Length && Describe(head) == Describe(whole)), $"in pieces: {Describe(head)}; whole: {Describe(whole)}");
                return;
            }
        }

        Require(!complete && fault == ParseFault.None, $"whole: {(complete, fault)}, one byte at a time: incomplete");
    }

    private static string Describe(RequestHead h) =>
        $"{h.Verb} {h.Method} {h.Path} {h.Query} {h.Fields} {h.Authorization} {h.ContentType} {h.IsChunked} {h.ContentLength} {h.KeepAlive} {h.Length}";

    private static void CheckReference(string text, RequestHead head, byte[] input)
    {
        text = text.StartsWith("\r\n", StringComparison.Ordinal) ? text[2..] : text; // RFC 9112 §2.2
        Match match = Head().Match(text);
        Require(match.Success, "accepted, though it is no request by RFC 9112");
        (string Name, string Value)[] fields = [.. match.Groups["name"].Captures.Zip(match.Groups["value"].Captures,
            (n, v) => (n.Value.ToLowerInvariant(), v.Value.Trim(' ', '\t')))];
        string[] Values(string name) => [.. fields.Where(f => f.Name == name).Select(f => f.Value)];

        bool old = match.Groups["minor"].Value == "0";
        string[] lengths = Values("content-length"), codings = Values("transfer-encoding"), hosts = Values("host");
        Require(hosts.Length <= 1, "accepted with more than one Host"); // none is let pass, as couic 1.x did: a socket has no virtual hosts
        Require(lengths.Length <= 1 && lengths.All(l => l.Length > 0 && l.All(char.IsAsciiDigit)), "accepted with a bad Content-Length");
        Require(lengths.Length == 0 || codings.Length == 0, "accepted with both lengths");
        Require(codings.Length == 0 || (!old && codings.Length == 1 && codings[0].Equals("chunked", StringComparison.OrdinalIgnoreCase))
            || string.Join(',', codings).Split(',').Count(c => c.Trim(' ', '\t').Length > 0) == 1, "accepted with other codings than chunked");
        Require(head.IsChunked == (codings.Length > 0), "chunked or not?");
        Require(head.ContentLength == (lengths.Length == 0 ? -1 : long.Parse(lengths[0])), "another Content-Length");

        string target = match.Groups["target"].Value;
        target = target.Contains("://", StringComparison.Ordinal) && target[0] != '/' ? Authority().Replace(target, "", 1) : target;
        target = target is "*" || match.Groups["method"].Value == "CONNECT" ? "" : target;
        string[] parts = target.Split('?', 2);
        Require(Encoding.Latin1.GetString(head.Path.Of(input)) == parts[0], $"another path than \"{parts[0]}\"");
        Require(Encoding.Latin1.GetString(head.Query.Of(input)) == (parts.Length > 1 ? parts[1] : ""), "another query");
    }

    [GeneratedRegex($@"\A(?<method>{Token}) (?<target>[\x21-\x7e]+) HTTP/1\.(?<minor>[0-9])\r\n(?:(?<name>{Token}):(?<value>[\t\x20-\x7e\x80-\xff]*)\r\n)*\r\n\z")]
    private static partial Regex Head();

    [GeneratedRegex(@"\A[A-Za-z]+://[^/?]*")]
    private static partial Regex Authority();
}
