namespace Couic.Store;

/// <summary>
/// The check against locking the operator out, for single and bulk changes, sets, peers, and the removal of protecting entries. It names
/// the objection and whether the change is to be refused; the caller acts on that. Thread-safe.
/// </summary>
public sealed class LockoutGuard(RuleStore store, TimeProvider time)
{
    /// <summary>IPv4 networks up to this length are a quarter of the address space or more.</summary>
    private const int BroadLength = 2;

    private const string AddressAdvice = "add that to ignore first, or say ?force=true";
    private const string BroadAdvice = "?force=true if that is meant";

    /// <summary>All addresses that are routed on the internet; the other seven eighths of IPv6 are reserved, and common in lists.</summary>
    private static readonly Cidr GlobalUnicast = new(IpFamily.V6, 0x2000_0000_0000_0000, 0, 3);

    /// <summary>The broad networks, for looking them up.</summary>
    public static IReadOnlyList<Cidr> BroadNetworks { get; } =
    [
        .. Enumerable.Range(0, BroadLength + 1).SelectMany(length => Enumerable.Range(0, 1 << length).Select(
            n => new Cidr(IpFamily.V4, length == 0 ? 0 : (ulong)n << (64 - length), 0, length))),
        .. Enumerable.Range(0, GlobalUnicast.Length + 1).Select(GlobalUnicast.WithLength),
    ];

    private volatile ProtectedAddress[] _protected = [];
    private volatile int _mode;

    public LockoutMode Mode
    {
        get => (LockoutMode)_mode;
        set => _mode = (int)value;
    }

    /// <summary>The protected addresses in order.</summary>
    public IReadOnlyList<ProtectedAddress> Protected => _protected;

    /// <summary>Changes that are not in force because of an objection.</summary>
    public WithheldChanges Withheld { get; } = new(time);

    /// <summary>Replaces the protected addresses. Of several roles of an address, the first is named.</summary>
    public void Protect(IEnumerable<ProtectedAddress> addresses) =>
        _protected = [.. addresses.DistinctBy(address => address.Host).OrderBy(address => address.Host)];

    /// <summary>Whether an objection stops a change.</summary>
    public bool Refuses(LockoutObjection objection, LockoutStance stance) => stance switch
    {
        LockoutStance.Force => false,
        LockoutStance.Refuse => true,
        _ => objection.IsWhole || Mode == LockoutMode.Refuse,
    };

    /// <summary>The objection to dropping a network; null for none. Addresses in ignore are safe.</summary>
    /// <param name="alsoIgnored">Entries of ignore that are about to be in force, sorted; null for none.</param>
    public LockoutObjection? ObjectionToDrop(Cidr network, SetImage? alsoIgnored = null)
    {
        if (Mode == LockoutMode.Off)
        {
            return null;
        }

        if (network.Length == 0)
        {
            return new LockoutObjection($"drops every {Name(network.Family)} address", BroadAdvice, IsWhole: true);
        }

        ProtectedAddress[] all = _protected;
        for (int i = FirstIn(all, network); i < all.Length && network.Contains(all[i].Host); i++)
        {
            if (!store.TryFindCovering(Policy.Ignore, all[i].Host, out _) && alsoIgnored?.Covers(all[i].Host) != true)
            {
                return Covers(all[i]);
            }
        }

        return IsBroad(network) ? new LockoutObjection($"covers {Share(network)}", BroadAdvice) : null;
    }

    /// <summary>The objection to dropping the address from which a request comes; null for none.</summary>
    public LockoutObjection? ObjectionOfRequester(in ProtectedAddress requester, Cidr network) =>
        Mode != LockoutMode.Off && network.Contains(requester.Host) && !store.TryFindCovering(Policy.Ignore, requester.Host, out _) ? Covers(requester) : null;

    /// <summary>The objection to removing an entry from ignore; null for none.</summary>
    /// <param name="alsoGone">Other entries of ignore that go with it.</param>
    public LockoutObjection? ObjectionToUnignore(Cidr network, IReadOnlySet<Cidr>? alsoGone = null)
    {
        if (!Protects(network) || !store.TryGet(Policy.Ignore, network, out _))
        {
            return null;
        }

        ProtectedAddress[] all = _protected;
        for (int i = FirstIn(all, network); i < all.Length && network.Contains(all[i].Host); i++)
        {
            Cidr host = all[i].Host;
            bool staysIgnored = store.Covering(Policy.Ignore, host).Exists(
                entry => entry.Cidr != network && alsoGone?.Contains(entry.Cidr) != true);
            if (!staysIgnored && store.TryFindCovering(Policy.Drop, host, out Cidr dropped))
            {
                return new LockoutObjection(
                    $"protects {host.AddressText()} ({all[i].Role}), which {dropped} in drop covers",
                    "remove that from drop first, or say ?force=true");
            }
        }

        return null;
    }

    /// <summary>Whether a network contains a protected address, so that its removal from ignore has to be checked.</summary>
    public bool Protects(Cidr network)
    {
        ProtectedAddress[] all = _protected;
        int first = Mode == LockoutMode.Off ? all.Length : FirstIn(all, network);
        return first < all.Length && network.Contains(all[first].Host);
    }

    /// <summary>A warning for an addition to ignore that switches the filter off for much of a family; null for none.</summary>
    public static string? WarningOfIgnore(Cidr network) =>
        IsBroad(network) ? $"{network} in ignore covers {Share(network)}: none of them is dropped any more" : null;

    /// <summary>Whether a whole network is in ignore.</summary>
    public bool IsIgnored(Cidr network) => store.TryFindCovering(Policy.Ignore, network, out _);

    /// <summary>A note on a drop that has no effect, as ignore wins; null for none.</summary>
    public string? NoteOfDrop(Cidr network)
    {
        if (!store.TryFindCovering(Policy.Ignore, network, out Cidr covering))
        {
            return null;
        }

        string what = network.Length == network.MaxLength ? network.AddressText() : network.ToString();
        return $"{covering} is in ignore and wins; {what} still passes";
    }

    /// <summary>The objections to the entries of all sets as they are to be, of both policies.</summary>
    /// <param name="requester">Further addresses, which the requester needs.</param>
    public List<SetObjection> ObjectionsToSets(SetImage ignore, SetImage drop, IReadOnlyList<ProtectedAddress> requester)
    {
        var found = new List<SetObjection>();
        if (Mode == LockoutMode.Off)
        {
            return found;
        }

        ignore.Sort();
        drop.Sort();
        foreach (Cidr network in BroadNetworks)
        {
            if (drop.TryFind(network, out string set))
            {
                bool isNew = !store.TryGet(Policy.Drop, network, out _);
                LockoutObjection objection = network.Length == 0
                    ? new LockoutObjection($"{network} of set {set} drops every {Name(network.Family)} address", "--force if that is meant", IsWhole: true)
                    : new LockoutObjection($"{network} of set {set} covers {Share(network)}", "--force if that is meant");
                found.Add(new SetObjection(objection, network, isNew));
            }
        }

        foreach (ProtectedAddress address in _protected.Concat(requester).DistinctBy(address => address.Host))
        {
            if (!ignore.Covers(address.Host) && !store.Covering(Policy.Ignore, address.Host).Exists(entry => !entry.IsOfSet))
            {
                AddObjection(found, drop, address);
            }
        }

        return found;
    }

    /// <summary>The protected addresses that are dropped now.</summary>
    public List<Lockout> FindLockouts()
    {
        var found = new List<Lockout>();
        foreach (ProtectedAddress address in Mode == LockoutMode.Off ? [] : _protected)
        {
            if (store.TryFindCovering(Policy.Drop, address.Host, out Cidr dropped) && !store.TryFindCovering(Policy.Ignore, address.Host, out _))
            {
                found.Add(new Lockout(address, dropped));
            }
        }

        return found;
    }

    /// <summary>Whether a network is a quarter of IPv4 or more, or all of the routed IPv6 addresses.</summary>
    private static bool IsBroad(Cidr network) => network.Family == IpFamily.V4 ? network.Length <= BroadLength : network.Contains(GlobalUnicast);

    private static string Share(Cidr network) => network.Family == IpFamily.V6 ? "all routed IPv6 addresses" : network.Length switch
    {
        0 => "all IPv4 addresses",
        1 => "half of all IPv4 addresses",
        _ => "a quarter of all IPv4 addresses",
    };

    private static string Name(IpFamily family) => family == IpFamily.V4 ? "IPv4" : "IPv6";

    private static LockoutObjection Covers(ProtectedAddress address) => new($"covers {address.Host.AddressText()} ({address.Role})", AddressAdvice);

    private void AddObjection(List<SetObjection> found, SetImage drop, ProtectedAddress address)
    {
        bool isDropped = store.TryFindCovering(Policy.Drop, address.Host, out Cidr inForce);
        bool isNew = !isDropped || store.TryFindCovering(Policy.Ignore, address.Host, out _);
        if (drop.TryFindCovering(address.Host, out Cidr network, out string set))
        {
            LockoutObjection objection = Covers(address);
            found.Add(new SetObjection(
                objection with { Reason = $"{network} of set {set} {objection.Reason}", Advice = "add that to ignore first, or --force" }, network, isNew));
        }
        else if (isDropped && store.Covering(Policy.Drop, address.Host).Where(entry => !entry.IsOfSet).Select(entry => (Cidr?)entry.Cidr).FirstOrDefault() is { } dropped)
        {
            found.Add(new SetObjection(
                new LockoutObjection(
                    $"no set protects {address.Host.AddressText()} ({address.Role}) any more, which {dropped} in drop covers",
                    "remove that from drop first, or --force"),
                null, isNew));
        }
    }

    /// <summary>Index of the first address that is not before the network: the first one in it, if there is one.</summary>
    private static int FirstIn(ProtectedAddress[] all, Cidr network)
    {
        int low = 0, high = all.Length;
        while (low < high)
        {
            int middle = (low + high) >>> 1;
            (low, high) = all[middle].Host.CompareTo(network) < 0 ? (middle + 1, high) : (low, middle);
        }

        return low;
    }
}

/// <summary>An objection to the entries of all sets.</summary>
/// <param name="Network">The set's entry that is the cause; null where an entry of ignore goes.</param>
/// <param name="IsNew">Whether the change causes it; otherwise it is so already.</param>
public sealed record SetObjection(LockoutObjection Objection, Cidr? Network, bool IsNew);

/// <summary>An address that the operator needs.</summary>
/// <param name="Host">A /32 or /128.</param>
/// <param name="Role">What it is, such as <c>the default gateway</c>; ASCII.</param>
public readonly record struct ProtectedAddress(Cidr Host, string Role);

/// <summary>What the guard does about a change that would cut off a protected address.</summary>
public enum LockoutMode : byte
{
    /// <summary>The change is made, with a warning.</summary>
    Warn,
    Refuse,
    Off,
}

/// <summary>What the requester of a change asks of the guard.</summary>
public enum LockoutStance : byte
{
    /// <summary>As the mode says.</summary>
    Default,
    Refuse,

    /// <summary>The change is made whatever the mode says.</summary>
    Force,
}

/// <summary>Why a change may lock the operator out.</summary>
/// <param name="Reason">Such as <c>covers 192.0.2.1 (the default gateway)</c>; ASCII, without quotes.</param>
/// <param name="Advice">What to do about it.</param>
/// <param name="IsWhole">The change drops a whole family; that is refused in every mode but off.</param>
public sealed record LockoutObjection(string Reason, string Advice, bool IsWhole = false)
{
    /// <summary>For the requester of a refused change.</summary>
    public string Text => $"{Reason}; {Advice}";
}

/// <summary>A protected address that is dropped at the moment.</summary>
/// <param name="Cidr">The entry of drop that decides.</param>
public readonly record struct Lockout(ProtectedAddress Address, Cidr Cidr);

/// <summary>Changes that an objection of the guard keeps from being made, for the status. Bounded; thread-safe.</summary>
public sealed class WithheldChanges(TimeProvider time)
{
    private const int MaxHeld = 1000;

    private readonly Lock _gate = new();
    private readonly SortedDictionary<Cidr, (string Text, ulong Expiration)> _ofPeers = [];
    private IReadOnlyList<string> _ofSets = [];

    /// <summary>One line each: entries of sets first.</summary>
    public IReadOnlyList<string> Texts
    {
        get
        {
            ulong now = (ulong)time.GetUtcNow().ToUnixTimeSeconds();
            lock (_gate)
            {
                return [.. _ofSets, .. _ofPeers.Values.Where(held => held.Expiration == 0 || held.Expiration > now).Select(held => held.Text)];
            }
        }
    }

    /// <summary>Replaces what was left out of the sets.</summary>
    public void ReplaceOfSets(IReadOnlyList<string> texts)
    {
        lock (_gate)
        {
            _ofSets = texts;
        }
    }

    /// <summary>Records a peer's change; false when it is known already or the limit is reached.</summary>
    /// <param name="expiration">Seconds since 1970 after which it is not wanted any more; 0 for never.</param>
    public bool Add(Cidr network, string text, ulong expiration)
    {
        lock (_gate)
        {
            return _ofPeers.Count < MaxHeld && _ofPeers.TryAdd(network, (text, expiration));
        }
    }

    /// <summary>A peer's change is in force, or was withdrawn.</summary>
    public void Remove(Cidr network)
    {
        lock (_gate)
        {
            _ofPeers.Remove(network);
        }
    }
}
