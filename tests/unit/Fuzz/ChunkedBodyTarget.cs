using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using Couic.Http;
using Couic.Http.Parsing;

namespace Couic.Tests.Fuzz;

/// <summary>A chunked body: the same content and the same fault however it is cut, and the content that a simple reading finds.</summary>
internal sealed partial class ChunkedBodyTarget : FuzzTarget
{
    public override string Name => "chunks";

    public override byte[][] Pieces { get; } = Words(
        "0\r\n\r\n", "5\r\nhello\r\n", "1\r\na\r\n", "A\r\n0123456789\r\n", "\r\n", "\n", "\r", ";", ";a=b", ";a=\"b;\\\"c\"", " ; x", "\"", "=", "0",
        "00", "fffffffffffffff", "10000000000000000", "-1", "+1", "0x1", "g", "Trailer: x\r\n", " folded\r\n", "A : b\r\n", "\0", "\x80", "hello");

    public override string Check(byte[] input)
    {
        (string Body, ParseFault Fault, int Used) whole = ("", default, -1);
        Bounded(input, 4_000, 16, () => whole = Read(input, input.Length));
        for (int piece = 1; piece <= Math.Min(input.Length, 7); piece++)
        {
            (string Body, ParseFault Fault, int Used) cut = Read(input, piece);
            Require(cut == whole, $"whole: {whole}, in pieces of {piece}: {cut}");
        }

        if (Plain().Match(Encoding.Latin1.GetString(input)) is { Success: true } plain && IsWhole(plain))
        {
            Require(whole.Used == plain.Length, $"refused or cut elsewhere, though it is a plain body: {whole}");
        }

        if (whole.Used >= 0)
        {
            string expected = Reference(Encoding.Latin1.GetString(input, 0, whole.Used));
            Require(expected == whole.Body, $"another content than \"{expected}\"");
        }

        return $"{whole.Fault} {whole.Used >= 0} {Math.Min(whole.Body.Length, 3)} {input.Contains((byte)';')}";
    }

    /// <summary>Sizes are hexadecimal up to the first other character; a line feed inside quotes cannot be, as it ends the line.</summary>
    private static string Reference(string text)
    {
        var body = new StringBuilder();
        for (int at = 0; ;)
        {
            int end = text.IndexOf("\r\n", at, StringComparison.Ordinal);
            string digits = string.Concat(text[at..end].TakeWhile(c => char.IsAsciiHexDigit(c)));
            int size = int.Parse(digits, NumberStyles.HexNumber, CultureInfo.InvariantCulture);
            if (size == 0)
            {
                return body.ToString();
            }

            body.Append(text, end + 2, size);
            at = end + 2 + size + 2;
        }
    }

    /// <summary>Whether the sizes of a body of lower-case letters are those of its chunks.</summary>
    private static bool IsWhole(Match plain) => plain.Groups["size"].Captures.Zip(plain.Groups["data"].Captures)
        .All(chunk => int.Parse(chunk.First.Value, NumberStyles.HexNumber, CultureInfo.InvariantCulture) == chunk.Second.Length);

    [GeneratedRegex(@"\A(?:(?<size>[1-9A-Fa-f][0-9A-Fa-f]{0,3})\r\n(?<data>[a-z]+)\r\n)*0\r\n\r\n")]
    private static partial Regex Plain();

    private static (string Body, ParseFault Fault, int Used) Read(byte[] bytes, int piece)
    {
        var reader = default(ChunkReader);
        var body = new StringBuilder();
        int start = 0, end = 0;
        while (true)
        {
            ChunkStep step = reader.Next(bytes.AsSpan(start, end - start), HttpLimits.Default, out int framing, out int data, out ParseFault fault);
            body.Append(Encoding.Latin1.GetString(bytes, start + framing, data));
            start += framing + data;
            Require(start <= end, "more was consumed than there is");
            switch (step)
            {
                case ChunkStep.Malformed:
                    ChunkStep again = reader.Next(bytes.AsSpan(start, end - start), HttpLimits.Default, out framing, out data, out ParseFault same);
                    Require((again, same, framing, data) == (ChunkStep.Malformed, fault, 0, 0), "what was malformed is read on");
                    return (body.ToString(), fault, -1);
                case ChunkStep.End:
                    return (body.ToString(), fault, start);
                case ChunkStep.More when end == bytes.Length:
                    return (body.ToString(), fault, -1);
                case ChunkStep.More:
                    end = Math.Min(bytes.Length, end + piece);
                    break;
            }
        }
    }
}
