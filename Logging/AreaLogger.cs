using System.Buffers;
using System.Globalization;
using System.Text;
using Couic.Logging.Abstractions;
using Microsoft.Extensions.Logging;

namespace Couic.Logging;

/// <summary>A logger for one area of the program.</summary>
internal sealed class AreaLogger(LogFactory factory, LogQueue queue, TimeProvider time, string category) : IUtf8Logger
{
    /// <summary>Characters of an event's name; more are cut off.</summary>
    private const int MaxEventName = 64;

    private readonly byte[] _area = Encoding.UTF8.GetBytes(AreaOf(category));

    public bool IsEnabled(LogLevel logLevel) => factory.IsEnabled(logLevel);

    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => null;

    public void Write(LogLevel level, LogEvent what, ref readonly LogFields fields)
    {
        if (IsEnabled(level))
        {
            queue.Write(new LogRecord(time.GetUtcNow().UtcTicks, level, _area, what, fields));
        }
    }

    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
    {
        if (!IsEnabled(logLevel))
        {
            return;
        }

        byte[] buffer = ArrayPool<byte>.Shared.Rent(LogRecord.MaxBytes);
        try
        {
            var fields = new LogFields(buffer.AsSpan(0, LogRecord.MaxBytes / 2));
            if (state is IReadOnlyList<KeyValuePair<string, object?>> pairs)
            {
                AddAll(ref fields, pairs);
            }

            if (exception is not null)
            {
                fields.Add("error"u8, exception.ToString());
            }

            Span<byte> message = buffer.AsSpan(LogRecord.MaxBytes / 2);
            System.Text.Unicode.Utf8.FromUtf16(formatter(state, exception), message, out _, out int length);
            Queue(logLevel, eventId.Name, message[..length], fields);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private void Queue(LogLevel level, string? eventName, ReadOnlySpan<byte> message, LogFields fields)
    {
        Span<byte> name = stackalloc byte[3 * MaxEventName];
        int length = Encoding.UTF8.GetBytes(eventName.AsSpan(0, Math.Min(eventName?.Length ?? 0, MaxEventName)), name);
        queue.Write(new LogRecord(time.GetUtcNow().UtcTicks, level, _area, name[..length], message, fields));
    }

    private static void AddAll(ref LogFields fields, IReadOnlyList<KeyValuePair<string, object?>> pairs)
    {
        Span<byte> key = stackalloc byte[64];
        for (int i = 0; i < pairs.Count; i++)
        {
            (string name, object? value) = pairs[i];
            if (name != "{OriginalFormat}")
            {
                Add(ref fields, key[..ToKey(name, key)], value);
            }
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

    private static void Add(ref LogFields fields, scoped ReadOnlySpan<byte> key, object? value)
    {
        switch (value)
        {
            case string text:
                fields.Add(key, text);
                break;
            case bool truth:
                fields.Add(key, truth);
                break;
            case sbyte or byte or short or ushort or int or uint or long:
                fields.Add(key, Convert.ToInt64(value, CultureInfo.InvariantCulture));
                break;
            case ulong number:
                fields.Add(key, number);
                break;
            case float or double:
                fields.Add(key, Convert.ToDouble(value, CultureInfo.InvariantCulture));
                break;
            default:
                fields.Add(key, Convert.ToString(value, CultureInfo.InvariantCulture));
                break;
        }
    }

    /// <summary><c>Couic.Http.Router</c> logs for <c>http</c>; other categories are areas themselves.</summary>
    private static string AreaOf(string category)
    {
        string[] parts = category.Split('.');
        return (parts is ["Couic", string folder, ..] ? folder : category).ToLowerInvariant();
    }
}
