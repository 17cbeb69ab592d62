using Couic.Store;

namespace Couic.Sets;

/// <summary>
/// Goes through a set file's bytes: one CIDR a line, LF or CRLF, blanks at both ends trimmed, blank lines and <c>#</c> lines
/// skipped. Keeps no copy, allocates nothing, never throws.
/// </summary>
/// <param name="content">The whole file; see <see cref="SetFile.IsText"/>.</param>
public ref struct SetReader(ReadOnlySpan<byte> content)
{
    private ReadOnlySpan<byte> _rest = content;

    /// <summary>Number of the present line in the file, from 1.</summary>
    public int Line { get; private set; }

    /// <summary>The present line without the blanks around it.</summary>
    public ReadOnlySpan<byte> Text { get; private set; }

    /// <summary>Bytes after the present line.</summary>
    public readonly int Remaining => _rest.Length;

    /// <summary>Moves to the next line that is neither blank nor a comment; false at the end.</summary>
    public bool Next()
    {
        while (!_rest.IsEmpty)
        {
            Line++;
            int end = _rest.IndexOf((byte)'\n');
            ReadOnlySpan<byte> text = end < 0 ? _rest : _rest[..end];
            _rest = end < 0 ? default : _rest[(end + 1)..];
            text = text.Trim(" \t\r\v\f"u8);
            if (!text.IsEmpty && text[0] != '#')
            {
                Text = text;
                return true;
            }
        }

        return false;
    }

    /// <summary>Reads the present line as a CIDR; host bits are kept, and are a fault below a short prefix.</summary>
    public readonly CidrFault TryParse(out Cidr cidr)
    {
        CidrFault fault = Cidr.TryParse(Text, out cidr);
        return fault == CidrFault.None && cidr.HasStrayHostBits ? CidrFault.StrayHostBits : fault;
    }
}
