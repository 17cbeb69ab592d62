using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Text;
using System.Text.Json;
using Couic.IntegrationTests.Harness;
using Xunit;

namespace Couic.IntegrationTests;

/// <summary>
/// <c>[state] dynamic = "kept"</c>: what a restart, a crash and a bad disk leave of the rules. COUIC_KILLS is the number of random kills (3),
/// COUIC_KEPT_RULES the number of rules of the large restart (20,000).
/// </summary>
public sealed class KeptRulesTests(ITestOutputHelper output) : IDisposable
{
    private const string Kept = "[state]\ndynamic = \"kept\"\n";
    private readonly Lab _lab = new();

    private static DaemonOptions Options { get; } = new() { Tables = Kept };

    private static string JournalOf(Daemon daemon) => Path.Combine(daemon.WorkingFolder, "state", "rules.journal");

    public void Dispose() => _lab.Dispose();

    [Theory]
    [InlineData(Libc.SIGTERM)]
    [InlineData(Libc.SIGKILL)]
    public void Rules_AreInForceAfterARestart_ForTheTimeThatIsLeft(int signal)
    {
        long soon = DateTimeOffset.UtcNow.ToUnixTimeSeconds() + 6;
        string before;
        using (Daemon first = Daemon.Start(_lab, Options))
        {
            first.Api.Add("drop", "198.51.100.7/32", "scan");
            first.Api.Add("drop", "2001:db8:7::/48", "brief", soon);
            first.Api.Add("ignore", "203.0.113.0/24");
            first.Api.Add("drop", "192.0.2.1/32");
            first.Api.Remove("drop", "192.0.2.1/32");
            AwaitSync(first);
            before = first.Api.Get("/v1/drop").Body + first.Api.Get("/v1/ignore").Body;
            first.End(signal);
            Assert.Equal(signal == Libc.SIGTERM, first.Said.Contains("2 dynamic entries of drop are kept in the journal", StringComparison.Ordinal));
            Assert.DoesNotContain("forgotten", first.Said, StringComparison.Ordinal);
        }

        using Daemon second = Daemon.Start(_lab, Options);
        Assert.Equal(before, second.Api.Get("/v1/drop").Body + second.Api.Get("/v1/ignore").Body);
        Assert.Equal(KernelTables.OfApi(second), KernelTables.Read(second));
        Assert.False(_lab.Probe.Passes("198.51.100.7"));
        Says(second, "event=journal_restored rules=3");
        Assert.Equal(3, Status(second).GetProperty("journal").GetProperty("restored").GetInt32());
        Assert.Equal(0, second.Ctl("status", "--check").ExitCode);
        Assert.Contains("3 rules restored at the start", second.Ctl("status").Out, StringComparison.Ordinal);
        Eventually.Holds(() => second.Api.Get("/v1/drop/2001:db8:7::/48").Status == 404, "the brief rule expires");
        Assert.InRange(DateTimeOffset.UtcNow.ToUnixTimeSeconds(), soon, soon + 60);
    }

    [Fact]
    public void WithoutIt_NoJournalIsWritten()
    {
        using Daemon daemon = Daemon.Start(_lab);
        daemon.Api.Add("drop", "198.51.100.7/32");
        Assert.Equal(0, daemon.End());
        Assert.False(Directory.Exists(Path.Combine(daemon.WorkingFolder, "state")));
        Assert.Contains("1 dynamic entries of drop are forgotten", daemon.Said, StringComparison.Ordinal);
    }

    [Fact]
    public void KilledAtRandom_DuringTwoThousandChangesASecond_LosesNothingOfMoreThanASecondBefore()
    {
        int kills = Number("COUIC_KILLS", 3);
        var random = new Random(kills);
        var load = new KeptLoad();
        long changes = 0, watched = Stopwatch.GetTimestamp();
        TimeSpan loaded = TimeSpan.Zero;
        for (int i = 0; i <= kills; i++)
        {
            using Daemon daemon = Daemon.Start(_lab, Options);
            load.AssertKept([.. KernelTables.OfApi(daemon)]);
            if (i == kills)
            {
                Assert.Equal(KernelTables.OfApi(daemon), KernelTables.Read(daemon));
                break;
            }

            long start = Stopwatch.GetTimestamp();
            changes += load.Run(daemon, TimeSpan.FromMilliseconds(1_200 + random.Next(800)));
            loaded += Stopwatch.GetElapsedTime(start);
        }

        output.WriteLine($"{kills} kills, {changes} changes, {changes / loaded.TotalSeconds:F0} a second, in {Stopwatch.GetElapsedTime(watched).TotalSeconds:F0} s");
    }

    [Fact]
    public void ManyRules_AreBackBeforeTheDaemonServes()
    {
        int count = Number("COUIC_KEPT_RULES", 20_000);
        var body = new StringBuilder();
        for (int i = 0; i < count; i++)
        {
            body.Append(ApiClient.EntryBody($"{new IPAddress([10, (byte)(i >> 16), (byte)(i >> 8), (byte)i])}/32", $"tag{i % 50}", 4_000_000_000)).Append('\n');
        }

        using (Daemon first = Daemon.Start(_lab, Options))
        {
            Assert.Equal(count, first.Api.Post("/v1/drop/bulk", body.ToString(), "application/x-ndjson").Expect(200).Json.GetProperty("created").GetInt32());
            AwaitSync(first);
            first.End(Libc.SIGKILL);
        }

        long start = Stopwatch.GetTimestamp();
        using Daemon second = Daemon.Start(_lab, Options);
        double served = Stopwatch.GetElapsedTime(start).TotalMilliseconds;
        Says(second, "event=journal_restored");
        output.WriteLine($"{count} rules: {served:F0} ms from the start to the first response; {second.Said.Split('\n').First(line => line.Contains("journal_restored", StringComparison.Ordinal))}");
        Assert.Equal(count, Stats.Count(second, "drop"));
        Assert.False(_lab.Probe.Passes("10.0.0.77"));
    }

    [Theory]
    [InlineData("rm J && mkfifo J", "is not a regular file")]
    [InlineData("rm J && ln -s /etc/passwd J", "is not a regular file")]
    [InlineData("rm J && mkdir J", "is not a regular file")]
    [InlineData("chown root J", "owner is 0:")]
    [InlineData("chmod 644 J", "mode is 644")]
    [InlineData("truncate -s 20 J", "it has 20 bytes, fewer than its header")]
    [InlineData("truncate -s -3 J", "is not complete")]
    [InlineData("echo >> J", "is not complete")]
    [InlineData("printf 'xxxxxxxxxx' | dd of=J bs=1 seek=40 conv=notrunc status=none", "is damaged")]
    public void WhateverIsInItsPlace_TheStartSucceeds_SaysWhy_AndWritesAnother(string harm, string cause)
    {
        string journal;
        using (Daemon first = Daemon.Start(_lab, Options))
        {
            first.Api.Add("drop", "198.51.100.7/32");
            journal = JournalOf(first);
            Assert.Equal(0, first.End());
        }

        Shell.Check(null, "sh", "-c", harm.Replace("J", journal, StringComparison.Ordinal));
        using (Daemon second = Daemon.Start(_lab, Options))
        {
            Says(second, "event=journal_damaged");
            Says(second, cause);
            Says(second, "event=journal_set_aside");
            string aside = Assert.Single(Directory.GetFileSystemEntries(Path.GetDirectoryName(journal)!, "*.bad"));
            bool isTorn = cause.Contains("not complete", StringComparison.Ordinal) || cause.Contains("fewer than", StringComparison.Ordinal);
            Shell.Result check = second.Ctl("status", "--check");
            Assert.Equal(isTorn ? 0 : 1, check.ExitCode);
            if (!isTorn)
            {
                Assert.Contains(cause, check.Out + check.Error, StringComparison.Ordinal);
                Shell.Check(null, "rm", "-r", aside);
                Assert.Equal(0, second.Ctl("status", "--check").ExitCode);
            }

            second.Api.Add("drop", "198.51.100.8/32");
            Assert.Equal(0, second.End());
        }

        using Daemon third = Daemon.Start(_lab, Options);
        Assert.Contains("drop 198.51.100.8/32", KernelTables.OfApi(third));
        Assert.DoesNotContain("event=journal_damaged", third.Said, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("chown root D", "owner is 0:")]
    [InlineData("chmod 777 D", "mode is 777")]
    [InlineData("mv D D.old && ln -s D.old D", "is not a folder")]
    [InlineData("mv D D.old && touch D", "is not a folder")]
    public void FolderThatIsNotTheDaemons_IsNotUsed_UntilItIsMended(string harm, string cause)
    {
        string folder;
        using (Daemon first = Daemon.Start(_lab, Options))
        {
            folder = Path.GetDirectoryName(JournalOf(first))!;
            Assert.Equal(0, first.End());
        }

        Shell.Check(null, "sh", "-c", harm.Replace("D", folder, StringComparison.Ordinal));
        using Daemon second = Daemon.Start(_lab, Options);
        Says(second, cause);
        second.Api.Add("drop", "198.51.100.7/32");
        Eventually.Holds(() => second.Ctl("status", "--check").Out.Contains("the journal is not written", StringComparison.Ordinal), "the status says so");
        Assert.False(_lab.Probe.Passes("198.51.100.7"));
        Shell.Check(null, "sh", "-c", $"rm -rf {folder} {folder}.old; mkdir -m 755 {folder}; chown {Owner.Nobody.Uid}:{Owner.Nobody.Gid} {folder}");
        Eventually.Holds(() => second.Ctl("status", "--check").ExitCode == 0, "and that it is mended");
        second.End(Libc.SIGKILL);
        using Daemon third = Daemon.Start(_lab, Options);
        Assert.Contains("drop 198.51.100.7/32", KernelTables.OfApi(third));
    }

    [Fact]
    public void FullAndReadOnlyDisk_CostDurability_AreShown_AndNeverAnAnswer()
    {
        string state = _lab.Scratch.Folder("couic", Owner.Nobody);
        state = _lab.Scratch.Folder("couic/state", Owner.Nobody);
        string disk = Path.Combine(state, "state");
        Directory.CreateDirectory(disk);
        Shell.Check(null, "mount", "-t", "tmpfs", "-o", $"size=64k,mode=755,uid={Owner.Nobody.Uid},gid={Owner.Nobody.Gid}", "tmpfs", disk);
        try
        {
            using (Daemon first = Daemon.Start(_lab, Options))
            {
                first.Api.Add("drop", "198.51.100.1/32");
                AwaitSync(first);
                Shell.Check(null, "sh", "-c", $"cat /dev/zero > {disk}/fill 2>/dev/null || true");
                for (int i = 0; i < 300; i++)
                {
                    first.Api.Add("drop", $"10.0.{i / 256}.{i % 256}/32");
                }

                Eventually.Holds(() => Status(first).GetProperty("journal").GetProperty("fault").GetString()?.Contains("no space left", StringComparison.Ordinal) == true, "the status says that the disk is full");
                Assert.Contains("couic_journal_write_errors_total ", first.Api.Get("/v1/metrics?format=prometheus").Body, StringComparison.Ordinal);
                Assert.DoesNotContain("couic_journal_write_errors_total 0", first.Api.Get("/v1/metrics?format=prometheus").Body, StringComparison.Ordinal);
                Assert.False(_lab.Probe.Passes("10.0.1.7"));
                File.Delete(Path.Combine(disk, "fill"));
                Eventually.Holds(() => first.Ctl("status", "--check").ExitCode == 0, "and that it is not any more");

                Assert.Equal(0, first.End());
            }

            Shell.Check(null, "mount", "-o", "remount,ro", disk);
            using Daemon second = Daemon.Start(_lab, Options);
            Assert.Equal(301, Stats.Count(second, "drop"));
            Says(second, "read-only");
            second.Api.Add("drop", "198.51.100.2/32");
            Assert.Contains("read-only", second.Ctl("status", "--check").Out, StringComparison.Ordinal);
            Assert.Equal(0, second.End());
            Says(second, "the journal does not have their last changes");
        }
        finally
        {
            Shell.Check(null, "umount", "-l", disk);
        }
    }

    [Fact]
    public void NodeThatComesBack_BringsNoRuleBackThatAnotherRemoved()
    {
        using var cluster = new Cluster(2, Kept);
        cluster[0]!.Api.Add("drop", "198.51.100.1/32", "stays");
        cluster[0]!.Api.Add("drop", "198.51.100.2/32", "goes");
        cluster[0]!.Api.Add("drop", "198.51.100.3/32", "changes");
        Eventually.Holds(() => KernelTables.OfApi(cluster[1]!).Length == 3, "the second node has them");
        AwaitSync(cluster[1]!);
        cluster.Kill(1);
        cluster[0]!.Api.Remove("drop", "198.51.100.2/32");
        cluster[0]!.Api.Post("/v1/drop/bulk?on_conflict=update", $"[{ApiClient.EntryBody("198.51.100.3/32", "newer")}]").Expect(200);
        cluster.Start(1);
        Says(cluster[1]!, "event=journal_restored rules=3");
        Eventually.Holds(() => InSync(cluster[0]!) && InSync(cluster[1]!), "the nodes agree");
        foreach (Daemon node in (Daemon[])[cluster[0]!, cluster[1]!])
        {
            Assert.Equal(["drop 198.51.100.1/32", "drop 198.51.100.3/32"], KernelTables.Read(node));
        }

        Assert.Equal(
            cluster[0]!.Api.Get("/v1/drop/198.51.100.3/32").Json.GetProperty("tag").GetString(),
            cluster[1]!.Api.Get("/v1/drop/198.51.100.3/32").Json.GetProperty("tag").GetString());

        // Both down at the same time: nobody but the journals knows, the removal included.
        AwaitSync(cluster[0]!);
        AwaitSync(cluster[1]!);
        cluster.Kill(0);
        cluster.Kill(1);
        cluster.Start(0);
        cluster.Start(1);
        Eventually.Holds(() => InSync(cluster[0]!) && InSync(cluster[1]!), "the nodes agree again");
        Assert.Equal(["drop 198.51.100.1/32", "drop 198.51.100.3/32"], KernelTables.Read(cluster[0]!));
        Assert.Equal(["drop 198.51.100.1/32", "drop 198.51.100.3/32"], KernelTables.Read(cluster[1]!));
    }

    private static void Says(Daemon daemon, string text) => Eventually.Holds(() => daemon.Said.Contains(text, StringComparison.Ordinal), $"the log says {text}");

    private static bool InSync(Daemon node) => Status(node).GetProperty("peers") is { ValueKind: JsonValueKind.Object } peers && peers.GetProperty("in_sync").GetInt32() == 1
        && peers.GetProperty("queued").GetInt32() == 0;

    private static JsonElement Status(Daemon daemon) => daemon.Api.Get("/v1/status").Expect(200).Json;

    /// <summary>Waits until all that was acknowledged before is on the disk.</summary>
    private static void AwaitSync(Daemon daemon)
    {
        var watch = Stopwatch.StartNew();
        Eventually.Holds(() =>
        {
            double waited = watch.Elapsed.TotalSeconds; // before the question
            return Status(daemon).GetProperty("journal").GetProperty("sync_age_secs").GetDouble() < waited;
        }, "the journal is synced");
    }

    private static int Number(string variable, int otherwise) =>
        int.TryParse(Environment.GetEnvironmentVariable(variable), NumberStyles.None, CultureInfo.InvariantCulture, out int number) ? number : otherwise;
}

/// <summary>
/// Clients that change rules, two thousand times a second in all where the machine can, until the daemon is killed among them; and what must
/// be there afterwards.
/// </summary>
internal sealed class KeptLoad
{
    private const int Clients = 4, PerSecond = 2_000, Rules = 400;

    /// <summary>An acknowledged change this long before the kill is kept.</summary>
    private static readonly TimeSpan Lag = TimeSpan.FromSeconds(1);

    /// <summary>By network: whether it is there, and the time of the last change that was asked for.</summary>
    private readonly Dictionary<string, (bool IsThere, long AskedAt)>[] _known = [.. Enumerable.Range(0, Clients).Select(_ => new Dictionary<string, (bool, long)>())];
    private long _killedAt;

    /// <summary>Changes rules for some time, then kills the daemon. Returns how many changes were acknowledged.</summary>
    public long Run(Daemon daemon, TimeSpan time)
    {
        string token = daemon.Token;
        var done = new long[Clients];
        Thread[] threads = [.. Enumerable.Range(0, Clients).Select(i => new Thread(() => done[i] = Change(daemon.As(token), i)) { IsBackground = true })];
        Array.ForEach(threads, thread => thread.Start());
        Thread.Sleep(time);
        _killedAt = Stopwatch.GetTimestamp();
        daemon.End(Libc.SIGKILL);
        Array.ForEach(threads, thread => thread.Join());
        return done.Sum();
    }

    /// <param name="rules">As <c>POLICY CIDR</c>.</param>
    public void AssertKept(HashSet<string> rules)
    {
        foreach (Dictionary<string, (bool IsThere, long AskedAt)> known in _known)
        {
            foreach ((string cidr, (bool isThere, long askedAt)) in known.ToArray())
            {
                bool isNow = rules.Contains($"drop {cidr}");
                Assert.True(
                    isNow == isThere || Stopwatch.GetElapsedTime(askedAt, _killedAt) < Lag,
                    $"{cidr} is {(isNow ? "there" : "lost")}, changed {Stopwatch.GetElapsedTime(askedAt, _killedAt).TotalMilliseconds:F0} ms before the kill");
                known[cidr] = (isNow, 0);
            }
        }
    }

    private long Change(ApiClient client, int number)
    {
        var random = new Random(number);
        var watch = Stopwatch.StartNew();
        Dictionary<string, (bool IsThere, long AskedAt)> known = _known[number];
        using (client)
        {
            for (long i = 0; ; i++)
            {
                string cidr = $"10.{number}.{random.Next(Rules) / 256}.{random.Next(256)}/32";
                bool isThere = known.TryGetValue(cidr, out (bool IsThere, long AskedAt) last) && last.IsThere;
                known[cidr] = (!isThere, Stopwatch.GetTimestamp());
                try
                {
                    int status = isThere ? client.Delete($"/v1/drop/{cidr}").Status : client.Post("/v1/drop", ApiClient.EntryBody(cidr)).Status;
                    Assert.InRange(status, 200, 299);
                }
                catch (Exception e) when (e is IOException or System.Net.Sockets.SocketException or InvalidOperationException)
                {
                    return i; // the daemon was killed
                }

                // An answer takes time: what counts is the moment at which it was acknowledged.
                known[cidr] = (!isThere, Stopwatch.GetTimestamp());
                TimeSpan due = TimeSpan.FromSeconds((double)i * Clients / PerSecond) - watch.Elapsed;
                if (due > TimeSpan.FromMilliseconds(1))
                {
                    Thread.Sleep(due);
                }
            }
        }
    }
}
