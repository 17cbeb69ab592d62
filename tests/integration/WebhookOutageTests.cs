using System.Diagnostics;
using System.Globalization;
using Couic.IntegrationTests.Harness;
using Xunit;
using Xunit.Abstractions;

namespace Couic.IntegrationTests;

/// <summary>
/// The webhook is down while rules change: memory is bounded, the oldest reports are dropped and counted, no request waits, and
/// delivery resumes by itself. A soak lasts ten minutes at a thousand reports a second (<c>COUIC_OUTAGE_SECONDS=600</c>).
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
        List<double> good;
        using (Webhook up = new(_lab.Inside, Port))
        {
            good = Load(daemon, Math.Max(2_000, Rate * Math.Min(30, Seconds)));
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
        Eventually.Holds(() => Metric(daemon, "couic_reports_queued") == 0, "delivery resumes by itself", 120);
        Assert.Equal(QueueLimit, back.Reports.Count);
        Assert.Equal(CidrOf(_changes - 1), back.Cidrs[^1]);
        Assert.Equal(CidrOf(_changes - QueueLimit), back.Cidrs[0]);
        Load(daemon, Burst);
        Eventually.Holds(() => back.Reports.Count == QueueLimit + Burst, "and goes on");
        output.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{away} reports while the webhook was down: {away - QueueLimit} dropped, resident memory grew by {grown >> 10} KiB; "
            + $"p99 of bursts of {Burst}: {At(good, 0.99):F1} ms with the webhook, {At(bad, 0.99):F1} ms without"));
        Assert.InRange(grown, long.MinValue, 32L << 20);
    }

    /// <summary>Changes of the same thousand rules. Returns how long each burst took from when it was due, in ms, ascending.</summary>
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

        times.Sort();
        return times;
    }

    private static string RequestFor(Daemon daemon, int change) =>
        daemon.Api.Text("POST", "/v1/drop?on_conflict=update", ApiClient.EntryBody(CidrOf(change), $"change{change / 1_000 % 7}"));

    private static string CidrOf(int change) => $"10.1.{change % 1_000 / 256}.{change % 1_000 % 256}/32";

    private static int Metric(Daemon daemon, string name) => int.Parse(
        daemon.Api.Get("/v1/metrics?format=prometheus").Expect(200).Body.Split('\n').Single(l => l.StartsWith(name + " ", StringComparison.Ordinal)).Split(' ')[1],
        CultureInfo.InvariantCulture);

    private static double At(List<double> sorted, double share) => sorted[(int)(share * (sorted.Count - 1))];
}
