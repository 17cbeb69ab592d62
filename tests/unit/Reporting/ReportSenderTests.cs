using System.Text;
using Couic.Reporting;
using Couic.Store;
using Couic.Tests.Fakes;
using Couic.Tests.Store;
using Couic.Tests.Support;
using Xunit;

namespace Couic.Tests.Reporting;

public sealed class ReportSenderTests : IAsyncDisposable
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    private readonly StoreRig _rig = new();
    private readonly StubTransport _hook = new();
    private readonly ListLogger _log = new();
    private readonly ReportSender _sender;

    public ReportSenderTests()
    {
        _sender = new ReportSender(_hook, _rig.Clock, _log, new Random(1));
        _sender.Configure(new Uri("https://hooks.example/v1/reports/secret?key=secret"));
        _rig.Store.Subscribe(_sender);
    }

    public ValueTask DisposeAsync() => _sender.DisposeAsync();

    [Fact]
    public async Task AdditionsUpdatesRemovalsAndExpiries_AreReported()
    {
        ulong now = _rig.Clock.Seconds;
        _rig.Store.Add(
            Policy.Drop, StoreRig.Net("192.0.2.1/32"), "scan"u8, now + 60, ConflictMode.Refuse,
            new ChangeContext(ChangeOrigin.Api, "x"u8, Encoding.UTF8.GetBytes("{\"kind\":\"é\",\"detail\":\"\",\"extra\":{\"a\":1}}")), out _);
        _rig.Add("192.0.2.1/32", "probe", now + 9, ConflictMode.Update);
        _rig.Add("2001:db8::/32", policy: Policy.Ignore);
        _rig.Remove("2001:db8::/32", Policy.Ignore);
        _rig.Clock.AdvanceSeconds(9);
        _rig.Store.Expire();

        Assert.Equal(ReportSender.Period, await _sender.StepAsync(Cancel));
        Assert.Equal(
            "[{\"action\":\"add\",\"policy\":\"drop\",\"entry\":{\"creation\":" + now + ",\"cidr\":\"192.0.2.1/32\",\"tag\":\"scan\",\"expiration\":" + (now + 60) + "},"
            + "\"metadata\":{\"kind\":\"é\",\"detail\":\"\",\"extra\":{\"a\":1}}},"
            + "{\"action\":\"add\",\"policy\":\"drop\",\"entry\":{\"creation\":" + now + ",\"cidr\":\"192.0.2.1/32\",\"tag\":\"probe\",\"expiration\":" + (now + 9) + "},\"metadata\":null},"
            + "{\"action\":\"add\",\"policy\":\"ignore\",\"entry\":{\"creation\":" + now + ",\"cidr\":\"2001:db8::/32\",\"tag\":null,\"expiration\":0},\"metadata\":null},"
            + "{\"action\":\"remove\",\"policy\":\"ignore\",\"entry\":{\"creation\":" + now + ",\"cidr\":\"2001:db8::/32\",\"tag\":null,\"expiration\":0},\"metadata\":null},"
            + "{\"action\":\"remove\",\"policy\":\"drop\",\"entry\":{\"creation\":" + now + ",\"cidr\":\"192.0.2.1/32\",\"tag\":\"probe\",\"expiration\":" + (now + 9) + "},"
            + "\"metadata\":{\"kind\":\"expired\",\"detail\":\"\",\"extra\":null}}]",
            Assert.Single(_hook.Bodies));
        Assert.Equal((0, 5L, 0L), (_sender.Queued, _sender.Sent, _sender.Dropped));
    }

    [Fact]
    public async Task ChangesBySetsAndPeers_AreNotReported()
    {
        var image = new SetImage(Policy.Drop);
        image.BeginSet("a.couic"u8);
        image.Add(StoreRig.Net("10.0.0.1/32"));
        _rig.Store.ReplaceSets(new SetImage(Policy.Ignore), image);
        _rig.Store.ReplaceSets(new SetImage(Policy.Ignore), new SetImage(Policy.Drop));
        var peer = new ChangeContext(ChangeOrigin.Peer, "node2"u8);
        _rig.Store.Add(Policy.Drop, StoreRig.Net("10.0.0.2/32"), default, _rig.Clock.Seconds + 1, ConflictMode.Refuse, peer, out _);
        _rig.Clock.AdvanceSeconds(1);
        _rig.Store.Expire();
        Assert.Equal(ReportSender.Period, await _sender.StepAsync(Cancel));
        Assert.Empty(_hook.Bodies);
    }

    [Fact]
    public async Task Slices_HoldAtMostFiveHundred_OldestFirst()
    {
        Add(1_100);
        Assert.Equal(TimeSpan.Zero, await _sender.StepAsync(Cancel));
        Assert.Equal(TimeSpan.Zero, await _sender.StepAsync(Cancel));
        Assert.Equal(ReportSender.Period, await _sender.StepAsync(Cancel));
        Assert.Equal([500, 500, 100], _hook.Bodies.Select(b => StubTransport.Cidrs(b).Count));
        Assert.Equal(Enumerable.Range(0, 1_100).Select(Host), _hook.Bodies.SelectMany(StubTransport.Cidrs));
    }

    [Fact]
    public async Task FailedPosts_AreRetriedWithGrowingIntervals_AndLoseNothing()
    {
        Add(3);
        var waits = new List<double>();
        for (int i = 0; i < 10; i++)
        {
            _hook.Answers.Enqueue(i % 2 == 0 ? 0 : 500);
            waits.Add((await _sender.StepAsync(Cancel)).TotalSeconds);
        }

        double[] nominal = [1, 2, 4, 8, 16, 32, 60, 60, 60, 60];
        Assert.All(waits.Zip(nominal), w => Assert.InRange(w.First, Math.Max(1, w.Second / 2), w.Second));
        Assert.True(waits.Distinct().Count() > 6, "jitter");
        Add(1, start: 3);
        Assert.Equal(ReportSender.Period, await _sender.StepAsync(Cancel));
        Assert.Equal([Host(0), Host(1), Host(2), Host(3)], StubTransport.Cidrs(_hook.Bodies[^1]));
        Assert.Equal(10, _sender.Failures);
        _hook.Answers.Enqueue(503);
        Add(1, start: 4);
        Assert.InRange((await _sender.StepAsync(Cancel)).TotalSeconds, 0.7, 1.3);
    }

    [Fact]
    public async Task Failures_AreLoggedOncePerMinute_WithoutTheSecret()
    {
        Add(1);
        for (int i = 0; i < 150; i++)
        {
            _hook.Answers.Enqueue(0);
            await _sender.StepAsync(Cancel);
            _rig.Clock.AdvanceSeconds(1);
        }

        await _sender.StepAsync(Cancel);
        Assert.Equal(4, _log.Lines.Count);
        Assert.StartsWith("Warning: reports to https://hooks.example/v1/reports/… failed: connection refused; 1 wait, next try in ", _log.Lines[0], StringComparison.Ordinal);
        Assert.Equal("Information: reports to https://hooks.example/v1/reports/… are taken again; 0 wait", _log.Lines[^1]);
        Assert.All(_log.Lines, line => Assert.DoesNotContain("secret", line, StringComparison.Ordinal));
    }

    [Fact]
    public async Task FullQueue_DropsTheOldest_AndReportsItOncePerMinute()
    {
        Add(ReportQueue.Capacity + 10);
        Assert.Equal((ReportQueue.Capacity, 10L), (_sender.Queued, _sender.Dropped));
        _hook.Answers.Enqueue(0);
        await _sender.StepAsync(Cancel);
        Add(5, start: ReportQueue.Capacity + 10);
        await _sender.StepAsync(Cancel);
        Assert.Equal(Host(15), StubTransport.Cidrs(_hook.Bodies[^1])[0]);
        Assert.Single(_log.Lines, l => l == "Warning: 10 reports were lost since the last such line, 10 since the start");
        _rig.Clock.AdvanceSeconds(60);
        await _sender.StepAsync(Cancel);
        Assert.Single(_log.Lines, l => l == "Warning: 5 reports were lost since the last such line, 15 since the start");
    }

    [Fact]
    public void LargeMetadata_AreBoundedInBytes()
    {
        var metadata = new byte[1024 * 1024];
        for (int i = 0; i < 40; i++)
        {
            _rig.Store.Add(
                Policy.Drop, Cidr.FromV4((uint)i), default, 0, ConflictMode.Refuse, new ChangeContext(ChangeOrigin.Api, "x"u8, metadata), out _);
        }

        Assert.Equal((16, 24L), (_sender.Queued, _sender.Dropped));
    }

    [Fact]
    public async Task Status413_HalvesTheSlice_AndDropsASingleReport()
    {
        Add(8);
        _hook.Answer = body => StubTransport.Cidrs(body) is var cidrs && (cidrs.Count > 2 || cidrs.Contains(Host(3)))
            ? new PostAnswer(413, "status 413") : new PostAnswer(204, "");
        while (_sender.Queued > 0)
        {
            await _sender.StepAsync(Cancel);
        }

        Assert.Equal((7L, 1L), (_sender.Sent, _sender.Dropped));
        Assert.Contains("Error: reports to https://hooks.example/v1/reports/… are refused for good: status 413; 1 are given up", _log.Lines);
    }

    [Theory]
    [InlineData(400)]
    [InlineData(422)]
    public async Task RejectedSlice_IsNotSentAgain(int status)
    {
        Add(501);
        _hook.Answers.Enqueue(status);
        Assert.Equal(TimeSpan.Zero, await _sender.StepAsync(Cancel));
        await _sender.StepAsync(Cancel);
        Assert.Equal([Host(500)], StubTransport.Cidrs(_hook.Bodies[1]));
        Assert.Equal((1L, 500L), (_sender.Sent, _sender.Dropped));
        Assert.Contains($"Error: reports to https://hooks.example/v1/reports/… are refused for good: status {status}; 500 are given up", _log.Lines);
    }

    [Fact]
    public async Task ReportDroppedDuringItsPost_IsCountedOnce()
    {
        Add(ReportQueue.Capacity);
        _hook.Answer = _ =>
        {
            _hook.Answer = null;
            Add(700, start: 20_000);
            return new PostAnswer(200, "");
        };
        await _sender.StepAsync(Cancel);
        Assert.Equal((500L, 200L), (_sender.Sent, _sender.Dropped));
        Assert.Equal(ReportQueue.Capacity, _sender.Queued);
    }

    [Fact]
    public async Task TurnedOff_KeepsNothing()
    {
        Add(3);
        _sender.Configure(null);
        Assert.Equal(0, _sender.Queued);
        Add(3, start: 3);
        Assert.Equal(0, _sender.Queued);
        Assert.Equal(ReportSender.Period, await _sender.StepAsync(Cancel));
        Assert.Empty(_hook.Bodies);
    }

    [Fact]
    public async Task Stop_SendsWaitingReports()
    {
        _sender.Start();
        Add(1_200);
        await _sender.StopAsync(TimeSpan.FromSeconds(2));
        Assert.Equal((0, 1_200L), (_sender.Queued, _sender.Sent));
    }

    [Fact]
    public async Task Stop_DoesNotWaitForAnUnreachableWebhook()
    {
        _hook.Answer = _ => new PostAnswer(0, "connection refused");
        Add(1_200);
        await _sender.StopAsync(TimeSpan.FromSeconds(2));
        Assert.Equal("Warning: 1200 reports could not be sent before the end", _log.Lines[^1]);
        Assert.InRange(_hook.Bodies.Count, 1, 2);
    }

    [Fact]
    public void AddingAReport_AllocatesNothing()
    {
        Add(ReportQueue.Capacity);
        var change = new RuleEvent(RuleEventKind.Created, Policy.Drop, _rig.Get(Host(0)), ChangeOrigin.Api, null);
        Assert.Equal(0, Allocated.ByEachRound(() =>
        {
            for (int i = 0; i < 10_000; i++)
            {
                _sender.OnChange(change);
            }
        }));
    }

    [Theory]
    [InlineData("https://discord.com/api/webhooks/1/token", "https://discord.com/api/webhooks/1/…")]
    [InlineData("http://127.0.0.1:8000/v1/reports/uuid?x=1", "http://127.0.0.1:8000/v1/reports/…")]
    [InlineData("https://user:pass@host/a/b/", "https://host/a/…")]
    [InlineData("https://host/secret", "https://host/…")]
    [InlineData("https://host", "https://host/")]
    [InlineData("https://host/?key=secret", "https://host/")]
    public void WebhookName_HasNoSecrets(string webhook, string shown) => Assert.Equal(shown, WebhookName.Of(new Uri(webhook)));

    private static string Host(int i) => Cidr.FromV4(0x0a000000u + (uint)i).ToString();

    private void Add(int count, int start = 0)
    {
        for (int i = start; i < start + count; i++)
        {
            Assert.Equal(StoreOutcome.Created, _rig.Add(Cidr.FromV4(0x0a000000u + (uint)i)));
        }
    }
}
