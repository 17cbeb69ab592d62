using System.Net.Sockets;
using Xunit;

namespace Couic.Tests.Cli;

public sealed class ConnectionTests : IDisposable
{
    private readonly CliRig _rig = new();

    public void Dispose() => _rig.Dispose();

    [Fact]
    public void AMissingSocketAsksWhetherTheDaemonRuns()
    {
        File.Delete(_rig.SocketPath);
        Assert.Equal(
            new CliResult(3, "", $"couicctl: cannot reach the daemon at \"{_rig.SocketPath}\": no such socket (is it running? systemctl status couic)\n"),
            _rig.Run("drop list"));
    }

    [Fact]
    public void ASocketThatNobodyServesAsksWhetherTheDaemonRuns()
    {
        File.Delete(_rig.SocketPath);
        using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        socket.Bind(new UnixDomainSocketEndPoint(_rig.SocketPath));
        Assert.Equal(
            new CliResult(3, "", $"couicctl: cannot reach the daemon at \"{_rig.SocketPath}\": connection refused (is it running? systemctl status couic)\n"),
            _rig.Run("drop list"));
    }

    [Theory]
    [InlineData("")]
    [InlineData("HTTP/1.1 200")]
    [InlineData("HTTP/1.1 200 OK\r\nconte")]
    public void AnAnswerThatBreaksOffIsAnError(string raw)
    {
        _rig.Daemon.Answer = _ => new StubAnswer(200) { Raw = raw };
        CliResult result = _rig.Run("drop inspect 1.2.3.4");
        Assert.Equal(3, result.Status);
        Assert.Equal($"couicctl: cannot reach the daemon at \"{_rig.SocketPath}\": it closed the connection without an answer (see its log: journalctl -u couic)\n", result.Error);
    }

    [Fact]
    public void WhatDoesNotSpeakHttpIsSaidToBeSo()
    {
        _rig.Daemon.Answer = _ => new StubAnswer(200) { Raw = "220 mail.example ESMTP\r\n\r\n" };
        CliResult result = _rig.Run("drop inspect 1.2.3.4");
        Assert.Equal(3, result.Status);
        Assert.Equal($"couicctl: cannot reach the daemon at \"{_rig.SocketPath}\": it does not speak HTTP (is \"port\" right? does it need \"tls = true\"?)\n", result.Error);
    }
}
