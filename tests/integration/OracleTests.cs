using System.Buffers.Binary;
using System.Diagnostics;
using System.Globalization;
using System.Net;
using Couic.IntegrationTests.Harness;
using Xunit;

namespace Couic.IntegrationTests;

/// <summary>
/// Random rules over the API, random packets on the wire, and an oracle that simply tries every rule. FUZZ_SECONDS, if set, is for each
/// mode, from a seed that a failure names.
/// </summary>
public sealed class OracleTests
{
    private const int Rounds = 6;
    private const int ChangesPerRound = 1500;
    private const int PacketsPerRound = 3000;

    [Theory]
    [InlineData("generic", 1)]
    [InlineData("native", 2)]
    public void EveryVerdictIsThatOfTryingEveryRule(string mode, int seed)
    {
        TimeSpan? time = int.TryParse(Environment.GetEnvironmentVariable("FUZZ_SECONDS"), out int seconds) ? TimeSpan.FromSeconds(seconds) : null;
        seed = time is null ? seed : Random.Shared.Next();
        long start = Stopwatch.GetTimestamp();
        using Lab lab = new();
        using Daemon daemon = Daemon.Start(lab, new DaemonOptions { Mode = mode });
        Random random = new(seed);
        HashSet<(string Policy, Network Network)> rules = [];
        for (int round = 0; time is null ? round < Rounds : Stopwatch.GetElapsedTime(start) < time; round++)
        {
            Change(daemon, random, rules);
            byte[][] sources = [.. Enumerable.Range(0, PacketsPerRound).Select(_ => RandomSource(random, rules))];
            string[] texts = [.. sources.Select(s => new IPAddress(s).ToString())];
            bool[] arrived = lab.Probe.Passes(texts);
            for (int i = 0; i < sources.Length; i++)
            {
                bool passes = rules.Any(r => r.Policy == "ignore" && r.Network.Covers(sources[i]))
                    || !rules.Any(r => r.Policy == "drop" && r.Network.Covers(sources[i]));
                Assert.True(passes == arrived[i], $"seed {seed}, round {round}: {texts[i]} should {(passes ? "pass" : "be dropped")}");
            }
        }

        Assert.Equal(rules.Count(r => r.Policy == "drop"), daemon.Api.Get("/v1/drop").Json.GetArrayLength());
    }

    [Fact]
    public void NothingThatStaysListedPassesWhileItsNeighboursComeAndGo()
    {
        using Lab lab = new();
        using Daemon daemon = Daemon.Start(lab, new DaemonOptions { Mode = "native" });
        Random random = new(3);

        // Neighbours share every table that a lookup may go through: the same /24 and /16, and the same buckets of hosts.
        string[] listed = [.. Enumerable.Range(0, 1000).Select(i => $"10.{i % 4}.{i / 4 % 250}.{random.Next(1, 100)}").Distinct()];
        string[] ignored = [.. Enumerable.Range(0, 100).Select(i => $"10.200.{i}.7")];
        daemon.Api.Add("drop", "10.200.0.0/16");
        Expect(201, daemon.Api.Pipeline([.. listed.Select(a => daemon.Api.Text("POST", "/v1/drop", ApiClient.EntryBody(a + "/32")))]));
        Expect(201, daemon.Api.Pipeline([.. ignored.Select(a => daemon.Api.Text("POST", "/v1/ignore", ApiClient.EntryBody(a + "/32")))]));

        string[] coming = [
            .. Enumerable.Range(0, 3000).Select(i => $"10.{i % 4}.{i / 4 % 250}.{100 + (i / 1000)}/32"),
            .. Enumerable.Range(0, 500).Select(i => $"10.{i % 4}.{i / 4}.0/{25 + (i % 6)}"),
            .. Enumerable.Range(0, 8).Select(i => $"10.{i % 4}.{i * 16}.0/{17 + i}")];
        using ApiClient writer = daemon.As(daemon.Token);
        using CancellationTokenSource stop = new();
        Task churning = Task.Run(() =>
        {
            while (!stop.IsCancellationRequested)
            {
                foreach (string policy in new[] { "drop", "ignore" })
                {
                    // Only hosts are ever ignored, so that no listed one is covered.
                    string[] some = [.. coming.Where(c => policy == "drop" || c.EndsWith("/32", StringComparison.Ordinal))];
                    writer.Pipeline([.. some.Select(c => writer.Text("POST", $"/v1/{policy}", ApiClient.EntryBody(c)))]);
                    writer.Pipeline([.. some.Select(c => writer.Text("DELETE", $"/v1/{policy}/{c}"))]);
                }
            }
        }, TestContext.Current.CancellationToken);
        byte[][] frames = [.. listed.Concat(ignored).Select(a => Frame.UdpFrom(a))];
        int wrong = 0;
        for (int i = 0; i < 40 && !churning.IsCompleted; i++)
        {
            bool[] arrived = lab.Probe.Send(frames);
            wrong += arrived.Take(listed.Length).Count(a => a) + arrived.Skip(listed.Length).Count(a => !a);
        }

        stop.Cancel();
        churning.Wait(TestContext.Current.CancellationToken);
        Assert.Equal(0, wrong);
    }

    private static void Expect(int status, int[] statuses) => Assert.All(statuses, s => Assert.Equal(status, s));

    /// <summary>Adds and removes at random, through pipelined requests, and keeps the book of it.</summary>
    private static void Change(Daemon daemon, Random random, HashSet<(string Policy, Network Network)> rules)
    {
        List<string> requests = [];
        List<int> expected = [];
        for (int i = 0; i < ChangesPerRound; i++)
        {
            if (rules.Count > 100 && random.Next(3) == 0)
            {
                (string policy, Network network) = rules.ElementAt(random.Next(rules.Count));
                rules.Remove((policy, network));
                requests.Add(daemon.Api.Text("DELETE", $"/v1/{policy}/{network}"));
                expected.Add(204);
            }
            else
            {
                (string Policy, Network Network) rule = (random.Next(4) == 0 ? "ignore" : "drop", Network.Random(random));
                requests.Add(daemon.Api.Text("POST", $"/v1/{rule.Policy}", ApiClient.EntryBody(rule.Network.ToString())));
                expected.Add(rules.Add(rule) ? 201 : 409);
            }
        }

        Assert.Equal(expected, daemon.Api.Pipeline(requests));
    }

    /// <summary>Half of them inside or just outside a rule, the others anywhere near.</summary>
    private static byte[] RandomSource(Random random, HashSet<(string Policy, Network Network)> rules)
    {
        Network near = random.Next(2) == 0 ? rules.ElementAt(random.Next(rules.Count)).Network : Network.Random(random);
        byte[] address = (byte[])near.Address.Clone();
        int bits = address.Length * 8;
        for (int bit = Math.Max(0, near.Length - random.Next(2)); bit < bits; bit++)
        {
            if (random.Next(2) == 0)
            {
                address[bit / 8] ^= (byte)(0x80 >> (bit % 8));
            }
        }

        return address;
    }

    private sealed record Network(byte[] Address, int Length)
    {
        /// <summary>Lengths and addresses that overlap often; link-local and mapped ones have rules of their own elsewhere.</summary>
        public static Network Random(Random random)
        {
            bool v4 = random.Next(2) == 0;
            byte[] address = v4 ? [10, (byte)random.Next(2), 0, 0] : [0x20, 0x01, 0x0d, 0xb8, 0, (byte)random.Next(2), .. new byte[10]];
            int fixedBits = v4 ? 15 : 47;
            int length = random.Next(3) == 0 ? address.Length * 8 : random.Next(fixedBits, (address.Length * 8) + 1);
            Span<byte> low = v4 ? address.AsSpan(2) : address.AsSpan(6);
            random.NextBytes(low);
            if (random.Next(2) == 0)
            {
                low[..^1].Fill(7); // crowded
            }

            for (int bit = length; bit < address.Length * 8; bit++)
            {
                address[bit / 8] &= (byte)~(0x80 >> (bit % 8));
            }

            return new Network(address, length);
        }

        public bool Covers(byte[] source)
        {
            if (source.Length != Address.Length)
            {
                return false;
            }

            int whole = Length / 8;
            int rest = Length % 8;
            return source.AsSpan(0, whole).SequenceEqual(Address.AsSpan(0, whole))
                && (rest == 0 || (source[whole] ^ Address[whole]) >> (8 - rest) == 0);
        }

        public bool Equals(Network? other) => other is not null && Length == other.Length && Address.AsSpan().SequenceEqual(other.Address);

        public override int GetHashCode() => HashCode.Combine(Length, BinaryPrimitives.ReadInt32LittleEndian(Address.AsSpan(Address.Length - 4)));

        public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{new IPAddress(Address)}/{Length}");
    }
}
