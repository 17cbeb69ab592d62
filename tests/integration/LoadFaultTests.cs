using System.Net.Sockets;
using System.Text;
using Couic.IntegrationTests.Harness;
using Xunit;

namespace Couic.IntegrationTests;

/// <summary>Faults in the middle of a thousand writes a second: the kernel holds what was acknowledged, and nothing that was acknowledged as removed.</summary>
public sealed class LoadFaultTests : IDisposable
{
    private const int Enough = 500;
    private readonly Lab _lab = new();
    private readonly Acknowledged _acknowledged = new();

    public void Dispose() => _lab.Dispose();

    [Fact]
    public void SighupLosesNothing() => UnderLoad(daemon =>
    {
        for (int i = 0; i < 5; i++)
        {
            daemon.Signal(Libc.SIGHUP);
            Thread.Sleep(50);
        }
    });

    [Fact]
    public void AnInterfaceThatGoesDownAndIsDeletedAndMadeAgainLosesNothing()
    {
        UnderLoad(daemon =>
        {
            _lab.Ip("link", "set", Lab.Interface, "down");
            _lab.Ip("link", "set", Lab.Interface, "up");
            _lab.RemakePair();
            Eventually.Holds(() => _lab.Attached().Length > 0, "attached again");
            Eventually.Holds(
                () => daemon.Api.Get("/v1/status").Json.GetProperty("interfaces")[0].GetProperty("state").GetString() == "attached", "and the status says so");
        });
    }

    [Fact]
    public void ClientsThatAreKilledInTheMiddleLeaveNothingHalfDone() => UnderLoad(daemon =>
    {
        for (int i = 0; i < 20; i++)
        {
            using Socket client = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            client.Connect(new UnixDomainSocketEndPoint(daemon.Socket));
            string request = daemon.Api.Text("POST", "/v1/drop", ApiClient.EntryBody("198.51.100.200/32"));
            client.Send(Encoding.ASCII.GetBytes(request[..(request.Length - 1 - i)]));
        }
    });

    [Fact]
    public void KilledAndStartedAgainItHoldsWhatItAcknowledgesThen()
    {
        using (Daemon first = Daemon.Start(_lab))
        {
            using Writers writers = new(first, _acknowledged);
            Eventually.Holds(() => _acknowledged.Count > Enough, "writes are under way");
            first.End(Libc.SIGKILL);
        }

        _acknowledged.Clear(); // dynamic rules live in memory only
        UnderLoad(_ => { });
    }

    [Fact]
    public void SigtermAnswersWhatItHasTakenAndEndsWithZero()
    {
        using Daemon daemon = Daemon.Start(_lab);
        using Writers writers = new(daemon, _acknowledged);
        Eventually.Holds(() => _acknowledged.Count > Enough, "writes are under way");
        Assert.Equal(0, daemon.End());
        Assert.Equal("", _lab.Attached());
        Assert.False(File.Exists(daemon.Socket));
    }

    [Fact]
    public void Sigterm_WhatWasDoneIsAnswered_AndWhatIsNotAnsweredWasNotDone()
    {
        const int Connections = 8, Requests = 32;
        using Daemon daemon = Daemon.Start(_lab);
        List<Socket> clients = [];
        try
        {
            var taken = new List<StringBuilder>();
            for (int i = 0; i < Connections; i++)
            {
                Socket client = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified) { ReceiveTimeout = 10_000 };
                clients.Add(client);
                client.Connect(new UnixDomainSocketEndPoint(daemon.Socket));
                client.Send(Encoding.ASCII.GetBytes(string.Concat(
                    Enumerable.Range(0, Requests).Select(r => daemon.Api.Text("POST", "/v1/drop", ApiClient.EntryBody($"10.{i}.{r}.1/32"))))));
                taken.Add(new StringBuilder());
                Read(client, taken[i]); // the daemon is in the middle of them
            }

            daemon.Signal(Libc.SIGTERM);
            for (int i = 0; i < Connections; i++)
            {
                while (Read(clients[i], taken[i]))
                {
                }
            }

            Assert.Equal(0, daemon.End());
            int answered = taken.Sum(text => text.ToString().Split("HTTP/1.1 201 ").Length - 1);
            Assert.InRange(answered, Connections, Connections * Requests);
            Assert.Equal(answered, daemon.Said.Split("event=entry_created").Length - 1);
        }
        finally
        {
            clients.ForEach(c => c.Dispose());
        }
    }

    /// <summary>False when the daemon has closed the connection.</summary>
    private static bool Read(Socket client, StringBuilder text)
    {
        var buffer = new byte[16_384];
        int length = client.Receive(buffer);
        text.Append(Encoding.ASCII.GetString(buffer, 0, length));
        return length > 0;
    }

    private void UnderLoad(Action<Daemon> fault)
    {
        using Daemon daemon = Daemon.Start(_lab);
        using (Writers writers = new(daemon, _acknowledged))
        {
            Eventually.Holds(() => _acknowledged.Count > Enough, "writes are under way");
            fault(daemon);
            int before = _acknowledged.Count;
            Eventually.Holds(() => _acknowledged.Count > before + 50, "writes continue");
            writers.Dispose();
            Assert.Equal(0, writers.Failed);
        }

        _acknowledged.AssertInForce(daemon);
        Assert.Equal(0, daemon.End());
    }
}
