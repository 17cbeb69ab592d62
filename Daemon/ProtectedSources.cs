using System.Net;
using System.Net.Sockets;
using System.Text;
using Couic.Config;
using Couic.Http;
using Couic.Store;

namespace Couic.Daemon;

/// <summary>
/// The addresses that must not be dropped by accident: those from which somebody is logged in, default gateways, resolvers,
/// peers. They are looked up every few seconds, so that asking costs a request next to nothing. Thread-safe.
/// </summary>
internal sealed class ProtectedSources : IDisposable
{
    private static readonly TimeSpan Period = TimeSpan.FromSeconds(10);

    private readonly RuleStore _store;
    private readonly Func<Settings> _settings;
    private readonly SystemFiles _files;
    private readonly Timer _timer;
    private volatile Source[] _sources = [];

    /// <param name="settings">Those in force, for the mode and the peers.</param>
    public ProtectedSources(RuleStore store, Func<Settings> settings, SystemFiles files)
    {
        _store = store;
        _settings = settings;
        _files = files;
        _timer = new Timer(_ => Look(), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    /// <summary>An address (a /32 or /128) and what it is there for.</summary>
    public readonly record struct Source(Cidr Host, string Role);

    /// <summary>Looks now at what takes no time, at once at the rest, and from now on every few seconds.</summary>
    public void Start()
    {
        Look(resolvesNames: false);
        _timer.Change(TimeSpan.Zero, Period);
    }

    public void Dispose() => _timer.Dispose();

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

    /// <param name="resolvesNames">Whether to ask name servers for peers that are no addresses, which may take seconds.</param>
    public void Look(bool resolvesNames = true)
    {
        var found = new List<Source>();
        found.AddRange(_files.Sessions().Select(host => new Source(host, "an open session")));
        found.AddRange(_files.Gateways().Select(host => new Source(host, "the default gateway")));
        found.AddRange(_files.Resolvers().Select(host => new Source(host, "a resolver")));
        PeeringSettings peering = _settings().Peering;
        foreach (string host in peering.Enabled ? peering.Peers.Select(peer => peer.Host) : [])
        {
            found.AddRange(Resolve(host, resolvesNames).Select(address => new Source(address, "a peer")));
        }

        _sources = [.. found];
    }

    private static List<Cidr> Resolve(string host, bool resolvesNames)
    {
        if (Cidr.TryParseAddress(Encoding.UTF8.GetBytes(host), out Cidr address))
        {
            return [address];
        }

        if (!resolvesNames)
        {
            return [];
        }

        try
        {
            return [.. Dns.GetHostAddresses(host).Select(a => a.AddressFamily == AddressFamily.InterNetwork
                ? Cidr.FromV4(System.Buffers.Binary.BinaryPrimitives.ReadUInt32BigEndian(a.GetAddressBytes()))
                : Cidr.FromV6(a.GetAddressBytes()))];
        }
        catch (SocketException)
        {
            return []; // a name that does not resolve now; the link to that peer says so
        }
    }
}
