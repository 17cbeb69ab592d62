namespace Couic.Daemon;

/// <summary>Counts the comparisons with peers that run, so that no client can start any number at once. Thread-safe.</summary>
internal sealed class Comparisons
{
    public const int MaxPerClient = 2;
    public const int MaxTotal = 16;

    private readonly Lock _gate = new();
    private readonly Dictionary<string, int> _running = [];
    private int _total;

    /// <summary>Null when the client, or all together, have as many as they may. To be disposed of at the end.</summary>
    public Place? TryEnter(string client)
    {
        lock (_gate)
        {
            int running = _running.GetValueOrDefault(client);
            if (running >= MaxPerClient || _total >= MaxTotal)
            {
                return null;
            }

            _running[client] = running + 1;
            _total++;
            return new Place(this, client);
        }
    }

    private void Leave(string client)
    {
        lock (_gate)
        {
            _total--;
            if (--_running[client] == 0)
            {
                _running.Remove(client);
            }
        }
    }

    public sealed class Place(Comparisons owner, string client) : IDisposable
    {
        public void Dispose() => owner.Leave(client);
    }
}
