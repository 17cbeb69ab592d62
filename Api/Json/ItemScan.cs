namespace Couic.Api.Json;

/// <summary>
/// Looks for the end of a JSON value of which only a part is there, each byte once however it arrives. Finds where the value may
/// be whole, and leaves it to the parser to say whether it is a value.
/// </summary>
internal struct ItemScan
{
    private State _state;
    private int _depth;
    private bool _isEscaped;

    private enum State : byte
    {
        Idle,

        /// <summary>White space and a comma before the value.</summary>
        Before,
        Structure,
        Text,

        /// <summary>A text outside of any object or array.</summary>
        Scalar,
        ScalarText,
    }

    /// <summary>Whether it is in the middle of a value.</summary>
    public readonly bool IsActive => _state != State.Idle;

    /// <summary>Bytes of the value, and before it, that it has seen.</summary>
    public int Seen { get; private set; }

    public void Begin()
    {
        this = default;
        _state = State.Before;
    }

    /// <summary>Goes on to the end of what is there. True when the value may be whole; it is idle then.</summary>
    public bool Advance(ReadOnlySpan<byte> bytes)
    {
        while (Seen < bytes.Length)
        {
            if (IsEnd(bytes[Seen++]))
            {
                this = default;
                return true;
            }
        }

        return false;
    }

    private bool IsEnd(byte c)
    {
        switch (_state)
        {
            case State.Before when c is (byte)' ' or (byte)'\t' or (byte)'\r' or (byte)'\n' or (byte)',':
                return false;
            case State.Before:
                _state = c switch { (byte)'{' or (byte)'[' => State.Structure, (byte)'"' => State.ScalarText, _ => State.Scalar };
                _depth = 1;
                return c == ']';
            case State.Text or State.ScalarText when _isEscaped || c == '\\':
                _isEscaped = !_isEscaped;
                return false;
            case State.Text:
                _state = c == '"' ? State.Structure : State.Text;
                return false;
            case State.ScalarText:
                return c == '"';
            case State.Scalar:
                return !char.IsAsciiLetterOrDigit((char)c) && c is not ((byte)'+' or (byte)'-' or (byte)'.');
            default:
                _state = c == '"' ? State.Text : State.Structure;
                _depth += c is (byte)'{' or (byte)'[' ? 1 : c is (byte)'}' or (byte)']' ? -1 : 0;
                return _depth == 0;
        }
    }
}
