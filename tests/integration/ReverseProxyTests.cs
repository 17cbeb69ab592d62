using Couic.IntegrationTests.Harness;
using Xunit;

namespace Couic.IntegrationTests;

/// <summary>Debian's nginx with TLS in front of the socket, as operators run it.</summary>
public sealed class ReverseProxyTests : IDisposable
{
    private readonly Lab _lab = new();
    private readonly Daemon _daemon;
    private readonly TlsProxy _proxy;

    public ReverseProxyTests()
    {
        _daemon = Daemon.Start(_lab);
        _proxy = new TlsProxy(_lab.Inside, _lab.Scratch, "proxy", _daemon.Socket, "127.0.0.1");
        Eventually.Holds(() => Curl("/v1/drop").ExitCode == 0, "nginx answers");
    }

    [Fact]
    public void CurlAddsARuleThroughIt()
    {
        Shell.Result added = Curl("/v1/drop", "-X", "POST", "-H", "Content-Type: application/json", "-d", ApiClient.EntryBody("198.51.100.7/32", "proxied"));
        Assert.Contains("\"cidr\":\"198.51.100.7/32\"", added.Out, StringComparison.Ordinal);
        Assert.False(_lab.Probe.Passes("198.51.100.7"));
        Assert.Contains("proxied", Curl("/v1/drop").Out, StringComparison.Ordinal);
        Assert.Equal("204", Curl("/v1/drop/198.51.100.7/32", "-X", "DELETE", "-o", "/dev/null", "-w", "%{http_code}").Out);
        Assert.True(_lab.Probe.Passes("198.51.100.7"));
    }

    [Fact]
    public void CouicctlInRemoteModeWorksThroughIt()
    {
        string config = WriteRemote("localhost", _proxy.Authority);
        Shell.Result added = Product.Run(_lab.Inside, "ctl", "-c", config, "drop", "add", "198.51.100.7/32", "-t", "remote");
        Assert.True(added.ExitCode == 0, added.All);
        Assert.False(_lab.Probe.Passes("198.51.100.7"));
        Shell.Result listed = Product.Run(_lab.Inside, "ctl", "-c", config, "drop", "list", "-q");
        Assert.Equal("198.51.100.7/32\n", listed.Out);
    }

    [Fact]
    public void CouicctlRefusesACertificateOfAnUnknownAuthority()
    {
        using Authority other = new(_lab.Scratch, "other");
        Shell.Result result = Product.Run(_lab.Inside, "ctl", "-c", WriteRemote("localhost", other.File), "drop", "list");
        Assert.Equal(3, result.ExitCode);
        Assert.Contains("certificate", result.Error, StringComparison.OrdinalIgnoreCase);
        Assert.Single(result.Error.TrimEnd('\n').Split('\n'));
    }

    [Fact]
    public void CouicctlRefusesACertificateOfAnotherName()
    {
        Shell.Result result = Product.Run(_lab.Inside, "ctl", "-c", WriteRemote("127.0.0.2", _proxy.Authority), "drop", "list");
        Assert.Equal(3, result.ExitCode);
        Assert.Contains("certificate", result.Error, StringComparison.OrdinalIgnoreCase);
    }

    [Fact]
    public void AListOfTenThousandEntriesComesThroughWhole()
    {
        string[] requests = [
            .. Enumerable.Range(0, 10_000).Select(i => _daemon.Api.Text("POST", "/v1/drop", ApiClient.EntryBody($"10.1.{i / 256}.{i % 256}/32")))];
        Assert.All(_daemon.Api.Pipeline(requests), status => Assert.Equal(201, status));
        Shell.Result listed = Product.Run(_lab.Inside, "ctl", "-c", WriteRemote("localhost", _proxy.Authority), "drop", "list", "-q");
        Assert.Equal(10_000, listed.Out.TrimEnd('\n').Split('\n').Length);
    }

    public void Dispose()
    {
        _proxy.Dispose();
        _daemon.Dispose();
        _lab.Dispose();
    }

    private Shell.Result Curl(string path, params string[] arguments) => Shell.Run(
        _lab.Inside, "curl", ["-sS", "--cacert", _proxy.Authority, "-H", $"Authorization: Bearer {_daemon.Token}", $"https://localhost:2900{path}", .. arguments]);

    private string WriteRemote(string host, string authority) => _lab.Scratch.File("remote.toml", $"""
        mode = "remote"
        host = "{host}"
        port = 2900
        tls = true
        ca_file = "{authority}"
        token = "{_daemon.Token}"

        """, (UnixFileMode)0b110_000_000);
}
