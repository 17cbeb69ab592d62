using Couic.Http.Parsing;
using Couic.Native;

namespace Couic.Http;

/// <summary>Responses on their way to the client. Not thread-safe.</summary>
internal sealed class ResponseWriter(StreamSocket socket, DateHeader date)
{
    private int _sent;

    public OutputBuffer Output { get; } = new();

    public bool IsEmpty => Output.Length == 0;

    /// <param name="contentLength">Null: the body ends with the connection.</param>
    public void WriteHead(Response response, long? contentLength, bool closes, bool isHttp10)
    {
        Output.Append(StatusLine.Of(response.Status));
        if (response.Status is not (204 or 304))
        {
            if (contentLength is { } length)
            {
                Output.Append("content-length: "u8);
                Output.Number(length);
                Output.Append("\r\n"u8);
            }

            Output.Append(response.ContentTypeLine);
        }

        Output.Append(date.Line);
        if (response.AnswerHeaders.Length > 0)
        {
            Output.Append(response.AnswerHeaders.Written);
        }

        if (closes)
        {
            Output.Append("connection: close\r\n"u8);
        }
        else if (isHttp10)
        {
            Output.Append("connection: keep-alive\r\n"u8);
        }

        Output.Append("\r\n"u8);
    }

    /// <summary>Sends as much as the socket takes. Returns a count, or a negative errno; the buffer is empty once all is sent.</summary>
    public int Send()
    {
        int n = socket.Send(Output.Written[_sent..]);
        _sent += Math.Max(n, 0);
        if (_sent == Output.Length)
        {
            Clear();
        }

        return n;
    }

    public void Clear()
    {
        Output.Clear();
        _sent = 0;
    }

    public void Release()
    {
        Output.Release();
        _sent = 0;
    }
}
