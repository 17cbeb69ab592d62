using Couic.Cli.Screen;
using Couic.Tests.Support;
using Xunit;

namespace Couic.Tests.Cli.Screen;

public sealed class ScreenTests
{
    private static readonly double[] Ramp = [1, 2, 3, 4, 5, 6, 7, 8];

    [Theory]
    [InlineData("plain", true, "plain")]
    [InlineData("a\e[2Jb\nc\u009b", true, "a?[2Jb?c?")]
    [InlineData("ab\u202eba\u200f\u2066", true, "ab?ba??")]
    [InlineData("שלום", true, "????")]
    [InlineData("e\u0301\ufe0f", true, "e")]
    [InlineData("日本🔥", true, "日本🔥")]
    [InlineData("größe 日", false, "gr??e ?")]
    public void ForeignTextIsMadeSafe(string text, bool unicode, string safe) => Assert.Equal(safe, CellText.Clean(text, unicode));

    [Theory]
    [InlineData("abc", 3, "abc")]
    [InlineData("abcd", 3, "ab…")]
    [InlineData("日本語", 5, "日本…")]
    [InlineData("日本語", 4, "日… ")]
    [InlineData("ab", 0, "")]
    public void ALineHasExactlyTheCellsThatItIsGiven(string text, int cells, string shown)
    {
        ScreenLine line = new ScreenLine(20, unicode: true).AddCells(text, cells);
        Assert.Equal((shown, cells), (line.Text, line.Used));
    }

    [Fact]
    public void ALineNeverExceedsItsWidth()
    {
        ScreenLine line = new ScreenLine(5, unicode: true).Add("日本").Add("日x").AddCells("abc", 10, right: true);
        Assert.Equal((5, 0), (CellText.Width(line.Text), line.Left));
        Assert.Equal(5, CellText.Width(new ScreenLine(5, unicode: false).Add("abcdefgh").Text));
    }

    [Fact]
    public void ColourIsOneOfTheStyles()
    {
        ScreenLine line = new ScreenLine(20, unicode: true).Add("a", TextStyle.Bad).Add("b", TextStyle.Good).Add("c", TextStyle.Bar).Add("d");
        Assert.Equal("\e[1;31ma\e[m\e[32mb\e[m\e[7mc\e[md", line.ToAnsi(colour: true));
        Assert.Equal("\e[1ma\e[mb\e[7mc\e[md", line.ToAnsi(colour: false));
    }

    [Fact]
    public void OnlyLinesThatDifferAreDrawn()
    {
        var painter = new FramePainter(colour: true);
        var terminal = new VirtualTerminal(6, 3);
        terminal.Write(painter.Paint(Frame("one", "two", "sixsix"), 6, 3));
        Assert.Equal("one\ntwo\nsixsix", terminal.Text);

        string second = painter.Paint(Frame("one", "2", "sixsix"), 6, 3);
        terminal.Write(second);
        Assert.Equal("one\n2\nsixsix", terminal.Text);
        Assert.Equal("\e[?2026h\e[2;1H2\e[K\e[?2026l", second);
        Assert.Equal("", painter.Paint(Frame("one", "2", "sixsix"), 6, 3));
        Assert.Equal(2, terminal.Updates);
    }

    [Fact]
    public void AfterAResizeOrAnotherProgramAllIsDrawn()
    {
        var painter = new FramePainter(colour: true);
        painter.Paint(Frame("one", "two"), 6, 2);
        var terminal = new VirtualTerminal(4, 3);
        terminal.Write(painter.Paint(Frame("one", "two"), 4, 3));
        Assert.Equal("one\ntwo\n", terminal.Text);
        painter.Forget();
        Assert.Contains("\e[2J\e[1;1Hone", painter.Paint(Frame("one", "two"), 4, 3), StringComparison.Ordinal);
    }

    [Fact]
    public void ABrailleGraphHasTwoValuesAndFourLevelsPerCell()
    {
        Assert.Equal(["  ⣠⣾", "⣠⣾⣿⣿"], Graph.Draw(Ramp, 4, 2, 8, unicode: true));
    }

    [Fact]
    public void AnAsciiGraphHasThreeLevelsPerCell() =>
        Assert.Equal(["    .:||", ".:||||||"], Graph.Draw([1, 2, 3, 3, 4, 5, 6, 60], 8, 2, 6, unicode: false));

    [Fact]
    public void ZeroAndMissingValuesAreBlank()
    {
        Assert.Equal(["   ⢸"], Graph.Draw([0, double.NaN, 1], 4, 1, 1, unicode: true));
        Assert.Equal(["  .|"], Graph.Draw([double.NaN, 0, 0.001, 9], 4, 1, 1, unicode: false));
        Assert.Equal(["    "], Graph.Draw([], 4, 1, 10, unicode: true));
    }

    [Theory]
    [InlineData(0, 10, "10")]
    [InlineData(10, 10, "10")]
    [InlineData(10.5, 20, "20")]
    [InlineData(21, 30, "30")]
    [InlineData(49_000, 50_000, "50 k")]
    [InlineData(51_000, 100_000, "100 k")]
    [InlineData(2e12, 2e12, "2 T")]
    public void TheScaleIsARoundNumber(double highest, double scale, string label) =>
        Assert.Equal((scale, label), (Graph.Scale(highest), Graph.Label(Graph.Scale(highest))));

    private static ScreenLine[] Frame(params string[] lines) => [.. lines.Select(text => new ScreenLine(6, unicode: true).Add(text))];
}
