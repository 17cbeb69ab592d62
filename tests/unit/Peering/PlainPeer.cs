using System.Text.Json;

namespace Couic.Tests.Peering;

/// <summary>
/// Behaves as couic 1.x does: echoes a batch, stops at the first job that adds what is there (409) or removes what is not
/// (404) with those before it done, ignores members that it does not know, and has no further endpoints.
/// </summary>
internal sealed class PlainPeer : IAsyncDisposable
{
    private readonly Lock _gate = new();
    private readonly Dictionary<string, (string? Tag, ulong Expiration)> _rules = [];
    private readonly StubPeer _stub;

    /// <param name="port">0 for one that is free.</param>
    public PlainPeer(int port = 0) => _stub = StubPeer.Answering(Answer, port);

    public int Port => _stub.Port;

    public int Batches { get; private set; }

    public Dictionary<string, (string? Tag, ulong Expiration)> Rules
    {
        get
        {
            lock (_gate)
            {
                return new(_rules);
            }
        }
    }

    public void Put(string cidr, string? tag = null, ulong expiration = 0)
    {
        lock (_gate)
        {
            _rules[cidr] = (tag, expiration);
        }
    }

    public ValueTask DisposeAsync() => _stub.DisposeAsync();

    private (int, string) Answer(StubPeer.Request request)
    {
        if (request.Path != "/v1/drop/peer")
        {
            return (404, "");
        }

        lock (_gate)
        {
            Batches++;
            using var jobs = JsonDocument.Parse(request.Body);
            foreach (JsonElement job in jobs.RootElement.EnumerateArray())
            {
                JsonElement entry = job.GetProperty("entry");
                string cidr = entry.GetProperty("cidr").GetString()!;
                bool isAdd = job.GetProperty("action").GetString() == "add";
                if (isAdd && !_rules.TryAdd(cidr, (entry.GetProperty("tag").GetString(), entry.GetProperty("expiration").GetUInt64())))
                {
                    return (409, """{"code":"conflict","errors":{},"message":"conflict"}""");
                }

                if (!isAdd && !_rules.Remove(cidr))
                {
                    return (404, """{"code":"not_found","errors":{},"message":"not found"}""");
                }
            }
        }

        return (201, System.Text.Encoding.UTF8.GetString(request.Body));
    }
}
