using System.Text;
using Couic.IntegrationTests.Harness;
using Xunit;

namespace Couic.IntegrationTests;

/// <summary>Set files beyond every limit, made by a client or put there by hand: the daemon starts, in bounded memory, and says what it left out.</summary>
public sealed class SetLimitTests : IDisposable
{
    private const int HostsOfAFile = 120_000;
    private const long MostResident = 160_000_000;
    private readonly Lab _lab = new();

    [Fact]
    public void Start_SixtyLargeFilesAndOtherThingsInTheFolder_LoadsWhatFitsInBoundedMemory()
    {
        for (int file = 0; file < 60; file++)
        {
            Write($"m{file:d2}.couic", Hosts(file));
        }

        Write("a.couic", "198.51.100.0/24\n");
        Write(".left.couic.0123456789abcdef.tmp", "x");
        Shell.Check(null, "mkfifo", InDrop("fifo.couic"));
        Shell.Check(null, "truncate", "-s", "1T", Write("holes.couic", string.Empty));
        using Daemon daemon = Daemon.Start(_lab);
        Assert.InRange(MostEver(daemon), 0, MostResident);
        Assert.Equal([false, false, true], _lab.Probe.Passes(["198.51.100.7", "2001:db8::1", "192.0.2.1"]));
        Assert.Equal((2 * HostsOfAFile) + 1, Stats.Count(daemon, "drop"));
        Assert.Contains("m02.couic: does not fit with the sets before it: at most 262144 networks of IPv6", daemon.Said, StringComparison.Ordinal);
        Assert.Contains("fifo.couic", daemon.Said, StringComparison.Ordinal);
        Assert.False(File.Exists(InDrop(".left.couic.0123456789abcdef.tmp")));

        Assert.Equal("invalid", daemon.Api.Request("POST", "/v1/sets/reload").Expect(422).Code);
        Assert.InRange(MostEver(daemon), 0, MostResident);
        Assert.False(_lab.Probe.Passes("2001:db8::1"));
    }

    [Fact]
    public void Create_AsManySetsAsAClientMay_IsRefusedInTimeAndTheNextStartSucceeds()
    {
        using (Daemon daemon = Daemon.Start(_lab))
        {
            string token = daemon.Api.Post("/v1/client", """{"name":"writer","group":"clientrw"}""").Expect(201).Json.GetProperty("token").GetString()!;
            using ApiClient writer = daemon.As(token);
            Answer last;
            int made = 0;
            do
            {
                string entries = string.Join(',', Hosts(made).Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(host => $"\"{host}\""));
                last = writer.Post("/v1/sets/drop", $$"""{"name":"s{{made:d2}}","entries":[{{entries}}]}""");
            }
            while (last.Status == 201 && ++made < 60);
            Assert.Equal((422, "invalid"), (last.Status, last.Code));
            Assert.Contains("max_set_file_bytes", last.Body, StringComparison.Ordinal);
            Assert.InRange(made, 3, 20);
            Assert.Contains("max_drop_entries", writer.Request("POST", "/v1/sets/reload").Expect(422).Body, StringComparison.Ordinal);
        }

        using Daemon second = Daemon.Start(_lab);
        Assert.InRange(MostEver(second), 0, MostResident);
        Assert.Equal(2 * HostsOfAFile, Stats.Count(second, "drop"));
    }

    public void Dispose() => _lab.Dispose();

    private static long MostEver(Daemon daemon) => 1024 * long.Parse(
        File.ReadLines($"/proc/{daemon.Process.Id}/status").First(l => l.StartsWith("VmHWM:", StringComparison.Ordinal))
            .Split(' ', StringSplitOptions.RemoveEmptyEntries)[1]);

    /// <summary>About 4.5 MB of distinct hosts.</summary>
    private static string Hosts(int file)
    {
        var text = new StringBuilder();
        for (int host = 1; host <= HostsOfAFile; host++)
        {
            text.Append($"2001:db8:{(file == 0 ? 0 : 0x1000 + file):x}:1111:2222:3333:{host >> 16:x}:{host & 0xffff:x}/128\n");
        }

        return file == 0 ? text.Replace(":1111:2222:3333:", ":0:0:0:").ToString() : text.ToString();
    }

    private string InDrop(string name) => _lab.Scratch[$"couic/state/sets/drop/{name}"];

    private string Write(string name, string text)
    {
        foreach (string folder in new[] { "couic", "couic/state", "couic/state/sets", "couic/state/sets/drop" })
        {
            _lab.Scratch.Folder(folder, Owner.Nobody);
        }

        return _lab.Scratch.File($"couic/state/sets/drop/{name}", text, (UnixFileMode)0b110_000_000, Owner.Nobody);
    }
}
