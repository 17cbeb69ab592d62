using System.Net.Sockets;
using System.Text.Json;
using Xunit;

namespace Couic.IntegrationTests.Harness;

/// <summary>
/// What a daemon has acknowledged, as <c>POLICY CIDR</c>: added with 2xx, removed with 2xx, or asked for without an answer, which may
/// be in force or not. Thread-safe.
/// </summary>
internal sealed class Acknowledged
{
    private readonly Lock _gate = new();
    private readonly HashSet<string> _entries = [];
    private readonly HashSet<string> _unsure = [];

    public int Count
    {
        get
        {
            lock (_gate)
            {
                return _entries.Count;
            }
        }
    }

    /// <summary>Asks and remembers. False: the connection broke, or the answer was no success.</summary>
    public bool Add(ApiClient client, string policy, string cidr) =>
        Try($"{policy} {cidr}", () => client.Post($"/v1/{policy}", ApiClient.EntryBody(cidr)).Status == 201, isThere: true);

    /// <inheritdoc cref="Add"/>
    public bool Remove(ApiClient client, string policy, string cidr) =>
        Try($"{policy} {cidr}", () => client.Delete($"/v1/{policy}/{cidr}").Status == 204, isThere: false);

    /// <summary>Forgets everything, as a restart does.</summary>
    public void Clear()
    {
        lock (_gate)
        {
            _entries.Clear();
            _unsure.Clear();
        }
    }

    /// <summary>
    /// Every acknowledged rule is in the kernel and none other; the API lists what the kernel holds; and nothing had to be repaired for
    /// that, since a daemon that loses keys and puts them back a minute later breaks the promise as well.
    /// </summary>
    /// <param name="repaired">The number of keys that the test itself changed in the kernel.</param>
    public void AssertInForce(Daemon daemon, int repaired = 0)
    {
        string[] kernel = KernelTables.Read(daemon);
        lock (_gate)
        {
            Assert.Empty(_entries.Except(kernel).Order());
            Assert.Empty(kernel.Except(_entries).Except(_unsure).Order());
        }

        Assert.Equal(kernel, KernelTables.OfApi(daemon));
        Assert.Equal(repaired, DriftAfterAComparison(daemon));
    }

    /// <summary>The keys that the daemon has repaired so far, once it has compared kernel and store again (a reload starts that).</summary>
    private static long DriftAfterAComparison(Daemon daemon)
    {
        long begin = DateTimeOffset.UtcNow.ToUnixTimeSeconds();
        long? drift = null;
        daemon.Signal(Libc.SIGHUP);
        Eventually.Holds(
            () =>
            {
                JsonElement found = daemon.Api.Get("/v1/status").Expect(200).Json.GetProperty("consistency");
                drift = found.ValueKind == JsonValueKind.Object && found.GetProperty("last_check").GetInt64() >= begin
                    ? found.GetProperty("drift").GetInt64()
                    : null;
                return drift is not null;
            },
            "kernel and store are compared");
        return drift!.Value;
    }

    private bool Try(string entry, Func<bool> ask, bool isThere)
    {
        bool wasThere;
        lock (_gate)
        {
            wasThere = _entries.Remove(entry);
            _unsure.Add(entry);
        }

        bool isDone;
        try
        {
            isDone = ask();
        }
        catch (Exception e) when (e is SocketException or IOException)
        {
            return false;
        }

        lock (_gate)
        {
            _unsure.Remove(entry);
            if (isDone ? isThere : wasThere)
            {
                _entries.Add(entry);
            }
        }

        return isDone;
    }
}
