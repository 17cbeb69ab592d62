using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using Xunit;

namespace Couic.Tests.Api.Events;

/// <summary>A client of the stream of events.</summary>
internal sealed class EventReader : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private readonly Socket _socket = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
    private readonly StreamReader _reader;

    private EventReader(ApiRig rig)
    {
        _socket.Connect(new UnixDomainSocketEndPoint(rig.SocketPath));
        _reader = new StreamReader(new NetworkStream(_socket), Encoding.UTF8);
    }

    /// <summary>The head, without its last line end.</summary>
    public string Head { get; private set; } = string.Empty;

    public int Status => int.Parse(Head.Split(' ')[1], System.Globalization.CultureInfo.InvariantCulture);

    /// <summary>Connects and reads the head, but no event.</summary>
    public static async Task<EventReader> OpenAsync(
        ApiRig rig, string query = "", Couic.Api.Access.Group group = Couic.Api.Access.Group.Admin, string? lastId = null, bool isLines = true, string method = "GET")
    {
        var client = new EventReader(rig);
        string accept = isLines ? "Accept: application/x-ndjson\r\n" : string.Empty;
        string last = lastId is null ? string.Empty : $"Last-Event-ID: {lastId}\r\n";
        await client._socket.SendAsync(Encoding.ASCII.GetBytes($"{method} /v1/events{query} HTTP/1.1\r\nHost: couic\r\n{rig.Bearer(group)}{accept}{last}\r\n"));
        for (string? line; (line = await client.ReadLineAsync()) is { Length: > 0 };)
        {
            client.Head += line + "\n";
        }

        return client;
    }

    /// <summary>Connects, and reads the notice of its beginning.</summary>
    public static async Task<EventReader> ListenAsync(
        ApiRig rig, string query = "", Couic.Api.Access.Group group = Couic.Api.Access.Group.Admin, string? lastId = null)
    {
        EventReader client = await OpenAsync(rig, query, group, lastId);
        Assert.Equal(200, client.Status);
        Assert.Equal("connected", (await client.NextAsync()).GetProperty("type").GetString());
        return client;
    }

    /// <summary>The next line; null at the end.</summary>
    public async Task<string?> ReadLineAsync()
    {
        using var limit = new CancellationTokenSource(Patience);
        try
        {
            return await _reader.ReadLineAsync(limit.Token);
        }
        catch (IOException)
        {
            return null;
        }
    }

    /// <summary>The next event of a stream of lines.</summary>
    public async Task<JsonElement> NextAsync()
    {
        string? line;
        while ((line = await ReadLineAsync()) is { Length: 0 })
        {
        }

        return JsonDocument.Parse(line ?? throw new InvalidOperationException("the stream ended")).RootElement;
    }

    /// <summary>The next event's values, in the order of their names, with spaces between.</summary>
    public async Task<string> NextAsync(params string[] names)
    {
        JsonElement one = await NextAsync();
        return string.Join(' ', names.Select(name => one.TryGetProperty(name, out JsonElement value) ? value.ToString() : "-"));
    }

    public void Dispose()
    {
        _reader.Dispose();
        _socket.Dispose();
    }
}
