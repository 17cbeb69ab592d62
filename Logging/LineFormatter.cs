using System.Buffers;
using System.Globalization;
using System.Text;
using Couic.Logging.Abstractions;
using Microsoft.Extensions.Logging;
using ZLogger;

namespace Couic.Logging;

/// <summary>
/// Formats an entry as one line. Text from outside can neither start a new line nor reach the controls of a terminal. Thread-safe.
/// </summary>
internal abstract class LineFormatter : IZLoggerFormatter
{
    /// <summary>Bytes of a message, and of all its fields; the excess is cut off, so that one line cannot fill the queue.</summary>
    public const int MaxBytes = 8 * 1024;

    /// <summary>Characters of an event's name.</summary>
    private const int MaxEventName = 64;

    /// <summary>False: the formatter ends the line.</summary>
    public bool WithLineBreak => false;

    public void FormatLogEntry(IBufferWriter<byte> writer, IZLoggerEntry entry)
    {
        LineBuffer message = LineBuffer.Rent(), scratch = LineBuffer.Rent();
        try
        {
            LogInfo info = entry.LogInfo;
            entry.ToString(message);
            message.Limit(MaxBytes);
            scratch.Append(info.EventId.Name.AsSpan(0, Math.Min(info.EventId.Name?.Length ?? 0, MaxEventName)), int.MaxValue);
            var line = (LineBuffer)writer;
            AppendStart(line, info, message.Written, scratch.Written);
            int budget = AppendFields(line, entry, message.Written, scratch);
            if (info.Exception is { } exception && budget > 0)
            {
                scratch.Truncate(0);
                scratch.Append(exception.ToString(), budget);
                AppendField(line, message.Written, "error"u8, scratch.Written, FieldKind.Text);
            }

            AppendEnd(line);
        }
        finally
        {
            message.Return();
            scratch.Return();
        }
    }

    /// <summary>Everything before the fields.</summary>
    protected abstract void AppendStart(LineBuffer line, in LogInfo info, ReadOnlySpan<byte> message, ReadOnlySpan<byte> eventName);

    protected abstract void AppendFields(LineBuffer line, in LogFields fields, ReadOnlySpan<byte> message);

    protected abstract void AppendField(LineBuffer line, ReadOnlySpan<byte> message, ReadOnlySpan<byte> key, ReadOnlySpan<byte> value, FieldKind kind);

    protected abstract void AppendEnd(LineBuffer line);

    /// <returns>The bytes that are left for a further field.</returns>
    private int AppendFields(LineBuffer line, IZLoggerEntry entry, ReadOnlySpan<byte> message, LineBuffer value)
    {
        Span<byte> key = stackalloc byte[64];
        int budget = MaxBytes;
        for (int i = 0; i < entry.ParameterCount; i++)
        {
            if (entry.IsSupportUtf8ParameterKey && entry.GetParameterType(i) == typeof(LogFields))
            {
                AppendFields(line, entry.GetParameterValue<LogFields>(i), message);
            }
            else if (entry.GetParameterKeyAsString(i) is var name and not "{OriginalFormat}" && budget > 0)
            {
                value.Truncate(0);
                FieldKind kind = AppendValue(value, entry.GetParameterValue(i), budget);
                int length = ToKey(name, key);
                AppendField(line, message, key[..length], value.Written, kind);
                budget -= length + value.Length;
            }
        }

        return budget;
    }

    private static FieldKind AppendValue(LineBuffer buffer, object? value, int maxBytes)
    {
        switch (value)
        {
            case bool truth:
                buffer.Append(truth ? "true"u8 : "false"u8);
                return FieldKind.Literal;
            case sbyte or byte or short or ushort or int or uint or long:
                buffer.Append(Convert.ToInt64(value, CultureInfo.InvariantCulture));
                return FieldKind.Literal;
            case ulong number:
                buffer.Append(number);
                return FieldKind.Literal;
            case float or double:
                double real = Convert.ToDouble(value, CultureInfo.InvariantCulture);
                buffer.Append(real);
                return double.IsFinite(real) ? FieldKind.Literal : FieldKind.NotFinite;
            default:
                buffer.Append(Convert.ToString(value, CultureInfo.InvariantCulture), maxBytes);
                return FieldKind.Text;
        }
    }

    /// <summary><c>timeLeft</c> and <c>TimeLeft</c> become <c>time_left</c>.</summary>
    private static int ToKey(string name, Span<byte> key)
    {
        int length = 0;
        foreach (char c in name.AsSpan(0, Math.Min(name.Length, key.Length / 2)))
        {
            if (char.IsAsciiLetterUpper(c) && length > 0)
            {
                key[length++] = (byte)'_';
            }

            key[length++] = char.IsAsciiLetterOrDigit(c) ? (byte)char.ToLowerInvariant(c) : (byte)'_';
        }

        return length;
    }

    /// <summary>Printable ASCII, without these characters.</summary>
    protected static SearchValues<byte> Ascii(string without) => SearchValues.Create(
        [.. Enumerable.Range(' ', 0x7f - ' ').Where(c => !without.Contains((char)c, StringComparison.Ordinal)).Select(c => (byte)c)]);

    /// <summary>Appends text, and escapes what is not in the set of safe bytes.</summary>
    protected static void AppendEscaped(LineBuffer line, ReadOnlySpan<byte> text, SearchValues<byte> safe, Escapes escapes)
    {
        int length;
        while ((length = text.IndexOfAnyExcept(safe)) >= 0)
        {
            line.Append(text[..length]);
            text = text[length..];
            Rune.DecodeFromUtf8(text, out Rune rune, out length); // U+FFFD for invalid UTF-8
            text = text[length..];
            bool isUnsafe = escapes == Escapes.Json ? Rune.IsControl(rune) || rune.Value is 0x2028 or 0x2029 : IsUnsafe(rune);
            if (escapes != Escapes.Text && rune.Value is '"' or '\\')
            {
                line.Append((byte)'\\');
                line.Append((byte)rune.Value);
            }
            else if (rune.Value == '\n')
            {
                line.Append("\\n"u8);
            }
            else if (!isUnsafe)
            {
                line.Append(rune);
            }
            else if (escapes == Escapes.Json)
            {
                line.Append("\\u"u8);
                line.Append(rune.Value, "x4");
            }
            else
            {
                line.Append("\\u{"u8);
                line.Append(rune.Value, "x");
                line.Append((byte)'}');
            }
        }

        line.Append(text);
    }

    /// <summary>Control characters, marks that change the writing direction, and line separators.</summary>
    private static bool IsUnsafe(Rune rune) =>
        rune.IsAscii
            ? rune.Value is < ' ' or 0x7f
            : Rune.GetUnicodeCategory(rune) is UnicodeCategory.Control or UnicodeCategory.Format
                or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator;

    protected enum Escapes
    {
        Text,
        QuotedText,
        Json,
    }

    protected enum FieldKind
    {
        Text,

        /// <summary>A number or a truth value, the same in both formats.</summary>
        Literal,

        /// <summary>A number that JSON does not have.</summary>
        NotFinite,
    }
}

/// <summary>
/// For people: <c>2026-01-02T03:04:05.678901Z INFO audit entry created event=entry_created cidr=192.0.2.0/24</c>.
/// </summary>
/// <param name="omitFieldsInMessage">Whether fields are omitted whose values the message contains.</param>
internal sealed class TextFormatter(bool omitFieldsInMessage) : LineFormatter
{
    private static readonly SearchValues<byte> Safe = Ascii(without: string.Empty);
    private static readonly SearchValues<byte> SafeInQuotes = Ascii(without: "\"\\");
    private static readonly SearchValues<byte> SafeWithoutQuotes = Ascii(without: " \"=\\");

    protected override void AppendStart(LineBuffer line, in LogInfo info, ReadOnlySpan<byte> message, ReadOnlySpan<byte> eventName)
    {
        line.AppendTime(info.Timestamp.Utc.UtcTicks);
        line.Append(Levels.Upper(info.LogLevel));
        line.Append(info.Category.Utf8Span);
        line.Append((byte)' ');
        AppendEscaped(line, message, Safe, Escapes.Text);
        if (!eventName.IsEmpty)
        {
            line.Append(" event="u8);
            AppendValue(line, eventName);
        }
    }

    protected override void AppendFields(LineBuffer line, in LogFields fields, ReadOnlySpan<byte> message)
    {
        if (!omitFieldsInMessage)
        {
            line.Append(fields.Text);
            return;
        }

        foreach (Range field in fields.Text.Split((byte)' '))
        {
            ReadOnlySpan<byte> text = fields.Text[field];
            if (!text.IsEmpty && !Contains(message, text[(text.IndexOf((byte)'=') + 1)..]))
            {
                line.Append((byte)' ');
                line.Append(text);
            }
        }
    }

    protected override void AppendField(LineBuffer line, ReadOnlySpan<byte> message, ReadOnlySpan<byte> key, ReadOnlySpan<byte> value, FieldKind kind)
    {
        if (omitFieldsInMessage && Contains(message, value))
        {
            return;
        }

        line.Append((byte)' ');
        line.Append(key);
        line.Append((byte)'=');
        AppendValue(line, value);
    }

    protected override void AppendEnd(LineBuffer line) => line.Append((byte)'\n');

    /// <summary>Whether the message contains the value, and not only as part of a word or of an address.</summary>
    private static bool Contains(ReadOnlySpan<byte> message, ReadOnlySpan<byte> value)
    {
        for (int at = 0, next; !value.IsEmpty && (next = message[at..].IndexOf(value)) >= 0; at++)
        {
            at += next;
            if ((at == 0 || !IsInWord(message[at - 1])) && !StartsInWord(message[(at + value.Length)..]))
            {
                return true;
            }
        }

        return false;
    }

    private static bool IsInWord(byte c) => char.IsAsciiLetterOrDigit((char)c) || c is (byte)'.' or (byte)':' or (byte)'-' or (byte)'/';

    /// <summary>A full stop or a colon after a value is not part of it, unless a letter or a digit follows at once.</summary>
    private static bool StartsInWord(ReadOnlySpan<byte> rest)
    {
        int end = rest.IndexOfAnyExcept((byte)'.', (byte)':', (byte)'-');
        return end >= 0 && (char.IsAsciiLetterOrDigit((char)rest[end]) || (end == 0 && rest[0] == '/'));
    }

    /// <summary>Quotes a value that could be misread without quotes.</summary>
    private static void AppendValue(LineBuffer line, ReadOnlySpan<byte> value)
    {
        if (!value.IsEmpty && value.IndexOfAnyExcept(SafeWithoutQuotes) < 0)
        {
            line.Append(value);
            return;
        }

        line.Append((byte)'"');
        AppendEscaped(line, value, SafeInQuotes, Escapes.QuotedText);
        line.Append((byte)'"');
    }
}

/// <summary>For machines: one object per line, with <c>timestamp</c>, <c>level</c>, <c>area</c>, <c>message</c>, <c>event</c> and the fields.</summary>
internal sealed class JsonFormatter : LineFormatter
{
    private static readonly SearchValues<byte> Safe = Ascii(without: "\"\\");

    protected override void AppendStart(LineBuffer line, in LogInfo info, ReadOnlySpan<byte> message, ReadOnlySpan<byte> eventName)
    {
        line.Append("{\"timestamp\":\""u8);
        line.AppendTime(info.Timestamp.Utc.UtcTicks);
        line.Append("\",\"level\":\""u8);
        line.Append(Levels.Lower(info.LogLevel));
        line.Append("\",\"area\":"u8);
        AppendString(line, info.Category.Utf8Span);
        line.Append(",\"message\":"u8);
        AppendString(line, message);
        if (!eventName.IsEmpty)
        {
            line.Append(",\"event\":"u8);
            AppendString(line, eventName);
        }
    }

    protected override void AppendFields(LineBuffer line, in LogFields fields, ReadOnlySpan<byte> message)
    {
        int index = -1;
        foreach (Range field in fields.Text.Split((byte)' '))
        {
            if (index++ >= 0) // the text begins with a separator
            {
                ReadOnlySpan<byte> text = fields.Text[field];
                int sign = text.IndexOf((byte)'=');
                ReadOnlySpan<byte> value = text[(sign + 1)..];
                bool isLiteral = fields.IsNumber(index - 1) || value[0] == '"';
                AppendField(line, message, text[..sign], value, isLiteral ? FieldKind.Literal : FieldKind.Text);
            }
        }
    }

    protected override void AppendField(LineBuffer line, ReadOnlySpan<byte> message, ReadOnlySpan<byte> key, ReadOnlySpan<byte> value, FieldKind kind)
    {
        line.Append(",\""u8);
        line.Append(key);
        line.Append(IsReserved(key) ? "_\":"u8 : "\":"u8);
        if (kind == FieldKind.Text)
        {
            AppendString(line, value);
        }
        else
        {
            line.Append(kind == FieldKind.Literal ? value : "null"u8);
        }
    }

    protected override void AppendEnd(LineBuffer line) => line.Append("}\n"u8);

    /// <summary>A field with the name of a member that each line has gets an underscore: a member must not occur twice.</summary>
    private static bool IsReserved(ReadOnlySpan<byte> key) =>
        key.SequenceEqual("timestamp"u8) || key.SequenceEqual("level"u8) || key.SequenceEqual("area"u8)
        || key.SequenceEqual("message"u8) || key.SequenceEqual("event"u8);

    private static void AppendString(LineBuffer line, ReadOnlySpan<byte> text)
    {
        line.Append((byte)'"');
        AppendEscaped(line, text, Safe, Escapes.Json);
        line.Append((byte)'"');
    }
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

    /// <summary>The mark of a line's priority in the journal (sd-daemon(3)).</summary>
    public static ReadOnlySpan<byte> Priority(LogLevel level) => level switch
    {
        <= LogLevel.Debug => "<7>"u8,
        LogLevel.Information => "<6>"u8,
        LogLevel.Warning => "<4>"u8,
        LogLevel.Error => "<3>"u8,
        _ => "<2>"u8,
    };
}
