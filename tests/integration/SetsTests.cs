using Couic.IntegrationTests.Harness;
using Xunit;

namespace Couic.IntegrationTests;

/// <summary>Static sets: files, their endpoints, reload, restart, and faults that must not take the filter down.</summary>
public sealed class SetsTests : IDisposable
{
    private const UnixFileMode OwnerOnly = (UnixFileMode)0b110_000_000;
    private readonly Lab _lab = new();

    [Fact]
    public void SetsAreInForceBeforeTheDaemonAnswers()
    {
        WriteSet("drop", "blocklist", "# comment\n\n198.51.100.0/24\r\n  2001:db8:bad::/48  \n");
        WriteSet("ignore", "friends", "198.51.100.10/32\n");
        using Daemon daemon = Daemon.Start(_lab);
        Assert.Equal([false, true, false, true], _lab.Probe.Passes(["198.51.100.7", "198.51.100.10", "2001:db8:bad::1", "192.0.2.1"]));
        Assert.Equal("blocklist.couic", daemon.Api.Get("/v1/drop/198.51.100.0/24").Json.GetProperty("tag").GetString());
        Assert.Equal(1, Stats.TagPackets(daemon, "ignore", "friends.couic"));
    }

    [Fact]
    public void ABadSetAtTheStartIsLeftOutAndTheRestIsLoaded()
    {
        WriteSet("drop", "good", "198.51.100.0/24\n");
        WriteSet("drop", "bad", "203.0.113.0/24\nnonsense\n");
        WriteSet("drop", "open", "192.0.2.0/24\n", (UnixFileMode)0b110_100_100);
        using Daemon daemon = Daemon.Start(_lab);
        Assert.Equal([false, true, true], _lab.Probe.Passes(["198.51.100.7", "203.0.113.7", "192.0.2.7"]));
        Assert.Contains("bad.couic", daemon.Said, StringComparison.Ordinal);
        Assert.Contains("open.couic", daemon.Said, StringComparison.Ordinal);
    }

    [Fact]
    public void AReloadSwapsSetsAndTheEndpointsChangeFilesOnly()
    {
        using Daemon daemon = Daemon.Start(_lab);
        ApiClient api = daemon.Api;
        Answer created = api.Post("/v1/sets/drop", """{"name":"a","entries":["198.51.100.77/24","2001:DB8::1/32"]}""").Expect(201);
        Assert.Equal("""{"name":"a","entries":["198.51.100.77/24","2001:db8::1/32"]}""", created.Body);
        Assert.Equal("198.51.100.77/24\n2001:db8::1/32\n", File.ReadAllText(Path.Combine(daemon.WorkingFolder, "sets/drop/a.couic")));
        Assert.True(_lab.Probe.Passes("198.51.100.7"));

        Assert.Equal("""{"reload_status":"OK"}""", api.Request("POST", "/v1/sets/reload").Expect(201).Body);
        Assert.Equal([false, false], _lab.Probe.Passes(["198.51.100.7", "2001:db8:5::1"]));
        Assert.Equal(422, api.Delete("/v1/drop/198.51.100.0/24").Status);

        api.Request("PUT", "/v1/sets/drop/a", """{"name":"a","entries":["203.0.113.0/24"]}""").Expect(200);
        Assert.False(_lab.Probe.Passes("198.51.100.7"));
        api.Request("POST", "/v1/sets/reload").Expect(201);
        Assert.Equal([true, false], _lab.Probe.Passes(["198.51.100.7", "203.0.113.7"]));

        Assert.Equal("""{"deleted":true,"reload_required":true}""", api.Delete("/v1/sets/drop/a").Expect(200).Body);
        Assert.False(_lab.Probe.Passes("203.0.113.7"));
        api.Request("POST", "/v1/sets/reload").Expect(201);
        Assert.True(_lab.Probe.Passes("203.0.113.7"));
    }

    [Fact]
    public void AReloadWithOneBadLineChangesNothingAndNamesIt()
    {
        WriteSet("drop", "a", "198.51.100.0/24\n");
        using Daemon daemon = Daemon.Start(_lab);
        WriteSet("drop", "a", "203.0.113.0/24\n");
        WriteSet("drop", "b", "192.0.2.0/24\n192.0.2.0/33\n");
        Answer answer = daemon.Api.Request("POST", "/v1/sets/reload").Expect(422);
        Assert.Contains("b.couic", answer.Body, StringComparison.Ordinal);
        Assert.Contains("192.0.2.0/33", answer.Body, StringComparison.Ordinal);
        Assert.Equal([false, true, true], _lab.Probe.Passes(["198.51.100.7", "203.0.113.7", "192.0.2.7"]));
    }

    [Fact]
    public void AReloadThatChangesNothing_ChangesNothingInTheKernel()
    {
        WriteSet("drop", "a", string.Concat(Enumerable.Range(0, 20_000).Select(i => $"10.1.{i / 256}.{i % 256}/32\n")));
        WriteSet("ignore", "b", "2001:db8::/32\n");
        using Daemon daemon = Daemon.Start(_lab);
        using SystemCalls same = new(_lab.Scratch, daemon, "bpf");
        daemon.Api.Request("POST", "/v1/sets/reload").Expect(201);
        Assert.DoesNotContain(same.End(), ChangesTheKernel);

        WriteSet("ignore", "b", "2001:db9::/32\n");
        using SystemCalls changed = new(_lab.Scratch, daemon, "bpf");
        daemon.Api.Request("POST", "/v1/sets/reload").Expect(201);
        Assert.Equal(2, changed.End().Count(ChangesTheKernel));
    }

    [Fact]
    public void AFileIsOnTheDiskBeforeItHasItsNameAndTheNameBeforeTheAnswer()
    {
        using Daemon daemon = Daemon.Start(_lab);
        using SystemCalls calls = new(_lab.Scratch, daemon, "fsync,linkat,unlinkat,?link,?unlink,?rename,?renameat,?renameat2");
        daemon.Api.Post("/v1/sets/drop", """{"name":"a","entries":["198.51.100.0/24"]}""").Expect(201);
        daemon.Api.Request("PUT", "/v1/sets/drop/a", """{"name":"a","entries":["203.0.113.0/24"]}""").Expect(200);
        daemon.Api.Delete("/v1/sets/drop/a").Expect(200);
        string[] names = [.. calls.End().Select(call => call[..call.IndexOf('(', StringComparison.Ordinal)].Split("at")[0])];
        Assert.Equal(["fsync", "link", "unlink", "fsync", "fsync", "rename", "fsync", "unlink", "fsync"], names);
    }

    [Fact]
    public void ASetTakesAnEntryOfTheApiOverAndItDoesNotComeBack()
    {
        using Daemon daemon = Daemon.Start(_lab);
        daemon.Api.Add("drop", "198.51.100.0/24", "mine");
        daemon.Api.Post("/v1/sets/drop", """{"name":"a","entries":["198.51.100.0/24"]}""").Expect(201);
        daemon.Api.Request("POST", "/v1/sets/reload").Expect(201);
        Assert.Equal("a.couic", daemon.Api.Get("/v1/drop/198.51.100.0/24").Json.GetProperty("tag").GetString());
        Assert.False(_lab.Probe.Passes("198.51.100.7"));
        Assert.Equal(1, Stats.TagPackets(daemon, "drop", "a.couic"));
        daemon.Api.Delete("/v1/sets/drop/a").Expect(200);
        daemon.Api.Request("POST", "/v1/sets/reload").Expect(201);
        Assert.Equal(404, daemon.Api.Get("/v1/drop/198.51.100.0/24").Status);
        Assert.True(_lab.Probe.Passes("198.51.100.7"));
    }

    [Theory]
    [InlineData("generic")]
    [InlineData("native")]
    public void SetsThatAreSwapped_LetNoListedSourcePass_AndDropNoIgnoredOne(string mode)
    {
        // Listed before and after, alternately as a whole and as halves. For the ignored part, drop and ignore come and go in one reload.
        const string Whole = "\n198.51.100.0/24\n2001:db8:7::/48\n", Halves = "\n198.51.100.0/25\n198.51.100.128/25\n2001:db8:7::/49\n2001:db8:7:8000::/49\n";
        const string Passing = "203.0.113.0/24\n2001:db8:9::/48\n";
        string[] bulk = [.. Enumerable.Range(0, 20_000).Select(i => $"10.{i / 65536}.{i / 256 % 256}.{i % 256}/32")];
        WriteSet("drop", "a", string.Join('\n', bulk) + Whole);
        using Daemon daemon = Daemon.Start(_lab, new DaemonOptions { Mode = mode });
        int dropped = 0, passed = 0, during = 0;
        foreach (bool isListed in (bool[])[true, false])
        {
            string[] sources = isListed ? ["198.51.100.", "2001:db8:7::"] : ["203.0.113.", "2001:db8:9::"];
            byte[][] frames = [.. Enumerable.Range(1, 16).SelectMany(i => sources.Select(s => Frame.UdpFrom(s + i)))];
            using Traffic traffic = new(_lab.Probe, frames);
            for (int i = 0; i < 6; i++)
            {
                bool isOdd = i % 2 == 0;
                File.Delete(SetFile("drop", isOdd ? "a" : "b"));
                WriteSet("drop", isOdd ? "b" : "a", string.Join('\n', bulk.Skip(i * 100)) + (isOdd ? Halves + Passing : Whole));
                WriteSet("ignore", "c", isOdd ? Passing : "");
                traffic.During(() => daemon.Api.Request("POST", "/v1/sets/reload").Expect(201));
            }

            (int arrived, int sent) = traffic.Stop();
            during += traffic.RoundsDuringChanges;
            passed += isListed ? arrived : 0;
            dropped += isListed ? 0 : sent - arrived;
        }

        Assert.Equal((0, 0), (passed, dropped));
        Assert.True(during > 50, $"{during} rounds of frames beside a swap");
    }

    [Fact]
    public void SetsSurviveARestartAndSighupReadsThemAgain()
    {
        WriteSet("drop", "a", "198.51.100.0/24\n");
        using (Daemon first = Daemon.Start(_lab))
        {
            first.Api.Add("drop", "192.0.2.7/32", "dynamic");
            WriteSet("drop", "a", "203.0.113.0/24\n");
            first.Signal(Libc.SIGHUP);
            Eventually.Holds(() => !_lab.Probe.Passes("203.0.113.7"), "the set is read again");
            Assert.Equal([true, false], _lab.Probe.Passes(["198.51.100.7", "192.0.2.7"])); // dynamic rules stay
            Assert.Equal(0, first.End());
        }

        using Daemon second = Daemon.Start(_lab);
        Assert.Equal([false, true], _lab.Probe.Passes(["203.0.113.7", "192.0.2.7"]));
    }

    [Fact]
    public void AFullDiskAndAReadOnlyFolderAreClearErrorsAndTheFilterGoesOn()
    {
        DaemonOptions options = new();
        _ = Daemon.Write(_lab.Scratch, options);
        string state = _lab.Scratch["couic/state"];
        Shell.Check(null, "mount", "-t", "tmpfs", "-o", $"size=64k,mode=755,uid={Owner.Nobody.Uid},gid={Owner.Nobody.Gid}", "tmpfs", state);
        try
        {
            using Daemon daemon = Daemon.Start(_lab, options);
            daemon.Api.Add("drop", "198.51.100.7/32");
            string entries = string.Join(',', Enumerable.Range(0, 20_000).Select(i => $"\"10.0.{i / 256}.{i % 256}/32\""));
            Answer full = daemon.Api.Post("/v1/sets/drop", $$"""{"name":"big","entries":[{{entries}}]}""").Expect(500);
            Assert.Equal("internal", full.Code);
            Assert.Contains("space", full.Body, StringComparison.OrdinalIgnoreCase);
            Assert.Empty(Directory.GetFiles(Path.Combine(state, "sets/drop")));

            Shell.Check(null, "mount", "-o", "remount,ro", state);
            Assert.Equal("internal", daemon.Api.Post("/v1/sets/drop", """{"name":"small","entries":[]}""").Expect(500).Code);
            Assert.Equal("internal", daemon.Api.Post("/v1/client", """{"name":"other","group":"clientro"}""").Expect(500).Code);
            daemon.Api.Add("drop", "198.51.100.8/32");
            Assert.Equal([false, false, true], _lab.Probe.Passes(["198.51.100.7", "198.51.100.8", "198.51.100.9"]));
            Assert.Equal(0, daemon.End());
        }
        finally
        {
            Shell.Check(null, "umount", "-l", state);
        }
    }

    [Fact]
    public void AFileThatIsReplacedWhileItIsReadIsTakenWholeAndOneThatIsRewrittenInPlaceHarmsNothing()
    {
        string[] Addresses(int net) => [.. Enumerable.Range(0, 20_000).Select(i => $"10.{net}.{i / 256}.{i % 256}")];
        string[] texts = [.. new[] { 1, 2 }.Select(net => string.Concat(Addresses(net).Select(a => a + "/32\n")))];
        WriteSet("drop", "moving", texts[0]);
        using Daemon daemon = Daemon.Start(_lab);
        string file = SetFile("drop", "moving");
        bool isDone = false, inPlace = false;
        Thread writer = new(() =>
        {
            for (int i = 0; !Volatile.Read(ref isDone); i++)
            {
                string path = Volatile.Read(ref inPlace) ? file : file + ".new";
                File.WriteAllText(path, texts[i % 2]);
                File.SetUnixFileMode(path, OwnerOnly);
                Owner.Nobody.Take(path);
                if (path != file)
                {
                    File.Move(path, file, overwrite: true);
                }
            }
        });
        writer.Start();
        for (int i = 0; i < 20; i++)
        {
            _ = daemon.Api.Request("POST", "/v1/sets/reload").Expect(201);
            Assert.Equal(20_000, Stats.Count(daemon, "drop"));
        }

        Volatile.Write(ref inPlace, true);
        for (int i = 0; i < 20; i++)
        {
            Assert.Contains(daemon.Api.Request("POST", "/v1/sets/reload").Status, new[] { 201, 422 });
        }

        Volatile.Write(ref isDone, true);
        writer.Join();
        WriteSet("drop", "moving", texts[0]);
        _ = daemon.Api.Request("POST", "/v1/sets/reload").Expect(201);
        Assert.Equal([.. Addresses(1).Select(a => $"drop {a}/32").Order(StringComparer.Ordinal)], KernelTables.Read(daemon));
    }

    [Fact]
    public void ASetFileOfAnotherOwnerFailsTheReloadAndIsNamed()
    {
        using Daemon daemon = Daemon.Start(_lab);
        string file = Path.Combine(daemon.WorkingFolder, "sets/drop/alien.couic");
        File.WriteAllText(file, "198.51.100.0/24\n");
        File.SetUnixFileMode(file, OwnerOnly);
        Answer answer = daemon.Api.Request("POST", "/v1/sets/reload").Expect(422);
        Assert.Contains("alien.couic", answer.Body, StringComparison.Ordinal);
        Assert.True(_lab.Probe.Passes("198.51.100.7"));
    }

    public void Dispose() => _lab.Dispose();

    private static bool ChangesTheKernel(string call) =>
        call.StartsWith("bpf(BPF_MAP_UPDATE", StringComparison.Ordinal) || call.StartsWith("bpf(BPF_MAP_DELETE", StringComparison.Ordinal);

    private string SetFile(string policy, string name) => _lab.Scratch[$"couic/state/sets/{policy}/{name}.couic"];

    private void WriteSet(string policy, string name, string text, UnixFileMode mode = OwnerOnly)
    {
        foreach (string folder in new[] { "couic", "couic/state", "couic/state/sets", $"couic/state/sets/{policy}" })
        {
            _lab.Scratch.Folder(folder, Owner.Nobody);
        }

        _lab.Scratch.File($"couic/state/sets/{policy}/{name}.couic", text, mode, Owner.Nobody);
    }
}
