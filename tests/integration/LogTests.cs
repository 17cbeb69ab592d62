using System.Text.Json;
using Couic.IntegrationTests.Harness;
using Xunit;

namespace Couic.IntegrationTests;

/// <summary>What the shipped daemon writes, and that what cannot be written stops nothing.</summary>
public sealed class LogTests : IDisposable
{
    private readonly Lab _lab = new();

    private string Folder => _lab.Scratch["logs"];

    [Fact]
    public void EveryChangeIsAnAuditEventWithItsClientAndWithoutATokenInJsonFilesAndAsTextOnStandardOutput()
    {
        using Daemon daemon = Daemon.Start(_lab, new DaemonOptions { LogDirectory = Folder, Logging = "format = \"json\"" });
        daemon.Api.Add("drop", "198.51.100.7/24", "scan");
        daemon.Api.Remove("drop", "198.51.100.0/24");
        daemon.Api.Post("/v1/client", "{\"name\":\"web\",\"group\":\"clientro\"}").Expect(201);
        string web = daemon.TokenOf("web");
        Assert.Equal(401, daemon.As(web).Post("/v1/drop", ApiClient.EntryBody("192.0.2.1/32")).Status);
        daemon.Api.Delete("/v1/client/web").Expect(204);
        Eventually.Holds(() => Lines().Any(line => Event(line) == "client_deleted"), "the last event is in the file");

        JsonElement created = Lines().First(line => Event(line) == "entry_created");
        Assert.Equal("audit", created.GetProperty("area").GetString());
        Assert.Equal("info", created.GetProperty("level").GetString());
        Assert.Equal(("couicctl", "drop", "198.51.100.0/24", "scan", 0L), (
            created.GetProperty("client").GetString(),
            created.GetProperty("policy").GetString(),
            created.GetProperty("cidr").GetString(),
            created.GetProperty("tag").GetString(),
            created.GetProperty("expiration").GetInt64()));
        Assert.Contains(Lines(), line => Event(line) == "entry_deleted");
        Assert.Contains(Lines(), line => line.GetProperty("level").GetString() == "warn" && line.ToString().Contains("web", StringComparison.Ordinal));
        Assert.Matches("(?m)^[0-9]{4}-[0-9-]{5}T[0-9:]{8}\\.[0-9]{6}Z INFO audit entry created .*cidr=198\\.51\\.100\\.0/24", daemon.Said);
        foreach (string token in new[] { web, daemon.Token })
        {
            Assert.DoesNotContain(token, daemon.Said, StringComparison.OrdinalIgnoreCase);
            Assert.DoesNotContain(token, File.ReadAllText(Newest()), StringComparison.OrdinalIgnoreCase);
        }
    }

    [Theory]
    [InlineData("text")]
    [InlineData("json")]
    public void History_TellsWhoChangedWhat_ForOneNetworkAndForAll(string format)
    {
        using Daemon daemon = Daemon.Start(_lab, new DaemonOptions { LogDirectory = Folder, Logging = $"format = \"{format}\"" });
        ulong start = (ulong)DateTimeOffset.UtcNow.ToUnixTimeSeconds();
        daemon.Api.Add("drop", "198.51.100.0/24", "scan");
        daemon.Api.Post("/v1/drop/bulk", """[{"cidr":"203.0.113.7/32","tag":"feed","expiration":0},{"cidr":"203.0.113.8/32","tag":"feed","expiration":0}]""").Expect(200);
        daemon.Api.Remove("drop", "198.51.100.0/24");
        Eventually.Holds(() => Events("").Contains("entry_deleted"), "the last change is in the file");

        Assert.Equal(["entry_created", "bulk_applied", "entry_deleted"], Events($"?since={start - 1}").Where(name => !name.StartsWith('s')));
        Assert.Equal(["entry_created", "entry_deleted"], Events("?cidr=198.51.100.7/32"));
        Assert.Equal(["entry_created", "entry_deleted"], Events("?cidr=198.51.0.0/16"));
        Assert.Equal(["bulk_applied"], Events("?cidr=203.0.113.8/32"));
        Assert.Single(Events("?limit=1"));
        Assert.False(History("?limit=1").GetProperty("complete").GetBoolean());
        Assert.Empty(Events($"?since={start + 3600}"));
        JsonElement created = History("?cidr=198.51.100.7/32").GetProperty("changes")[0];
        Assert.Equal(("couicctl", "drop", "scan"), (
            created.GetProperty("client").GetString(), created.GetProperty("policy").GetString(), created.GetProperty("tag").GetString()));
        daemon.Api.Get("/v1/history?limit=0").Expect(400);
        daemon.Api.Get("/v1/history?cidr=host").Expect(400);

        List<string> Events(string query) => [.. History(query).GetProperty("changes").EnumerateArray().Select(change => change.GetProperty("event").GetString()!)];
        JsonElement History(string query) => JsonDocument.Parse(daemon.Api.Get("/v1/history" + query).Expect(200).Body).RootElement;
    }

    [Fact]
    public void TheLogFolderIsMadeForTheDaemonsUserAndAFileThatIsTakenAwayIsMadeAnew()
    {
        using Daemon daemon = Daemon.Start(_lab, new DaemonOptions { LogDirectory = Folder });
        daemon.Api.Add("drop", "198.51.100.7/32");
        Eventually.Holds(() => Read().Contains("198.51.100.7/32", StringComparison.Ordinal), "the line is in the file");
        Assert.Equal("nobody 750", Shell.Check(null, "stat", "-c", "%U %a", Folder).Trim());
        Assert.Equal("nobody 640", Shell.Check(null, "stat", "-c", "%U %a", Newest()).Trim());
        File.Delete(Newest());
        daemon.Api.Add("drop", "198.51.100.8/32");
        Eventually.Holds(() => Read().Contains("198.51.100.8/32", StringComparison.Ordinal), "the next line is in a new file");
    }

    [Fact]
    public void AFolderThatIsGoneCostsLinesAndNothingElse()
    {
        using Daemon daemon = Daemon.Start(_lab, new DaemonOptions { LogDirectory = Folder });
        Directory.Delete(Folder, recursive: true); // the daemon's user cannot make it again: its parent is root's
        daemon.Api.Add("drop", "198.51.100.7/32");
        Assert.False(_lab.Probe.Passes("198.51.100.7"));
        Eventually.Holds(() => daemon.Said.Contains("event=log_file_failed", StringComparison.Ordinal), "standard output says so");
        _lab.Scratch.Folder("logs", Owner.Nobody);
        Eventually.Holds(
            () =>
            {
                daemon.Api.Remove("drop", "198.51.100.7/32");
                daemon.Api.Add("drop", "198.51.100.7/32");
                return Read().Contains("event=log_file_recovered", StringComparison.Ordinal);
            },
            "the file is written again and says how many lines are missing");
    }

    [Fact]
    public void AFullDiskCostsLinesAndNothingElse()
    {
        _lab.Scratch.Folder("logs");
        Shell.Check(null, "mount", "-t", "tmpfs", "-o", "size=64k,mode=777", "couic-it", Folder);
        try
        {
            using Daemon daemon = Daemon.Start(_lab, new DaemonOptions { LogDirectory = Folder });
            for (int i = 0; i < 2000 && !daemon.Said.Contains("no space left on device", StringComparison.Ordinal); i++)
            {
                daemon.Api.Add("drop", $"10.0.{i / 256}.{i % 256}/32", new string('x', 64));
            }

            Eventually.Holds(() => daemon.Said.Contains("no space left on device", StringComparison.Ordinal), "standard output says so");
            daemon.Api.Add("drop", "198.51.100.7/32");
            Assert.False(_lab.Probe.Passes("198.51.100.7"));
            string lost = daemon.Api.Get("/v1/metrics?format=prometheus").Body.Split('\n').Single(l => l.StartsWith("couic_log_lines_lost_total ", StringComparison.Ordinal));
            Assert.True(long.Parse(lost.Split(' ')[1]) > 0);
        }
        finally
        {
            Shell.Check(null, "umount", Folder);
        }
    }

    public void Dispose() => _lab.Dispose();

    private static string? Event(JsonElement line) => line.TryGetProperty("event", out JsonElement name) ? name.GetString() : null;

    private string Newest() => Directory.EnumerateFiles(Folder).Single();

    private string Read() => string.Concat(Directory.EnumerateFiles(Folder).Select(File.ReadAllText));

    private List<JsonElement> Lines() =>
        [.. Read().Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => JsonDocument.Parse(line).RootElement)];
}
