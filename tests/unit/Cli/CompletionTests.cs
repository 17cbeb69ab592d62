using System.Diagnostics;
using Couic.Tests.Support;
using Xunit;

namespace Couic.Tests.Cli;

public sealed class CompletionTests : IDisposable
{
    private readonly CliRig _rig = new();
    private readonly TempFolder _folder = new();

    public void Dispose()
    {
        _rig.Dispose();
        _folder.Dispose();
    }

    [Theory]
    [InlineData("couicctl ", "drop ignore why export import sets stats monitor top clients peers status reload completion help")]
    [InlineData("couicctl s", "sets stats status")]
    [InlineData("couicctl drop ", "add delete flush list inspect import")]
    [InlineData("couicctl -c x.toml drop l", "list")]
    [InlineData("couicctl drop add --", "--tag --expiration --reason --update --extend --claim --if-absent --force --config --server --output --json --color --help")]
    [InlineData("couicctl drop list -q --j", "--json")]
    [InlineData("couicctl drop add -t ", "")]
    [InlineData("couicctl clients add -g m", "monitoring")]
    [InlineData("couicctl clients add --group p", "peering")]
    [InlineData("couicctl sets list ", "drop ignore")]
    [InlineData("couicctl sets inspect i", "ignore")]
    [InlineData("couicctl sets inspect drop ", "one two")]
    [InlineData("couicctl sets delete drop t", "two")]
    [InlineData("couicctl clients delete ", "alice bob")]
    [InlineData("couicctl completion z", "zsh")]
    [InlineData("couicctl peers ", "diff")]
    public void BashCompletes(string line, string words) => Assert.Equal(words, InBash(line));

    [Fact]
    public void BashTakesTheScript() => Assert.Equal((0, ""), Bash("-n", Script("bash")));

    [Theory]
    [InlineData("bash", "complete -F _couicctl couicctl\n")]
    [InlineData("zsh", "compdef _couicctl couicctl\n")]
    [InlineData("fish", "-s c -l config ")]
    public void EachShellHasAScript(string shell, string part) => Assert.Contains(part, Script(shell), StringComparison.Ordinal);

    [Theory]
    [InlineData("bash")]
    [InlineData("zsh")]
    [InlineData("fish")]
    public void EveryCommandIsInEveryScript(string shell)
    {
        string script = Script(shell);
        Assert.All(["add", "import", "why", "sets", "from-asn", "global", "live", "clients", "diff", "reload"], word => Assert.Contains(word, script, StringComparison.Ordinal));
        Assert.All(script.Split('\n'), line => Assert.False(line.EndsWith(' ') || line.EndsWith('\r'), line));
    }

    /// <summary>Completes a line in a real bash, in front of a stand-in for the command.</summary>
    private string InBash(string line)
    {
        string test = Script("bash") + $$"""

            couicctl() { case "$*" in "clients list -q") printf 'alice\nbob\n';; "sets list drop") printf 'one: 1 entries (9 bytes)\ntwo: 2 entries (9 bytes)\n';; esac; }
            line='{{line}}'
            COMP_WORDS=($line)
            [[ $line == *' ' ]] && COMP_WORDS+=('')
            COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
            _couicctl
            echo "${COMPREPLY[*]}"

            """;
        (int status, string output) = Bash("-u", test);
        Assert.True(status == 0, $"exit {status}: {output}");
        return string.Join(' ', output.TrimEnd('\n').Split(' ').Where(w => w.Length != 2 || w[0] != '-'));
    }

    private string Script(string shell)
    {
        CliResult result = _rig.Run($"completion {shell}");
        Assert.Equal((0, ""), (result.Status, result.Error));
        return result.Out;
    }

    /// <summary>Has bash read a script; what it said, complaints too.</summary>
    private (int Status, string Output) Bash(string option, string script)
    {
        using var process = Process.Start(new ProcessStartInfo("bash", [option, _folder.Write("script", script)])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
        Task<string> complaints = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return (process.ExitCode, output + complaints.Result);
    }
}
