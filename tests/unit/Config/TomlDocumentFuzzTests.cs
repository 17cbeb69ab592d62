using System.Text;
using Couic.Config;
using Xunit;

namespace Couic.Tests.Config;

public class TomlDocumentFuzzTests
{
    private const string Everything = """"
        # every construct once
        a = "x\té\U0001F389" # comment
        b.c."d e".'f' = [ 1_000, 0x1, 0o7, 0b1, -1.5e-3, inf, nan, true ]
        "" = '''
        lines'''
        [t]
        s = { k = 1979-05-27T07:32:00.5-07:00, l.m = [ 07:32:00, 1979-05-27 07:32:00, ], n = {} }
        q = """
        two \
          joined\"
        """
        [t.u.v]
        [t.u]
        [[w]]
        x = 1
        [[w]]
        [w.y]

        """";

    private static readonly string[] Pieces =
    [
        "a", "b", "\"", "'", "\"\"\"", "'''", "=", ".", ",", "[", "]", "[[", "]]", "{", "}", "#", "\n", "\r\n", "\r", " ", "\t", "\\",
        "\\u", "\\U", "\\\n", "0", "1", "_", "-", "+", "e", "x", "0x", "inf", "nan", "true", "1979-05-27", "07:32:00", "T", "Z", ":",
        "\0", "\u007f", "é", "🎉", "\u2028", "a = 1\n", "[a]\n", "[[a]]\n", "a.b = 1\n", "a = {b = 1}\n",
    ];

    [Fact]
    public void TheWholeDocumentIsGood()
    {
        TomlText.Read(Everything, out List<Fault> faults);
        Assert.Empty(faults);
    }

    [Fact]
    public void EveryTruncationIsReadOrRefusedWithAPlaceInTheFile()
    {
        byte[] whole = Encoding.UTF8.GetBytes(Everything);
        for (int length = 0; length < whole.Length; length++)
        {
            ReadAny(whole.AsSpan(0, length));
        }
    }

    [Fact]
    public void EveryChangedByteIsReadOrRefusedWithAPlaceInTheFile()
    {
        byte[] whole = Encoding.UTF8.GetBytes(Everything);
        foreach (byte value in "\0\n\r\"'[]{}#=.,\\0x- \u007f"u8)
        {
            for (int i = 0; i < whole.Length; i++)
            {
                byte[] changed = (byte[])whole.Clone();
                changed[i] = value;
                ReadAny(changed);
            }
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void RandomPiecesNeverThrowAndFaultsAreInTheFile(int seed)
    {
        var random = new Random(seed);
        for (int round = 0; round < 5_000; round++)
        {
            var text = new StringBuilder();
            for (int i = random.Next(1, 30); i > 0; i--)
            {
                text.Append(Pieces[random.Next(Pieces.Length)]);
            }

            ReadAny(Encoding.UTF8.GetBytes(text.ToString()));
        }
    }

    private static void ReadAny(ReadOnlySpan<byte> document)
    {
        List<Fault> faults = [];
        TomlDocument.Read("f", document, faults);
        int lines = document.Count((byte)'\n') + 1;
        foreach (Fault fault in faults.Where(fault => fault.Line > 0))
        {
            Assert.InRange(fault.Line, 1, lines);
            Assert.InRange(fault.Column, 1, document.Length + 1);
        }
    }
}
