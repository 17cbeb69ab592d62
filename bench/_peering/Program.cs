using System.Diagnostics;
using System.Globalization;
using Couic.IntegrationTests.Harness;

namespace Couic.Bench.Peering;

/// <summary>
/// New rules at a constant rate on one node of a cluster: how long its requests take with and without peers, and when a
/// rule is on every other node.
/// </summary>
internal static class Program
{
    private const int Nodes = 5;

    /// <summary>Requests that are written at once; their answers come one by one.</summary>
    private const int Burst = 50;

    private static int Main(string[] arguments)
    {
        int rate = arguments.Length > 0 ? int.Parse(arguments[0], CultureInfo.InvariantCulture) : 5_000;
        int seconds = arguments.Length > 1 ? int.Parse(arguments[1], CultureInfo.InvariantCulture) : 10;
        double alone, together;
        string room = $"[limits]\nmax_drop_entries = {(rate * seconds) + 100_000}\n";
        using (Cluster one = new(1, room))
        {
            Console.WriteLine($"{rate} rules per second for {seconds} s");
            alone = Report("without peers", Load(one[0]!, rate, seconds));
        }

        using Cluster cluster = new(Nodes, room);
        using var stop = new CancellationTokenSource();
        var watch = Task.Run(() => Watch(cluster, stop.Token));
        together = Report($"with {Nodes - 1} peers", Load(cluster[0]!, rate, seconds));
        stop.Cancel();
        List<double> delays = watch.GetAwaiter().GetResult();
        delays.Sort();
        Console.WriteLine($"p99 of requests, with : without peers   {together / alone:F2}");
        Console.WriteLine($"a rule is on all nodes after its answer  p50 {At(delays, 0.5):F0} ms, p99 {At(delays, 0.99):F0} ms ({delays.Count} samples)");
        long start = Stopwatch.GetTimestamp();
        long expected = Count(cluster[0]!);
        while (Stopwatch.GetElapsedTime(start) < TimeSpan.FromSeconds(30) && Enumerable.Range(0, Nodes).Any(n => Count(cluster[n]!) != expected))
        {
            Thread.Sleep(5);
        }

        Console.WriteLine($"all nodes hold {expected} rules {Stopwatch.GetElapsedTime(start).TotalMilliseconds:F0} ms after the last one: "
            + string.Join(' ', Enumerable.Range(0, Nodes).Select(n => Count(cluster[n]!))));
        return 0;
    }

    /// <summary>Times of the requests in ms, each from when it was due to its answer.</summary>
    private static List<double> Load(Daemon daemon, int rate, int seconds)
    {
        var times = new List<double>();
        var next = Stopwatch.StartNew();
        ApiClient api = daemon.As(daemon.Token);
        for (int sent = 0; sent < rate * seconds; sent += Burst)
        {
            double due = sent * 1_000.0 / rate;
            while (next.Elapsed.TotalMilliseconds < due)
            {
                Thread.Sleep(1);
            }

            int first = sent;
            string[] requests = [.. Enumerable.Range(first, Burst).Select(i => api.Text("POST", "/v1/drop", ApiClient.EntryBody($"10.{i >> 16}.{(i >> 8) & 255}.{i & 255}/32")))];
            if (api.Pipeline(requests).Any(status => status != 201))
            {
                throw new InvalidOperationException("a rule was refused");
            }

            times.Add(next.Elapsed.TotalMilliseconds - due);
        }

        api.Dispose();
        return times;
    }

    /// <summary>Ten times a second a rule of its own, and when the last node has it.</summary>
    private static List<double> Watch(Cluster cluster, CancellationToken stop)
    {
        var delays = new List<double>();
        ApiClient[] apis = [.. Enumerable.Range(0, Nodes).Select(n => cluster[n]!.As(cluster[n]!.Token))];
        for (int i = 0; !stop.IsCancellationRequested; i++)
        {
            string cidr = $"192.168.{(i >> 8) & 255}.{i & 255}/32";
            apis[0].Add("drop", cidr);
            long start = Stopwatch.GetTimestamp();
            for (int node = 1; node < Nodes; node++)
            {
                while (apis[node].Get($"/v1/drop/{cidr}").Status != 200)
                {
                    Thread.Sleep(2);
                }
            }

            delays.Add(Stopwatch.GetElapsedTime(start).TotalMilliseconds);
            Thread.Sleep(100);
        }

        return delays;
    }

    private static double Report(string what, List<double> times)
    {
        times.Sort();
        Console.WriteLine($"{what,-16} requests (bursts of {Burst})   p50 {At(times, 0.5):F1} ms, p99 {At(times, 0.99):F1} ms");
        return At(times, 0.99);
    }

    private static double At(List<double> sorted, double share) => sorted.Count == 0 ? double.NaN : sorted[(int)(share * (sorted.Count - 1))];

    private static long Count(Daemon daemon) => Stats.Count(daemon, "drop");
}
