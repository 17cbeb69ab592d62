namespace Couic.IntegrationTests.Harness;

#pragma warning disable CA1001 // its cancellation sources have no timer, so nothing needs disposal
/// <summary>The faults of a relay's connections; none at first. Thread-safe.</summary>
internal sealed class RelayFaults(int seed)
{
    /// <summary>How long the kernel waits before it repeats a lost segment, on a short path.</summary>
    private static readonly TimeSpan Retransmission = TimeSpan.FromMilliseconds(200);

    private readonly Lock _gate = new();
    private readonly Random _random = new(seed);
    private Weather _weather = Weather.Fair;
    private CancellationTokenSource _change = new();

    /// <summary>Changes the weather; pieces that are held up continue at once.</summary>
    public void Become(Weather weather)
    {
        lock (_gate)
        {
            _weather = weather;
            _change.Cancel();
            _change = new CancellationTokenSource();
        }
    }

    /// <summary>Whether a new connection is closed as soon as it is there.</summary>
    public bool RefusesNext() => Happens(w => w.Refused);

    /// <summary>Whether a piece is sent twice.</summary>
    public bool DoublesNext() => Happens(w => w.Doubled);

    /// <summary>How many bytes of a piece pass before the connection breaks; null when it does not.</summary>
    public int? CutAfter(int length)
    {
        lock (_gate)
        {
            return _random.NextDouble() < _weather.Cut ? _random.Next(length) : null;
        }
    }

    /// <summary>Holds a piece up for as long as the weather wants.</summary>
    public async Task HoldUp()
    {
        TimeSpan pause;
        CancellationToken change;
        lock (_gate)
        {
            pause = _random.NextDouble() * _weather.MaxDelay;
            pause += _random.NextDouble() < _weather.Lost ? Retransmission : TimeSpan.Zero;
            pause += _random.NextDouble() < _weather.Stalled ? _random.NextDouble() * TimeSpan.FromSeconds(8) : TimeSpan.Zero;
            change = _change.Token;
        }

        if (pause > TimeSpan.Zero)
        {
            await Task.Delay(pause, change).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private bool Happens(Func<Weather, double> chance)
    {
        lock (_gate)
        {
            return _random.NextDouble() < chance(_weather);
        }
    }

    /// <summary>Chances for a connection (refused) or a piece of it: cut in its middle, lost and repeated, held up for seconds, sent twice.</summary>
    public sealed record Weather(double Refused, double Cut, double Lost, double Stalled, TimeSpan MaxDelay, double Doubled = 0)
    {
        public static readonly Weather Fair = new(0, 0, 0, 0, TimeSpan.Zero);

        public static readonly Weather Foul = new(0.2, 0.05, 0.2, 0.02, TimeSpan.FromMilliseconds(60));

        /// <summary>Answers that come in part, late (beyond the deadline of five seconds as well), or twice.</summary>
        public static readonly Weather Lying = new(0.05, 0.15, 0.1, 0.15, TimeSpan.FromMilliseconds(60), Doubled: 0.15);
    }
}
