using System.Text;
using Couic.Api.Access;
using Xunit;

namespace Couic.Tests.Api.Access;

public class TokenTests
{
    private const string Good = "e78336b3-8128-4c84-88c7-e2fad9c32d99";

    [Theory]
    [InlineData(Good)]
    [InlineData("E78336B3-8128-4C84-88C7-E2FAD9C32D99")]
    [InlineData("e78336B3-8128-4c84-88C7-e2fad9c32d99")]
    public void HyphenatedHexOfEitherCaseIsTaken(string text)
    {
        Assert.True(Token.TryParse(Encoding.UTF8.GetBytes(text), out Token token));
        Assert.Equal(new Guid(Good), token.ToGuid());
        Assert.Equal(Good, token.Reveal());
        Assert.Equal(token, Token.FromGuid(new Guid(Good)));
    }

    [Theory]
    [InlineData("")]
    [InlineData("e78336b381284c8488c7e2fad9c32d99")]
    [InlineData("{e78336b3-8128-4c84-88c7-e2fad9c32d99}")]
    [InlineData("(e78336b3-8128-4c84-88c7-e2fad9c32d99)")]
    [InlineData("urn:uuid:e78336b3-8128-4c84-88c7-e2fad9c32d99")]
    [InlineData(" e78336b3-8128-4c84-88c7-e2fad9c32d99")]
    [InlineData("e78336b3-8128-4c84-88c7-e2fad9c32d99 ")]
    [InlineData("e78336b38-128-4c84-88c7-e2fad9c32d99")]
    [InlineData("e78336b3+8128-4c84-88c7-e2fad9c32d99")]
    [InlineData("e78336b3-8128-4c84-88c7-e2fad9c32d9g")]
    [InlineData("0x8336b3-8128-4c84-88c7-e2fad9c32d99")]
    [InlineData("e78336b3-8128-4c84-88c7-e2fad9c32d9é")]
    public void AnythingElseIsMalformed(string text) => Assert.False(Token.TryParse(Encoding.UTF8.GetBytes(text), out _));

    [Fact]
    public void NoPrefixAndNoSingleChangedByteIsTakenForTheSameToken()
    {
        byte[] good = Encoding.ASCII.GetBytes(Good);
        Assert.True(Token.TryParse(good, out Token wanted));
        for (int i = 0; i < good.Length; i++)
        {
            Assert.False(Token.TryParse(good.AsSpan(0, i), out _));
            for (int value = 0; value < 256; value++)
            {
                byte[] changed = (byte[])good.Clone();
                changed[i] = (byte)value;
                bool same = char.ToLowerInvariant((char)value) == Good[i];
                bool hex = i is 8 or 13 or 18 or 23 ? value == '-' : char.IsAsciiHexDigit((char)value);
                Assert.Equal(hex, Token.TryParse(changed, out Token token));
                Assert.Equal(same, token == wanted);
            }
        }
    }

    [Fact]
    public void RandomTokensAreOfVersion4AndDiffer()
    {
        HashSet<Token> seen = [];
        for (int i = 0; i < 1000; i++)
        {
            string text = Token.Random().Reveal();
            Assert.Equal('4', text[14]);
            Assert.Contains(text[19], "89ab");
            Assert.True(Token.TryParse(Encoding.ASCII.GetBytes(text), out Token token));
            Assert.True(seen.Add(token));
        }
    }

    [Fact]
    public void PrintingATokenDoesNotRevealIt() => Assert.DoesNotContain("-", $"{Token.Random()}", StringComparison.Ordinal);
}
