using System.Buffers.Binary;
using System.Net;
using Couic.Config;
using Couic.Http;
using Couic.Logging.Abstractions;
using Couic.Names;
using Couic.Store;
using Microsoft.Extensions.Logging;

namespace Couic.Daemon;

/// <summary>
/// The addresses that must not be dropped by accident: those from which somebody is logged in, default gateways, resolvers,
/// peers. They are looked up every few seconds, so that asking costs a request next to nothing. Thread-safe.
/// </summary>
internal sealed class ProtectedSources : IDisposable
{
    private static readonly TimeSpan Period = TimeSpan.FromSeconds(10);

    /// <summary>Between two looks while the name of a peer has not been resolved yet.</summary>
    private static readonly TimeSpan ShortPeriod = TimeSpan.FromSeconds(1);

    private readonly RuleStore _store;
    private readonly Func<Settings> _settings;
    private readonly SystemFiles _files;
    private readonly HostResolver _names;
    private readonly PeriodicTask _task;
    private volatile Source[] _sources = [];
    private volatile bool _isUnresolved;

    /// <param name="settings">Those in force, for the mode and the peers.</param>
    /// <param name="names">Knows the addresses of peers that are named by a name.</param>
    public ProtectedSources(RuleStore store, Func<Settings> settings, SystemFiles files, HostResolver names, ILogger log)
    {
        _store = store;
        _settings = settings;
        _files = files;
        _names = names;
        _task = new PeriodicTask(Place.Guard, log, () => _isUnresolved ? ShortPeriod : Period, Look);
    }

    /// <summary>An address (a /32 or /128) and what it is there for.</summary>
    public readonly record struct Source(Cidr Host, string Role);

    /// <summary>Looks now, and from now on every few seconds.</summary>
    public void Start()
    {
        Look();
        _task.Start(_isUnresolved ? ShortPeriod : Period);
    }

    public void Dispose() => _task.Dispose();

    /// <summary>Who would be cut off by dropping this network; null for nobody, and for those that are ignored anyway.</summary>
    public LockOut? Objection(Cidr network)
    {
        GuardMode mode = _settings().Guard.Mode;
        if (mode == GuardMode.Off)
        {
            return null;
        }

        foreach (Source source in _sources)
        {
            if (network.Contains(source.Host) && _store.Covering(Policy.Ignore, source.Host).Count == 0)
            {
                return new LockOut($"covers {source.Host.AddressText()} ({source.Role})", mode == GuardMode.Refuse);
            }
        }

        return null;
    }

    /// <summary>Looks once. Never waits for name servers: of a name its last good addresses count, however old they are.</summary>
    public void Look()
    {
        var found = new List<Source>();
        found.AddRange(_files.Sessions().Select(host => new Source(host, "an open session")));
        found.AddRange(_files.Gateways().Select(host => new Source(host, "the default gateway")));
        found.AddRange(_files.Resolvers().Select(host => new Source(host, "a resolver")));
        PeeringSettings peering = _settings().Peering;
        bool isUnresolved = false;
        foreach (string host in peering.Enabled ? peering.Peers.Select(peer => peer.Host) : [])
        {
            IReadOnlyList<IPAddress> addresses = _names.Find(host).Addresses;
            isUnresolved |= addresses.Count == 0;
            found.AddRange(addresses.Select(address => new Source(HostOf(address), "a peer")));
        }

        _sources = [.. found];
        _isUnresolved = isUnresolved;
    }

    private static Cidr HostOf(IPAddress address)
    {
        byte[] bytes = (address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address).GetAddressBytes();
        return bytes.Length == 4 ? Cidr.FromV4(BinaryPrimitives.ReadUInt32BigEndian(bytes)) : Cidr.FromV6(bytes);
    }
}
