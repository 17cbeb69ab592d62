using System.Buffers;
using System.Text;
using Couic.Logging.Abstractions;

namespace Couic.Logging;

/// <summary>For machines: one object a line, with <c>timestamp</c>, <c>level</c>, <c>area</c>, <c>message</c>, <c>event</c> and the fields.</summary>
internal static class JsonFormat
{
    /// <summary>ASCII that stands in a string as it is.</summary>
    private static readonly SearchValues<byte> Safe = SearchValues.Create(TextFormat.Ascii("\"\\"));

    public static void Append(LineBuffer line, in LogRecord record)
    {
        line.Append("{\"timestamp\":\""u8);
        line.AppendTime(record.Ticks);
        line.Append("\",\"level\":\""u8);
        line.Append(Levels.Lower(record.Level));
        line.Append("\",\"area\":"u8);
        AppendText(line, record.Area);
        line.Append(",\"message\":"u8);
        AppendText(line, record.Message);
        if (!record.Event.IsEmpty)
        {
            line.Append(",\"event\":"u8);
            AppendText(line, record.Event);
        }

        LogFieldReader fields = record.Fields.Read();
        while (fields.TryRead(out LogField field))
        {
            line.Append(",\""u8);
            line.Append(field.Key);
            line.Append(IsOurs(field.Key) ? "_\":"u8 : "\":"u8);
            AppendField(line, field);
        }

        line.Append("}\n"u8);
    }

    /// <summary>A field of such a name gets an underscore: a member must not stand twice.</summary>
    private static bool IsOurs(ReadOnlySpan<byte> key) =>
        key.SequenceEqual("timestamp"u8) || key.SequenceEqual("level"u8) || key.SequenceEqual("area"u8)
        || key.SequenceEqual("message"u8) || key.SequenceEqual("event"u8);

    private static void AppendField(LineBuffer line, in LogField field)
    {
        switch (field.Kind)
        {
            case LogFieldKind.Text:
                AppendText(line, field.Value);
                break;
            case LogFieldKind.Word:
                line.Append((byte)'"');
                line.Append(field.Value);
                line.Append((byte)'"');
                break;
            case LogFieldKind.Value:
                line.Append(field.Value);
                break;
            default:
                line.Append("null"u8);
                break;
        }
    }

    private static void AppendText(LineBuffer line, ReadOnlySpan<byte> text)
    {
        line.Append((byte)'"');
        while (true)
        {
            int safe = text.IndexOfAnyExcept(Safe);
            line.Append(safe < 0 ? text : text[..safe]);
            if (safe < 0)
            {
                break;
            }

            text = text[safe..];
            Rune.DecodeFromUtf8(text, out Rune rune, out int length); // U+FFFD for what is no UTF-8
            text = text[length..];
            if (rune.Value is '"' or '\\')
            {
                line.Append((byte)'\\');
                line.Append((byte)rune.Value);
            }
            else if (rune.Value == '\n')
            {
                line.Append("\\n"u8);
            }
            else if (Rune.IsControl(rune) || rune.Value is 0x2028 or 0x2029)
            {
                line.Append("\\u"u8);
                line.Append(rune.Value, "x4");
            }
            else
            {
                line.Append(rune);
            }
        }

        line.Append((byte)'"');
    }
}
