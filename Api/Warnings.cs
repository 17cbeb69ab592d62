using System.Buffers;
using System.Text;
using Couic.Http;

namespace Couic.Api;

/// <summary>
/// Warnings in a successful answer: a <c>warnings</c> member of the body, and a <c>Warning</c> header field with the same (RFC 7234 §5.5: 299, a
/// persistent warning). An answer without warnings has neither.
/// </summary>
internal static class Warnings
{
    /// <summary>Values of the header field; the body has the rest.</summary>
    private const int MaxValues = 16;

    /// <summary>Adds the header field: one, with a value for each warning.</summary>
    public static void AddHeader(Response response, IReadOnlyList<string>? warnings)
    {
        if (warnings is { Count: > 0 })
        {
            IEnumerable<string> values = warnings.Take(MaxValues).Select(text => $"299 couic \"{text.Replace('\\', '/').Replace('"', '\'')}\"");
            response.AddHeader("warning"u8, Encoding.ASCII.GetBytes(string.Join(", ", values)));
        }
    }

    /// <summary>Writes the member with the comma before it; nothing when there are none.</summary>
    public static void WriteMember(IBufferWriter<byte> body, IReadOnlyList<string>? warnings)
    {
        for (int i = 0; i < (warnings?.Count ?? 0); i++)
        {
            body.Raw(i == 0 ? ",\"warnings\":["u8 : ","u8);
            body.String(warnings![i]);
        }

        body.Raw(warnings is { Count: > 0 } ? "]"u8 : default);
    }
}

/// <summary>The warnings of one change, and which of them is the guard's.</summary>
/// <param name="Objection">That of the guard, for the log; null for none.</param>
internal sealed record ChangeWarnings(string? Objection, IReadOnlyList<string> Texts);
