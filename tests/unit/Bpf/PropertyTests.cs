using System.Globalization;
using Couic.Store;
using Xunit;

namespace Couic.Tests.Bpf;

[Collection("bpf")]
public class PropertyTests
{
    /// <summary>Packets for the comparison with the two-trie program; 10,000,000 in a long run.</summary>
    private static readonly int PacketCount =
        int.Parse(Environment.GetEnvironmentVariable("COUIC_PACKETS") ?? "40000", CultureInfo.InvariantCulture);

    [Theory]
    [InlineData(IpFamily.V4, 1)]
    [InlineData(IpFamily.V4, 2)]
    [InlineData(IpFamily.V6, 3)]
    [InlineData(IpFamily.V6, 4)]
    public void TenThousandRandomRulesAndSourcesAgreeWithTheOracle(IpFamily family, int seed)
    {
        using var world = new RuleWorld(family, seed, new StoreLimits(16_384, 8_192, 64));
        while (world.Oracle.Count < 10_000)
        {
            world.Add();
        }

        for (int i = 0; i < 10_000; i++)
        {
            world.Check(world.RandomSource());
        }
    }

    /// <summary>
    /// Tables far too small for what they hold, so that every way round them is taken: rules in a bucket of second choice and in
    /// the trie alone, addresses with more lengths than are looked for, entries without a record of their own.
    /// </summary>
    [Theory]
    [InlineData(IpFamily.V4, 5, 600)]
    [InlineData(IpFamily.V4, 6, 600)]
    [InlineData(IpFamily.V4, 7, 64)]
    [InlineData(IpFamily.V6, 8, 600)]
    [InlineData(IpFamily.V6, 9, 64)]
    public void EveryChangeOfAnOverfullTableAgreesWithTheOracle(IpFamily family, int seed, int limit)
    {
        using var world = new RuleWorld(family, seed, new StoreLimits(limit, limit / 2, 16));
        for (int i = 0; i < 8_000; i++)
        {
            Cidr touched = world.Change(limit * 3 / 2);
            world.Check(world.SourceIn(touched));
            world.Check(world.SourceIn(touched));
            world.Check(world.RandomSource());
        }

        foreach ((Policy policy, Cidr cidr) in world.Oracle.All)
        {
            world.Check(world.SourceIn(cidr));
        }

        world.RemoveAll();
        world.AssertTablesAreEmpty();
        for (int i = 0; i < 200; i++)
        {
            world.Check(world.RandomSource());
        }
    }

    /// <summary>Three of four rules are short enough to cover whole blocks of bits, which others of them cover too.</summary>
    [Theory]
    [InlineData(IpFamily.V4, 15, 22)]
    [InlineData(IpFamily.V4, 16, 16)]
    [InlineData(IpFamily.V6, 17, 64)]
    [InlineData(IpFamily.V6, 18, 28)]
    public void Change_ShortPrefixesThatComeAndGo_AgreesWithTheOracle(IpFamily family, int seed, int longest)
    {
        using var world = new RuleWorld(family, seed, new StoreLimits(256, 128, 16), longest: longest);
        for (int i = 0; i < 4_000; i++)
        {
            Cidr touched = world.Change(i % 1000 < 500 ? 120 : 12);
            world.Check(world.SourceIn(touched));
            world.Check(world.RandomSource());
        }

        world.RemoveAll();
        world.AssertTablesAreEmpty();
    }

    [Theory]
    [InlineData(IpFamily.V4, 32)]
    [InlineData(IpFamily.V6, 128)]
    public void ARuleAloneIsFoundWhateverItsLength(IpFamily family, int longest)
    {
        using var world = new RuleWorld(family, 14, new StoreLimits(64, 64, 8));
        for (int length = 0; length <= longest; length++)
        {
            world.CheckAlone(length);
        }

        world.AssertTablesAreEmpty();
    }

    /// <summary>A change every tenth packet; half of the sources are of a rule that is or was there. Up to 1,024 tags.</summary>
    [Theory]
    [InlineData(IpFamily.V4, 10, 4_096)]
    [InlineData(IpFamily.V4, 11, 300)]
    [InlineData(IpFamily.V6, 12, 4_096)]
    [InlineData(IpFamily.V6, 13, 300)]
    public void VerdictsAndCountsAreThoseOfTwoPlainTriesWhileRulesChange(IpFamily family, int seed, int limit)
    {
        using var tries = new TwoTries();
        using var world = new RuleWorld(family, seed, new StoreLimits(limit, limit / 2, limit / 4), tries);
        while (world.Oracle.Count < limit)
        {
            world.Add();
        }

        Cidr touched = world.RandomSource();
        for (int i = 0; i < PacketCount / 4; i++)
        {
            touched = i % 10 == 0 ? world.Change(limit * 3 / 2) : touched;
            world.CheckAgainstTries(i % 2 == 0 ? world.SourceIn(touched) : world.RandomSource());
        }

        world.CheckTags();
    }
}
