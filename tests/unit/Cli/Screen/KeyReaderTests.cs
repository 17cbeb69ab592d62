using System.Text;
using Couic.Cli.Screen;
using Xunit;

namespace Couic.Tests.Cli.Screen;

public sealed class KeyReaderTests
{
    [Theory]
    [InlineData("q", "q")]
    [InlineData("a~", "a ~")]
    [InlineData("\e[A\e[B\e[5~\e[6~", "Up Down PageUp PageDown")]
    [InlineData("\eOA\eOB\eOH\eOF\e[H\e[F\e[1~\e[4~", "Up Down Home End Home End Home End")]
    [InlineData("\r\n\t\e[Z", "Enter Enter Tab BackTab")]
    [InlineData("\b\u007f\u0003", "Backspace Backspace Interrupt")]
    [InlineData("\e[1;5Cx", "x")]
    [InlineData("\e[<0;10;20Mx", "x")]
    [InlineData("\ebx", "x")]
    [InlineData("\e\e[A", "Escape Up")]
    [InlineData("é\0\u0001z", "z")]
    [InlineData("\e[\u0001q", "q")]
    public void BytesAreKeys(string bytes, string keys) => Assert.Equal(keys, Keys(Encoding.UTF8.GetBytes(bytes)));

    [Fact]
    public void AnEscapeThatNothingFollowsIsAKey()
    {
        var reader = new KeyReader();
        var keys = new List<Key>();
        reader.Read("\e"u8, keys);
        Assert.Empty(keys);
        Assert.True(reader.IsPending);
        reader.EndSequence(keys);
        Assert.Equal([new Key(KeyKind.Escape)], keys);
        Assert.False(reader.IsPending);
    }

    [Fact]
    public void ACutSequenceIsNoKey()
    {
        var reader = new KeyReader();
        var keys = new List<Key>();
        reader.Read("\e[5"u8, keys);
        reader.EndSequence(keys);
        reader.Read("q"u8, keys);
        Assert.Equal(['q'], keys);
    }

    [Fact]
    public void AnEndlessSequenceEnds() =>
        Assert.Equal("q", Keys(Encoding.ASCII.GetBytes("\e[" + new string('1', 30) + "q")));

    private static string Keys(byte[] bytes)
    {
        var keys = new List<Key>();
        new KeyReader().Read(bytes, keys);
        return string.Join(' ', keys.Select(key => key.Kind == KeyKind.Character ? key.Character.ToString() : key.Kind.ToString()));
    }
}
