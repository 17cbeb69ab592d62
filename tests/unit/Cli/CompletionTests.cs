using System.Diagnostics;
using Couic.Tests.Support;
using Xunit;

namespace Couic.Tests.Cli;

public sealed class CompletionTests : IDisposable
{
    private readonly CliRig _rig = new();
    private readonly TempFolder _folder = new();

    public CompletionTests() => _rig.Daemon.Answer = request => new StubAnswer(200, request.Target.Split('?')[0] switch
    {
        "/v1/stats/tags/drop" => """{"tags":{"sshd":{"rx_packets":0,"rx_bytes":0},"scan-1":{"rx_packets":0,"rx_bytes":0},"bl.couic":{"rx_packets":0,"rx_bytes":0},"untagged":{"rx_packets":0,"rx_bytes":0},"(others)":{"rx_packets":0,"rx_bytes":0},"$(reboot)":{"rx_packets":0,"rx_bytes":0}}}""",
        "/v1/stats/tags/ignore" => """{"tags":{"office":{"rx_packets":0,"rx_bytes":0}}}""",
        "/v1/drop" => """[{"creation":1,"cidr":"192.0.2.0/24","tag":null,"expiration":0},{"creation":1,"cidr":"192.0.2.0/25","tag":null,"expiration":0},{"creation":1,"cidr":"203.0.113.9/32","tag":null,"expiration":0},{"creation":1,"cidr":"2001:db8::1/128","tag":null,"expiration":0}]""",
        "/v1/sets/ignore" => """[{"name":"one","entry_count":1,"file_size":9}]""",
        "/v1/sets/drop" => """[{"name":"two","entry_count":1,"file_size":9}]""",
        "/v1/client" => """[{"name":"alice","token":"t","group":"admin"},{"name":"bob","token":"t","group":"admin"}]""",
        "/v1/peers" => """[{"host":"couic2.example.net","port":1,"tls":true,"state":"up","plain":false,"queued":0,"oldest_queued_secs":0,"last_success":null,"last_error":null,"last_error_at":null,"clock_offset_secs":null,"in_sync":true,"refused":[]}]""",
        _ => throw new InvalidOperationException(request.Target),
    });

    public void Dispose()
    {
        _rig.Dispose();
        _folder.Dispose();
    }

    [Theory]
    [InlineData("s", "sets stats status")]
    [InlineData("st", "stats status")]
    [InlineData("drop l", "list")]
    [InlineData("-c x.toml drop l", "list")]
    [InlineData("help dr", "drop")]
    [InlineData("help drop imp", "import")]
    [InlineData("drop help imp", "import")]
    [InlineData("drop list --sor", "--sort")]
    [InlineData("drop list --sort packets --sor", "")]
    [InlineData("drop list --sort ", "packets last-hit created expiration cidr")]
    [InlineData("drop list --sort=l", "--sort=last-hit")]
    [InlineData("drop list -sl", "-slast-hit")]
    [InlineData("stats ignore -s b", "bytes")]
    [InlineData("drop rm -t s", "scan-1 sshd")]
    [InlineData("drop add 1.2.3.4 -t ", "scan-1 sshd")]
    [InlineData("drop list -t ", "bl.couic scan-1 sshd")]
    [InlineData("drop list -t sshd,sc", "sshd,scan-1")]
    [InlineData("drop list --tags=b", "--tags=bl.couic")]
    [InlineData("ignore list -t ", "office")]
    [InlineData("drop delete ", "192.0.2.0/24 192.0.2.0/25 203.0.113.9/32 2001:db8::1/128")]
    [InlineData("drop delete 192.0.2.0/24 20", "203.0.113.9/32 2001:db8::1/128")]
    [InlineData("drop inspect 2001:db8:", "2001:db8::1/128")]
    [InlineData("drop add ", "")]
    [InlineData("clients add -n x -g m", "monitoring")]
    [InlineData("clients inspect a", "alice")]
    [InlineData("sets list ", "drop ignore")]
    [InlineData("sets inspect ignore ", "one")]
    [InlineData("peers ", "diff")]
    [InlineData("peers diff ", "couic2.example.net")]
    [InlineData("completion z", "zsh")]
    [InlineData("nonsense ", "")]
    [InlineData("drop list --nonsense ", "")]
    [InlineData("drop list -t", "-t")]
    public void WordsAreCompleted(string line, string words) => Assert.Equal(words, Complete(line));

    [Theory]
    [InlineData("drop import ")]
    [InlineData("drop import my")]
    [InlineData("-c ")]
    [InlineData("drop list --config=")]
    [InlineData("sets create drop x --from-file li")]
    public void FilesAreLeftToTheShell(string line) => Assert.StartsWith("files\n", Run(line).Out, StringComparison.Ordinal);

    [Fact]
    public void CommandsAndOptionsAreDescribed()
    {
        Assert.Matches("^words\nwhy\t[A-Z].+\n$", Run("wh").Out);
        string[] options = [.. Run("stats drop -").Out.Split('\n').Skip(1).Select(line => line.Split('\t')[0])];
        Assert.Contains("-n", options);
        Assert.Contains("--limit", options);
        Assert.Contains("--help", options);
        Assert.DoesNotContain("complete", Complete("").Split(' '));
    }

    [Fact]
    public void ADaemonThatDoesNotAnswerIsSilence()
    {
        _rig.Answering(401, """{"code":"unauthorized","errors":{},"message":"no"}""");
        Assert.Equal(new CliResult(0, "words\n", ""), Run("drop list -t "));
        Assert.Equal("diff", Complete("peers "));
        Assert.Equal(new CliResult(0, "words\n", ""), Run("-c /nowhere.toml drop list -t "));
    }

    [Fact]
    public void ManyValuesAreCut()
    {
        _rig.Answering(200, "[" + string.Join(',', Enumerable.Range(0, 1000).Select(i => $$"""{"creation":1,"cidr":"10.0.{{i / 256}}.{{i % 256}}/32","tag":null,"expiration":0}""")) + "]");
        Assert.Equal(200, Complete("drop delete 10").Split(' ').Length);
    }

    /// <summary>Where the candidates are in a sorted list: "1" begins 1.0.0.0, 10.0.0.0 and 100.0.0.0.</summary>
    [Theory]
    [InlineData("", "")]
    [InlineData("1", "0.255.255.255/32 9.255.255.255/32 99.255.255.255/32")]
    [InlineData("10.", "9.255.255.255/32")]
    [InlineData("10.3", "10.2.255.255/32 10.29.255.255/32")]
    [InlineData("192.0.2.7/3", "192.0.2.6/32")]
    [InlineData("0", "")]
    [InlineData("2001:db8:", "2001:db7:ffff:ffff:ffff:ffff:ffff:ffff/128")]
    [InlineData("2001:db8::1", "2001:db7:ffff:ffff:ffff:ffff:ffff:ffff/128")]
    [InlineData("20:1", "20:0:ffff:ffff:ffff:ffff:ffff:ffff/128 20:f:ffff:ffff:ffff:ffff:ffff:ffff/128 20:ff:ffff:ffff:ffff:ffff:ffff:ffff/128 20:fff:ffff:ffff:ffff:ffff:ffff:ffff/128")]
    [InlineData("fe8", "fe7:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128 fe7f:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128")]
    [InlineData("::", "255.255.255.255/32")]
    public void PartsOfAddressesLeadToTheirPlaces(string word, string places)
    {
        _rig.Daemon.Answer = _ => new StubAnswer(200, "[]");
        Complete("drop delete " + word);
        Assert.Equal(places, string.Join(' ', _rig.Daemon.Requests.Select(request =>
            Uri.UnescapeDataString(request.Target.Split("&after=").ElementAtOrDefault(1) ?? "")).Where(after => after.Length > 0)));
    }

    [Theory]
    [InlineData("x")]
    [InlineData("1.2.3.4.5")]
    [InlineData("1.2.300.4")]
    [InlineData("-")]
    public void WhatBeginsNoAddressIsNotAskedFor(string word)
    {
        Complete("drop inspect " + word);
        Assert.Equal("", _rig.Asked);
    }

    /// <summary>In a real bash, in front of a stand-in for the command that prints the words it was given.</summary>
    [Theory]
    [InlineData("couicctl drop l", "[drop] [l]")]
    [InlineData("couicctl drop delete 2001:db8:", "[drop] [delete] [2001:db8:]")]
    [InlineData("couicctl --config=/etc/x.toml drop ", "[--config=/etc/x.toml] [drop] []")]
    [InlineData("couicctl -c my\\ file.toml drop ", "[-c] [my file.toml] [drop] []")]
    [InlineData("couicctl -c 'a b' drop ", "[-c] [a b] [drop] []")]
    public void BashPassesTheWordsAsTheyAre(string line, string words) => Assert.Equal(words, InBash(line, "printf 'words\\n'; shift 2; printf '[%s]' \"$@\" | sed 's/\\]\\[/] [/g' >&3"));

    [Theory]
    [InlineData("couicctl drop delete 2001:db8:", "2001:db8::1/128", ":1/128")]
    [InlineData("couicctl drop list --sort=l", "--sort=last-hit", "last-hit")]
    [InlineData("couicctl drop delete 192.", "192.0.2.0/24", "192.0.2.0/24")]
    [InlineData("couicctl dr", "drop\\tNetworks whose packets are dropped", "drop")]
    public void BashOffersWhatReadlineReplaces(string line, string answer, string offered) =>
        Assert.Equal(offered, InBash(line, $"printf 'words\\n{answer}\\n'"));

    [Theory]
    [InlineData("bash", "complete -F _couicctl couicctl\n")]
    [InlineData("zsh", "compdef _couicctl couicctl\n")]
    [InlineData("fish", "complete -c couicctl -f")]
    public void EachShellHasAScript(string shell, string part)
    {
        string script = Script(shell);
        Assert.Contains(part, script, StringComparison.Ordinal);
        Assert.All(script.Split('\n'), line => Assert.False(line.EndsWith(' ') || line.EndsWith('\r'), line));
    }

    [Fact]
    public void AnotherShellIsAnError() =>
        Assert.Equal((2, "couicctl: \"tcsh\" is not a supported shell; expected one of bash, zsh, fish\n"), (_rig.Run("completion tcsh").Status, _rig.Run("completion tcsh").Error));

    private CliResult Run(string line) => _rig.RunWords(["complete", "--", .. line.Split(' ')]);

    private string Complete(string line)
    {
        CliResult result = Run(line);
        Assert.Equal((0, ""), (result.Status, result.Error));
        return string.Join(' ', result.Out.TrimEnd('\n').Split('\n').Skip(1).Select(candidate => candidate.Split('\t')[0]));
    }

    private string InBash(string line, string stand)
    {
        string test = Script("bash") + $$"""

            exec 3>&1
            couicctl() { {{stand}}; }
            COMP_LINE={{Quote(line)}}
            COMP_WORDBREAKS=$' \t\n"\'><=;|&(:'
            # Readline splits at blanks outside quotes, and around ":" and "=".
            mapfile -t COMP_WORDS < <(python3 -c '
            import re, sys
            text = sys.argv[1]
            for word in re.findall(r"(?:\\.|'"'"'[^'"'"']*'"'"'|[^\s:=])+|[:=]+", text): print(word)
            if text[-1] == " ": print()
            ' "$COMP_LINE")
            COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
            _couicctl
            echo "${COMPREPLY[*]}"

            """.ReplaceLineEndings("\n");
        using var process = Process.Start(new ProcessStartInfo("bash", ["-u", _folder.Write("script", test)]) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        Task<string> complaints = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        Assert.Equal((0, ""), (process.ExitCode, complaints.Result));
        return output.TrimEnd('\n');
    }

    private static string Quote(string text) => "'" + text.Replace("'", "'\\''", StringComparison.Ordinal) + "'";

    private string Script(string shell)
    {
        CliResult result = _rig.Run($"completion {shell}");
        Assert.Equal((0, ""), (result.Status, result.Error));
        return result.Out;
    }
}
