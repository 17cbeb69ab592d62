using System.Diagnostics;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json;
using Couic.IntegrationTests.Harness;
using Xunit;

namespace Couic.IntegrationTests;

/// <summary>Reports to a webhook, and the receiver that turns them into summaries.</summary>
public sealed class ReportingTests : IDisposable
{
    private const int Port = 8123;
    private const string Secret = "7f0c3b0e-5a0e-4f6e-9d53-0d1f1fd4a3c1";
    private readonly Lab _lab = new();

    public void Dispose() => _lab.Dispose();

    [Fact]
    public void ChangesThroughTheApiAndTheirExpiryAreReported()
    {
        using Webhook hook = new(_lab.Inside, Port);
        using Daemon daemon = Start();
        long soon = DateTimeOffset.UtcNow.ToUnixTimeSeconds() + 2;
        daemon.Api.Post(
            "/v1/drop",
            "{\"cidr\":\"198.51.100.7/24\",\"tag\":\"scan\",\"expiration\":0,\"metadata\":{\"kind\":\"é\",\"detail\":\"sshd\",\"extra\":{\"n\":[1]}}}").Expect(201);
        daemon.Api.Post("/v1/drop?on_conflict=update", ApiClient.EntryBody("198.51.100.7/24", "probe")).Expect(200);
        daemon.Api.Remove("drop", "198.51.100.0/24");
        daemon.Api.Add("ignore", "192.0.2.1/32", expiration: soon);
        Eventually.Holds(() => hook.Reports.Count == 5, "five reports", seconds: 60);

        Assert.Equal(["add", "add", "remove", "add", "remove"], hook.Reports.Select(r => r.GetProperty("action").GetString()));
        Assert.Equal(["scan", "probe", "probe", null, null], hook.Reports.Select(r => r.GetProperty("entry").GetProperty("tag").GetString()));
        Assert.Equal("{\"kind\":\"é\",\"detail\":\"sshd\",\"extra\":{\"n\":[1]}}", hook.Reports[0].GetProperty("metadata").GetRawText());
        Assert.Equal("expired", hook.Reports[4].GetProperty("metadata").GetProperty("kind").GetString());
        string[] head = hook.Requests[0].Head.Split("\r\n");
        Assert.Equal("POST /v1/reports/the-secret HTTP/1.1", head[0]);
        Assert.Contains("Content-Type: application/json", head);
        Assert.Contains("Accept: application/json", head);
        Assert.Contains(head, line => line.StartsWith("User-Agent: couic/", StringComparison.Ordinal));
    }

    [Fact]
    public void SetsAreNotReported()
    {
        using Webhook hook = new(_lab.Inside, Port);
        foreach (string folder in (string[])["couic", "couic/state", "couic/state/sets", "couic/state/sets/drop"])
        {
            _lab.Scratch.Folder(folder, Owner.Nobody);
        }

        _lab.Scratch.File("couic/state/sets/drop/a.couic", "198.51.100.0/24\n", (UnixFileMode)0b110_000_000, Owner.Nobody);
        using Daemon daemon = Start();
        daemon.Api.Add("drop", "192.0.2.1/32");
        Eventually.Holds(() => hook.Reports.Count > 0, "a report");
        Assert.Equal(["192.0.2.1/32"], hook.Cidrs);
    }

    [Fact]
    public void WhileTheWebhookIsAwayReportsWaitAndThenArriveInOrder()
    {
        using Daemon daemon = Start();
        string[] cidrs = [.. Enumerable.Range(0, 3_000).Select(i => $"10.1.{i / 256}.{i % 256}/32")];
        foreach (string cidr in cidrs)
        {
            daemon.Api.Add("drop", cidr);
        }

        Eventually.Holds(() => daemon.Said.Contains("event=reports_failed", StringComparison.Ordinal), "the failure is logged");
        Assert.Contains("webhook=http://127.0.0.1:8123/v1/reports/…", daemon.Said.Replace("\"", "", StringComparison.Ordinal), StringComparison.Ordinal);
        using Webhook hook = new(_lab.Inside, Port) { Status = n => n == 0 ? 0 : n == 1 ? 500 : 200 };
        Eventually.Holds(() => hook.Reports.Count >= 3_000, "all reports are delivered", seconds: 60);
        Assert.Equal(cidrs, hook.Cidrs);
        Assert.All(hook.Requests, r => Assert.True(r.Body.Length < 200_000, "a slice of more than 500"));
        Eventually.Holds(() => daemon.Said.Contains("event=reports_recovered", StringComparison.Ordinal), "the recovery is logged");
        Assert.DoesNotContain("the-secret", daemon.Said, StringComparison.Ordinal);
    }

    [Fact]
    public void AWebhookThatNeverAnswersDelaysNoRequestAndTheOldestReportsGo()
    {
        using Webhook hook = new(_lab.Inside, Port) { Status = _ => { Thread.Sleep(Timeout.Infinite); return 0; } };
        using Daemon daemon = Start();
        string[] requests = [.. Enumerable.Range(0, 18_000).Select(i =>
            daemon.Api.Text("POST", "/v1/drop", ApiClient.EntryBody($"10.1.{i / 256}.{i % 256}/32")))];
        Assert.All(daemon.Api.Pipeline(requests), status => Assert.Equal(201, status));
        Eventually.Holds(() => daemon.Said.Contains("event=reports_dropped", StringComparison.Ordinal), "the loss is logged", seconds: 60);
        Assert.Equal(0, daemon.End());
    }

    [Theory]
    [InlineData("127.0.0.1", true)]
    [InlineData("192.0.2.1", false)]
    public void OverTlsTheWebhookHasToBeTheOneThatItsCertificateNames(string address, bool isTold)
    {
        using Authority authority = new(_lab.Scratch, "authority");
        (string certificate, string key) = authority.Issue("webhook", [address]);
        using Webhook hook = new(_lab.Inside, Port, X509Certificate2.CreateFromPemFile(certificate, key));
        using Daemon daemon = Start(scheme: "https", environment: new() { ["SSL_CERT_FILE"] = authority.File });
        daemon.Api.Add("drop", "192.0.2.1/32");
        Eventually.Holds(() => hook.Requests.Count > 0 || daemon.Said.Contains("event=reports_failed", StringComparison.Ordinal), "an outcome");
        Assert.Equal(isTold ? ["192.0.2.1/32"] : [], hook.Cidrs);
        Assert.Equal(!isTold, daemon.Said.Contains("the certificate is not trusted", StringComparison.Ordinal));
    }

    [Fact]
    public void WhatWaitsIsSentBeforeTheEnd()
    {
        using Webhook hook = new(_lab.Inside, Port);
        using Daemon daemon = Start();
        for (int i = 0; i < 20; i++)
        {
            daemon.Api.Add("drop", $"10.1.0.{i}/32");
        }

        Assert.Equal(0, daemon.End());
        Assert.Equal(20, hook.Reports.Count);
    }

    [Fact]
    public void TheReceiverTurnsReportsIntoASummaryForTheChat()
    {
        using Webhook chat = new(_lab.Inside, 8124) { Status = n => n == 0 ? 503 : 200 };
        string file = _lab.Scratch.File("report.toml", $"""
            batch_interval_secs = 2
            [server]
            name = "web1"
            port = {Port}
            secret = "{Secret}"
            [webhook]
            url = "http://127.0.0.1:8124/chat/the-secret"
            """);
        ProcessStartInfo start = Product.Info("report", "-c", file);
        start.RedirectStandardOutput = true;
        using Process receiver = Shell.Start(_lab.Inside, start);
        using Daemon daemon = Start(Secret);
        for (int i = 0; i < 50; i++)
        {
            daemon.Api.Add("drop", $"10.1.0.{i}/32", "scan");
        }

        Eventually.Holds(() => Sum(chat) == 50, "summaries of all reports, the first one tried again", seconds: 60);
        _ = Libc.kill(receiver.Id, Libc.SIGTERM);
        string said = receiver.StandardOutput.ReadToEnd();
        Assert.True(receiver.WaitForExit(TimeSpan.FromSeconds(10)));
        Assert.Equal(0, receiver.ExitCode);
        Assert.Equal(chat.Requests[0].Body, chat.Requests[1].Body);
        Assert.Contains(chat.Requests, r => r.Body.Contains("\"top_tag\":\"scan\"", StringComparison.Ordinal));
        Assert.DoesNotContain("the-secret", said, StringComparison.Ordinal);
        Assert.DoesNotContain(Secret, said, StringComparison.Ordinal);
    }

    /// <summary>Reports of all summaries that were taken.</summary>
    private static int Sum(Webhook chat) => chat.Requests.Skip(1).Sum(r => JsonDocument.Parse(r.Body).RootElement.GetProperty("reports").GetInt32());

    private Daemon Start(string secret = "the-secret", string scheme = "http", Dictionary<string, string>? environment = null) => Daemon.Start(_lab, new DaemonOptions
    {
        Environment = environment ?? [],
        Tables = $"""
            [reporting]
            enabled = true
            webhook = "{scheme}://127.0.0.1:{Port}/v1/reports/{secret}"
            """,
    });
}
