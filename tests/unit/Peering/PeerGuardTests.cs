using System.Text;
using Couic.Peering;
using Couic.Store;
using Xunit;
using static Couic.Tests.Store.StoreRig;

namespace Couic.Tests.Peering;

/// <summary>What peers say goes through the guard too.</summary>
public class PeerGuardTests
{
    private const string Plain = "";

    [Theory]
    [InlineData(LockoutMode.Warn, true)]
    [InlineData(LockoutMode.Refuse, false)]
    [InlineData(LockoutMode.Off, true)]
    public async Task ARule_ThatLocksOut_IsAppliedAsTheModeSays(LockoutMode mode, bool isApplied)
    {
        foreach (string version in new[] { Plain, RuleVersion(1) })
        {
            await using RealNode node = Node(mode);
            ApplyCounts counts = Add(node, "10.0.0.0/8", version);
            Assert.Equal((isApplied ? 1 : 0, isApplied ? 0 : 1), (counts.Applied, counts.Refused));
            Assert.Equal(isApplied, node.Store.TryGet(Policy.Drop, Net("10.0.0.0/8"), out _));
            Assert.Equal(isApplied ? 0 : 1, node.Store.Guard.Withheld.Texts.Count);
            Assert.Equal(mode != LockoutMode.Off, node.Log.Warnings.Any(line => line.Contains("10.0.0.1 (the default gateway)", StringComparison.Ordinal)));
            Assert.Equal(1, Add(node, "203.0.113.0/24", version).Applied);
        }
    }

    [Theory]
    [InlineData("0.0.0.0/0", LockoutMode.Warn, false)]
    [InlineData("::/0", LockoutMode.Warn, false)]
    [InlineData("::/0", LockoutMode.Off, true)]
    [InlineData("128.0.0.0/1", LockoutMode.Warn, true)]
    [InlineData("128.0.0.0/1", LockoutMode.Refuse, false)]
    public async Task ABroadRule_IsHeldBack(string network, LockoutMode mode, bool isApplied)
    {
        foreach (string version in new[] { Plain, RuleVersion(1) })
        {
            await using RealNode node = Node(mode);
            Assert.Equal(isApplied ? 1 : 0, Add(node, network, version).Applied);
            Assert.Equal(isApplied ? 1 : 0, node.Store.Count(Policy.Drop));
        }
    }

    [Fact]
    public async Task AStampedRule_ThatIsHeldBack_IsAppliedOnceTheAddressIsIgnored_AndForgottenWhenItIsRemoved()
    {
        await using RealNode node = Node(LockoutMode.Refuse);
        Add(node, "10.0.0.0/8", RuleVersion(1));
        Add(node, "10.0.0.0/16", RuleVersion(1));
        Assert.Equal(2, node.Store.Guard.Withheld.Texts.Count);
        Apply(node, $$"""[{"action":"remove","entry":{"cidr":"10.0.0.0/16","expiration":0}{{RuleVersion(2)}}}]""");
        Assert.Single(node.Store.Guard.Withheld.Texts);
        node.Store.Add(Policy.Ignore, Net("10.0.0.1/32"), default, 0, ConflictMode.Refuse, new ChangeContext(ChangeOrigin.Api, "t"u8), out _);
        await RealNode.Eventually(() => node.Store.TryGet(Policy.Drop, Net("10.0.0.0/8"), out _), "the rule is applied");
        await RealNode.Eventually(() => node.Store.Guard.Withheld.Texts.Count == 0, "it is not shown as held back");
        Assert.False(node.Store.TryGet(Policy.Drop, Net("10.0.0.0/16"), out _));
    }

    [Theory]
    [InlineData(LockoutMode.Warn, true)]
    [InlineData(LockoutMode.Refuse, false)]
    public async Task TheRemovalOfWhatProtects_IsMadeAsTheModeSays(LockoutMode mode, bool isMade)
    {
        foreach (string version in new[] { Plain, RuleVersion(9) })
        {
            await using RealNode node = Node(mode);
            var context = new ChangeContext(ChangeOrigin.Api, "t"u8);
            node.Store.Add(Policy.Ignore, Net("10.0.0.1/32"), default, 0, ConflictMode.Refuse, context, out _);
            node.Add("10.0.0.0/8");
            Apply(node, $$"""[{"action":"remove","entry":{"cidr":"10.0.0.1/32","expiration":0}{{version}}}]""", Policy.Ignore);
            Assert.Equal(!isMade, node.Store.TryGet(Policy.Ignore, Net("10.0.0.1/32"), out _));
            Assert.Contains(node.Log.Warnings, line => line.Contains("protects 10.0.0.1 (the default gateway)", StringComparison.Ordinal));
        }
    }

    /// <summary>A batch of thousands of objections must not be thousands of lines.</summary>
    [Fact]
    public async Task Objections_AreLoggedABoundedNumberOfTimesPerBatch()
    {
        await using RealNode node = Node(LockoutMode.Warn);
        string jobs = string.Join(',', Enumerable.Range(8, 24).Select(length => "{\"action\":\"add\",\"entry\":{\"cidr\":\"10.0.0.0/" + length + "\",\"expiration\":0}}"));
        Assert.Equal(24, Apply(node, $"[{jobs}]").Applied);
        Assert.Equal(10, node.Log.Warnings.Length);
    }

    private static RealNode Node(LockoutMode mode)
    {
        var node = new RealNode();
        node.Store.Guard.Protect([new ProtectedAddress(Net("10.0.0.1/32"), "the default gateway")]);
        node.Store.Guard.Mode = mode;
        return node;
    }

    private static string RuleVersion(int later) =>
        $$""","stamp":{{((ulong)DateTimeOffset.UtcNow.ToUnixTimeMilliseconds() << 16) + (ulong)later}},"node":7""";

    private static ApplyCounts Add(RealNode node, string cidr, string version) =>
        Apply(node, $$"""[{"action":"add","entry":{"cidr":"{{cidr}}","tag":null,"expiration":0}{{version}}}]""");

    private static ApplyCounts Apply(RealNode node, string jobs, Policy policy = Policy.Drop)
    {
        Assert.Equal(PeerBodyFault.None, PeerJobReader.TryRead(Encoding.UTF8.GetBytes(jobs), out IncomingBatch batch, out string message));
        _ = message;
        return node.Service.Apply(policy, batch, "couic2");
    }
}
