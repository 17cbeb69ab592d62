using System.Diagnostics;
using System.Globalization;
using Couic.IntegrationTests.Harness;
using Xunit;

namespace Couic.IntegrationTests;

/// <summary>
/// The webhook is down while rules change: memory is bounded, the oldest reports are dropped and counted, no request waits, and
/// delivery resumes without help. A soak lasts ten minutes at a thousand reports a second (<c>COUIC_OUTAGE_SECONDS=600</c>), between
/// two minutes of the same with the webhook; it prints how the times of the answers compare.
/// </summary>
public sealed class WebhookOutageTests(ITestOutputHelper output) : IDisposable
{
    private const int Port = 8123;
    private const int Rate = 1_000;
    private const int Burst = 10;
    private const int QueueLimit = 16_384;

    /// <summary>0 for twenty thousand reports as fast as they go.</summary>
    private static readonly int Seconds = int.Parse(Environment.GetEnvironmentVariable("COUIC_OUTAGE_SECONDS") ?? "0", CultureInfo.InvariantCulture);

    private readonly Lab _lab = new();
    private int _changes;

    public void Dispose() => _lab.Dispose();

    [Fact]
    public void AnOutageCostsTheOldestReportsAndNothingElse()
    {
        using Daemon daemon = Daemon.Start(_lab, new DaemonOptions
        {
            Tables = $"[reporting]\nenabled = true\nwebhook = \"http://127.0.0.1:{Port}/v1/reports/the-secret\"\n",
        });
        int calm = Math.Max(2_000, Rate * Math.Min(60, Seconds));
        List<double> good;
        using (Webhook up = new(_lab.Inside, Port))
        {
            good = Load(daemon, calm);
            Eventually.Holds(() => up.Reports.Count == _changes, "all reports are delivered");
            up.Status = _ => 0; // closes what is open
        }

        int before = _changes;
        long resident = daemon.Resident;
        List<double> bad = Load(daemon, Math.Max(20_000, Rate * Seconds));
        long grown = daemon.Resident - resident;
        int away = _changes - before;
        Assert.Equal((QueueLimit, away - QueueLimit), (Metric(daemon, "couic_reports_queued"), Metric(daemon, "couic_reports_dropped_total")));

        using Webhook back = new(_lab.Inside, Port);
        Eventually.Holds(() => Metric(daemon, "couic_reports_queued") == 0, "delivery resumes", 120);
        Assert.Equal(QueueLimit, back.Reports.Count);
        Assert.Equal(CidrOf(_changes - 1), back.Cidrs[^1]);
        Assert.Equal(CidrOf(_changes - QueueLimit), back.Cidrs[0]);
        good.AddRange(Load(daemon, calm));
        Eventually.Holds(() => back.Reports.Count == QueueLimit + calm, "and continues", 60);
        output.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{away} reports while the webhook was down: {away - QueueLimit} dropped, resident memory grew by {grown >> 10} KiB; "
            + $"bursts of {Burst}: {Compared(0.5)}, {Compared(0.99)}"));
        Assert.InRange(grown, long.MinValue, 32L << 20);

        string Compared(double share)
        {
            (double with, double without) = (At(good, share), At(bad, share));
            return string.Create(CultureInfo.InvariantCulture, $"p{100 * share:0} {with:F2} ms with the webhook, {without:F2} ms without, {without / with:F2} times");
        }
    }

    /// <summary>Changes of the same thousand rules. Returns how long each burst took from when it was due, in ms.</summary>
    private List<double> Load(Daemon daemon, int count)
    {
        List<double> times = [];
        Stopwatch watch = Stopwatch.StartNew();
        for (int sent = 0; sent < count; sent += Burst)
        {
            double due = Seconds > 0 ? sent * 1_000.0 / Rate : watch.Elapsed.TotalMilliseconds;
            while (watch.Elapsed.TotalMilliseconds < due)
            {
                Thread.Sleep(1);
            }

            string[] requests = [.. Enumerable.Range(0, Burst).Select(i => RequestFor(daemon, _changes + i))];
            Assert.All(daemon.Api.Pipeline(requests), status => Assert.Contains(status, new[] { 200, 201 }));
            _changes += Burst;
            times.Add(watch.Elapsed.TotalMilliseconds - due);
        }

        return times;
    }

    private static string RequestFor(Daemon daemon, int change) =>
        daemon.Api.Text("POST", "/v1/drop?on_conflict=update", ApiClient.EntryBody(CidrOf(change), $"change{change / 1_000 % 7}"));

    private static string CidrOf(int change) => $"10.1.{change % 1_000 / 256}.{change % 1_000 % 256}/32";

    private static int Metric(Daemon daemon, string name) => int.Parse(
        daemon.Api.Get("/v1/metrics?format=prometheus").Expect(200).Body.Split('\n').Single(l => l.StartsWith(name + " ", StringComparison.Ordinal)).Split(' ')[1],
        CultureInfo.InvariantCulture);

    private static double At(List<double> times, double share) => times.Order().ElementAt((int)(share * (times.Count - 1)));
}
