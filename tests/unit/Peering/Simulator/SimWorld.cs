namespace Couic.Tests.Peering.Simulator;

/// <summary>Virtual time: events run in the order of their times, on one thread; nothing else makes time pass.</summary>
internal sealed class SimWorld(int seed)
{
    private readonly PriorityQueue<Action, (long Time, long Order)> _events = new();
    private long _order;

    public Random Random { get; } = new(seed);

    /// <summary>Nanoseconds since the start.</summary>
    public long Now { get; private set; } = 10_000_000_000;

    public static long Nanoseconds(double seconds) => (long)(seconds * 1e9);

    public void After(double seconds, Action action) => At(Now + Nanoseconds(seconds), action);

    public void At(long time, Action action) => _events.Enqueue(action, (Math.Max(time, Now), _order++));

    public void RunUntil(long time)
    {
        while (_events.TryPeek(out Action? action, out (long Time, long Order) due) && due.Time <= time)
        {
            _events.Dequeue();
            Now = due.Time;
            action();
        }

        Now = time;
    }

    public double Uniform(double low, double high) => low + (Random.NextDouble() * (high - low));

    public bool Chance(double probability) => Random.NextDouble() < probability;
}
