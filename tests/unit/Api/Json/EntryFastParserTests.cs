using System.Text;
using Couic.Api.Json;
using Couic.Store;
using Xunit;

namespace Couic.Tests.Api.Json;

/// <summary>The short way to read an entry: what it takes, and what it must leave. That it says the same as the long one is the fuzz runs'.</summary>
public class EntryFastParserTests
{
    [Theory]
    [InlineData("""{"cidr":"192.0.2.1/32","tag":"web","expiration":0}""", "192.0.2.1/32", "web", 0)]
    [InlineData("""{ "cidr" : "192.0.2.1/32" , "tag" : "web" , "expiration" : 7 } """, "192.0.2.1/32", "web", 7)]
    [InlineData("""{"expiration":999999999999999999,"tag":null,"cidr":"2001:db8::/32"}""", "2001:db8::/32", "", 999999999999999999)]
    [InlineData("""{"cidr":"::/0","expiration":10}""", "::/0", "", 10)]
    public void CommonForm_IsReadByTheFastPath(string json, string cidr, string tag, ulong expiration)
    {
        Assert.True(EntryFastParser.TryRead(Encoding.UTF8.GetBytes(json), out EntryRequest request));
        Assert.Equal((cidr, tag, expiration), (request.Cidr.ToString(), Encoding.UTF8.GetString(request.Tag), request.Expiration));
    }

    /// <summary>The rules for values are not the reader's.</summary>
    [Fact]
    public void AFaultyAddressIsReadAsOne()
    {
        Assert.True(EntryFastParser.TryRead("""{"cidr":"192.0.2.1","expiration":0}"""u8, out EntryRequest request));
        Assert.NotEqual(CidrFault.None, request.CidrFault);
    }

    [Theory]
    [InlineData("")]
    [InlineData("{}")]
    [InlineData("""{"cidr":"::/0"}""")]
    [InlineData("""{"expiration":0}""")]
    [InlineData("""{"cidr":"::/0","expiration":0,}""")]
    [InlineData("""{"cidr":"::/0","expiration":0}}""")]
    [InlineData("""{"cidr":"::/0","expiration":0} {}""")]
    [InlineData("""{"cidr":"::/0","expiration":0""")]
    [InlineData("""{"cidr":"::/0" "expiration":0}""")]
    [InlineData("""{"cidr":"::/0","expiration":0,"more":1}""")]
    [InlineData("""{"cidr":"::/0","expiration":0,"metadata":null}""")]
    [InlineData("""{"cidr":"::/0","cidr":"::/0","expiration":0}""")]
    [InlineData("""{"cidr":"::/0","tag":"a","tag":null,"expiration":0}""")]
    [InlineData("""{"cidr":"::/0","expiration":0,"expiration":0}""")]
    [InlineData("""{"cidr":"::/0","expiration":01}""")]
    [InlineData("""{"cidr":"::/0","expiration":-1}""")]
    [InlineData("""{"cidr":"::/0","expiration":1.0}""")]
    [InlineData("""{"cidr":"::/0","expiration":1e3}""")]
    [InlineData("""{"cidr":"::/0","expiration":"0"}""")]
    [InlineData("""{"cidr":"::/0","expiration":1000000000000000000}""")]
    [InlineData("""{"cidr":null,"expiration":0}""")]
    [InlineData("""{"cidr":"::\/0","expiration":0}""")]
    [InlineData("""{"cidr":"::/0","tag":"\u0061","expiration":0}""")]
    [InlineData("""{"cidr":"::/0","tag":"é","expiration":0}""")]
    [InlineData("{\"cidr\":\"::/0\",\"tag\":\"a\nb\",\"expiration\":0}")]
    [InlineData("{\"cidr\":\"::/0\",\n\"expiration\":0}")]
    [InlineData("""["::/0",null,0]""")]
    public void EverythingElseIsLeft(string json) => Assert.False(EntryFastParser.TryRead(Encoding.UTF8.GetBytes(json), out _));

    [Fact]
    public void EveryTruncationIsLeft()
    {
        byte[] whole = """{ "cidr" : "192.0.2.1/32" , "tag" : "web" , "expiration" : 7 }"""u8.ToArray();
        for (int length = 0; length < whole.Length; length++)
        {
            Assert.False(EntryFastParser.TryRead(whole.AsSpan(0, length), out _), $"{length} bytes");
        }
    }
}
