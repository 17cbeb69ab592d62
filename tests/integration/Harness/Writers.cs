using System.Diagnostics;

namespace Couic.IntegrationTests.Harness;

/// <summary>
/// Four clients that add and remove rules, a thousand changes per second in all, until they are stopped or an answer is missing or
/// not a success. Every answer is remembered.
/// </summary>
internal sealed class Writers : IDisposable
{
    private const int Clients = 4, PerSecond = 1_000;

    private readonly Thread[] _threads;
    private readonly Acknowledged _acknowledged;
    private volatile bool _isStopped;
    private volatile int _failed;

    public Writers(Daemon daemon, Acknowledged acknowledged)
    {
        _acknowledged = acknowledged;
        string token = daemon.Token;
        _threads = [.. Enumerable.Range(0, Clients).Select(i => new Thread(() => Write(daemon.As(token), i)) { IsBackground = true })];
        Array.ForEach(_threads, t => t.Start());
    }

    /// <summary>Clients that ended at a broken connection or at an answer that was not a success. While the daemon lives there are none.</summary>
    public int Failed => _failed;

    /// <summary>Waits until they have stopped; none waits for an answer any more.</summary>
    public void Dispose()
    {
        _isStopped = true;
        Array.ForEach(_threads, t => t.Join());
    }

    private void Write(ApiClient client, int number)
    {
        var random = new Random(number);
        var watch = Stopwatch.StartNew();
        var mine = new List<string>();
        using (client)
        {
            bool isAnswered = true;
            for (int i = 0; isAnswered && !_isStopped; i++)
            {
                if (mine.Count > 50 && random.Next(3) == 0)
                {
                    int index = random.Next(mine.Count);
                    isAnswered = _acknowledged.Remove(client, "drop", mine[index]);
                    mine.RemoveAt(index);
                }
                else
                {
                    string cidr = i % 4 == 0 ? $"2001:db8:{number:x}:{i + 1:x}::/64" : $"10.{number}.{i / 256 % 256}.{i % 256}/32";
                    mine.Add(cidr);
                    isAnswered = _acknowledged.Add(client, "drop", cidr);
                }

                if (!isAnswered)
                {
                    Interlocked.Increment(ref _failed);
                }

                TimeSpan due = TimeSpan.FromSeconds(i * (double)Clients / PerSecond);
                if (due - watch.Elapsed is { Ticks: > 0 } rest)
                {
                    Thread.Sleep(rest);
                }
            }
        }
    }
}
