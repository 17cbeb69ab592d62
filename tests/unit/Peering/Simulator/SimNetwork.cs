using Couic.Peering;

namespace Couic.Tests.Peering.Simulator;

/// <summary>
/// What lies between the nodes. A connection behaves as TCP does with the daemon's settings: a lost segment is sent again
/// after 0.2 and 0.6 s, and a connection with unacknowledged data is given up after 0.75 s; an answer may come as late as
/// the server's own retransmissions bring it.
/// </summary>
internal sealed class SimNetwork(SimWorld world)
{
    private readonly HashSet<(int, int)> _cut = [];

    /// <summary>Chance of a segment to get lost.</summary>
    public double Loss { get; set; }

    /// <summary>Longest way there, in seconds.</summary>
    public double MaxDelay { get; set; } = 0.02;

    /// <summary>Chance that a proxy sends a request a second time, up to ten seconds later.</summary>
    public double Ghosts { get; set; }

    /// <summary>Records that the first node sends to the second take four seconds more.</summary>
    public (int From, int To) SlowAnswers { get; set; } = (-1, -1);

    public void Cut(int a, int b) => _cut.Add((Math.Min(a, b), Math.Max(a, b)));

    public void Mend(int a, int b) => _cut.Remove((Math.Min(a, b), Math.Max(a, b)));

    /// <summary>Nothing is lost, delayed or doubled from now on.</summary>
    public void Heal()
    {
        _cut.Clear();
        Loss = 0;
        Ghosts = 0;
        MaxDelay = 0.02;
    }

    public bool IsConnected(int a, int b) => !_cut.Contains((Math.Min(a, b), Math.Max(a, b)));

    /// <summary>Brings a segment across, or reports that the sender gave up.</summary>
    public void Send(int from, int to, double[] retries, double giveUp, Action arrived, Action? lost)
    {
        long start = world.Now;
        void Attempt(int number)
        {
            if (IsConnected(from, to) && !world.Chance(Loss))
            {
                world.After(world.Uniform(0.0002, MaxDelay), arrived);
            }
            else if (number < retries.Length)
            {
                world.At(start + SimWorld.Nanoseconds(retries[number]), () => Attempt(number + 1));
            }
            else if (lost is not null)
            {
                world.At(start + SimWorld.Nanoseconds(giveUp), lost);
            }
        }

        Attempt(0);
    }
}
