using System.Globalization;
using System.Text;

namespace Couic.Http.Parsing;

/// <summary>The <c>date</c> field, formatted once a second (RFC 9110 §5.6.7). Thread-safe.</summary>
internal sealed class DateHeader(TimeProvider time)
{
    private byte[] _line = [];
    private long _second;

    /// <summary>The whole line with its end.</summary>
    public ReadOnlySpan<byte> Line
    {
        get
        {
            DateTimeOffset now = time.GetUtcNow();
            long second = now.UtcTicks / TimeSpan.TicksPerSecond;
            if (second != Volatile.Read(ref _second))
            {
                Volatile.Write(ref _line, Encoding.ASCII.GetBytes($"date: {now.ToString("R", CultureInfo.InvariantCulture)}\r\n"));
                Volatile.Write(ref _second, second);
            }

            return Volatile.Read(ref _line);
        }
    }
}
