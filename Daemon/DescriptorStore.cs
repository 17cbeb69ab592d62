using Couic.Native;
using Microsoft.Extensions.Logging;

namespace Couic.Daemon;

/// <summary>
/// Keeps the links in the service manager's descriptor store, which outlives this process: over a restart, a crash and an upgrade the
/// interfaces stay filtered, and a stopped service loses them. Not thread-safe.
/// </summary>
/// <param name="stored">Names that the store holds from an earlier process.</param>
internal sealed partial class DescriptorStore(SystemdNotify systemd, IEnumerable<string> stored, ILogger log)
{
    private readonly HashSet<string> _stored = [.. stored];
    private volatile int _count;
    private bool _isFull, _failed;

    /// <summary>Links that the store holds. Thread-safe.</summary>
    public int Count => _count;

    /// <summary>Adds the links that the store lacks, and removes what it holds beyond them. A failed change is repeated by the next call.</summary>
    public void Update(IReadOnlyCollection<HeldLink> links)
    {
        bool failed = false;
        var wanted = links.Where(link => link.Name.Id != 0).ToDictionary(link => link.Name.ToString());
        foreach (string name in _stored.Where(name => !wanted.ContainsKey(name)).ToArray())
        {
            bool sent = systemd.Unstore(name);
            failed |= !sent;
            _ = sent && _stored.Remove(name);
        }

        foreach ((string name, HeldLink link) in wanted.Where(w => !_stored.Contains(w.Key)))
        {
            bool sent = HasSpace(links.Count) && systemd.Store(name, link.Handle);
            failed |= !sent;
            _ = sent && _stored.Add(name);
        }

        _count = _stored.Count;
        if (failed && !_failed && !_isFull)
        {
            NotStored();
        }

        _failed = failed;
    }

    private bool HasSpace(int wanted)
    {
        if (_stored.Count < systemd.StoreCapacity)
        {
            return true;
        }

        if (!_isFull)
        {
            _isFull = true;
            Full(systemd.StoreCapacity, wanted);
        }

        return false;
    }

    [LoggerMessage(EventName = "store_failed", Level = LogLevel.Error,
        Message = "the service manager does not take the links of the filter: a restart leaves interfaces unfiltered until it is complete; retrying")]
    private partial void NotStored();

    [LoggerMessage(EventName = "store_full", Level = LogLevel.Error,
        Message = "the service manager keeps {Capacity} links, and {Wanted} interfaces are attached: the others are not filtered during a restart "
            + "(FileDescriptorStoreMax= and FDSTORE= in a drop-in of couic.service)")]
    private partial void Full(int capacity, int wanted);
}
