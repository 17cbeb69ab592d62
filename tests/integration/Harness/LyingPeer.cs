using System.Net;

namespace Couic.IntegrationTests.Harness;

/// <summary>
/// A node of a cluster that lies to the others in valid words, with the token that they gave it: versions a day ahead, two values under one
/// version, floods of removals, rules that all fall into one leaf of the comparison. What the others ask of it is answered late, in part or twice.
/// </summary>
internal sealed class LyingPeer : IDisposable
{
    private const int MaxColliding = 10_000;
    private readonly Cluster _cluster;
    private readonly int _self;
    private readonly Task[] _lying;
    private readonly ulong _node = 0x1234;
    private volatile bool _isStopped;
    private int _taken;
    private int _refused;

    public LyingPeer(Cluster cluster, int self)
    {
        _cluster = cluster;
        _self = self;
        cluster.Relay(self).Faults.Become(RelayFaults.Weather.Lying);
        _lying = [.. Enumerable.Range(0, cluster.Size).Where(n => n != self).Select(n => Task.Factory.StartNew(() => Lie(n), TaskCreationOptions.LongRunning))];
    }

    /// <summary>Batches that a victim took in, and those that it refused.</summary>
    public (int Taken, int Refused) Batches => (_taken, _refused);

    public void Dispose()
    {
        _isStopped = true;
        Task.WaitAll(_lying);
        _cluster.Kill(_self);
    }

    private void Lie(int victim)
    {
        var random = new Random(victim);
        Daemon daemon = _cluster[victim]!;
        using ApiClient client = daemon.As(daemon.TokenOf($"node{_self}"));
        for (int round = 0; !_isStopped; round++)
        {
            int status = client.Post("/v1/drop/peer", $"[{string.Join(',', Jobs(random, round % 6))}]").Status;
            _ = status switch
            {
                201 or 204 => Interlocked.Increment(ref _taken),
                422 => Interlocked.Increment(ref _refused),
                _ => throw new InvalidOperationException($"node {victim} answered {status} to jobs of a peer"),
            };
        }
    }

    private IEnumerable<string> Jobs(Random random, int kind)
    {
        ulong now = (ulong)DateTimeOffset.UtcNow.ToUnixTimeMilliseconds();
        const ulong Hour = 3_600_000;
        return kind switch
        {
            0 => Enumerable.Range(0, 50).Select(i => Job(true, $"10.0.0.{random.Next(50)}/32", "liar", (now + (23 * Hour)) << 16, (ulong)random.Next(3))),
            1 => Enumerable.Range(0, 2_000).Select(_ => Job(false, $"2001:db8:{random.Next(65_536):x}:{random.Next(65_536):x}::/64", "", now << 16, _node)),
            2 => Enumerable.Range(0, 500).Select(_ => Job(true, Colliding(random.Next(MaxColliding)), "leaf", now << 16, _node)),
            3 => Enumerable.Range(0, 50).Select(i => Job(true, $"10.0.0.{i}/32", $"t{random.Next(100)}", (now / 1_000 * 1_000) << 16, _node)), // one version, many values
            4 => [Job(true, "10.0.0.1/32", "far", (now + (25 * Hour)) << 16, _node)],
            _ => Enumerable.Range(0, 50).Select(i => Job(false, $"10.0.0.{random.Next(50)}/32", "", (now + (ulong)random.Next(1_000)) << 16, _node)),
        };
    }

    private static string Job(bool isAdd, string cidr, string tag, ulong version, ulong node) =>
        $$"""{"action":"{{(isAdd ? "add" : "remove")}}","entry":{"cidr":"{{cidr}}","tag":{{(tag.Length == 0 ? "null" : $"\"{tag}\"")}},"expiration":0},"stamp":{{version}},"node":{{node}}}""";

    /// <summary>An IPv6 host of a leaf that all of them have: the public hash of the comparison, inverted.</summary>
    private static string Colliding(int number)
    {
        const ulong Leaf = 0x1234;
        ulong low = (ulong)number;
        ulong high = Unmix((Leaf << 48) | low) ^ Mix(low ^ Mix((1UL << 8) | 128));
        var address = new byte[16];
        System.Buffers.Binary.BinaryPrimitives.WriteUInt64BigEndian(address, high);
        System.Buffers.Binary.BinaryPrimitives.WriteUInt64BigEndian(address.AsSpan(8), low);
        return $"{new IPAddress(address)}/128";
    }

    private static ulong Mix(ulong value)
    {
        value += 0x9e3779b97f4a7c15;
        value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9;
        value = (value ^ (value >> 27)) * 0x94d049bb133111eb;
        return value ^ (value >> 31);
    }

    private static ulong Unmix(ulong value)
    {
        value = (value ^ (value >> 31) ^ (value >> 62)) * 0x319642b2d24d8ec3;
        value = (value ^ (value >> 27) ^ (value >> 54)) * 0x96de1b173f119089;
        return (value ^ (value >> 30) ^ (value >> 60)) - 0x9e3779b97f4a7c15;
    }
}
