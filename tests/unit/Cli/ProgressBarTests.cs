using Couic.Cli;
using Couic.Cli.Output;
using Couic.CommandLine;
using Couic.Tests.Fakes;
using Xunit;

namespace Couic.Tests.Cli;

public sealed class ProgressBarTests : IDisposable
{
    private readonly ManualClock _clock = new();
    private readonly StringWriter _error = new();

    public void Dispose() => _error.Dispose();

    [Fact]
    public void ATerminalSeesABarThatGoesAway()
    {
        using (ProgressBar bar = Bar(terminal: true, noColor: null))
        {
            bar.Total = 1000;
            bar.Show(1, 1);
            Assert.Equal("", _error.ToString());
            _clock.AdvanceSeconds(2);
            bar.Show(24_690, 500);
            Assert.Equal("\rdrop import: [###############...............]  50 %  24,690 lines, 12.3k/s\e[K", _error.ToString());
            bar.Show(24_700, 510);
        }

        Assert.Equal("\rdrop import: [###############...............]  50 %  24,690 lines, 12.3k/s\e[K\r\e[K", _error.ToString());
    }

    [Fact]
    public void OfAStreamOnlyTheLinesAreKnown()
    {
        using ProgressBar bar = Bar(terminal: true, noColor: "");
        _clock.AdvanceSeconds(1);
        bar.Show(500, 9_000);
        Assert.Equal("\rdrop import: 500 lines, 500/s\e[K", _error.ToString());
    }

    [Theory]
    [InlineData(false, null)]
    [InlineData(true, "1")]
    public void NothingIsDrawnWithoutATerminalOrWithNoColor(bool terminal, string? noColor)
    {
        using (ProgressBar bar = Bar(terminal, noColor))
        {
            _clock.AdvanceSeconds(1);
            bar.Show(500, 9_000);
        }

        Assert.Equal("", _error.ToString());
    }

    private ProgressBar Bar(bool terminal, string? noColor) =>
        new(new CliContext(Stream.Null, _error, Stream.Null, new Terminal(false, terminal, static () => 80))
        {
            Clock = _clock,
            Environment = name => name == "NO_COLOR" ? noColor : null,
        }, "drop import");
}
