using System.Globalization;
using System.Text.Json;
using Couic.IntegrationTests.Harness;
using Xunit;

namespace Couic.IntegrationTests;

/// <summary>Three shipped daemons beside a fourth node that lies in valid words: they serve in the meantime, and agree after it.</summary>
public sealed class LyingPeerTests(ITestOutputHelper output)
{
    private const int Honest = 3;

    /// <summary>The bounds of records and tombstones allow for about 60 MB; a list that grows with every lie would exceed this within the test.</summary>
    private const int MostMegabytes = 100;

    [Fact]
    public void HonestNodes_BesideALyingPeer_ServeInBoundedMemory_AndAgreeAfterIt()
    {
        using Cluster cluster = new(Honest + 1);
        long[] before = [.. Enumerable.Range(0, Honest).Select(n => cluster[n]!.Resident)];
        BusyClient[] busy = [.. Enumerable.Range(0, Honest).Select(n => new BusyClient(cluster[n]!))];
        Random random = new(1);
        using (LyingPeer liar = new(cluster, Honest))
        {
            for (int i = 0; i < 100; i++)
            {
                Daemon node = cluster[random.Next(Honest)]!;
                string cidr = $"10.0.0.{random.Next(50)}/32";
                Answer answer = random.Next(3) == 0
                    ? node.Api.Delete($"/v1/drop/{cidr}")
                    : node.Api.Post("/v1/drop?on_conflict=update", ApiClient.EntryBody(cidr, "honest"));
                Assert.Contains(answer.Status, new[] { 200, 201, 204, 404 });
                Thread.Sleep(50);
            }

            Assert.True(liar.Batches is { Taken: > 50, Refused: > 5 }, $"{liar.Batches}");
        }

        DateTimeOffset lastLie = DateTimeOffset.UtcNow;
        foreach (BusyClient client in busy)
        {
            client.AssertWasServed();
            Assert.InRange(client.Longest, TimeSpan.Zero, TimeSpan.FromSeconds(2));
        }

        // Equal lists are not enough: a lie with a later version may still be on its way to a node that holds the same rule.
        Eventually.Holds(() => Agree(cluster) && HaveCompared(cluster, lastLie), "the honest nodes hold the same", 90);
        long[] grown = [.. before.Select((b, n) => (cluster[n]!.Resident - b) >> 20)];
        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"grown by {string.Join(", ", grown)} MB; longest wait {busy.Max(b => b.Longest.TotalMilliseconds):F0} ms"));
        Assert.All(grown, megabytes => Assert.InRange(megabytes, long.MinValue, MostMegabytes));

        // The lies about time do not win against what is done now.
        cluster[0]!.Api.Post("/v1/drop?on_conflict=update", ApiClient.EntryBody("10.0.0.1/32", "now"));
        Eventually.Holds(() => TagsOf(cluster, "10.0.0.1/32").All(tag => tag == "now"), "the latest value is on every node", 20);
        cluster[1]!.Api.Remove("drop", "10.0.0.1/32");
        cluster[2]!.Api.Add("drop", "192.0.2.1/32", "last");
        Eventually.Holds(
            () => TagsOf(cluster, "10.0.0.1/32").All(tag => tag is null) && TagsOf(cluster, "192.0.2.1/32").All(tag => tag == "last"), "so are a removal and an addition", 20);
        Assert.True(Agree(cluster));
        string[] kernel = KernelTables.Read(cluster[0]!);
        Assert.All(Enumerable.Range(1, Honest - 1), n => Assert.Equal(kernel, KernelTables.Read(cluster[n]!)));
    }

    private static string?[] TagsOf(Cluster cluster, string cidr) =>
    [
        .. Enumerable.Range(0, Honest).Select(n => cluster[n]!.Api.Get($"/v1/drop/{cidr}")).Select(a => a.Status == 200 ? a.Json.GetProperty("tag").GetString() : null),
    ];

    /// <summary>Whether each honest node has compared its versions with the others since, found no difference, and has nothing left to send.</summary>
    private static bool HaveCompared(Cluster cluster, DateTimeOffset since) =>
        Enumerable.Range(0, Honest).All(n => cluster[n]!.Api.Get("/v1/peers").Expect(200).Json.EnumerateArray()
            .Where(peer => peer.GetProperty("host").GetString() != cluster.AddressOf(Honest))
            .All(peer => peer.GetProperty("in_sync").ValueKind == JsonValueKind.True
                && peer.GetProperty("queued").GetInt32() == 0
                && peer.GetProperty("last_success").GetInt64() > since.ToUnixTimeSeconds() + 1));

    private static bool Agree(Cluster cluster)
    {
        string[][] lists = [.. Enumerable.Range(0, Honest).Select(
            n => cluster[n]!.Api.Get("/v1/drop").Expect(200).Json.EnumerateArray().Select(e => $"{e.GetProperty("cidr")} {e.GetProperty("tag")}").Order(StringComparer.Ordinal).ToArray())];
        return lists.All(list => list.SequenceEqual(lists[0]));
    }
}
