using Couic.IntegrationTests.Harness;
using Xunit;

namespace Couic.IntegrationTests;

/// <summary>A reload makes the clients those of the files.</summary>
public sealed class ClientReloadTests : IDisposable
{
    private readonly Lab _lab = new();

    [Fact]
    public void Reload_ClientFileRemovedOrMadeByHand_TokensFollowAndOthersGoOn()
    {
        using Daemon daemon = Daemon.Start(_lab);
        string gone = Make(daemon, "gone"), stays = Make(daemon, "stays");
        using ApiClient first = daemon.As(gone), second = daemon.As(stays);
        Assert.Equal([200, 200], new[] { first, second }.Select(client => client.Get("/v1/drop").Status));

        const string Hand = "11111111-1111-4111-8111-111111111111";
        File.Delete(FileOf(daemon, "gone"));
        File.WriteAllText(FileOf(daemon, "hand"), $"token = \"{Hand}\"\ngroup = \"clientro\"\n");
        File.WriteAllText(FileOf(daemon, "bad"), "token = \"secret-text\"\n");
        foreach (string name in new[] { "hand", "bad" })
        {
            Owner.Nobody.Take(FileOf(daemon, name));
            File.SetUnixFileMode(FileOf(daemon, name), (UnixFileMode)0b110_000_000);
        }

        Shell.Result reload = daemon.Ctl("reload");
        Assert.Equal(0, reload.ExitCode);
        Assert.Contains("bad.toml", reload.All, StringComparison.Ordinal);
        Assert.DoesNotContain("secret-text", reload.All + daemon.Said, StringComparison.Ordinal);
        using ApiClient hand = daemon.As(Hand);
        Assert.Equal([401, 200, 200], new[] { first, second, hand }.Select(client => client.Get("/v1/drop").Status));
        Assert.Equal("couicctl\nhand\nstays\n", daemon.Ctl("clients", "list", "-q").Out);

        // A fault elsewhere keeps the rest as it was, but not a token whose file is gone.
        File.Delete(FileOf(daemon, "stays"));
        File.AppendAllText(daemon.Config, "\nnonsense = 1\n");
        Assert.Equal(4, daemon.Ctl("reload").ExitCode);
        Assert.Equal(401, second.Get("/v1/drop").Status);
    }

    [Fact]
    public void Audit_BulkAndExpiry_NameTheEntries()
    {
        using Daemon daemon = Daemon.Start(_lab);
        ulong soon = (ulong)DateTimeOffset.UtcNow.ToUnixTimeSeconds() + 2;
        daemon.Api.Post("/v1/drop/bulk", $$"""[{"cidr":"198.51.100.7/32","tag":"mine","expiration":{{soon}}},{"cidr":"2001:db8::7/128","expiration":0}]""").Expect(200);
        Eventually.Holds(() => daemon.Said.Contains("1 entries expired: drop 198.51.100.7/32 (mine)", StringComparison.Ordinal), "the expiry names its entry");
        Assert.Contains("changed: 198.51.100.7/32 (mine), 2001:db8::7/128 (untagged)", daemon.Said, StringComparison.Ordinal);
        Assert.Equal(401, daemon.As("11111111-1111-4111-8111-111111111111").Get("/v1/drop").Status);
        Assert.DoesNotContain("(0 more not logged)", daemon.Said, StringComparison.Ordinal);
    }

    public void Dispose() => _lab.Dispose();

    private static string Make(Daemon daemon, string name) =>
        daemon.Api.Post("/v1/client", $$"""{"name":"{{name}}","group":"clientro"}""").Expect(201).Json.GetProperty("token").GetString()!;

    private static string FileOf(Daemon daemon, string name) => Path.Combine(daemon.WorkingFolder, "rbac", "clients", name + ".toml");
}
