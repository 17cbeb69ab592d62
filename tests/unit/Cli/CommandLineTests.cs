using System.Text.Json;
using Couic.Cli;
using Couic.CommandLine;
using Xunit;

namespace Couic.Tests.Cli;

public sealed class CommandLineTests : IDisposable
{
    private readonly CliRig _rig = new();

    public void Dispose() => _rig.Dispose();

    [Theory]
    [InlineData("dorp", "unknown command: \"dorp\" (did you mean \"drop\"?); see \"couicctl --help\"")]
    [InlineData("drop lits", "unknown command of \"drop\": \"lits\" (did you mean \"list\"?); see \"couicctl drop --help\"")]
    [InlineData("clients make", "unknown command of \"clients\": \"make\" (one of add, inspect, list, delete); see \"couicctl clients --help\"")]
    [InlineData("clients", "a command is missing (one of add, inspect, list, delete); see \"couicctl clients --help\"")]
    [InlineData("drop add", "argument CIDR is missing; see \"couicctl drop add --help\"")]
    [InlineData("drop inspect 1.1.1.1 2.2.2.2", "unexpected argument \"2.2.2.2\"; see \"couicctl drop inspect --help\"")]
    [InlineData("drop add 1.1.1.1 --tga x", "unknown option \"--tga\" (did you mean \"--tag\"?); see \"couicctl drop add --help\"")]
    [InlineData("drop add 1.1.1.1 -x", "unknown option \"-x\"; see \"couicctl drop add --help\"")]
    [InlineData("drop add 1.1.1.1 -t", "option \"-t\" needs a value: -t TAG; see \"couicctl drop add --help\"")]
    [InlineData("drop add 1.1.1.1 --json=yes", "option \"--json\" takes no value; see \"couicctl drop add --help\"")]
    [InlineData("drop add 1.1.1.1 -t a --tag b", "option \"--tag\" is given twice; see \"couicctl drop add --help\"")]
    [InlineData("clients add -n x", "option \"--group GROUP\" is missing; see \"couicctl clients add --help\"")]
    [InlineData("help nothing", "unknown command: \"nothing\" (one of ", true)]
    [InlineData("completion tcsh", "\"tcsh\" is not a supported shell; expected one of bash, zsh, fish")]
    public void ABadCommandLineIsOneLineAndStatus2(string words, string error, bool startOnly = false)
    {
        CliResult result = _rig.Run(words);
        Assert.Equal(2, result.Status);
        Assert.Equal("", result.Out);
        Assert.Equal(1, result.Error.Count(c => c == '\n'));
        Assert.StartsWith($"couicctl: {error}{(startOnly ? "" : "\n")}", result.Error, StringComparison.Ordinal);
        Assert.Empty(_rig.Daemon.Requests);
    }

    [Theory]
    [InlineData("drop add -t --json 1.1.1.1", "option \"-t\" needs a value, but the option \"--json\" follows (if that is the value: --tag=--json); see \"couicctl drop add --help\"")]
    [InlineData("drop list -q --json", "options \"--quiet\" and \"--json\" exclude each other; see \"couicctl drop list --help\"")]
    [InlineData("clients list --json -q", "options \"--quiet\" and \"--json\" exclude each other; see \"couicctl clients list --help\"")]
    public void ABadCommandLine_ThatAsksForJson_IsOneJsonObject(string words, string error)
    {
        CliResult result = _rig.Run(words);
        Assert.Equal((2, ""), (result.Status, result.Out));
        using JsonDocument json = JsonDocument.Parse(result.Error);
        Assert.StartsWith(json.RootElement.GetProperty("error").GetString()!, error, StringComparison.Ordinal);
        Assert.Empty(_rig.Daemon.Requests);
    }

    [Theory]
    [InlineData("--help", "couicctl [OPTIONS] COMMAND")]
    [InlineData("-h", "couicctl [OPTIONS] COMMAND")]
    [InlineData("help", "couicctl [OPTIONS] COMMAND")]
    [InlineData("drop --help", "couicctl drop COMMAND")]
    [InlineData("drop help", "couicctl drop COMMAND")]
    [InlineData("help drop", "couicctl drop COMMAND")]
    [InlineData("help drop add", "couicctl drop add [OPTIONS] CIDR...")]
    [InlineData("drop help add", "couicctl drop add [OPTIONS] CIDR...")]
    [InlineData("drop add -h", "couicctl drop add [OPTIONS] CIDR...")]
    [InlineData("drop add 1.2.3 -t --help", "couicctl drop add [OPTIONS] CIDR...", true)]
    [InlineData("help clients add", "couicctl clients add -n NAME -g GROUP [OPTIONS]")]
    public void HelpIsThereAtEveryLevel(string words, string usage, bool isMistake = false)
    {
        CliResult result = _rig.Run(words);
        Assert.Equal(isMistake ? 2 : 0, result.Status);
        Assert.True(isMistake || result.Out.Contains($"\nUsage: {usage}\n", StringComparison.Ordinal), result.Out);
    }

    [Fact]
    public void HelpOfEveryCommandFitsEightyColumns()
    {
        foreach (string path in Paths(CouicctlCommands.Root, ""))
        {
            CliResult result = _rig.RunWords([.. path.Split(' ', StringSplitOptions.RemoveEmptyEntries), "--help"]);
            Assert.Equal((0, ""), (result.Status, result.Error));
            Assert.All(result.Out.Split('\n').Where(l => !l.StartsWith("  couicctl ", StringComparison.Ordinal)), l => Assert.InRange(l.Length, 0, 80));
            Assert.DoesNotContain(result.Out.Split('\n'), l => l.EndsWith(' '));
        }
    }

    [Fact]
    public void HelpAndVersionNeedNoConfiguration()
    {
        File.Delete(_rig.ConfigFile);
        Assert.Equal(0, _rig.Run("--help").Status);
        Assert.Equal(new CliResult(0, "couicctl 2.0.0\n", ""), _rig.Run("-V"));
        Assert.Equal(new CliResult(0, "couicctl 2.0.0\n", ""), _rig.Run("--version"));
        Assert.Equal(0, _rig.Run("completion bash").Status);
    }

    [Fact]
    public void OptionsMayStandAnywhereAndBeJoined()
    {
        _rig.Answering(200, "[]");
        Assert.Equal(0, _rig.Run("drop list -qt x").Status);
        Assert.Equal(0, _rig.Run("drop list -qtx").Status);
        Assert.Equal(0, _rig.Run("drop -- list").Status);
        Assert.Equal("GET /v1/drop\nGET /v1/drop\nGET /v1/drop", _rig.Asked);
    }

    [Fact]
    public void NoExampleOfTheHelpIsRefused()
    {
        foreach (CommandSpec command in All(CouicctlCommands.Root))
        {
            foreach (string example in command.Examples)
            {
                string call = example.Split(" > ")[0].Split(" | ").Single(part => part.StartsWith("couicctl ", StringComparison.Ordinal));
                string[] words = [.. call.Split(' ').Select(w => w.Trim('\''))];
                CommandLineParser.Parse(CouicctlCommands.Root, words[1..]);
            }
        }
    }

    private static IEnumerable<CommandSpec> All(CommandSpec command) => command.Commands.SelectMany(All).Prepend(command);

    private static IEnumerable<string> Paths(CommandSpec command, string path) =>
        command.Commands.Where(c => c.Name != "help").SelectMany(c => Paths(c, $"{path} {c.Name}")).Prepend(path);
}
