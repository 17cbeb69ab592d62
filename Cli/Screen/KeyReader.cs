namespace Couic.Cli.Screen;

internal enum KeyKind : byte
{
    Character,
    Escape,
    Enter,
    Backspace,
    Tab,
    BackTab,
    Up,
    Down,
    PageUp,
    PageDown,
    Home,
    End,
    Interrupt,
}

/// <param name="Character">Printable ASCII; only for <see cref="KeyKind.Character"/>.</param>
internal readonly record struct Key(KeyKind Kind, char Character = '\0')
{
    public static implicit operator Key(char character) => new(KeyKind.Character, character);
}

/// <summary>
/// Reads keys from the bytes of a terminal, however they are split. An escape sequence (ECMA-48 §5.4, and SS3 of the VT220) that is
/// not a known key is skipped as a whole. Holds a few bytes of state.
/// </summary>
internal sealed class KeyReader
{
    /// <summary>A longer sequence is none: its rest is read as keys.</summary>
    private const int LongestSequence = 32;

    private readonly byte[] _sequence = new byte[LongestSequence];
    private int _length;

    /// <summary>Whether bytes have been read that may be the key Escape or the beginning of a sequence.</summary>
    public bool IsPending => _length > 0;

    public void Read(ReadOnlySpan<byte> bytes, List<Key> keys)
    {
        foreach (byte b in bytes)
        {
            if (_length > 0)
            {
                Continue(b, keys);
            }
            else if (b == 0x1b)
            {
                _sequence[_length++] = b;
            }
            else if (Single(b) is { } key)
            {
                keys.Add(key);
            }
        }
    }

    /// <summary>No more bytes came for a while: what is pending was the key Escape.</summary>
    public void EndSequence(List<Key> keys)
    {
        if (_length == 1)
        {
            keys.Add(new Key(KeyKind.Escape));
        }

        _length = 0;
    }

    private void Continue(byte b, List<Key> keys)
    {
        if (b == 0x1b)
        {
            EndSequence(keys); // the user pressed Escape before this key
            _sequence[_length++] = b;
            return;
        }

        _sequence[_length++] = b;
        bool isIntroducer = _length == 2 && b is (byte)'[' or (byte)'O';
        if (isIntroducer)
        {
            return;
        }

        bool isComplete = _length == 2 || _sequence[1] == 'O' || b is >= 0x40 and <= 0x7e;
        if (isComplete || _length == LongestSequence || b is < 0x20 or > 0x7e)
        {
            if (isComplete && Known(_sequence.AsSpan(1, _length - 1)) is { } kind)
            {
                keys.Add(new Key(kind));
            }

            _length = 0;
        }
    }

    private static Key? Single(byte b) => b switch
    {
        0x03 => new Key(KeyKind.Interrupt),
        (byte)'\r' or (byte)'\n' => new Key(KeyKind.Enter),
        0x08 or 0x7f => new Key(KeyKind.Backspace),
        (byte)'\t' => new Key(KeyKind.Tab),
        >= 0x20 and <= 0x7e => (char)b,
        _ => null,
    };

    private static KeyKind? Known(ReadOnlySpan<byte> sequence) => System.Text.Encoding.Latin1.GetString(sequence) switch
    {
        "[A" or "OA" => KeyKind.Up,
        "[B" or "OB" => KeyKind.Down,
        "[5~" => KeyKind.PageUp,
        "[6~" => KeyKind.PageDown,
        "[H" or "OH" or "[1~" or "[7~" => KeyKind.Home,
        "[F" or "OF" or "[4~" or "[8~" => KeyKind.End,
        "[Z" => KeyKind.BackTab,
        "OM" => KeyKind.Enter,
        _ => null,
    };
}
