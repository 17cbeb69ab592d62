using System.Net.Sockets;
using System.Text;

namespace Couic.IntegrationTests.Harness;

/// <summary>Speaks the text protocol of NATS: what any other program could send to the bus.</summary>
internal sealed class NatsClient : IDisposable
{
    private readonly TcpClient _socket;
    private readonly NetworkStream _stream;
    private int _inbox;

    /// <param name="credential">Members of the CONNECT object, such as <c>"user":"a","pass":"b"</c>.</param>
    public NatsClient(NetSpace space, int port = 4222, string credential = "")
    {
        _socket = space.Do(() => new TcpClient("127.0.0.1", port));
        _stream = _socket.GetStream();
        _stream.ReadTimeout = 10_000;
        Line();
        Send($$"""CONNECT {"verbose":false,"pedantic":false,"headers":true{{(credential.Length == 0 ? "" : "," + credential)}}}""" + "\r\nPING\r\n");
        Until("PONG");
    }

    /// <summary>Publishes, and waits until the server has taken it. Returns the server's objection; empty for none.</summary>
    public string Publish(string subject, byte[] body)
    {
        Send($"PUB {subject} {body.Length}\r\n");
        _stream.Write(body);
        Send("\r\nPING\r\n");
        return Until("PONG");
    }

    public string Publish(string subject, string body) => Publish(subject, Encoding.UTF8.GetBytes(body));

    /// <summary>Sends a request and returns the body of the reply.</summary>
    public string Request(string subject, string body)
    {
        string inbox = $"_INBOX.test.{++_inbox}";
        Send($"SUB {inbox} {_inbox}\r\nPUB {subject} {inbox} {Encoding.UTF8.GetByteCount(body)}\r\n{body}\r\n");
        while (true)
        {
            string line = Line();
            if (line.StartsWith("-ERR", StringComparison.Ordinal))
            {
                return line;
            }

            if (line.StartsWith("MSG ", StringComparison.Ordinal) || line.StartsWith("HMSG ", StringComparison.Ordinal))
            {
                int length = int.Parse(line.Split(' ')[^1], System.Globalization.CultureInfo.InvariantCulture);
                var reply = new byte[length + 2];
                _stream.ReadExactly(reply);
                if (line.Contains(inbox, StringComparison.Ordinal))
                {
                    return Encoding.UTF8.GetString(reply, 0, length);
                }
            }
        }
    }

    public void Dispose() => _socket.Dispose();

    private void Send(string text) => _stream.Write(Encoding.UTF8.GetBytes(text));

    private string Until(string wanted)
    {
        string objection = "";
        for (string line = Line(); line != wanted; line = Line())
        {
            objection = line.StartsWith("-ERR", StringComparison.Ordinal) ? line : objection;
        }

        return objection;
    }

    private string Line()
    {
        StringBuilder line = new();
        for (int b = _stream.ReadByte(); b != '\n'; b = _stream.ReadByte())
        {
            if (b < 0)
            {
                throw new IOException("the server ended the connection");
            }

            line.Append(b == '\r' ? "" : (char)b);
        }

        return line.ToString();
    }
}
