using System.Diagnostics;
using Couic.Store;
using Xunit;

namespace Couic.Tests.Bpf;

/// <summary>Prefixes that cover many blocks of the tables: what their removal leaves, and what it costs.</summary>
public sealed class ShortPrefixTests
{
    private const int Rules = 262_144;

    public static TheoryData<string> Nests => new(
        "0.0.0.0/0 10.0.0.0/8 10.0.0.0/16 10.0.0.0/20 10.0.1.0/24",
        "0.0.0.0/0 128.0.0.0/1 192.0.0.0/2 192.168.0.0/17 192.168.0.1/32",
        "10.0.0.0/15 10.0.0.0/16 10.1.0.0/16 10.0.128.0/17 10.1.0.0/18",
        "10.0.0.0/17 10.0.0.0/18 10.0.0.0/19 10.0.0.0/21 10.0.0.0/22",
        "10.0.252.0/22 10.0.252.0/23 10.0.254.0/23 10.0.255.255/32 10.0.248.0/21",
        "::/0 2000::/3 2001:d00::/24 2001:db8::/32 2001:db8::/48",
        "::/0 8000::/1 8000::/19 8000::/20 8000::/21",
        "2001:db0::/28 2001:db8::/29 2001:db8::/30 2001:db8::/31 2001:db8::1/128",
        "::/0 2001:db8::/33 2001:db8::/48 2001:db8::/64 2001:db8::/65");

    [Theory]
    [MemberData(nameof(Nests))]
    public void Remove_NestedPrefixesInAnyOrder_LeavesWhatFreshTablesHold(string text)
    {
        Cidr[] nest = [.. text.Split(' ').Select(PlaneFixture.Parse)];
        var fresh = new Dictionary<int, ulong[]>();
        using var tables = new TableRig(64);
        foreach (int[] order in Orders(nest.Length))
        {
            Array.ForEach(nest, tables.Add);
            int left = (1 << nest.Length) - 1;
            foreach (int which in order)
            {
                tables.Remove(nest[which]);
                left &= ~(1 << which);
                if (!fresh.TryGetValue(left, out ulong[]? expected))
                {
                    fresh[left] = expected = FreshWords(nest.Where((_, i) => (left >> i & 1) != 0), 64);
                }

                AssertSame(expected, tables.Words, $"{string.Join(',', order)}, left {left:b}");
            }
        }
    }

    [Theory]
    [InlineData(IpFamily.V4, 22, 1)]
    [InlineData(IpFamily.V4, 32, 2)]
    [InlineData(IpFamily.V6, 64, 3)]
    [InlineData(IpFamily.V6, 128, 4)]
    public void ChangeAtRandom_ShortPrefixes_LeavesWhatFreshTablesHold(IpFamily family, int longest, int seed)
    {
        var random = new Random(seed);
        var rules = new List<Cidr>();
        using var tables = new TableRig(512);
        for (int i = 0; i < 1_200; i++)
        {
            if (rules.Count < 300 && random.Next(600) >= i / 2)
            {
                Cidr cidr = RandomPrefix(random, family, longest);
                if (!rules.Contains(cidr))
                {
                    tables.Add(cidr);
                    rules.Add(cidr);
                }
            }
            else if (rules.Count > 0)
            {
                int which = random.Next(rules.Count);
                tables.Remove(rules[which]);
                rules.RemoveAt(which);
            }

            if (i % 60 == 59)
            {
                AssertSame(FreshWords(rules.OrderBy(_ => random.Next()), 512), tables.Words, $"after {i} changes");
                CheckAgainstModel(tables, rules);
            }
        }
    }

    /// <summary>A search through the blocks took seconds; the bound is for a busy machine.</summary>
    [Theory]
    [InlineData("0.0.0.0/0", "nested")]
    [InlineData("0.0.0.0/0", "/24")]
    [InlineData("0.0.0.0/0", "/32")]
    [InlineData("128.0.0.0/1", "nested")]
    [InlineData("::/0", "v6")]
    public void AddAndRemove_ShortestPrefixWithFullTables_TakesMilliseconds(string prefix, string shape)
    {
        using var tables = new TableRig(Rules);
        foreach (Cidr cidr in Full(shape))
        {
            tables.Add(cidr);
        }

        Cidr shortest = PlaneFixture.Parse(prefix);
        TimeSpan best = TimeSpan.MaxValue;
        for (int i = 0; i < 5; i++)
        {
            long start = Stopwatch.GetTimestamp();
            tables.Add(shortest);
            tables.Remove(shortest);
            TimeSpan time = Stopwatch.GetElapsedTime(start);
            best = time < best ? time : best;
        }

        Assert.True(best < TimeSpan.FromMilliseconds(60), $"{best.TotalMilliseconds} ms");
    }

    private static IEnumerable<Cidr> Full(string shape) => shape switch
    {
        // In each /16 a /19, /20, /21 and /22 that do not cover each other.
        "nested" => Enumerable.Range(0, Rules).Select(i => V4((uint)(i / 4) << 16 | (uint)(i % 4) << 13, 19 + (i % 4))),
        "/24" => Enumerable.Range(0, Rules).Select(i => V4((uint)i << 14, 24)),
        "/32" => Enumerable.Range(0, Rules).Select(i => V4((uint)i << 14, 32)),
        _ => Enumerable.Range(0, Rules).Select(i => new Cidr(IpFamily.V6, (ulong)i << 44, 0, (byte)(29 + (i % 4))).Network).Distinct(),
    };

    private static Cidr V4(uint address, int length) => new(IpFamily.V4, (ulong)address << 32, 0, (byte)length);

    private static Cidr RandomPrefix(Random random, IpFamily family, int longest)
    {
        ulong high = family == IpFamily.V4
            ? (ulong)(uint)random.Next(4) << 62 | (ulong)(uint)random.Next(4) << 47 | (ulong)(uint)random.Next(64) << 42 | (ulong)(uint)random.Next(1 << 10) << 32
            : (ulong)(uint)random.Next(2) << 63 | (ulong)(uint)random.Next(16) << 40 | (ulong)(uint)random.Next(4) << 32 | (ulong)(uint)random.Next(4);
        return new Cidr(family, high, 0, (byte)random.Next(longest + 1)).Network;
    }

    /// <summary>What each bit says, by going through all rules.</summary>
    private static void CheckAgainstModel(TableRig tables, List<Cidr> rules)
    {
        (ulong[] coarse, ulong[] fine, ulong[] lengths) = (new ulong[1 << 10], new ulong[1 << 16], new ulong[1 << 16]);
        var shortPrefixes = new ulong[1 << 14];
        foreach (Cidr cidr in rules)
        {
            if (cidr.Family == IpFamily.V4)
            {
                Paint(coarse, cidr, 16);
                Paint(fine, cidr, 22);
                for (uint i = 0; i < 1u << Math.Max(0, 16 - cidr.Length); i++)
                {
                    lengths[(cidr.V4 >> 16) + i] |= 1ul << (32 - cidr.Length);
                }
            }
            else if (cidr.Length <= 28)
            {
                Paint(shortPrefixes, cidr, 20);
            }
        }

        AssertSame(coarse, tables.Parts4.Coarse, "coarse");
        AssertSame(fine, tables.Parts4.Fine, "fine");
        AssertSame(lengths, tables.Parts4.Lengths, "lengths");
        AssertSame(shortPrefixes, tables.ShortPrefixes, "shortPrefixes");
    }

    /// <summary>Sets the bits of all blocks of a size that a prefix touches.</summary>
    private static void Paint(ulong[] bits, Cidr cidr, int size)
    {
        ulong first = cidr.High >> (64 - size);
        for (ulong i = first; i < first + (1ul << Math.Max(0, size - cidr.Length)); i++)
        {
            bits[i >> 6] |= 1ul << (int)(i & 63);
        }
    }

    private static ulong[] FreshWords(IEnumerable<Cidr> rules, int entries)
    {
        using var tables = new TableRig(entries);
        foreach (Cidr cidr in rules)
        {
            tables.Add(cidr);
        }

        return tables.Words;
    }

    private static void AssertSame(ulong[] expected, ulong[] actual, string what)
    {
        int at = expected.AsSpan().CommonPrefixLength(actual);
        Assert.True(at == expected.Length && at == actual.Length, $"{what}: word {at} is {(at < actual.Length ? actual[at] : 0):x}");
    }

    private static IEnumerable<int[]> Orders(int count)
    {
        if (count == 1)
        {
            return [[0]];
        }

        return Orders(count - 1).SelectMany(order => Enumerable.Range(0, count).Select(at => (int[])[.. order[..at], count - 1, .. order[at..]]));
    }
}
