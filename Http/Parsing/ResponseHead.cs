using System.Globalization;
using System.Text;

namespace Couic.Http.Parsing;

/// <summary>The status lines that the server sends.</summary>
internal static class StatusLine
{
    public static ReadOnlySpan<byte> Of(int status) => status switch
    {
        200 => "HTTP/1.1 200 OK\r\n"u8,
        201 => "HTTP/1.1 201 Created\r\n"u8,
        202 => "HTTP/1.1 202 Accepted\r\n"u8,
        204 => "HTTP/1.1 204 No Content\r\n"u8,
        304 => "HTTP/1.1 304 Not Modified\r\n"u8,
        400 => "HTTP/1.1 400 Bad Request\r\n"u8,
        401 => "HTTP/1.1 401 Unauthorized\r\n"u8,
        404 => "HTTP/1.1 404 Not Found\r\n"u8,
        405 => "HTTP/1.1 405 Method Not Allowed\r\n"u8,
        408 => "HTTP/1.1 408 Request Timeout\r\n"u8,
        409 => "HTTP/1.1 409 Conflict\r\n"u8,
        413 => "HTTP/1.1 413 Content Too Large\r\n"u8,
        414 => "HTTP/1.1 414 URI Too Long\r\n"u8,
        415 => "HTTP/1.1 415 Unsupported Media Type\r\n"u8,
        422 => "HTTP/1.1 422 Unprocessable Content\r\n"u8,
        429 => "HTTP/1.1 429 Too Many Requests\r\n"u8,
        431 => "HTTP/1.1 431 Request Header Fields Too Large\r\n"u8,
        501 => "HTTP/1.1 501 Not Implemented\r\n"u8,
        503 => "HTTP/1.1 503 Service Unavailable\r\n"u8,
        505 => "HTTP/1.1 505 HTTP Version Not Supported\r\n"u8,
        _ => "HTTP/1.1 500 Internal Server Error\r\n"u8,
    };
}

/// <summary>The <c>date</c> field, formatted once per second (RFC 9110 §5.6.7). Thread-safe.</summary>
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
