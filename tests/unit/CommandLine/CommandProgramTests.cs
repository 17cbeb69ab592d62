using System.Text;
using System.Text.Json;
using Couic.CommandLine;
using Couic.Daemon;
using Couic.Reporting;
using Couic.Tests.Cli;
using Couic.Tests.Support;
using Xunit;

namespace Couic.Tests.CommandLine;

/// <summary>The command trees of couic and couic-report, and how every program reports a failure.</summary>
public sealed class CommandProgramTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("chek", "unknown command: \"chek\" (did you mean \"check\"?); see \"couic --help\"")]
    [InlineData("events", "unknown command: \"events\" (one of run, check, ")]
    [InlineData("--confg x", "unknown option \"--confg\" (did you mean \"--config\"?); see \"couic --help\"")]
    [InlineData("--conf x", "unknown option \"--conf\" (did you mean \"--config\"?); see \"couic --help\"")]
    [InlineData("check a b", "unexpected argument \"b\"; see \"couic check --help\"")]
    [InlineData("check a -c b", "FILE and --config exclude each other")]
    [InlineData("run a", "unexpected argument \"a\"; see \"couic run --help\"")]
    [InlineData("run -c", "option \"-c\" needs a value: -c FILE; see \"couic run --help\"")]
    [InlineData("demo now", "unexpected argument \"now\"; see \"couic demo --help\"")]
    public void AMistakeToCouic_IsOneLineAndStatus2(string words, string error)
    {
        CliResult result = Run(CouicCommands.Root, words);
        Assert.Equal((2, ""), (result.Status, result.Out));
        Assert.StartsWith($"couic: {error}", result.Error, StringComparison.Ordinal);
        Assert.Equal(1, result.Error.Count(c => c == '\n'));
    }

    [Theory]
    [InlineData("--version", "Couic 2.0.0\n")]
    [InlineData("version", "Couic 2.0.0\n")]
    [InlineData("ctl --version", "couicctl 2.0.0\n")]
    [InlineData("report -V", "Couic 2.0.0\n")]
    public void TheVersionIsThatOfTheProgram(string words, string expected) => Assert.Equal(new CliResult(0, expected, ""), Run(CouicCommands.Root, words));

    [Theory]
    [InlineData("help ctl drop add", "\nUsage: couicctl drop add [OPTIONS] CIDR...\n")]
    [InlineData("ctl drop add --help", "\nUsage: couicctl drop add [OPTIONS] CIDR...\n")]
    [InlineData("report --help", "\nUsage: couic-report [OPTIONS] [COMMAND]\n")]
    [InlineData("--help", "\nUsage: couic [OPTIONS] [COMMAND]\n")]
    [InlineData("demo --help", "\nUsage: couic demo\n")]
    public void HelpOfAnInnerProgram_IsItsOwn(string words, string usage)
    {
        CliResult result = Run(CouicCommands.Root, words);
        Assert.Equal((0, ""), (result.Status, result.Error));
        Assert.Contains(usage, result.Out, StringComparison.Ordinal);
        Assert.All(result.Out.Split('\n'), line => Assert.InRange(line.Length, 0, 80));
    }

    [Fact]
    public void TheFileOfACheck_MayStandBeforeTheCommand()
    {
        string missing = _folder["no.toml"];
        string expected = $"couic: read configuration \"{missing}\": no such file or directory\n";
        foreach (string words in new[] { $"check {missing}", $"check -c {missing}", $"-c {missing} check", $"--config={missing} check" })
        {
            Assert.Equal(new CliResult(1, "", expected), Run(CouicCommands.Root, words));
        }
    }

    [Fact]
    public void TheReceiver_ChecksItsFile()
    {
        string good = _folder.Write("good.toml", "[server]\nsecret = \"0d8de2b2-16d1-4a37-9ad6-1d27e8a5c8a3\"\n"), bad = _folder.Write("bad.toml", "[server]\nsecret = 5\nprot = 1\n");
        Assert.Equal(new CliResult(0, $"{good}: good\n", ""), Run(ReceiverMain.Root, $"check -c {good}"));
        CliResult result = Run(ReceiverMain.Root, $"check -c {bad}");
        Assert.Equal((1, ""), (result.Status, result.Out));
        Assert.Contains($"couic-report: {bad}:2:", result.Error, StringComparison.Ordinal);
        Assert.Contains("unknown key \"server.prot\" (did you mean \"port\"?)", result.Error, StringComparison.Ordinal);
        Assert.Equal(1, Run(ReceiverMain.Root, $"-c {_folder["none"]}").Status);
    }

    [Theory]
    [InlineData("go --json", 2, "usage", "argument X is missing", "see \"tool go --help\"")]
    [InlineData("fail --json", 4, "refused", "cannot open \"door\": it is locked", "use the key (in the box)")]
    [InlineData("crash -o json", 1, "failed", "internal error: InvalidOperationException: no (x)", "please report it")]
    public void AFailure_IsOneJsonObject_WhenTheCommandLineAsksForJson(string words, int status, string code, string error, string? hint)
    {
        CliResult result = Run(Tool, words);
        Assert.Equal((status, ""), (result.Status, result.Out));
        using JsonDocument json = JsonDocument.Parse(result.Error);
        Assert.Equal(code, json.RootElement.GetProperty("code").GetString());
        Assert.Equal(status, json.RootElement.GetProperty("exit_status").GetInt32());
        Assert.Equal(error, json.RootElement.GetProperty("error").GetString());
        Assert.Equal(hint, json.RootElement.GetProperty("hint").GetString());
    }

    [Fact]
    public void SeveralFaults_AreListed_AndNotesComeWithThem()
    {
        using JsonDocument json = JsonDocument.Parse(Run(Tool, "several --json").Error);
        Assert.Equal(["one", "two"], json.RootElement.GetProperty("errors").EnumerateArray().Select(e => e.GetProperty("error").GetString()!));
        Assert.Equal("look", json.RootElement.GetProperty("warnings")[0].GetString());
        Assert.Equal(new CliResult(1, "", "tool: note: look\ntool: one\ntool: two (b)\n"), Run(Tool, "several"));
    }

    [Theory]
    [InlineData("-o csv", "\"csv\" is not an output format; expected one of table, plain, tsv, json")]
    [InlineData("--json -o tsv", "options \"--json\" and \"--output\" exclude each other")]
    [InlineData("--color blue", "\"blue\" is not a colour mode; expected one of auto, always, never")]
    public void AStyleThatCannotBe_IsAMistake(string options, string error)
    {
        CliResult result = Run(Tool, $"fine {options}");
        Assert.Equal(2, result.Status);
        Assert.Contains(error, result.Error.Replace("\\\"", "\"", StringComparison.Ordinal), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("auto", true, null, true)]
    [InlineData("auto", true, "1", false)]
    [InlineData("auto", false, null, false)]
    [InlineData("always", false, "1", true)]
    [InlineData("never", true, null, false)]
    public void Colours_AreForATerminal_UnlessAskedFor(string mode, bool isTerminal, string? noColour, bool isColoured)
    {
        CliResult result = Run(Tool, $"fine --color {mode}", new Terminal(isTerminal, isTerminal, () => 80), noColour);
        Assert.Equal(isColoured ? "\e[32mfine\e[0m\n" : "fine\n", result.Out);
        Assert.Equal(isColoured ? "\e[33mtool: note:\e[0m look\n" : "tool: note: look\n", result.Error);
    }

    [Theory]
    [InlineData("-x 7 go word")]
    [InlineData("go -x7 word")]
    [InlineData("go word -x 7")]
    [InlineData("--eks=7 go word")]
    public void AnOption_MayStandBeforeItsCommand(string words) => Assert.Equal("word 7\n", Run(Tool, words).Out);

    [Theory]
    [InlineData("-x 7 fine", "unknown option \"-x\"")]
    [InlineData("-y go word", "unknown option \"-y\"")]
    [InlineData("-x 7 -x 8 go word", "option \"-x\" is given twice")]
    [InlineData("deep go", "did you mean \"tool go\"?")]
    public void AnOptionOrCommandOfAnotherPlace_IsAMistake(string words, string error)
    {
        CliResult result = Run(Tool, words);
        Assert.Equal(2, result.Status);
        Assert.Contains(error, result.Error, StringComparison.Ordinal);
    }

    private static readonly CommandSpec Tool = new()
    {
        Name = "tool",
        Summary = "A program",
        Options = OutputStyle.Options,
        Commands =
        [
            new CommandSpec
            {
                Name = "go",
                Summary = "Goes",
                Arguments = [new ArgumentSpec("X", "x")],
                Options = [new OptionSpec("ex", 'x', "N", "n") { Aliases = ["eks"] }],
                Run = invocation =>
                {
                    invocation.Out.WriteLine($"{invocation.Argument(0)} {invocation.Option("ex")}");
                    return 0;
                },
            },
            new CommandSpec { Name = "fail", Summary = "Fails", Run = _ => throw new CliException("cannot open \"door\": it is locked (use the key (in the box))") { ExitStatus = ExitStatus.Refused } },
            new CommandSpec { Name = "crash", Summary = "Crashes", Run = _ => throw new InvalidOperationException("no (x)") },
            new CommandSpec
            {
                Name = "several",
                Summary = "Fails twice",
                Run = invocation =>
                {
                    invocation.Note("look");
                    throw new CliException("one", "two (b)");
                },
            },
            new CommandSpec
            {
                Name = "fine",
                Summary = "Succeeds",
                Run = invocation =>
                {
                    invocation.Out.WriteLine(invocation.Style.On(Colour.Green, "fine"));
                    invocation.Note("look");
                    return 0;
                },
            },
            new CommandSpec { Name = "deep", Summary = "Has more", Commands = [new CommandSpec { Name = "down", Summary = "Down", Run = _ => 0 }] },
        ],
    };

    private static CliResult Run(CommandSpec root, string words, Terminal? terminal = null, string? noColour = null)
    {
        using var output = new MemoryStream();
        using var error = new StringWriter { NewLine = "\n" };
        var context = new CliContext(output, error, Stream.Null, terminal ?? Terminal.None) { Environment = name => name == "NO_COLOR" ? noColour : null };
        int status = CommandProgram.Run(root, words.Split(' '), context);
        return new CliResult(status, Encoding.UTF8.GetString(output.ToArray()), error.ToString());
    }
}
