using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Couic.IntegrationTests.Harness;

/// <summary>A port in a namespace that sends a given answer to every request and closes the connection.</summary>
internal sealed class BadPeer : IDisposable
{
    private readonly TcpListener _listener;

    /// <param name="answer">Writes what is to be written; returns when it has had enough.</param>
    public BadPeer(NetSpace space, string address, int port, Action<Stream> answer)
    {
        Port = port;
        _listener = space.Do(() =>
        {
            TcpListener listener = new(IPAddress.Parse(address), port);
            listener.Start();
            return listener;
        });
        new Thread(() => Accept(answer)) { IsBackground = true, Name = "bad peer" }.Start();
    }

    public int Port { get; }

    public static void Write(Stream stream, string text) => stream.Write(Encoding.ASCII.GetBytes(text));

    public void Dispose() => _listener.Dispose();

    private void Accept(Action<Stream> answer)
    {
        try
        {
            while (true)
            {
                Socket socket = _listener.AcceptSocket();
                new Thread(() => Serve(socket, answer)) { IsBackground = true }.Start();
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException or InvalidOperationException)
        {
            // The test is over.
        }
    }

    private static void Serve(Socket socket, Action<Stream> answer)
    {
        using NetworkStream stream = new(socket, ownsSocket: true);
        try
        {
            if (stream.Read(new byte[65536]) > 0)
            {
                answer(stream);
            }
        }
        catch (IOException)
        {
            // The daemon has had enough.
        }
    }
}
