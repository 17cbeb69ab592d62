using Couic.Cli.Api;
using Xunit;

namespace Couic.Tests.Cli;

public sealed class ConfigurationTests : IDisposable
{
    private const string Remote = "mode = \"remote\"\nhost = \"couic.example\"\nport = 2900\ntls = true\n";

    private readonly CliRig _rig = new();

    public void Dispose() => _rig.Dispose();

    [Fact]
    public void ALocalFileNamesSocketAndClientFile()
    {
        Endpoint endpoint = EndpointReader.Read(Config($"socket = \"/run/x.sock\"\nclient_file = \"{_rig.ClientFile}\"\n"));
        Assert.Equal(("/run/x.sock", CliRig.Token, _rig.ClientFile), (endpoint.Socket, endpoint.Token, endpoint.TokenFile));
    }

    [Fact]
    public void ARemoteFileNamesHostPortAndToken()
    {
        Endpoint endpoint = EndpointReader.Read(Config(Remote + $"token = \"{CliRig.Token}\"\n"));
        Assert.Equal((null, "https://couic.example:2900", CliRig.Token, _rig.ConfigFile), (endpoint.Socket, endpoint.Display, endpoint.Token, endpoint.TokenFile));
        endpoint = EndpointReader.Read(Config($"mode = \"remote\"\nhost = \"::1\"\nport = 80\nclient_file = \"{_rig.ClientFile}\"\n"));
        Assert.Equal(("http://[::1]", CliRig.Token, _rig.ClientFile), (endpoint.Display.Replace(":80", "", StringComparison.Ordinal), endpoint.Token, endpoint.TokenFile));
    }

    [Theory]
    [InlineData("", "FILE: key \"socket\" is missing|FILE: key \"client_file\" is missing")]
    [InlineData("socket = \"/x\"\nclient_file = \"/y\"\nsokcet = \"/x\"\n", "FILE:3:1: unknown key \"sokcet\" (did you mean \"socket\"?)")]
    [InlineData("mode = \"loacl\"\nsocket = \"/x\"\nclient_file = \"/y\"\n", "FILE:1:8: mode = \"loacl\" is not allowed (one of: local, remote; did you mean \"local\"?)")]
    [InlineData("mode = \"remote\"\n", "FILE: key \"host\" is missing|FILE: key \"port\" is missing|FILE: key \"token\" or \"client_file\" is missing")]
    [InlineData(Remote + "token = \"x\"\nclient_file = \"/y\"\n", "FILE:5:9: token and client_file exclude each other|FILE:5:9: token is not a UUID (36 characters, hex digits and hyphens)")]
    [InlineData("mode = \"remote\"\nhost = \"a b\"\nport = 0\ntls = \"yes\"\ntoken = \"0d8de2b2-16d1-4a37-9ad6-1d27e8a5c8a3\"\n", "FILE:2:8: host = \"a b\" is neither a name nor an address (no scheme, no port, no path)|FILE:3:8: port = 0 is out of range (1 to 65535)|FILE:4:7: tls must be a boolean, is a string (\"yes\")")]
    [InlineData("mode = \"remote\"\nhost = \"a\"\nport = 1\nca_file = \"/ca.pem\"\ntoken = \"0d8de2b2-16d1-4a37-9ad6-1d27e8a5c8a3\"\n", "FILE:4:11: ca_file without tls = true: nothing would be verified, and the token would travel in the clear")]
    public void EveryFaultIsNamedWithItsPlace(string text, string faults)
    {
        string file = Config(text);
        string expected = string.Concat(faults.Split('|').Select(f => $"couicctl: {f.Replace("FILE", file, StringComparison.Ordinal)}\n"));
        Assert.Equal(new CliResult(1, "", expected), _rig.Run("drop list"));
    }

    [Theory]
    [InlineData("token = 0d8de2b2-16d1-4a37-9ad6-1d27e8a5c8a3\n")]
    [InlineData("token = \"0d8de2b2-16d1-4a37-9ad6-1d27e8a5c8a3\n")]
    [InlineData("token = \"0d8de2b2-16d1-4a37-9ad6-1d27e8a5c8a\"\n")]
    [InlineData("tokn = \"0d8de2b2-16d1-4a37-9ad6-1d27e8a5c8a3\"\n")]
    public void NoMessageHoldsTheToken(string clientFile)
    {
        File.WriteAllText(_rig.ClientFile, clientFile);
        CliResult result = _rig.Run("drop list");
        Assert.Equal(1, result.Status);
        Assert.StartsWith($"couicctl: {_rig.ClientFile}", result.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("0d8de2b2", result.Error, StringComparison.Ordinal);
        Config(Remote + clientFile);
        result = _rig.Run("drop list");
        Assert.Equal(1, result.Status);
        Assert.DoesNotContain("0d8de2b2", result.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("0x8de2b2-16d1-4a37-9ad6-1d27e8a5c8a3")]
    [InlineData("+d8de2b2-16d1-4a37-9ad6-1d27e8a5c8a3")]
    [InlineData(" 0d8de2b2-16d1-4a37-9ad6-1d27e8a5c8a3")]
    [InlineData("0d8de2b216d14a379ad61d27e8a5c8a3")]
    public void OnlyTheHyphenatedFormIsAToken(string token)
    {
        const string Fault = "token is not a UUID (36 characters, hex digits and hyphens)\n";
        File.WriteAllText(_rig.ClientFile, $"token = \"{token}\"\n");
        Assert.Equal(new CliResult(1, "", $"couicctl: {_rig.ClientFile}: {Fault}"), _rig.Run("drop list"));
        Config(Remote + $"token = \"{token}\"\n");
        Assert.Equal(new CliResult(1, "", $"couicctl: {_rig.ConfigFile}:5:9: {Fault}"), _rig.Run("drop list"));
    }

    [Fact]
    public void AMissingFileIsNamed()
    {
        File.Delete(_rig.ConfigFile);
        Assert.Equal(new CliResult(1, "", $"couicctl: read configuration \"{_rig.ConfigFile}\": no such file or directory (-c names another)\n"), _rig.Run("drop list"));
    }

    [Fact]
    public void AMissingClientFileIsNamed()
    {
        File.Delete(_rig.ClientFile);
        Assert.Equal(
            new CliResult(1, "", $"couicctl: read client file \"{_rig.ClientFile}\": no such file or directory (the daemon makes it at its first start; systemctl status couic)\n"),
            _rig.Run("drop list"));
    }

    private string Config(string text)
    {
        File.WriteAllText(_rig.ConfigFile, text);
        return _rig.ConfigFile;
    }
}
