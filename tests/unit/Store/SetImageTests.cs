using System.Text;
using Couic.Store;
using Xunit;

namespace Couic.Tests.Store;

public sealed class SetImageTests
{
    private static readonly IpFamily[] Families = [IpFamily.V4, IpFamily.V6];

    /// <summary>Random sets with many duplicates, against the plain rule: set by set, a set whose new networks have no room is out as a whole.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    [InlineData(20)]
    public void Add_RandomSetsAgainstALimit_KeepsWhatTheRuleSays(int max)
    {
        var random = new Random(max);
        for (int round = 0; round < 500; round++)
        {
            var image = new SetImage(Policy.Drop, max);
            var expected = new Dictionary<Cidr, string>();
            for (int set = 0; set < 8; set++)
            {
                string tag = $"s{set}.couic";
                Cidr[] lines = [.. Enumerable.Range(0, random.Next((2 * max) + 1)).Select(_ => Some(random, 2 * max))];
                image.BeginSet(Encoding.ASCII.GetBytes(tag));
                bool fits = lines.All(image.Add);
                Cidr[] fresh = [.. lines.Select(line => line.Network).Distinct().Where(line => !expected.ContainsKey(line))];
                Assert.Equal(Families.All(family => Count(expected.Keys, family) + Count(fresh, family) <= max), fits);
                if (!fits || random.Next(4) == 0)
                {
                    image.DropSet();
                    continue;
                }

                Array.ForEach(fresh, network => expected.Add(network, tag));
            }

            image.Sort();
            IEnumerable<(Cidr, string)> held = Families
                .SelectMany(family => Enumerable.Range(0, image.Rules(family).Count).Select(i => image.Rules(family)[i]))
                .Select(rule => (rule.Cidr, Encoding.ASCII.GetString(image.Tag(rule.Number))));
            Assert.Equal(expected.Select(e => (e.Key, e.Value)).OrderBy(e => e.Key), held.OrderBy(h => h.Item1));
        }
    }

    private static int Count(IEnumerable<Cidr> networks, IpFamily family) => networks.Count(network => network.Family == family);

    private static Cidr Some(Random random, int spread) => random.Next(2) == 0
        ? Cidr.FromV4(((uint)random.Next(spread) << 8) | (uint)random.Next(2), 24)
        : new Cidr(IpFamily.V6, 0x2001_0db8_0000_0000, (ulong)random.Next(spread), 128);
}
