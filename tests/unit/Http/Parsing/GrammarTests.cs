using System.Text;
using Couic.Http.Parsing;
using Xunit;

namespace Couic.Tests.Http.Parsing;

public class GrammarTests
{
    /// <summary>Each byte of each word, against each byte that a token may have.</summary>
    [Theory]
    [InlineData("host")]
    [InlineData("expect")]
    [InlineData("connection")]
    [InlineData("content-type")]
    [InlineData("authorization")]
    [InlineData("content-length")]
    [InlineData("transfer-encoding")]
    public void ANameIsTheSameButForCaseAndNothingElse(string word)
    {
        byte[] wanted = Encoding.ASCII.GetBytes(word);
        Assert.True(Grammar.IsNamed(Encoding.ASCII.GetBytes(word.ToUpperInvariant()), wanted));
        for (int i = 0; i < wanted.Length; i++)
        {
            byte[] token = [.. wanted];
            for (int c = 0; c < 256; c++)
            {
                token[i] = (byte)c;
                if (Grammar.IsToken(token))
                {
                    Assert.Equal(Grammar.Same(token, wanted), Grammar.IsNamed(token, wanted));
                }
            }
        }
    }
}
