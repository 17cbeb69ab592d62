using System.Buffers;
using Couic.Http;
using Couic.Sets;
using Couic.Store;

namespace Couic.Api.Json;

/// <summary>A set in an answer, written in pieces from the text of its file, every line of which must be good.</summary>
internal sealed class SetAnswer(string name, ReadOnlyMemory<byte> text, IReadOnlyList<string> warnings)
{
    private const int PieceBytes = 32 * 1024;

    private bool _isStarted;
    private bool _hasEntries;
    private int _next;

    /// <summary>Bytes of the whole answer.</summary>
    public static long Measure(string name, ReadOnlyMemory<byte> text, IReadOnlyList<string> warnings)
    {
        var answer = new SetAnswer(name, text, warnings);
        var scratch = new OutputBuffer();
        long length = 0;
        bool hasMore;
        do
        {
            hasMore = answer.WritePiece(scratch);
            length += scratch.Length;
            scratch.Clear();
        }
        while (hasMore);
        scratch.Release();
        return length;
    }

    /// <summary>Writes what comes next. False: that was the end.</summary>
    public bool WritePiece(IBufferWriter<byte> body)
    {
        if (!_isStarted)
        {
            _isStarted = true;
            body.Raw("{\"name\":"u8);
            body.String(name);
            body.Raw(",\"entries\":["u8);
        }

        var reader = new SetReader(text.Span[_next..]);
        while (text.Length - _next - reader.Remaining < PieceBytes && reader.Next())
        {
            _ = reader.TryParse(out Cidr cidr);
            body.Raw(_hasEntries ? ",\""u8 : "\""u8);
            body.Advance(cidr.Format(body.GetSpan(Cidr.MaxTextLength)));
            body.Raw("\""u8);
            _hasEntries = true;
        }

        _next = text.Length - reader.Remaining;
        if (_next < text.Length)
        {
            return true;
        }

        body.Raw("]"u8);
        Warnings.WriteMember(body, warnings);
        body.Raw("}"u8);
        return false;
    }
}
