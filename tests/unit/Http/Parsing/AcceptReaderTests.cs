using System.Text;
using Couic.Http.Parsing;
using Xunit;

namespace Couic.Tests.Http.Parsing;

// RFC 9110 §12.5.1
public sealed class AcceptReaderTests
{
    private const string Type = "application/openmetrics-text";

    [Theory]
    [InlineData("", 0)]
    [InlineData("text/plain", 0)]
    [InlineData("text/*", 0)]
    [InlineData("*/openmetrics-text", 0)]
    [InlineData("application/json", 0)]
    [InlineData("*/*", 1000)]
    [InlineData("application/*", 1000)]
    [InlineData(Type, 1000)]
    [InlineData("APPLICATION/OpenMetrics-Text;Q=0.5", 500)]
    [InlineData(" application/openmetrics-text ; q = 0.4 ", 400)]
    public void ARange_HasItsWeight(string accept, int weight) => Assert.Equal(weight, WeightOf(accept));

    [Theory]
    [InlineData("application/*;q=0.3, */*;q=0.9", 300)]
    [InlineData("*/*;q=0.9, application/*;q=0.3", 300)]
    [InlineData(Type + ";q=0.2, application/*;q=0.9, */*;q=1", 200)]
    [InlineData("*/*, " + Type + ";q=0", 0)]
    [InlineData(Type + ";q=0, */*", 0)]
    [InlineData(Type + ";version=1.0.0;q=0.5, " + Type + ";q=0.8", 500)]
    [InlineData("text/plain;q=0.9, " + Type + ";q=0.1", 100)]
    public void TheMostSpecificRange_Decides(string accept, int weight) => Assert.Equal(weight, WeightOf(accept));

    [Theory]
    [InlineData(Type + ";q=0.5, " + Type + ";q=0.7", 700)]
    [InlineData(Type + ";q=0.7, " + Type + ";q=0.5", 700)]
    public void OfEqualRanges_TheGreaterWeightCounts(string accept, int weight) => Assert.Equal(weight, WeightOf(accept));

    [Theory]
    [InlineData(Type + ";version=0.0.1", 0)]
    [InlineData(Type + ";version=0.0.1, */*;q=0.1", 100)]
    [InlineData(Type + ";version=\"1.0.0\"", 1000)]
    [InlineData(Type + ";x=\"a,b;q=0\";q=0.4", 400)]
    [InlineData("text/plain;x=\",\", " + Type + ";q=0.6", 600)]
    public void Parameters_MayBeQuoted_AndAnotherVersionDoesNotMatch(string accept, int weight) => Assert.Equal(weight, WeightOf(accept));

    private static int WeightOf(string accept) =>
        AcceptReader.Weight(Encoding.ASCII.GetBytes(accept), "application"u8, "openmetrics-text"u8, "1.0.0"u8);
}
