using System.Buffers.Binary;
using System.Net;
using Couic.Api.Contracts;
using Couic.Config;
using Couic.Logging.Abstractions;
using Couic.Names;
using Couic.Store;
using Microsoft.Extensions.Logging;

namespace Couic.Daemon;

/// <summary>
/// Updates the guard's list of addresses that the operator needs: sources of open sessions, default gateways, resolvers, peers and this
/// machine. Reports each of them that is dropped, also after an entry of ignore has expired. Thread-safe.
/// </summary>
internal sealed partial class ProtectedAddresses : IChangeListener, IDisposable
{
    private static readonly TimeSpan Period = TimeSpan.FromSeconds(10);

    /// <summary>The period while a peer's name is not resolved yet.</summary>
    private static readonly TimeSpan ShortPeriod = TimeSpan.FromSeconds(1);

    /// <summary>From the removal of an entry of ignore to the refresh; many may be removed at once.</summary>
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(100);

    private static readonly Cidr[] Loopback = [Cidr.FromV4(0x7f000001), new(IpFamily.V6, 0, 1, 128)];

    private readonly RuleStore _store;
    private readonly Func<Settings> _settings;
    private readonly ILogger _log;
    private readonly SystemFiles _files;
    private readonly HostResolver _names;
    private readonly PeriodicTask _task;
    private readonly Lock _one = new();
    private volatile Lockout[] _lockouts = [];
    private volatile bool _isUnresolved;
    private int _isSoon;

    /// <param name="settings">The settings in force, for the peers and the interfaces.</param>
    /// <param name="names">Resolves the names of peers.</param>
    /// <param name="root">A prefix of every path; empty except in tests.</param>
    public ProtectedAddresses(RuleStore store, Func<Settings> settings, HostResolver names, ILogger log, string root = "")
    {
        _store = store;
        _settings = settings;
        _log = log;
        _files = new SystemFiles(log, root);
        _names = names;
        _task = new PeriodicTask(Place.Guard, log, () => _isUnresolved ? ShortPeriod : Period, Refresh);
        store.Subscribe(this);
    }

    /// <summary>For the status and the metrics.</summary>
    public GuardStatus Status => new(
        _store.Guard.Mode.ToString().ToLowerInvariant(),
        (ulong)_store.Guard.Protected.Count,
        [.. _lockouts.Select(lockout => new LockoutStatus(lockout.Address.Host.AddressText(), lockout.Address.Role, lockout.Cidr.ToString()))],
        [.. _store.Guard.Withheld.Texts],
        [.. _files.Unreadable.Select(source => new UnreadableStatus(source.Key, source.Value))]);

    /// <summary>Refreshes now, and then periodically.</summary>
    public void Start()
    {
        Refresh();
        _task.Start(_isUnresolved ? ShortPeriod : Period);
    }

    /// <summary>Refreshes before the period ends.</summary>
    public void RefreshSoon()
    {
        if (Interlocked.Exchange(ref _isSoon, 1) == 0)
        {
            _task.Start(Pause);
        }
    }

    void IChangeListener.OnChange(in RuleEvent change)
    {
        if (change is { Policy: Policy.Ignore, Kind: RuleEventKind.Deleted or RuleEventKind.Expired })
        {
            RefreshSoon();
        }
    }

    public void Dispose() => _task.Dispose();

    /// <summary>Refreshes once. It never waits for name servers: a name's last known addresses count, however old they are.</summary>
    public void Refresh()
    {
        lock (_one)
        {
            Interlocked.Exchange(ref _isSoon, 0);
            Settings settings = _settings();
            var found = new List<ProtectedAddress>();
            found.AddRange(_files.Sessions().Select(host => new ProtectedAddress(host, "an open session")));
            found.AddRange(_files.Gateways().Select(host => new ProtectedAddress(host, "the default gateway")));
            found.AddRange(_files.Resolvers().Select(host => new ProtectedAddress(host, "a resolver")));
            bool isUnresolved = false;
            foreach (string host in settings.Peering.Enabled ? settings.Peering.Peers.Select(peer => peer.Host) : [])
            {
                IReadOnlyList<IPAddress> addresses = _names.Find(host).Addresses;
                isUnresolved |= addresses.Count == 0;
                found.AddRange(addresses.Select(address => new ProtectedAddress(HostOf(address), "a peer")));
            }

            if (settings.Ifaces.Contains("lo"))
            {
                // On other interfaces such a source is forged, and bogon lists rightly drop it.
                found.AddRange(Loopback.Select(host => new ProtectedAddress(host, "this machine itself")));
            }

            _store.Guard.Protect(found);
            _isUnresolved = isUnresolved;
            Report();
        }
    }

    /// <summary>Logs the changes of the locked-out addresses.</summary>
    private void Report()
    {
        Lockout[] now = [.. _store.Guard.FindLockouts()];
        foreach (Lockout lockout in now.Except(_lockouts))
        {
            LockedOut(lockout.Address.Host.AddressText(), lockout.Address.Role, lockout.Cidr);
        }

        foreach (Lockout lockout in _lockouts.ExceptBy(now.Select(other => other.Address.Host), lockout => lockout.Address.Host))
        {
            NotLockedOut(lockout.Address.Host.AddressText(), lockout.Address.Role);
        }

        _lockouts = now;
    }

    private static Cidr HostOf(IPAddress address)
    {
        byte[] bytes = (address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address).GetAddressBytes();
        return bytes.Length == 4 ? Cidr.FromV4(BinaryPrimitives.ReadUInt32BigEndian(bytes)) : Cidr.FromV6(bytes);
    }

    [LoggerMessage(EventName = "locked_out", Level = LogLevel.Error,
        Message = "{Address} ({Role}) is dropped: {Cidr} in drop covers it, and nothing in ignore does (couicctl ignore add {Address})")]
    private partial void LockedOut(string address, string role, Cidr cidr);

    [LoggerMessage(EventName = "not_locked_out", Level = LogLevel.Information, Message = "{Address} ({Role}) is not dropped any more")]
    private partial void NotLockedOut(string address, string role);
}
