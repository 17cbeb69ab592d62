using System.Text.Json;
using Couic.IntegrationTests.Harness;
using Xunit;

namespace Couic.IntegrationTests;

/// <summary>The command line against a real daemon: output byte for byte, errors, exit statuses.</summary>
public sealed class CouicctlTests(SharedDaemon shared) : IClassFixture<SharedDaemon>
{
    private readonly Daemon _daemon = shared.Daemon;

    [Fact]
    public void AddPrintsTheTableOfTheManualAndDeletePrintsNothing()
    {
        Shell.Result added = _daemon.Ctl("drop", "add", "1.1.1.1/32", "-e", "1m", "-o", "table");
        Assert.Equal(0, added.ExitCode);
        Assert.Equal(
            """
            ┌────────┬────────────┬─────┬────────────┐
            │ Policy ┆ CIDR       ┆ Tag ┆ Expiration │
            ╞════════╪════════════╪═════╪════════════╡
            │ drop   ┆ 1.1.1.1/32 ┆     ┆ 59s        │
            └────────┴────────────┴─────┴────────────┘

            """,
            added.Out.Replace("┆ 1m0s ", "┆ 59s  ", StringComparison.Ordinal).Replace("┆ 58s ", "┆ 59s ", StringComparison.Ordinal));
        Assert.False(shared.Lab.Probe.Passes("1.1.1.1"));
        Shell.Result deleted = _daemon.Ctl("drop", "delete", "1.1.1.1/32");
        Assert.Equal((0, "", ""), (deleted.ExitCode, deleted.Out, deleted.Error));
        Assert.True(shared.Lab.Probe.Passes("1.1.1.1"));
    }

    [Fact]
    public void ListSeparatesRowsAndFilters()
    {
        _daemon.Ctl("ignore", "add", "3.3.3.77/24", "-t", "test");
        _daemon.Ctl("ignore", "add", "8.8.8.8");
        Assert.Equal(
            """
            ┌────────┬────────────┬──────┬────────────┐
            │ Policy ┆ CIDR       ┆ Tag  ┆ Expiration │
            ╞════════╪════════════╪══════╪════════════╡
            │ ignore ┆ 3.3.3.0/24 ┆ test ┆ never      │
            ├╌╌╌╌╌╌╌╌┼╌╌╌╌╌╌╌╌╌╌╌╌┼╌╌╌╌╌╌┼╌╌╌╌╌╌╌╌╌╌╌╌┤
            │ ignore ┆ 8.8.8.8/32 ┆      ┆ never      │
            └────────┴────────────┴──────┴────────────┘

            """,
            _daemon.Ctl("ignore", "list", "-o", "table").Out);
        Assert.Equal("Policy  CIDR        Tag   Expiration\nignore  3.3.3.0/24  test  never\nignore  8.8.8.8/32  -     never\n", _daemon.Ctl("ignore", "list").Out);
        Assert.Equal("3.3.3.0/24\n8.8.8.8/32\n", _daemon.Ctl("ignore", "list", "-q").Out);
        Assert.Equal("3.3.3.0/24\n", _daemon.Ctl("ignore", "list", "-q", "-t", "te*").Out);
        JsonElement json = JsonDocument.Parse(_daemon.Ctl("ignore", "list", "--json").Out).RootElement;
        Assert.Equal(["3.3.3.0/24", "8.8.8.8/32"], json.EnumerateArray().Select(e => e.GetProperty("cidr").GetString()));
        Assert.Equal(2, _daemon.Ctl("ignore", "list", "--json", "-q").ExitCode);
        _daemon.Ctl("ignore", "delete", "3.3.3.0/24");
        _daemon.Ctl("ignore", "delete", "8.8.8.8");
    }

    [Fact]
    public void InspectShowsOneEntryAndAnAbsentOneIsAnError()
    {
        _daemon.Ctl("drop", "add", "198.51.100.7/24", "-t", "seen");
        Shell.Result shown = _daemon.Ctl("drop", "inspect", "198.51.100.99/24", "-o", "table");
        Assert.Contains("│ drop   ┆ 198.51.100.0/24 ┆ seen ┆ never      │", shown.Out, StringComparison.Ordinal);
        _daemon.Ctl("drop", "delete", "198.51.100.0/24");
        Shell.Result absent = _daemon.Ctl("drop", "inspect", "198.51.100.0/24");
        Assert.Equal((6, ""), (absent.ExitCode, absent.Out));
        Assert.StartsWith("couicctl: ", absent.Error, StringComparison.Ordinal);
        Assert.Contains("198.51.100.0/24 is not in drop", absent.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void ArgumentsAreCheckedBeforeAnythingIsSent()
    {
        foreach (string cidr in new[] { "1.2.3", "1.2.3.4/33", "01.2.3.4/32", "::1%lo/128", "1.2.3.4/" })
        {
            Shell.Result result = _daemon.Ctl("drop", "add", cidr);
            Assert.NotEqual(0, result.ExitCode);
            Assert.Contains(cidr, result.Error, StringComparison.Ordinal);
        }

        Assert.NotEqual(0, _daemon.Ctl("drop", "add", "1.2.3.4", "-t", "no.dots").ExitCode);
        Assert.NotEqual(0, _daemon.Ctl("drop", "add", "1.2.3.4", "-e", "soon").ExitCode);
        Assert.Equal(2, _daemon.Ctl("drop", "paint").ExitCode);
        Assert.Equal(2, _daemon.Ctl("drop", "add").ExitCode);
        Assert.Equal("[]", _daemon.Api.Get("/v1/drop").Body);
    }

    [Fact]
    public void WhyNamesTheEntryThatDecides()
    {
        _daemon.Ctl("drop", "add", "192.168.0.0/24", "-t", "wide");
        _daemon.Ctl("drop", "add", "192.168.0.0/25", "-t", "narrow");
        _daemon.Ctl("ignore", "add", "192.168.0.5");
        Shell.Result why = _daemon.Ctl("why", "192.168.0.10");
        Assert.Equal(7, why.ExitCode);
        string dropped = why.Out;
        Assert.Contains("192.168.0.0/25", dropped, StringComparison.Ordinal);
        Assert.Contains("192.168.0.0/24", dropped, StringComparison.Ordinal);
        Assert.Contains("drop", dropped, StringComparison.OrdinalIgnoreCase);
        Assert.Contains("192.168.0.5/32", _daemon.Ctl("why", "192.168.0.5").Out, StringComparison.Ordinal);
        Assert.Contains("pass", _daemon.Ctl("why", "10.0.0.1").Out, StringComparison.OrdinalIgnoreCase);
        _daemon.Ctl("drop", "delete", "192.168.0.0/24");
        _daemon.Ctl("drop", "delete", "192.168.0.0/25");
        _daemon.Ctl("ignore", "delete", "192.168.0.5");
    }

    [Fact]
    public void ClientsComeAndGo()
    {
        Shell.Result added = _daemon.Ctl("clients", "add", "-n", "couic2", "-g", "Peering", "-o", "table");
        Assert.True(added.ExitCode == 0, added.All);
        string token = _daemon.TokenOf("couic2");
        Assert.Equal(
            $"""
            ┌────────┬─────────┬──────────────────────────────────────┐
            │ Name   ┆ Group   ┆ Token                                │
            ╞════════╪═════════╪══════════════════════════════════════╡
            │ couic2 ┆ peering ┆ {token} │
            └────────┴─────────┴──────────────────────────────────────┘

            """,
            added.Out);
        Assert.Contains("couic2\n", _daemon.Ctl("clients", "list", "-q").Out, StringComparison.Ordinal);
        Assert.Contains(token, _daemon.Ctl("clients", "inspect", "couic2").Out, StringComparison.Ordinal);
        Assert.Equal("", _daemon.Ctl("clients", "delete", "couic2").All);
        Assert.Equal(6, _daemon.Ctl("clients", "delete", "couic2").ExitCode);
        Assert.Equal(4, _daemon.Ctl("clients", "delete", "couicctl").ExitCode);
    }

    [Fact]
    public void SetsAreMadeFromFilesAndReloaded()
    {
        string file = shared.Lab.Scratch.File("list.txt", "# comment\n\n 198.51.100.0/24 \n2001:db8:bad::/48\n");
        Assert.Equal(
            $"Reading CIDRs from file: {file}\nLoaded 2 CIDRs from file\nSet 'blocklist' created with 2 entries\n"
            + "Note: Run 'couicctl sets reload' to apply changes\n",
            _daemon.Ctl("sets", "create", "drop", "blocklist", "--from-file", file).Out);
        Assert.Equal("Sets reloaded successfully\n", _daemon.Ctl("sets", "reload").Out);
        Assert.False(shared.Lab.Probe.Passes("198.51.100.7"));
        Assert.Equal("blocklist: 2 entries (34 bytes)\n", _daemon.Ctl("sets", "list", "drop").Out);
        Assert.Equal("No sets found for policy 'ignore'\n", _daemon.Ctl("sets", "list", "ignore").Out);
        Assert.Equal(
            "Set: blocklist\nEntry count: 2\nEntries:\n\t198.51.100.0/24\n\t2001:db8:bad::/48\n",
            _daemon.Ctl("sets", "inspect", "drop", "blocklist").Out);
        Assert.StartsWith("Set 'blocklist' updated with 1 entries\n", _daemon.Ctl("sets", "update", "drop", "blocklist", "192.0.2.0/24").Out, StringComparison.Ordinal);
        Assert.StartsWith("Set 'blocklist' deleted\n", _daemon.Ctl("sets", "delete", "drop", "blocklist").Out, StringComparison.Ordinal);
        _daemon.Ctl("sets", "reload");
        Assert.True(shared.Lab.Probe.Passes("198.51.100.7"));
    }

    [Fact]
    public void AnImportSumsUpAndNamesTheRejectedLines()
    {
        string file = shared.Lab.Scratch.File("import.txt", "10.9.0.0/24\nnonsense\n10.9.1.0/24\n10.9.0.1/24\n");
        Shell.Result result = _daemon.Ctl("drop", "import", file, "-t", "imported");
        Assert.Contains("2", result.All, StringComparison.Ordinal);
        Assert.Contains("nonsense", result.All, StringComparison.Ordinal);
        Assert.Equal([false, false], shared.Lab.Probe.Passes(["10.9.0.7", "10.9.1.7"]));
        Assert.Equal("10.9.0.0/24\n10.9.1.0/24\n", _daemon.Ctl("drop", "list", "-q", "-t", "imported").Out);
        _daemon.Ctl("drop", "delete", "10.9.0.0/24");
        _daemon.Ctl("drop", "delete", "10.9.1.0/24");
    }

    [Fact]
    public void StatsHaveTheirLines()
    {
        string text = _daemon.Ctl("stats", "global").Out;
        Assert.StartsWith("Drop CIDR Count: ", text, StringComparison.Ordinal);
        string[] actions = [.. text.Split('\n').Where(l => l.StartsWith("  Action: ", StringComparison.Ordinal)).Select(l => l[10..])];
        Assert.Equal(["XDP_ABORTED", "XDP_DROP", "XDP_PASS", "XDP_REDIRECT", "XDP_TX"], actions);
        Assert.Equal(0, _daemon.Ctl("status").ExitCode);
        Assert.Contains(Lab.Interface, _daemon.Ctl("status").Out, StringComparison.Ordinal);
    }

    [Fact]
    public void ADaemonThatIsNotThereIsOneLineThatSaysWhatToDo()
    {
        string config = shared.Lab.Scratch.File("nowhere.toml", $"""
            mode = "local"
            socket = "/nowhere/couic.sock"
            client_file = "{_daemon.WorkingFolder}/rbac/clients/couicctl.toml"

            """);
        Shell.Result result = Product.Run(null, "ctl", "-c", config, "drop", "list");
        Assert.Equal((3, ""), (result.ExitCode, result.Out));
        Assert.Single(result.Error.TrimEnd('\n').Split('\n'));
        Assert.StartsWith("couicctl: cannot reach the daemon at \"/nowhere/couic.sock\":", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void HelpVersionAndCompletionNeedNoConfiguration()
    {
        Assert.Equal(0, Product.Run(null, "ctl", "-c", "/nowhere", "--help").ExitCode);
        Assert.Matches(@"\d+\.\d+\.\d+", Product.Run(null, "ctl", "-c", "/nowhere", "-V").Out);
        Assert.Contains("--expiration", Product.Run(null, "ctl", "drop", "add", "-h").Out, StringComparison.Ordinal);
        foreach (string shell in new[] { "bash", "zsh", "fish" })
        {
            string script = Product.Run(null, "ctl", "completion", shell).Out;
            Assert.Contains("couicctl", script, StringComparison.Ordinal);
        }

        string bash = shared.Lab.Scratch.File("completion.bash", Product.Run(null, "ctl", "completion", "bash").Out);
        Assert.Equal("", Shell.Run("bash", "-n", bash).All);
    }
}
