using System.Globalization;
using Couic.Bpf;
using Couic.Native;
using Xunit;

namespace Couic.Tests.Bpf;

/// <summary>Most of a start is the verifier's work, and old kernels give up beyond a million instructions.</summary>
[Collection("bpf")]
public class VerifierCostTests
{
    private const int MostInstructions = 40_000;

    [Theory]
    [InlineData(true, false)]
    [InlineData(false, true)]
    [InlineData(true, true)]
    public void AllVariants_AreVerifiedInFortyThousandInstructions(bool source, bool destination)
    {
        using LoadedPlane plane = XdpLoader.Load(PlaneFixture.Small with { MatchSource = source, MatchDestination = destination });

        int[] counts = [.. new[] { plane.Programs.Ethernet, plane.Programs.Fragments!, plane.Programs.Ip }.Select(Verified)];

        Assert.All(counts, count => Assert.True(count > 0));
        Assert.True(counts.Sum() <= MostInstructions, string.Join(" + ", counts));
    }

    private static int Verified(FileDescriptor program)
    {
        const string Field = "verified_insns:";
        string line = File.ReadLines($"/proc/self/fdinfo/{program.Number}").Single(l => l.StartsWith(Field, StringComparison.Ordinal));
        return int.Parse(line.AsSpan(Field.Length).Trim(), NumberStyles.None, CultureInfo.InvariantCulture);
    }
}
