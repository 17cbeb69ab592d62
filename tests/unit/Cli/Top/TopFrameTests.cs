using Couic.Cli.Screen;
using Couic.Cli.Top;
using Couic.Store;
using Couic.Tests.Support;
using Xunit;

namespace Couic.Tests.Cli.Top;

public sealed class TopFrameTests
{
    [Fact]
    public void TheFrameOf80By24IsThePictureOfTheGuide()
    {
        string guide = File.ReadAllText(Repository.PathOf("docs/guide/monitoring.md"));
        string picture = guide.Split("```text\n")[1].Split("\n```")[0];
        Assert.Equal(TopRig.UnderAttack().Frame(80, 24), picture);
    }

    [Fact]
    public void TheFrameOf40By10HasRatesAGraphAndTheBusiestEntries()
    {
        const string Frame = """
             couic 2.0.0  up 4d 5h         12:01:32
            dropped    49.4 k/s     2.8 MiB/s
            passed      5.3 k/s     5.1 MiB/s
             300 k┤dropped/s              ⣀⣀⣠⣤⣴
                 0┤⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣤⣤⣤⣤⣶⣶⣶⣾⣿⣿⣿⣿⣿⣿⣿⣀⣀⣀⣀⣠
               PKT/S CIDR              TAG
              48.2 k 203.0.113.0/24    botnet
               1.2 k 198.51.100.7/32   botnet
                  18 2001:db8:bad::/48 scanners
            q quit  ? help  s sort  / filter   1-3/6
            """;
        Assert.Equal(Frame, TopRig.UnderAttack().Frame(40, 10));
    }

    [Fact]
    public void WithoutUnicodeEverythingIsAscii()
    {
        TopRig rig = TopRig.UnderAttack();
        rig.Interfaces = [new("größe", "größe", "native", "attached")];
        rig.Sample();
        string frame = rig.Frame(60, 20, unicode: false);
        Assert.DoesNotContain(frame, c => c is not ((>= ' ' and <= '~') or '\n'));
        Assert.Contains("300 k|dropped/s", frame, StringComparison.Ordinal);
        Assert.Contains("gr??e native", frame, StringComparison.Ordinal);
    }

    /// <summary>Every size, also those that are too small for anything, in every state.</summary>
    [Fact]
    public void AFrameFitsEverySize()
    {
        TopRig rig = TopRig.UnderAttack();
        rig.Entries!.AddRange(Enumerable.Range(0, 300).Select(i => TopRig.Entry($"10.0.{i / 256}.{i % 256}/32", new string('t', i % 64), i, 1)));
        rig.Entries.Add(TopRig.Entry("2001:db8:1234:5678:9abc:def0:1234:5678/128", "日本\e[2J\u202eשלום", 1e9, ulong.MaxValue));
        rig.Sample();
        var states = new List<Action>
        {
            () => { }, () => rig.Press('?'), () => rig.Press('?'), () => rig.Press('2'), () => rig.Press('3'), () => rig.Press('4'), () => rig.Press('5'), () => rig.Press('/', 'x'),
            () => rig.Model.Lose(new string('f', 500), rig.Clock.GetUtcNow()),
        };
        foreach (Action state in states)
        {
            state();
            foreach ((int width, int height) in Enumerable.Range(0, 20).SelectMany(w => Enumerable.Range(0, 14).Select(h => (w * 9, h * 4))))
            {
                List<ScreenLine> lines = rig.Lines(width, height);
                Assert.Equal(height, lines.Count);
                Assert.All(lines, line => Assert.True(CellText.Width(line.Text) <= width && !line.Text.Any(c => char.IsControl(c) || c == '\u202e'), line.Text));
            }
        }
    }

    [Fact]
    public void AFrameCanBeDrawnOnATerminal()
    {
        TopRig rig = TopRig.UnderAttack();
        var terminal = new VirtualTerminal(80, 24);
        var painter = new FramePainter(colour: true);
        terminal.Write(FramePainter.Enter + painter.Paint(rig.Lines(80, 24), 80, 24));
        Assert.Equal(rig.Frame(80, 24), terminal.Text);
        rig.Sample();
        terminal.Write(painter.Paint(rig.Lines(80, 24), 80, 24));
        Assert.Equal(rig.Frame(80, 24), terminal.Text);
    }

    [Fact]
    public void ARestartHasNoRateAndNoNegativeOne()
    {
        var rig = new TopRig();
        rig.Count("a", 1000);
        rig.Sample();
        Assert.Null(rig.Model.Dropped);
        rig.Count("a", 500);
        rig.Sample(2);
        Assert.Equal(new Rates(250, 15_000), rig.Model.Dropped);
        Assert.Equal(250, rig.Model.Tags.Single(tag => tag.Tag == "a").Rates!.Value.Packets);

        rig.Model.Lose("cannot reach the daemon", rig.Clock.GetUtcNow());
        rig.Restart();
        rig.Count("a", 90_000); // more than before: only the start time shows that it is another run
        rig.Sample();
        Assert.Null(rig.Model.Dropped);
        Assert.All(rig.Model.Tags, tag => Assert.Null(tag.Rates));
        rig.Count("a", 3);
        rig.Sample();
        Assert.Equal(3, rig.Model.Dropped!.Value.Packets);
        Assert.Equal([250, double.NaN, double.NaN, 3], rig.Model.DroppedHistory);
    }

    [Fact]
    public void CountersThatFellHaveNoRate()
    {
        var rig = new TopRig();
        rig.Count("a", 1000);
        rig.Sample();
        rig.Restart();
        rig.StartedAt = TopRig.Started;
        rig.Count("a", 10);
        rig.Sample();
        Assert.Null(rig.Model.Dropped);
        Assert.Equal([double.NaN], rig.Model.DroppedHistory);
        Assert.Matches(@"\ndropped +-/s +-/s ", rig.Frame(80, 24));
    }

    [Fact]
    public void ADaemonThatIsAwayIsSaidToBe()
    {
        TopRig rig = TopRig.UnderAttack();
        rig.Model.Lose("cannot reach the daemon at \"/run/couic/couic.sock\": connection refused (is it running? systemctl status couic)", rig.Clock.GetUtcNow());
        rig.Clock.Advance(TimeSpan.FromSeconds(5));
        string[] lines = rig.Frame(80, 24).Split('\n');
        Assert.EndsWith("NO ANSWER 12:01:37", lines[0], StringComparison.Ordinal);
        Assert.StartsWith("no answer for 5s: cannot reach the daemon at \"/run/couic/couic.sock\"", lines[^1], StringComparison.Ordinal);
        Assert.Contains("203.0.113.0/24", rig.Frame(80, 24), StringComparison.Ordinal);
        rig.Sample();
        Assert.DoesNotContain("NO ANSWER", rig.Frame(80, 24), StringComparison.Ordinal);
    }

    [Fact]
    public void TheHistoryIsBounded()
    {
        var rig = new TopRig();
        for (int i = 0; i < TopModel.History + 50; i++)
        {
            rig.Sample();
        }

        Assert.Equal((TopModel.History, TopModel.History), (rig.Model.DroppedHistory.Count, rig.Model.PassedHistory.Count));
    }

    [Fact]
    public void AFilterChoosesEntriesAndTags()
    {
        TopRig rig = TopRig.UnderAttack();
        rig.Press('/', 'S', 'c', 'a', 'x', new Key(KeyKind.Backspace));
        Assert.EndsWith("\nfilter: Sca_", rig.Frame(80, 24), StringComparison.Ordinal);
        rig.Press(new Key(KeyKind.Enter));
        string frame = rig.Frame(80, 24);
        Assert.Contains("\nq quit  ? help  filter: Sca (Esc) ", frame, StringComparison.Ordinal);
        Assert.Contains("2001:db8:bad::/48", frame, StringComparison.Ordinal);
        Assert.DoesNotContain("botnet", frame, StringComparison.Ordinal);

        rig.Press(new Key(KeyKind.Escape));
        Assert.Contains("botnet", rig.Frame(80, 24), StringComparison.Ordinal);
        Assert.False(rig.View.IsEnding);
        rig.Press('/', '1', '9', '2', '.', new Key(KeyKind.Enter));
        Assert.Contains("192.0.2.7/32", rig.Frame(80, 24), StringComparison.Ordinal);
        Assert.DoesNotContain("203.0.113.0/24", rig.Frame(80, 24), StringComparison.Ordinal);
        rig.Press('/', 'z', new Key(KeyKind.Enter));
        Assert.Contains("(nothing matches the filter)", rig.Frame(80, 24), StringComparison.Ordinal);
        rig.Press(new Key(KeyKind.Escape), new Key(KeyKind.Escape));
        Assert.True(rig.View.IsEnding);
    }

    [Fact]
    public void EscapeLeavesTheFilterAsItWas()
    {
        TopRig rig = TopRig.UnderAttack();
        rig.Press('/', 'a', new Key(KeyKind.Enter), '/', 'b', new Key(KeyKind.Escape));
        Assert.Equal("a", rig.View.Filter);
    }

    [Fact]
    public void TheListScrollsNoFurtherThanItsEnd()
    {
        TopRig rig = TopRig.UnderAttack();
        rig.Entries!.AddRange(Enumerable.Range(0, 50).Select(i => TopRig.Entry($"10.0.0.{i}/32", "x", 0, 1)));
        rig.Sample();
        rig.Press('2');
        Assert.Contains("by rate 1-12/56", rig.Frame(80, 24), StringComparison.Ordinal);
        rig.Press(new Key(KeyKind.PageDown), new Key(KeyKind.Down));
        Assert.Contains("14-25/56", rig.Frame(80, 24), StringComparison.Ordinal);
        rig.Press(new Key(KeyKind.End));
        Assert.Contains("45-56/56", rig.Frame(80, 24), StringComparison.Ordinal);
        Assert.Contains("10.0.0.49/32", rig.Frame(80, 24), StringComparison.Ordinal);
        rig.Press(new Key(KeyKind.Up));
        Assert.Contains("44-55/56", rig.Frame(80, 24), StringComparison.Ordinal);
        rig.Press(new Key(KeyKind.Home));
        Assert.Contains("1-12/56", rig.Frame(80, 24), StringComparison.Ordinal);
    }

    [Fact]
    public void PagesShowInterfacesAndPeers()
    {
        TopRig rig = TopRig.UnderAttack();
        rig.Press('4');
        Assert.Contains("wg0       missing   attach xdp program to \"wg0\": no such interface", rig.Frame(80, 24), StringComparison.Ordinal);
        rig.Press(new Key(KeyKind.Tab));
        Assert.Contains("couic3.example.net unreachable unknown      12  never  connection refused", rig.Frame(80, 24), StringComparison.Ordinal);
        rig.Press(new Key(KeyKind.Tab));
        Assert.Equal(TopPage.Overview, rig.View.Page);
        rig.Press(new Key(KeyKind.BackTab), new Key(KeyKind.BackTab), new Key(KeyKind.BackTab));
        Assert.Equal(TopPage.Tags, rig.View.Page);
    }

    [Fact]
    public void KeysChooseOrderPauseAndHelp()
    {
        var view = new TopView();
        Assert.True(view.Press('s'));
        Assert.Equal("packets", view.Order);
        Assert.False(view.Press('p'));
        Assert.True(view.IsPaused);
        view.Press(' ');
        Assert.False(view.IsPaused);
        view.Press('?');
        Assert.True(view.ShowsHelp);
        view.Press(new Key(KeyKind.Escape));
        Assert.Equal((false, false), (view.ShowsHelp, view.IsEnding));
        view.Press(new Key(KeyKind.Interrupt));
        Assert.True(view.IsEnding);
    }

    [Fact]
    public void WithoutPermissionOrStatusTheRestIsShown()
    {
        TopRig rig = TopRig.UnderAttack();
        rig.Entries = null;
        rig.Peers = null;
        rig.Sample();
        string frame = rig.Frame(80, 24);
        Assert.Contains("(this client may not list entries, or the daemon is older)", frame, StringComparison.Ordinal);
        Assert.Contains("peers      off", frame, StringComparison.Ordinal);
        rig.Model.Add(rig.Take() with { Status = null, Peers = null });
        Assert.StartsWith(" couic  ", rig.Frame(80, 24), StringComparison.Ordinal);
    }
}
