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

    /// <summary>After its end an entry may be there for a second; a busy machine has three.</summary>
    private static readonly TimeSpan Lateness = TimeSpan.FromSeconds(3);

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
        var rules = new Dictionary<(string Policy, Network Network), Rule>();
        var counted = new Dictionary<(string Policy, string Tag), long>();
        int unsure = 0, expired = 0, shortest = 128;
        for (int round = 0; time is null ? round < Rounds || (expired <= 20 && round < 3 * Rounds) : Stopwatch.GetElapsedTime(start) < time; round++)
        {
            if (time is null && round >= Rounds)
            {
                Thread.Sleep(1_000); // a fast machine is ahead of the rules' end
            }

            expired += RemoveExpired(rules);
            Change(daemon, random, rules);
            unsure += Check(lab, random, rules, counted, PacketsPerRound, $"seed {seed}, round {round}");

            // A short prefix decides for nearly every packet, so it is there for a moment only.
            (string Policy, Network Network) wide = (random.Next(2) == 0 ? "drop" : "ignore", Network.Short(random));
            daemon.Api.Add(wide.Policy, wide.Network.ToString(), "wide");
            rules.Add(wide, new Rule("wide", null));
            shortest = Math.Min(shortest, wide.Network.Length);
            unsure += Check(lab, random, rules, counted, PacketsPerRound / 10, $"seed {seed}, round {round}, {wide.Policy} {wide.Network}");
            daemon.Api.Remove(wide.Policy, wide.Network.ToString());
            rules.Remove(wide);
        }

        foreach (((string policy, string tag), long packets) in counted.Where(c => c.Key.Tag != "wide"))
        {
            Assert.InRange(Stats.TagPackets(daemon, policy, tag), packets, packets + unsure);
        }

        Assert.True(expired > 20 && unsure < 12_000 && shortest < 12, $"{expired} expired, {unsure} packets unsure, shortest prefix {shortest}");
    }

    /// <summary>Sends packets and compares each verdict. Returns how many could be either way, as a rule was about to expire.</summary>
    private static int Check(
        Lab lab, Random random, Dictionary<(string Policy, Network Network), Rule> rules, Dictionary<(string Policy, string Tag), long> counted, int packets, string where)
    {
        byte[][] sources = [.. Enumerable.Range(0, packets).Select(_ => RandomSource(random, rules))];
        string[] texts = [.. sources.Select(s => new IPAddress(s).ToString())];
        DateTimeOffset begin = DateTimeOffset.UtcNow;
        bool[] arrived = lab.Probe.Passes(texts);
        DateTimeOffset end = DateTimeOffset.UtcNow;
        int unsure = 0;
        for (int i = 0; i < sources.Length; i++)
        {
            var certain = rules.Where(r => r.Key.Network.Covers(sources[i]) && (r.Value.Ends is null || r.Value.Ends > end)).ToList();
            var possible = rules.Where(r => r.Key.Network.Covers(sources[i]) && (r.Value.Ends is null || r.Value.Ends > begin - Lateness)).ToList();
            ((string Policy, string Tag)? Decides, bool Passes) with = Decide(possible), without = Decide(certain);
            Assert.True(with.Passes != without.Passes || with.Passes == arrived[i], $"{where}: {texts[i]} should {(with.Passes ? "pass" : "be dropped")}");
            if (with != without)
            {
                unsure++;
            }
            else if (with.Decides is { } decides)
            {
                counted[decides] = counted.GetValueOrDefault(decides) + 1;
            }
        }

        return unsure;
    }

    /// <summary>The policy and the tag that count a packet, and whether it passes, by the rules that cover its source.</summary>
    private static ((string Policy, string Tag)? Decides, bool Passes) Decide(List<KeyValuePair<(string Policy, Network Network), Rule>> covering)
    {
        if (covering.Count == 0)
        {
            return (null, true);
        }

        string policy = covering.Any(r => r.Key.Policy == "ignore") ? "ignore" : "drop";
        return ((policy, covering.Where(r => r.Key.Policy == policy).MaxBy(r => r.Key.Network.Length).Value.Tag), policy == "ignore");
    }

    /// <summary>Removes from the book what the daemon has let expire; what is about to is left for later.</summary>
    private static int RemoveExpired(Dictionary<(string Policy, Network Network), Rule> rules)
    {
        DateTimeOffset now = DateTimeOffset.UtcNow;
        var gone = rules.Where(r => r.Value.Ends is { } ends && ends < now - Lateness).Select(r => r.Key).ToList();
        gone.ForEach(key => rules.Remove(key));
        return gone.Count;
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

    /// <summary>Adds, changes and removes at random, through pipelined requests, and keeps the book of it.</summary>
    private static void Change(Daemon daemon, Random random, Dictionary<(string Policy, Network Network), Rule> rules)
    {
        List<string> requests = [];
        List<int> expected = [];
        for (int i = 0; i < ChangesPerRound; i++)
        {
            (string Policy, Network Network) key = (random.Next(4) == 0 ? "ignore" : "drop", Network.Random(random));
            if (rules.Count > 100 && random.Next(3) == 0)
            {
                key = rules.Keys.ElementAt(random.Next(rules.Count));
            }

            string tag = $"t{random.Next(5)}";
            if (rules.TryGetValue(key, out Rule? known))
            {
                if (known.Ends is not null)
                {
                    continue; // it may be gone by now
                }

                bool isRemoved = random.Next(3) > 0;
                requests.Add(isRemoved
                    ? daemon.Api.Text("DELETE", $"/v1/{key.Policy}/{key.Network}")
                    : daemon.Api.Text("POST", $"/v1/{key.Policy}?on_conflict=update", ApiClient.EntryBody(key.Network.ToString(), tag)));
                expected.Add(isRemoved ? 204 : 200);
                rules.Remove(key);
                if (!isRemoved)
                {
                    rules.Add(key, new Rule(tag, null));
                }

                continue;
            }

            long ends = random.Next(10) == 0 ? DateTimeOffset.UtcNow.ToUnixTimeSeconds() + random.Next(2, 5) : 0;
            requests.Add(daemon.Api.Text("POST", $"/v1/{key.Policy}", ApiClient.EntryBody(key.Network.ToString(), tag, ends)));
            expected.Add(201);
            rules.Add(key, new Rule(tag, ends == 0 ? null : DateTimeOffset.FromUnixTimeSeconds(ends)));
        }

        Assert.Equal(expected, daemon.Api.Pipeline(requests));
    }

    /// <summary>Half of them inside or just outside a rule, the others anywhere near.</summary>
    private static byte[] RandomSource(Random random, Dictionary<(string Policy, Network Network), Rule> rules)
    {
        Network near = random.Next(2) == 0 ? rules.Keys.ElementAt(random.Next(rules.Count)).Network : Network.Random(random);
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

    private sealed record Rule(string Tag, DateTimeOffset? Ends);

    private sealed record Network(byte[] Address, int Length)
    {
        /// <summary>Lengths and addresses that overlap often; link-local and mapped ones have their own tests elsewhere.</summary>
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

            return new Network(Cut(address, length), length);
        }

        /// <summary>A prefix that covers most of what <see cref="Random"/> makes, or half of it.</summary>
        public static Network Short(Random random)
        {
            byte[] address = random.Next(2) == 0 ? [10, 0, 0, 0] : [0x20, 0x01, 0x0d, 0xb8, .. new byte[12]];
            int length = random.Next(1, address.Length == 4 ? 16 : 48);
            return new Network(Cut(address, length), length);
        }

        private static byte[] Cut(byte[] address, int length)
        {
            for (int bit = length; bit < address.Length * 8; bit++)
            {
                address[bit / 8] &= (byte)~(0x80 >> (bit % 8));
            }

            return address;
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
