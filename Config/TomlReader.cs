using System.Text;

namespace Couic.Config;

/// <summary>
/// The one door for TOML: reads TOML 1.0 (toml.io/en/v1.0.0), all of it. Every fault is noted with its place, and reading goes on at
/// the next statement, so that one look shows them all. Never throws on input; nesting and the number of faults are bounded.
/// </summary>
public sealed partial class TomlReader
{
    /// <summary>Arrays and inline tables inside each other; bounds the stack.</summary>
    public const int MaxDepth = 100;

    /// <summary>Faults that are noted of one file; a file that is no TOML at all has one in every line.</summary>
    public const int MaxFaults = 50;

    private readonly string _file;
    private readonly string _text;
    private readonly List<Fault> _faults;
    private readonly int _faultsBefore;
    private readonly TomlTable _root = new(TomlTableOrigin.Header);
    private TomlTable _current;

    private TomlReader(string file, string text, List<Fault> faults)
    {
        _file = file;
        _text = text;
        _faults = faults;
        _faultsBefore = faults.Count;
        _current = _root;
    }

    /// <summary>Reads a document. <paramref name="file"/> only names it in the faults, which are added to <paramref name="faults"/>.</summary>
    /// <returns>What could be read; complete when no fault was added.</returns>
    public static TomlTable Read(string file, ReadOnlySpan<byte> utf8, List<Fault> faults)
    {
        if (utf8.StartsWith("\uFEFF"u8))
        {
            utf8 = utf8[3..];
        }

        if (!System.Text.Unicode.Utf8.IsValid(utf8))
        {
            faults.Add(FirstBadByte(file, utf8));
            return new TomlTable(TomlTableOrigin.Header);
        }

        var reader = new TomlReader(file, Encoding.UTF8.GetString(utf8), faults);
        reader.ReadDocument();
        return reader._root;
    }

    private static Fault FirstBadByte(string file, ReadOnlySpan<byte> utf8)
    {
        int line = 1, column = 1;
        while (Rune.DecodeFromUtf8(utf8, out Rune rune, out int length) == System.Buffers.OperationStatus.Done)
        {
            (line, column) = rune.Value == '\n' ? (line + 1, 1) : (line, column + 1);
            utf8 = utf8[length..];
        }

        return new Fault(file, line, column, $"byte 0x{utf8[0]:x2} is not UTF-8");
    }

    private void ReadDocument()
    {
        while (!AtEnd && _faults.Count - _faultsBefore < MaxFaults)
        {
            int start = _position;
            _depth = 0;
            if (!TryReadLine())
            {
                Recover(start);
            }
        }

        if (!AtEnd)
        {
            _faults.Add(new Fault(_file, Here.Line, 0, "too many faults; the rest of the file was not read"));
        }
    }

    /// <summary>One statement with its line's end: a header, a key with its value, or nothing.</summary>
    private bool TryReadLine()
    {
        SkipBlanks();
        bool good = Peek switch
        {
            '[' => TryReadHeader(),
            '#' or '\n' or '\r' or End => true,
            _ => TryReadPair(_current, "where a key should start"),
        };
        return good && TryReadLineEnd();
    }

    private bool TryReadLineEnd()
    {
        SkipBlanks();
        if (!TrySkipComment())
        {
            return false;
        }

        return AtEnd || TryTakeNewline() || Fail($"{Shown(Peek)} after the end of the statement", "one statement a line; # starts a comment");
    }
}
