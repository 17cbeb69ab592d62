using System.Buffers;
using System.Net;
using System.Text;
using Couic.Api.Access;
using Couic.Names;
using Couic.Reporting;
using Couic.Reporting.Receiver;
using Couic.Store;
using Couic.Tests.Fakes;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace Couic.Tests.Reporting.Receiver;

public class ReceiverTests
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    private const string Secret = "7f0c3b0e-5a0e-4f6e-9d53-0d1f1fd4a3c1";
    private const string Good =
        "[{\"action\":\"add\",\"policy\":\"drop\",\"entry\":{\"creation\":1,\"cidr\":\"192.0.2.1/24\",\"tag\":\"scan\",\"expiration\":0},\"metadata\":null}]";

    private readonly ManualClock _clock = new();

    [Fact]
    public void Interval_IsAggregated_AndTheNextStartsEmpty()
    {
        var tally = new SummaryWindow("web1", new Thresholds(3, 5), _clock);
        DateTimeOffset start = _clock.GetUtcNow();
        tally.Add([Report("10.0.0.1/32", "b"), Report("10.0.0.1/32", "a"), Report("10.0.0.2/31", "a", remove: true), Report("10.0.0.3/31")]);
        _clock.AdvanceSeconds(60);
        Assert.Equal(new Summary("web1", start, _clock.GetUtcNow(), Colour.Orange, 4, 2, 3, 1, "a", 2), tally.Take());
        Assert.Equal(new Summary("web1", _clock.GetUtcNow(), _clock.GetUtcNow(), Colour.Green, 0, 0, 0, 0, null, 0), tally.Take());
    }

    [Theory]
    [InlineData(9, Colour.Green)]
    [InlineData(10, Colour.Orange)]
    [InlineData(99, Colour.Orange)]
    [InlineData(100, Colour.Red)]
    internal void ThresholdsGiveTheColour(long reports, Colour colour) => Assert.Equal(colour, new Thresholds().Of(reports));

    [Fact]
    public void Bodies_AreWhatEachServiceExpects()
    {
        var summary = new Summary(
            "<web1>", DateTimeOffset.FromUnixTimeSeconds(1_000), DateTimeOffset.FromUnixTimeSeconds(1_900), Colour.Red, 150, 20, 100, 50, "scan", 99);
        var target = new Uri("https://x/y");
        Assert.Equal(
            "{\"username\":\"couic\",\"allowed_mentions\":{\"parse\":[]},\"embeds\":[{\"title\":\"\\u003Cweb1\\u003E: 150 reports in 15 min\",\"color\":14687774,"
            + "\"fields\":[{\"name\":\"Networks\",\"value\":\"20\",\"inline\":true},{\"name\":\"Added\",\"value\":\"100\",\"inline\":true},"
            + "{\"name\":\"Removed\",\"value\":\"50\",\"inline\":true},{\"name\":\"Top tag\",\"value\":\"scan (99)\",\"inline\":true}],"
            + "\"timestamp\":\"1970-01-01T00:31:40Z\"}]}",
            Body(new DiscordNotifier(target), summary));
        Assert.Equal(
            "{\"text\":\"\\u0026lt;web1\\u0026gt;: 150 reports in 15 min\",\"attachments\":[{\"color\":\"#e01e1e\",\"fields\":["
            + "{\"title\":\"Networks\",\"value\":\"20\",\"short\":true},{\"title\":\"Added\",\"value\":\"100\",\"short\":true},"
            + "{\"title\":\"Removed\",\"value\":\"50\",\"short\":true},{\"title\":\"Top tag\",\"value\":\"scan (99)\",\"short\":true}],\"ts\":1900}]}",
            Body(new SlackNotifier(target), summary));
        Assert.Equal(
            "{\"server\":\"\\u003Cweb1\\u003E\",\"from\":1000,\"to\":1900,\"level\":\"red\",\"reports\":150,\"cidrs\":20,\"additions\":100,\"removals\":50,"
            + "\"top_tag\":\"scan\",\"top_tag_count\":99}",
            Body(new WebhookNotifier(target), summary));
        Assert.Contains("\"top_tag\":null", Body(new WebhookNotifier(target), summary with { TopTag = null }), StringComparison.Ordinal);
        Assert.Contains("\"value\":\"none\"", Body(new SlackNotifier(target), summary with { TopTag = null }), StringComparison.Ordinal);
    }

    [Fact]
    public async Task FailingNotifier_IsRetried_AndLosesNothingOfTheNextInterval()
    {
        var hook = new StubTransport();
        var log = new ListLogger();
        var delivery = new Delivery(new WebhookNotifier(new Uri("https://x/secret")), hook, _clock, log, new Random(1));
        delivery.Add(SummaryOf(1));
        hook.Answers.Enqueue(500);
        hook.Answers.Enqueue(404);
        Assert.InRange((await delivery.StepAsync(Cancel)).TotalSeconds, 0.7, 1.3);
        delivery.Add(SummaryOf(2));
        Assert.InRange((await delivery.StepAsync(Cancel)).TotalSeconds, 1, 2);
        await delivery.StepAsync(Cancel);
        await delivery.StepAsync(Cancel);
        Assert.Equal(0, delivery.Waiting);
        Assert.Equal([1, 1, 1, 2], hook.Bodies.Select(b => System.Text.Json.JsonDocument.Parse(b).RootElement.GetProperty("reports").GetInt32()));
        Assert.Equal(
            ["Warning: summary to webhook at https://x/… failed: status 500; retrying until it is accepted",
                "Information: summary of 1 reports sent to webhook", "Information: summary of 2 reports sent to webhook"],
            log.Lines);
    }

    [Fact]
    public async Task RetryAfter_IsFollowed()
    {
        var hook = new StubTransport { Answer = _ => new PostAnswer(429, "status 429", TimeSpan.FromSeconds(40)) };
        var delivery = new Delivery(new WebhookNotifier(new Uri("https://x/secret")), hook, _clock, new ListLogger(), new Random(1));
        delivery.Add(SummaryOf(1));
        Assert.Equal(TimeSpan.FromSeconds(40), await delivery.StepAsync(Cancel));
        hook.Answer = _ => new PostAnswer(429, "status 429", TimeSpan.FromDays(40));
        Assert.Equal(TimeSpan.FromMinutes(10), await delivery.StepAsync(Cancel));
    }

    [Fact]
    public void WaitingSummaries_AreBounded()
    {
        var log = new ListLogger();
        var delivery = new Delivery(new WebhookNotifier(new Uri("https://x/secret")), new StubTransport(), _clock, log, new Random(1));
        for (int i = 0; i < Delivery.MaxWaiting + 2; i++)
        {
            delivery.Add(SummaryOf(i));
        }

        Assert.Equal(Delivery.MaxWaiting, delivery.Waiting);
        Assert.Equal("Error: too many summaries wait for webhook: the oldest, of 1 reports, is lost", log.Lines[^1]);
    }

    [Theory]
    [InlineData("/v1/reports/" + Secret, "application/json", Good, 200, "{\"received\":1}")]
    [InlineData("/v1/reports/7F0C3B0E-5A0E-4F6E-9D53-0D1F1FD4A3C1", "application/json", "[]", 200, "{\"received\":0}")]
    [InlineData("/v1/reports/7f0c3b0e-5a0e-4f6e-9d53-0d1f1fd4a3c2", "application/json", Good, 401, "unauthorized")]
    [InlineData("/v1/reports/x", "text/plain", "", 401, "unauthorized")]
    [InlineData("/v1/reports", "application/json", Good, 404, "not_found")]
    [InlineData("/v1/reports/" + Secret, "text/plain", Good, 400, "the content type must be application/json")]
    [InlineData("/v1/reports/" + Secret, "application/json", "[", 400, "bad_request")]
    [InlineData("/v1/reports/" + Secret, "application/json", "{}", 400, "an array of reports is expected")]
    [InlineData("/v1/reports/" + Secret, "application/json", "[1]", 400, "a report must be an object")]
    [InlineData("/v1/reports/" + Secret, "application/json", "[{\"action\":\"add\",\"policy\":\"drop\"}]", 400, "entry is missing")]
    [InlineData("/v1/reports/" + Secret, "application/json", "[{\"action\":\"add\",\"policy\":\"drop\",\"entry\":{\"cidr\":\"1.2.3.4\"}}]", 422, "reports[0]")]
    [InlineData("/v1/reports/" + Secret, "application/json", "[{\"action\":\"ad\",\"policy\":\"x\",\"entry\":{\"cidr\":\"::/0\"}}]", 422, "action must be")]
    [InlineData("/v1/reports/" + Secret, "application/json", "[{\"action\":\"add\",\"policy\":\"DROP\",\"entry\":{\"cidr\":\"::/0\"}}]", 422, "policy must be")]
    [InlineData("/v1/reports/" + Secret, "application/json", "[{\"action\":\"add\",\"policy\":\"drop\",\"entry\":{\"cidr\":\"::/0\",\"tag\":\"@everyone\"}}]", 422, "entry.tag")]
    public async Task Posts_AreAnsweredByTheRulesOfTheApi(string path, string type, string body, int status, string part)
    {
        await using ReceiverHost host = Host();
        using var client = new HttpClient();
        using var content = new StringContent(body, new System.Net.Http.Headers.MediaTypeHeaderValue(type));
        using HttpResponseMessage answer = await client.PostAsync(new Uri($"http://{host.Address}{path}"), content, Cancel);
        Assert.Equal(status, (int)answer.StatusCode);
        Assert.Contains(part, await answer.Content.ReadAsStringAsync(Cancel), StringComparison.Ordinal);
    }

    [Fact]
    public async Task OtherMethods_AreRefused()
    {
        await using ReceiverHost host = Host();
        using var client = new HttpClient();
        using HttpResponseMessage answer = await client.GetAsync(new Uri($"http://{host.Address}/v1/reports/{Secret}"), Cancel);
        Assert.Equal((HttpStatusCode.MethodNotAllowed, "POST"), (answer.StatusCode, string.Join(',', answer.Content.Headers.Allow)));
    }

    [Fact]
    public async Task ReportsOfASender_ReachTheChat()
    {
        using var chat = new StubWebhook();
        chat.Answer = n => StubWebhook.Status(n == 0 ? 500 : 200);
        await using (ReceiverHost host = Host(chat.Url))
        {
            var rig = new Store.StoreRig();
            using var names = new HostResolver(rig.Clock, NullLogger.Instance);
            var transport = new HttpTransport("couic/1.0.0", TimeSpan.FromSeconds(60), names);
            await using var sender = new ReportSender(transport, rig.Clock, NullLogger.Instance, new Random(1));
            sender.Configure(new Uri($"http://{host.Address}/v1/reports/{Secret}"));
            rig.Store.Subscribe(sender);
            for (int i = 0; i < 700; i++)
            {
                rig.Add(Cidr.FromV4((uint)i), "scan");
            }

            await sender.StopAsync(TimeSpan.FromSeconds(60));
            Assert.Equal((700L, 0L), (sender.Sent, sender.Dropped));
            await host.StopAsync(TimeSpan.FromSeconds(60));
        }

        Assert.Equal(chat.Requests[0].Body, chat.Requests[1].Body);
        System.Text.Json.JsonElement summary = System.Text.Json.JsonDocument.Parse(chat.Requests[1].Body).RootElement;
        Assert.Equal(
            ("red", 700, 700, "scan"),
            (summary.GetProperty("level").GetString(), summary.GetProperty("reports").GetInt32(), summary.GetProperty("cidrs").GetInt32(),
                summary.GetProperty("top_tag").GetString()));
    }

    [Fact]
    public async Task Stop_SendsTheSummaryOfTheInterruptedInterval()
    {
        using var chat = new StubWebhook();
        await using (ReceiverHost host = Host(chat.Url))
        {
            using var client = new HttpClient();
            using var content = new StringContent(Good, new System.Net.Http.Headers.MediaTypeHeaderValue("application/json"));
            using HttpResponseMessage answer = await client.PostAsync(new Uri($"http://{host.Address}/v1/reports/{Secret}"), content, Cancel);
            await host.StopAsync(TimeSpan.FromSeconds(60));
        }

        Assert.Contains("\"reports\":1,", Assert.Single(chat.Requests).Body, StringComparison.Ordinal);
    }

    private static ReceiverHost Host(Uri? webhook = null)
    {
        Assert.True(Token.TryParse(Encoding.ASCII.GetBytes(Secret), out Token secret));
        var host = new ReceiverHost(
            new ReceiverSettings
            {
                Name = "web1",
                Port = 0,
                Secret = secret,
                Webhook = webhook,
            },
            "1.0.0", TimeProvider.System, NullLoggerFactory.Instance);
        host.Start();
        return host;
    }

    private static string Body(INotifier notifier, Summary summary)
    {
        var body = new ArrayBufferWriter<byte>();
        notifier.Write(summary, body);
        return Encoding.UTF8.GetString(body.WrittenSpan);
    }

    private static Summary SummaryOf(int reports) =>
        new("web1", DateTimeOffset.UnixEpoch, DateTimeOffset.UnixEpoch, Colour.Green, reports, 0, 0, 0, null, 0);

    private static ReceivedReport Report(string cidr, string tag = "", bool remove = false) => new(remove, Store.StoreRig.Net(cidr), tag);
}
