using Couic.Api.Access;
using Couic.Tests.Api;
using Xunit;

namespace Couic.Tests.Cli;

/// <summary>couicctl against the daemon's own server, in one process, with a data plane in memory.</summary>
public sealed class RealDaemonTests : IDisposable
{
    private readonly ApiRig _api = new();
    private readonly CliRig _rig = new();

    public RealDaemonTests()
    {
        File.WriteAllText(_rig.ConfigFile, $"socket = \"{_api.SocketPath}\"\nclient_file = \"{_rig.ClientFile}\"\n");
        Become(Group.Admin);
    }

    public void Dispose()
    {
        _api.Dispose();
        _rig.Dispose();
    }

    [Fact]
    public void AnEntryComesAndGoes()
    {
        Assert.Equal((0, ""), Status(_rig.Run("drop add 192.168.1.200/24 -t test")));
        Assert.Equal("192.168.1.0/24\n", _rig.Run("drop list -q").Out);
        Assert.Contains("│ drop   ┆ 192.168.1.0/24 ┆ test ┆ never      │", _rig.Run("drop inspect 192.168.1.7/24").Out, StringComparison.Ordinal);
        CliResult again = _rig.Run("drop add 192.168.1.1/24");
        Assert.Equal(5, again.Status);
        Assert.StartsWith("couicctl: 192.168.1.0/24 is in policy drop already", again.Error, StringComparison.Ordinal);
        Assert.Equal((0, ""), Status(_rig.Run("drop add 192.168.1.1/24 --update -t other")));
        Assert.Equal("192.168.1.0/24\n", _rig.Run("drop list -q -t oth*").Out);
        Assert.Equal(new CliResult(0, "", ""), _rig.Run("drop delete 192.168.1.1/24"));
        Assert.StartsWith("couicctl: 192.168.1.0/24 is not in drop", _rig.Run("drop delete 192.168.1.1/24").Error, StringComparison.Ordinal);
        Assert.Equal("[]\n", _rig.Run("drop list --json").Out);
    }

    [Fact]
    public void WhyTellsWhatTheDaemonKnows()
    {
        _rig.Run("drop add 192.168.0.0/24 -t wide");
        _rig.Run("drop add 192.168.0.0/25");
        _rig.Run("drop add 10.0.0.0/8");
        string text = _rig.Run("why 192.168.0.10").Out;
        Assert.StartsWith("192.168.0.10 is dropped: 192.168.0.0/25 is in drop\n", text, StringComparison.Ordinal);
        Assert.Contains("added now by ", text, StringComparison.Ordinal);
        Assert.DoesNotContain("10.0.0.0/8", text, StringComparison.Ordinal);
        _rig.Run("ignore add 192.168.0.10");
        Assert.StartsWith("192.168.0.10 passes: 192.168.0.10/32 is in ignore, which wins over drop\n", _rig.Run("why 192.168.0.10").Out, StringComparison.Ordinal);
    }

    [Fact]
    public void ClientsComeAndGo()
    {
        Assert.Equal((0, ""), Status(_rig.Run("clients add -n fail2ban -g ClientRW")));
        Assert.True(_api.Clients.TryGet("fail2ban", out Client? client));
        Assert.Contains($"│ fail2ban ┆ clientrw ┆ {client!.Token} │", _rig.Run("clients inspect fail2ban").Out, StringComparison.Ordinal);
        Assert.Contains("fail2ban\n", _rig.Run("clients list -q").Out, StringComparison.Ordinal);
        Assert.Equal(4, _rig.Run("clients add -n fail2ban -g admin").Status);
        Assert.Equal(new CliResult(0, "", ""), _rig.Run("clients delete fail2ban"));
        Assert.Equal(6, _rig.Run("clients delete fail2ban").Status);
        Assert.Equal(4, _rig.Run("clients delete couicctl").Status);
    }

    [Fact]
    public void SetsAreMadeReloadedAndTakenAway()
    {
        Assert.Equal("Set 'a' created with 2 entries\nNote: Run 'couicctl sets reload' to apply changes\n", _rig.Run("sets create drop a 192.0.2.1/24 2001:DB8::1").Out);
        Assert.Equal(1, _rig.Run("sets create drop a --from-file /dev/null").Status);
        Assert.StartsWith("couicctl: ", _rig.Run("sets create drop a 1.1.1.1").Error, StringComparison.Ordinal);
        Assert.Equal("", _rig.Run("drop list -q").Out);
        Assert.Equal(new CliResult(0, "Sets reloaded successfully\n", "couicctl: note: drop: 2 added, 0 removed, 0 unchanged\n"), _rig.Run("sets reload"));
        Assert.Equal("192.0.2.0/24\n2001:db8::1/128\n", _rig.Run("drop list -q -t *.couic").Out);
        Assert.StartsWith("couicctl: 192.0.2.0/24 is defined by a set", _rig.Run("drop delete 192.0.2.0/24").Error, StringComparison.Ordinal);
        Assert.Equal("a: 2 entries (29 bytes)\n", _rig.Run("sets list drop").Out);
        Assert.Equal("Set: a\nEntry count: 2\nEntries:\n\t192.0.2.1/24\n\t2001:db8::1/128\n", _rig.Run("sets inspect drop a").Out);
        Assert.Equal("Set 'a' updated with 0 entries\nNote: Run 'couicctl sets reload' to apply changes\n", _rig.Run("sets update drop a --empty").Out);
        Assert.Equal("Set 'a' deleted\nNote: Run 'couicctl sets reload' to apply changes\n", _rig.Run("sets delete drop a").Out);
        Assert.Equal(6, _rig.Run("sets inspect drop a").Status);
        Assert.Equal("No sets found for policy 'drop'\n", _rig.Run("sets list drop").Out);
    }

    [Fact]
    public void AnAdditionThatAWiderEntryCovers_GetsANote()
    {
        Assert.Equal("", _rig.Run("drop add 10.0.0.0/8").Error);
        CliResult added = _rig.Run("drop add 10.1.0.0/16");
        Assert.Equal((0, "couicctl: note: 10.0.0.0/8 is in drop and covers 10.1.0.0/16 already\n"), (added.Status, added.Error));
        Assert.Contains("\"warnings\": [\n    \"10.0.0.0/8 is in drop and covers 10.2.0.0/16 already\"\n  ]", _rig.Run("drop add 10.2.0.0/16 --json").Out, StringComparison.Ordinal);
        Assert.Equal("", _rig.Run("drop add 10.0.0.0/8 --update").Error);
        Assert.Equal("", _rig.Run("drop add 11.0.0.0/16").Error);
        Assert.Equal("couicctl: note: 10.0.0.0/8 is in drop and covers 10.3.0.0/16 already\n", _rig.Run("drop add 10.3.0.0/16 --force").Error);
    }

    [Fact]
    public void IgnoreAndManyAdditions_GetTheNoteToo()
    {
        Assert.Equal("", _rig.Run("ignore add 10.0.0.0/8").Error);
        Assert.Equal("couicctl: note: 10.0.0.0/8 is in ignore and covers 10.1.0.0/16 already\n", _rig.Run("ignore add 10.1.0.0/16").Error);
        const string Many = "couicctl: note: 2 items are covered by wider entries of ignore already, such as 10.0.0.0/8 covers 10.2.0.0/16\n";
        Assert.Equal(new CliResult(0, "3 added to ignore\n", Many), _rig.Run("ignore add 10.2.0.0/16 11.0.0.0/16 10.3.0.1"));
        _rig.Input = "10.2.0.0/16\n10.3.0.1\n";
        Assert.Equal(Many, _rig.Run("ignore import -").Error);
        Assert.Equal(Many, _rig.Run("ignore import - --dry-run").Error);
        Assert.Contains("2 items are in ignore, which wins", _rig.Run("drop add 10.2.0.0/16 10.3.0.1").Error, StringComparison.Ordinal);
    }

    [Fact]
    public void AnUpdate_KeepsWhatIsNotGiven()
    {
        _rig.RunWords("drop", "add", "192.0.2.1", "-t", "bad", "-e", "500w", "--reason", "scan");
        string before = Shown();
        Assert.Contains("\"reason\": \"scan\"", before, StringComparison.Ordinal);
        Assert.Equal(0, _rig.Run("drop add 192.0.2.1 --update -t worse").Status);
        Assert.Equal(before.Replace("bad", "worse", StringComparison.Ordinal), Shown());
        _rig.Input = "192.0.2.1\n192.0.2.2\n";
        Assert.Equal("Dry run, drop would have: 1 created, 1 updated, 0 unchanged, 0 rejected\n", _rig.Run("drop import - --update --reason new --dry-run").Out);
        Assert.Equal("Imported into drop: 1 created, 1 updated, 0 unchanged, 0 rejected\n", _rig.Run("drop import - --update --reason new").Out);
        Assert.Equal(before.Replace("bad", "worse", StringComparison.Ordinal).Replace("scan", "new", StringComparison.Ordinal), Shown());
        Assert.Equal("Dry run, drop would have: 0 created, 0 updated, 2 unchanged, 0 rejected\n", _rig.Run("drop import - --update --dry-run").Out);
        Assert.Equal("Imported into drop: 0 created, 0 updated, 2 unchanged, 0 rejected\n", _rig.Run("drop import - --update").Out);
        Assert.Equal(0, _rig.Run("drop add 192.0.2.1 --update -e never --tag= --reason=").Status);
        Assert.DoesNotContain("reason", Shown(), StringComparison.Ordinal);
        Assert.Contains("\"tag\": null,\n  \"expiration\": 0\n", Shown(), StringComparison.Ordinal);

        string Shown() => _rig.Run("drop inspect 192.0.2.1 --json").Out;
    }

    [Fact]
    public void AnImportIsAddedAndItsRejectedLinesAreNamed()
    {
        _rig.Run("sets create drop a 192.0.2.0/24");
        _rig.Run("sets reload");
        _rig.Input = "# list\n10.0.0.1\n192.0.2.0/24\n\nbad\n2001:db8::/32\n10.0.0.1/32\n";
        CliResult result = _rig.Run("drop import - -t list --update");
        Assert.Equal((1, "Imported into drop: 2 created, 0 updated, 1 unchanged, 2 rejected\n"), (result.Status, result.Out));
        Assert.StartsWith("couicctl: line 3: ", result.Error, StringComparison.Ordinal);
        Assert.Contains("\ncouicctl: line 5: \"bad\" is not a CIDR", result.Error, StringComparison.Ordinal);
        Assert.Equal("10.0.0.1/32\n2001:db8::/32\n", _rig.Run("drop list -q -t list").Out);
    }

    [Fact]
    public void ALongImportIsAStream()
    {
        const int Count = 100_000;
        _rig.Input = string.Concat(Enumerable.Range(0, Count).Select(i => $"10.{i >> 16}.{i >> 8 & 255}.{i & 255}\n"));
        Assert.Equal(new CliResult(0, $"Imported into drop: {Count:#,0} created, 0 updated, 0 unchanged, 0 rejected\n", ""), _rig.Run("drop import -"));
        Assert.Equal(Count, _api.Store.Count(Couic.Store.Policy.Drop, Couic.Store.IpFamily.V4));
    }

    [Fact]
    public void AnImportWithoutPermissionIsRefusedBeforeItIsSent()
    {
        Become(Group.ClientRo);
        _rig.Input = string.Concat(Enumerable.Repeat("10.0.0.0/8\n", 1_000_000));
        CliResult result = _rig.Run("drop import -");
        Assert.Equal(4, result.Status);
        Assert.StartsWith("couicctl: a valid token", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void StatisticsAndStatusAreShown()
    {
        _rig.Run("drop add 10.0.0.0/8 -t ssh");
        string[] stats = _rig.Run("stats global").Out.Split('\n');
        Assert.Equal(["Drop CIDR Count: 1", "Ignore CIDR Count: 0", "XDP Stats:", "  Action: XDP_ABORTED"], stats[..4]);
        Assert.Equal(["XDP_ABORTED", "XDP_DROP", "XDP_PASS", "XDP_REDIRECT", "XDP_TX"], stats.Where(l => l.StartsWith("  Action: ", StringComparison.Ordinal)).Select(l => l[10..]));
        Assert.Contains("│ ssh ┆ drop   ┆ 0          ┆ 0        │", _rig.Run("stats drop").Out, StringComparison.Ordinal);
        Assert.Equal("No tag statistics available.\n", _rig.Run("stats ignore").Out);
        string status = _rig.Run("status").Out;
        Assert.Contains("\nTables:       drop ipv4: 1 of 262,144 (0 %)\n", status, StringComparison.Ordinal);
        Assert.StartsWith("{\n  \"version\": ", _rig.Run("status --json").Out, StringComparison.Ordinal);
        Assert.StartsWith("Configuration and sets reloaded\n", _rig.Run("reload").Out, StringComparison.Ordinal);
    }

    [Fact]
    public void AClientWithoutPermissionIsToldSo()
    {
        Become(Group.Monitoring);
        CliResult result = _rig.Run("drop list");
        Assert.Equal(4, result.Status);
        Assert.Contains($"(the token in \"{_rig.ClientFile}\" is unknown to the daemon, or its group may not do this)", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void AFullListIsShownWhole()
    {
        const int Count = 20_000;
        for (uint i = 0; i < Count; i++)
        {
            _api.Store.Add(Couic.Store.Policy.Drop, Couic.Store.Cidr.FromV4(0x0a000000 + (i << 8), 24), "t"u8, 0, Couic.Store.ConflictMode.Refuse, default, out _);
        }

        Assert.Equal(Count, _rig.Run("drop list -q").Out.Count(c => c == '\n'));
        Assert.Equal((Count * 2) + 3, _rig.Run("drop list").Out.Count(c => c == '\n'));
        Assert.Equal((Count * 6) + 2, _rig.Run("drop list --json").Out.Count(c => c == '\n'));
    }

    private void Become(Group group) => File.WriteAllText(_rig.ClientFile, $"token = \"{_api.Token(group)}\"\ngroup = \"{group.Name()}\"\n");

    private static (int Status, string Error) Status(CliResult result) => (result.Status, result.Error);
}
