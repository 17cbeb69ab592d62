using System.Buffers;
using System.Globalization;
using System.Text;
using Couic.Logging.Abstractions;
using Microsoft.Extensions.Logging;

namespace Couic.Logging;

/// <summary>
/// For people: <c>2026-01-02T03:04:05.678901Z INFO audit entry created event=entry_created cidr=192.0.2.0/24</c>. Text from outside can
/// neither start a new line nor reach the terminal's controls.
/// </summary>
internal static class TextFormat
{
    // ASCII that needs no second look: in a message, in a quoted value, in a value without quotes.
    private static readonly SearchValues<byte> Safe = SearchValues.Create(Ascii(string.Empty));
    private static readonly SearchValues<byte> SafeInQuotes = SearchValues.Create(Ascii("\"\\"));
    private static readonly SearchValues<byte> Plain = SearchValues.Create(Ascii(" \"=\\"));

    /// <summary>What can be printed, without these.</summary>
    internal static byte[] Ascii(string without) =>
        [.. Enumerable.Range(' ', 0x7f - ' ').Where(c => !without.Contains((char)c, StringComparison.Ordinal)).Select(c => (byte)c)];

    /// <param name="saysOnce">Whether fields whose values stand in the message are left out.</param>
    public static void Append(LineBuffer line, in LogRecord record, bool saysOnce)
    {
        line.AppendTime(record.Ticks);
        line.Append(Levels.Upper(record.Level));
        line.Append(record.Area);
        line.Append((byte)' ');
        AppendMessage(line, record);
        LogFields all = record.Fields;
        if (all.IsPlain && !saysOnce)
        {
            line.Append(all.Text);
        }
        else
        {
            LogFieldReader fields = all.Read();
            while (fields.TryRead(out LogField field))
            {
                AppendField(line, field, saysOnce ? record.Message : default);
            }
        }

        line.Append((byte)'\n');
    }

    private static void AppendMessage(LineBuffer line, in LogRecord record)
    {
        if (!record.Text.IsEmpty)
        {
            line.Append(record.Text);
            return;
        }

        AppendEscaped(line, record.Message, isQuoted: false);
        if (!record.Event.IsEmpty)
        {
            line.Append(" event="u8);
            AppendValue(line, record.Event);
        }
    }

    /// <summary>Unless the message says it.</summary>
    private static void AppendField(LineBuffer line, in LogField field, ReadOnlySpan<byte> message)
    {
        if (Says(message, field.Value))
        {
            return;
        }

        line.Append((byte)' ');
        line.Append(field.Key);
        line.Append((byte)'=');
        if (field.Kind == LogFieldKind.Text)
        {
            AppendValue(line, field.Value);
        }
        else
        {
            line.Append(field.Value.IsEmpty ? "\"\""u8 : field.Value);
        }
    }

    /// <summary>Whether a value stands in a message by itself, and not as a part of a word or of an address.</summary>
    private static bool Says(ReadOnlySpan<byte> message, ReadOnlySpan<byte> value)
    {
        for (int at = 0, next; !value.IsEmpty && (next = message[at..].IndexOf(value)) >= 0; at++)
        {
            at += next;
            if ((at == 0 || !IsOfWord(message[at - 1])) && !StartsWord(message[(at + value.Length)..]))
            {
                return true;
            }
        }

        return false;
    }

    private static bool IsOfWord(byte c) => char.IsAsciiLetterOrDigit((char)c) || c is (byte)'.' or (byte)':' or (byte)'-' or (byte)'/';

    /// <summary>A full stop or a colon behind a value is no part of it, unless something follows at once.</summary>
    private static bool StartsWord(ReadOnlySpan<byte> rest)
    {
        int end = rest.IndexOfAnyExcept((byte)'.', (byte)':', (byte)'-');
        return end >= 0 && (char.IsAsciiLetterOrDigit((char)rest[end]) || (end == 0 && rest[0] == '/'));
    }

    /// <summary>As it is where that cannot be misread, else in quotes.</summary>
    private static void AppendValue(LineBuffer line, ReadOnlySpan<byte> value)
    {
        if (!value.IsEmpty && value.IndexOfAnyExcept(Plain) < 0)
        {
            line.Append(value);
            return;
        }

        line.Append((byte)'"');
        AppendEscaped(line, value, isQuoted: true);
        line.Append((byte)'"');
    }

    private static void AppendEscaped(LineBuffer line, ReadOnlySpan<byte> text, bool isQuoted)
    {
        while (true)
        {
            int safe = text.IndexOfAnyExcept(isQuoted ? SafeInQuotes : Safe);
            line.Append(safe < 0 ? text : text[..safe]);
            if (safe < 0)
            {
                return;
            }

            text = text[safe..];
            Rune.DecodeFromUtf8(text, out Rune rune, out int length); // U+FFFD for what is no UTF-8
            text = text[length..];
            if (isQuoted && rune.Value is '"' or '\\')
            {
                line.Append((byte)'\\');
                line.Append((byte)rune.Value);
            }
            else if (rune.Value == '\n')
            {
                line.Append("\\n"u8);
            }
            else if (IsUnsafe(rune))
            {
                line.Append("\\u{"u8);
                line.Append(rune.Value, "x");
                line.Append((byte)'}');
            }
            else
            {
                line.Append(rune);
            }
        }
    }

    /// <summary>Control characters of both sets, marks that change the direction of writing, and separators of lines.</summary>
    private static bool IsUnsafe(Rune rune) =>
        rune.IsAscii
            ? rune.Value is < ' ' or 0x7f
            : Rune.GetUnicodeCategory(rune) is UnicodeCategory.Control or UnicodeCategory.Format
                or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator;
}

/// <summary>The words and numbers of levels.</summary>
internal static class Levels
{
    public static ReadOnlySpan<byte> Upper(LogLevel level) => level switch
    {
        <= LogLevel.Debug => " DEBUG "u8,
        LogLevel.Information => " INFO "u8,
        LogLevel.Warning => " WARN "u8,
        _ => " ERROR "u8,
    };

    /// <summary>The words of the configuration.</summary>
    public static ReadOnlySpan<byte> Lower(LogLevel level) => level switch
    {
        <= LogLevel.Debug => "debug"u8,
        LogLevel.Information => "info"u8,
        LogLevel.Warning => "warn"u8,
        _ => "error"u8,
    };

    /// <summary>How the journal marks a line's priority (sd-daemon(3)).</summary>
    public static ReadOnlySpan<byte> Priority(LogLevel level) => level switch
    {
        <= LogLevel.Debug => "<7>"u8,
        LogLevel.Information => "<6>"u8,
        LogLevel.Warning => "<4>"u8,
        LogLevel.Error => "<3>"u8,
        _ => "<2>"u8,
    };
}
