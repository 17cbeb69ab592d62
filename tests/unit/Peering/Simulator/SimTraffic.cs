namespace Couic.Tests.Peering.Simulator;

/// <summary>Bytes of bodies between nodes; 300 a message are added for the heads of HTTP.</summary>
internal sealed class SimTraffic
{
    public const int HeadBytes = 300;

    private readonly Dictionary<(int From, int To), long> _bytes = [];

    public long Total { get; private set; }

    public void Add(int from, int to, int bytes)
    {
        _bytes[(from, to)] = _bytes.GetValueOrDefault((from, to)) + bytes + HeadBytes;
        Total += bytes + HeadBytes;
    }
}
