using System.Buffers.Binary;
using System.Diagnostics;
using System.Runtime.InteropServices;
using Couic.Config;
using Couic.Daemon;
using Couic.Names;
using Couic.Store;
using Couic.Tests.Fakes;
using Couic.Tests.Support;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace Couic.Tests.Daemon;

public sealed class ProtectedAddressesTests : IDisposable
{
    private readonly TempFolder _root = new();

    public void Dispose() => _root.Dispose();

    [Fact]
    public void Sessions_AreThoseOfUsersAndNotMereConnections()
    {
        int size = RuntimeInformation.ProcessArchitecture == Architecture.Arm64 ? 400 : 384;
        var utmp = new byte[5 * size];
        Put(utmp.AsSpan(0, size), 7, "192.0.2.1/32");
        Put(utmp.AsSpan(size, size), 6, "192.0.2.2/32"); // LOGIN_PROCESS: not logged in yet
        Put(utmp.AsSpan(2 * size, size), 7, "2001:db8::7/128");
        Put(utmp.AsSpan(3 * size, size), 7, "::ffff:192.0.2.3/128");
        Put(utmp.AsSpan(4 * size, size), 7, "0.0.0.0/32"); // on the console
        Write("run/utmp", utmp);
        Write("run/systemd/sessions/4", "UID=0\nREMOTE=1\nREMOTE_HOST=192.0.2.9\n"u8.ToArray());
        Write("run/systemd/sessions/5", "UID=0\nREMOTE=0\n"u8.ToArray());
        Assert.Equal(
            ["192.0.2.1", "2001:db8::7", "192.0.2.3", "192.0.2.9"], new SystemFiles(root: _root.Path).Sessions().Select(host => host.AddressText()));
    }

    /// <summary>Records that another program wrote, so that its layout and not ours is read.</summary>
    [Fact]
    public void SessionsOfARealUtmpFile_AreRead()
    {
        const string Text = """
            [2] [00000] [~~  ] [reboot  ] [~           ] [6.1.0-18-amd64      ] [0.0.0.0        ] [2026-03-01T12:00:00,000000+00:00]
            [6] [00611] [tty1] [LOGIN   ] [tty1        ] [                    ] [192.0.2.8      ] [2026-03-01T12:00:01,000000+00:00]
            [7] [00900] [ts/0] [root    ] [pts/0       ] [gate.example        ] [192.0.2.1      ] [2026-03-01T12:01:00,000000+00:00]
            [7] [00901] [ts/1] [root    ] [pts/1       ] [2001:db8::7         ] [2001:db8::7    ] [2026-03-01T12:02:00,000000+00:00]
            [8] [00902] [ts/2] [        ] [pts/2       ] [                    ] [192.0.2.9      ] [2026-03-01T12:03:00,000000+00:00]

            """;
        using var utmpdump = Process.Start(new ProcessStartInfo("utmpdump", ["-r"]) { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true })!;
        utmpdump.StandardInput.Write(Text);
        utmpdump.StandardInput.Close();
        var utmp = new MemoryStream();
        utmpdump.StandardOutput.BaseStream.CopyTo(utmp);
        utmpdump.WaitForExit();
        Assert.True(utmp.Length >= 5 * 384, $"{utmp.Length} bytes");
        Write("run/utmp", utmp.ToArray());
        Assert.Equal(["192.0.2.1", "2001:db8::7"], new SystemFiles(root: _root.Path).Sessions().Select(host => host.AddressText()));
    }

    [Fact]
    public void GatewaysAndResolvers_AreRead()
    {
        Write("proc/self/net/route", "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\neth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\neth0\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\n"u8.ToArray());
        Write("proc/self/net/ipv6_route", "00000000000000000000000000000000 00 00000000000000000000000000000000 00 fe800000000000000000000000000001 00000400 00000001 00000000 00000003 eth0\nfe800000000000000000000000000000 40 00000000000000000000000000000000 00 00000000000000000000000000000000 00000100 00000001 00000000 00000001 eth0\n"u8.ToArray());
        Write("etc/resolv.conf", "# x\nnameserver 192.0.2.53\nnameserver fe80::53%eth0\nnameserver 127.0.0.53\nsearch x\n"u8.ToArray());
        var files = new SystemFiles(root: _root.Path);
        Assert.Equal(["192.0.2.1", "fe80::1"], files.Gateways().Select(host => host.AddressText()));
        Assert.Equal(["192.0.2.53", "fe80::53"], files.Resolvers().Select(host => host.AddressText()));
    }

    [Fact]
    public void MissingOrMalformedFiles_YieldNothing()
    {
        var files = new SystemFiles(root: _root.Path);
        Assert.Empty(files.Sessions().Concat(files.Gateways()).Concat(files.Resolvers()));
        foreach (string path in new[] { "run/utmp", "run/systemd/sessions/1", "proc/self/net/route", "proc/self/net/ipv6_route", "etc/resolv.conf" })
        {
            Write(path, [.. Enumerable.Range(0, 1000).Select(i => (byte)(i * 7))]);
        }

        Assert.Empty(files.Gateways().Concat(files.Resolvers()));
    }

    [Theory]
    [InlineData("010200C0", "00000080", "192.0.2.1")] // 0.0.0.0/1, half of a split default route
    [InlineData("010200C0", "000000E0", "192.0.2.1")]
    [InlineData("010200C0", "000000F0", null)] // a route to a sixteenth is not a default route
    [InlineData("00000000", "00000000", null)] // a default route on the link has no gateway
    public void Gateways_OfIPv4_AreThoseOfRoutesToAnEighthOrMore(string gateway, string mask, string? expected)
    {
        Write("proc/self/net/route", System.Text.Encoding.ASCII.GetBytes($"Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\nppp0\t00000000\t{gateway}\t0003\t0\t0\t0\t{mask}\n"));
        Assert.Equal(expected, new SystemFiles(root: _root.Path).Gateways().Select(host => host.AddressText()).SingleOrDefault());
    }

    [Theory]
    [InlineData("20000000000000000000000000000000 03", "fe80::1")] // 2000::/3, all global unicast
    [InlineData("80000000000000000000000000000000 01", "fe80::1")]
    [InlineData("20010db8000000000000000000000000 20", null)]
    public void Gateways_OfIPv6_AreThoseOfRoutesToAnEighthOrMore(string destination, string? expected)
    {
        Write("proc/self/net/ipv6_route", System.Text.Encoding.ASCII.GetBytes($"{destination} 00000000000000000000000000000000 00 fe800000000000000000000000000001 00000400 00000001 00000000 00000003 eth0\n"));
        Assert.Equal(expected, new SystemFiles(root: _root.Path).Gateways().Select(host => host.AddressText()).SingleOrDefault());
    }

    [Theory]
    [InlineData("run/utmp")]
    [InlineData("run/systemd/sessions/4.ref")]
    [InlineData("run/systemd/sessions/5")]
    [InlineData("proc/self/net/route")]
    [InlineData("etc/resolv.conf")]
    public async Task PipeInPlaceOfASource_IsNotOpened(string path)
    {
        Write(path, []);
        File.Delete(_root[path]);
        using var make = System.Diagnostics.Process.Start("mkfifo", _root[path]);
        await make.WaitForExitAsync(TestContext.Current.CancellationToken);
        Write("run/systemd/sessions/6", "REMOTE_HOST=192.0.2.9\n"u8.ToArray());
        var files = new SystemFiles(root: _root.Path);
        Task<int> reading = Task.Run(() => files.Sessions().Count + files.Gateways().Count + files.Resolvers().Count);
        Assert.Equal(1, await reading.WaitAsync(TimeSpan.FromSeconds(20), TestContext.Current.CancellationToken)); // opened, a pipe would wait for its other end
        Assert.Equal(!path.Contains("sessions", StringComparison.Ordinal), files.Unreadable.Any(source => source.Key == "/" + path));
    }

    [Fact]
    public void SourceThatCannotBeReadCompletely_IsReportedOncePerCause()
    {
        var log = new ListLogger();
        var files = new SystemFiles(log, _root.Path);
        Write("etc/resolv.conf", [.. "nameserver 192.0.2.53\n"u8, .. new byte[2 << 20]]);
        Assert.Equal(["192.0.2.53"], files.Resolvers().Select(host => host.AddressText()));
        _ = files.Resolvers();
        Assert.Equal("/etc/resolv.conf", Assert.Single(files.Unreadable).Key);
        Assert.Single(log.Lines);
        Write("etc/resolv.conf", "nameserver 192.0.2.53\n"u8.ToArray());
        _ = files.Resolvers();
        _ = files.Resolvers();
        Assert.Empty(files.Unreadable);
        Assert.Equal(2, log.Lines.Count);
    }

    [Fact]
    public void ResolvConf_IsReadThroughALink_ASessionIsNot()
    {
        Write("run/resolve/stub.conf", "nameserver 192.0.2.53\n"u8.ToArray());
        Directory.CreateDirectory(_root["etc"]);
        Directory.CreateDirectory(_root["run/systemd/sessions"]);
        File.CreateSymbolicLink(_root["etc/resolv.conf"], "../run/resolve/stub.conf");
        Write("run/elsewhere", "REMOTE_HOST=192.0.2.9\n"u8.ToArray());
        File.CreateSymbolicLink(_root["run/systemd/sessions/1"], "../../elsewhere");
        var files = new SystemFiles(root: _root.Path);
        Assert.Equal(["192.0.2.53"], files.Resolvers().Select(host => host.AddressText()));
        Assert.Empty(files.Sessions());
    }

    [Fact]
    public void Guard_KnowsTheAddressesOfFilesAndSettings()
    {
        Write("etc/resolv.conf", "nameserver 192.0.2.53\n"u8.ToArray());
        Settings settings = NewSettings(GuardMode.Warn);
        var store = new RuleStore(new ModelPlane(), StoreLimits.Default, TimeProvider.System);
        using var names = new HostResolver(TimeProvider.System, NullLogger.Instance);
        using var sources = new ProtectedAddresses(store, () => settings, names, new ListLogger(), _root.Path);
        sources.Refresh();
        Assert.Equal(
            ["127.0.0.1 this machine itself", "192.0.2.53 a resolver", "198.51.100.7 a peer", "::1 this machine itself"],
            store.Guard.Protected.Select(address => $"{address.Host.AddressText()} {address.Role}"));
        settings = settings with { Ifaces = ["eth0"] };
        sources.Refresh();
        Assert.Equal(2, store.Guard.Protected.Count);
    }

    [Fact]
    public void DroppedProtectedAddress_IsReportedOnce_AndShownUntilItIsNotDropped()
    {
        Write("etc/resolv.conf", "nameserver 192.0.2.53\n"u8.ToArray());
        Settings settings = NewSettings(GuardMode.Warn);
        var log = new ListLogger();
        var store = new RuleStore(new ModelPlane(), StoreLimits.Default, TimeProvider.System);
        using var names = new HostResolver(TimeProvider.System, NullLogger.Instance);
        using var sources = new ProtectedAddresses(store, () => settings, names, log, _root.Path);
        Write("proc/self/net/route", "Iface\n"u8.ToArray());
        var context = new ChangeContext(ChangeOrigin.Api, "x"u8);
        store.Add(Policy.Ignore, Parse("192.0.2.53/32"), default, 0, ConflictMode.Refuse, context, out _);
        store.Add(Policy.Drop, Parse("192.0.2.0/24"), default, 0, ConflictMode.Refuse, context, out _);
        sources.Refresh();
        Assert.Empty(sources.Status.Lockout);
        store.Remove(Policy.Ignore, Parse("192.0.2.53/32"), context, out _);
        sources.Refresh();
        sources.Refresh();
        Assert.Equal(("192.0.2.53", "a resolver", "192.0.2.0/24"), sources.Status.Lockout.Select(l => (l.Address, l.Role, l.Cidr)).Single());
        Assert.StartsWith("Error: 192.0.2.53 (a resolver) is dropped", Assert.Single(log.Lines), StringComparison.Ordinal);
        store.Add(Policy.Ignore, Parse("192.0.2.53/32"), default, 0, ConflictMode.Refuse, context, out _);
        sources.Refresh();
        Assert.Empty(sources.Status.Lockout);
        Assert.Equal(2, log.Lines.Count);
    }

    private static Settings NewSettings(GuardMode mode)
    {
        var faults = new List<Fault>();
        Settings? settings = SettingsReader.Read("test", System.Text.Encoding.UTF8.GetBytes(SettingsSource.Embedded().Text), faults, checkHost: false);
        Assert.Empty(faults);
        var peer = new PeerSettings { Host = "198.51.100.7", Port = 1, Token = Guid.NewGuid() };
        return settings! with { Guard = new GuardSettings(mode), Peering = new PeeringSettings { Enabled = true, Peers = [peer] } };
    }

    private static void Put(Span<byte> record, short type, string address)
    {
        BinaryPrimitives.WriteInt16LittleEndian(record, type);
        Parse(address).WriteAddress(record[(record.Length == 400 ? 360 : 348)..]);
    }

    private static Cidr Parse(string text)
    {
        Assert.Equal(CidrFault.None, Cidr.TryParse(text, out Cidr cidr));
        return cidr;
    }

    private void Write(string path, byte[] content)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(_root[path])!);
        File.WriteAllBytes(_root[path], content);
    }
}
