using Couic.Store;

namespace Couic.Bench.DataPlane;

/// <summary>Rules whose addresses are mixes of their numbers; draw.h draws sources from the same formula.</summary>
internal static class RuleSet
{
    private const uint SaltHigh = 0x51ed270b;
    private const uint SaltLow = 0x2545f491;

    /// <summary>Rules from a number on. Of mixed ones half are hosts, a quarter /24 (IPv6 /64), a quarter /16 to /31 (/32 to /95); what falls on another is left out.</summary>
    public static IReadOnlyCollection<Cidr> Make(IpFamily family, uint first, uint count, bool mixed)
    {
        var rules = new HashSet<Cidr>();
        for (uint i = first; i < first + count; i++)
        {
            Cidr host = family == IpFamily.V4
                ? Cidr.FromV4(Mix(i))
                : new Cidr(IpFamily.V6, (Mix64(i, SaltHigh) >> 3) | 0x2000_0000_0000_0000, Mix64(i, SaltLow), 128);
            rules.Add(host.WithLength(mixed ? Length(family, i) : host.MaxLength));
        }

        return rules;
    }

    /// <summary>Random IPv4 sources that no rule covers.</summary>
    public static IEnumerable<uint> SourcesOutside(IReadOnlyCollection<Cidr> rules, Random random)
    {
        var known = rules.ToHashSet();
        int[] lengths = [.. known.Select(rule => (int)rule.Length).Distinct()];
        while (true)
        {
            uint source = (uint)random.NextInt64(1L << 32);
            Cidr host = Cidr.FromV4(source);
            if (!lengths.Any(length => known.Contains(host.WithLength(length))))
            {
                yield return source;
            }
        }
    }

    private static int Length(IpFamily family, uint i) => (i & 3) switch
    {
        < 2 => family == IpFamily.V4 ? 32 : 128,
        2 => family == IpFamily.V4 ? 24 : 64,
        _ => family == IpFamily.V4 ? 16 + (int)((i >> 2) & 15) : 32 + (int)((i >> 2) & 63),
    };

    private static uint Mix(uint x)
    {
        x ^= x >> 16;
        x *= 0x7feb352d;
        x ^= x >> 15;
        x *= 0x846ca68b;
        x ^= x >> 16;
        return x;
    }

    private static ulong Mix64(uint i, uint salt) => ((ulong)Mix(i ^ salt) << 32) | Mix(i + salt);
}
