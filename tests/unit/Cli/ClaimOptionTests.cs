using Xunit;

namespace Couic.Tests.Cli;

public sealed class ClaimOptionTests : IDisposable
{
    private const string Claimed = """
        {"creation":1,"cidr":"192.0.2.9/32","tag":"recidive","expiration":0,"claims":[{"tag":"recidive","expiration":0,"added_by":"f2b"},{"tag":"sshd","expiration":1772366460,"added_by":"f2b","reason":"brute force"}]}
        """;

    private readonly CliRig _rig = new();

    public void Dispose() => _rig.Dispose();

    [Fact]
    public void Add_WithAClaim_AsksForIt_AndShowsAllClaims()
    {
        _rig.Answering(200, Claimed);
        Assert.Equal("""
            ┌────────┬──────────────┬───────────────┬────────────┐
            │ Policy ┆ CIDR         ┆ Tag           ┆ Expiration │
            ╞════════╪══════════════╪═══════════════╪════════════╡
            │ drop   ┆ 192.0.2.9/32 ┆ recidive (+1) ┆ never      │
            └────────┴──────────────┴───────────────┴────────────┘

            Claims of 192.0.2.9/32, which is in force until the last one ends:
            ┌──────────┬────────────┬──────────┬─────────────┐
            │ Tag      ┆ Expiration ┆ Added by ┆ Reason      │
            ╞══════════╪════════════╪══════════╪═════════════╡
            │ recidive ┆ never      ┆ f2b      ┆             │
            ├╌╌╌╌╌╌╌╌╌╌┼╌╌╌╌╌╌╌╌╌╌╌╌┼╌╌╌╌╌╌╌╌╌╌┼╌╌╌╌╌╌╌╌╌╌╌╌╌┤
            │ sshd     ┆ 1m0s       ┆ f2b      ┆ brute force │
            └──────────┴────────────┴──────────┴─────────────┘

            """, _rig.Run("drop add 192.0.2.9 -t recidive --claim").Out);
        Assert.Equal("""POST /v1/drop?on_conflict=claim&guard=refuse {"cidr":"192.0.2.9/32","tag":"recidive","expiration":0}""", _rig.Asked);
        Assert.Equal(2, _rig.Run("drop add 192.0.2.9 --claim --update").Status);
        Assert.Equal(2, _rig.Run("drop add 192.0.2.9 --claim --extend").Status);
    }

    [Fact]
    public void List_CountsTheOtherClaims_AndWhyShowsThem()
    {
        _rig.Answering(200, $"[{Claimed}]");
        Assert.Contains("┆ recidive (+1) ┆", _rig.Run("drop list").Out, StringComparison.Ordinal);
        Assert.Contains("\n        also tag sshd, expires in 1m0s, added by f2b, because: brute force\n", _rig.Run("why 192.0.2.9").Out, StringComparison.Ordinal);
    }

    [Fact]
    public void Export_HasAllClaims_AndAnImportAddsThemAfterTheEntries()
    {
        _rig.Daemon.Answer = request => new StubAnswer(
            200, request.Method == "POST" ? """{"created":1,"updated":0,"unchanged":0,"rejected":[],"rejected_count":0}""" : $"[{Claimed}]");
        string exported = _rig.Run("export -p drop").Out;
        Assert.EndsWith("""
            {"policy":"drop","cidr":"192.0.2.9/32","tag":"recidive","expiration":0}
            {"policy":"drop","cidr":"192.0.2.9/32","tag":"sshd","expiration":1772366460,"reason":"brute force","claim":true}

            """, exported, StringComparison.Ordinal);
        Assert.EndsWith("""
            "tag":"sshd","expiration":1772366460,"reason":"brute force","claim":true}

            """, _rig.Run("export -p drop -t sshd").Out, StringComparison.Ordinal);
        _rig.Input = exported;
        Assert.Equal("drop: 1 created, 0 updated, 0 unchanged, 0 rejected\ndrop claims: 1 created, 0 updated, 0 unchanged, 0 rejected\n", _rig.Run("import -").Out);
        Assert.EndsWith("""
            POST /v1/drop/bulk?on_conflict=keep&guard=refuse {"cidr":"192.0.2.9/32","tag":"recidive","expiration":0}

            POST /v1/drop/bulk?on_conflict=claim&guard=refuse {"cidr":"192.0.2.9/32","tag":"sshd","expiration":1772366460,"reason":"brute force"}

            """, _rig.Asked, StringComparison.Ordinal);
    }
}
