using System.Globalization;
using System.Net;
using System.Text;
using Couic.Api.Contracts;
using Couic.Store;

namespace Couic.Api.Access;

/// <summary>
/// Limits on what the token of one client may change, so that a leaked token does limited harm. Reading is not limited, except by
/// <see cref="From"/>. Immutable but for the allowance of its rate. Thread-safe.
/// </summary>
public sealed class Rails : IChangeLimits
{
    /// <summary>Seconds: 100 years.</summary>
    public const long MaxTtlLimit = 3_153_600_000;

    public const int MaxRate = 1_000_000;

    /// <summary>Seconds by which a client's clock may be ahead when it computes an expiration.</summary>
    public const ulong ClockTolerance = 60;

    /// <summary>Items of <c>tags</c> and <c>from</c>.</summary>
    public const int MaxItems = 64;

    /// <summary>The keys in client files and bodies, in the order in which they are shown.</summary>
    public static readonly IReadOnlyList<string> Keys =
        ["policies", "min_prefix_v4", "min_prefix_v6", "max_ttl", "max_entries", "rate", "burst", "tags", "from"];

    private readonly Policy[] _policies;
    private readonly TagPattern[] _tags;
    private readonly ChangeRate? _rate;

    private Rails(RailsRecord record, Policy[] policies, IPNetwork[] from)
    {
        Record = record;
        Summary = string.Join(' ', record.Texts());
        _policies = policies;
        _tags = Array.ConvertAll(record.Tags ?? [], pattern => new TagPattern(pattern));
        From = from;
        _rate = record.Rate is { } rate ? new ChangeRate(rate, record.Burst ?? rate) : null;
    }

    /// <summary>The values as they were given.</summary>
    public RailsRecord Record { get; }

    /// <summary>One line, such as <c>policies=drop min_prefix_v4=24 rate=10</c>. Equal for equal rails.</summary>
    public string Summary { get; }

    /// <summary>Networks from which the token is accepted on the network listener; empty for all. The Unix socket is not concerned.</summary>
    public IReadOnlyList<IPNetwork> From { get; }

    public int MaxEntries => (int)(Record.MaxEntries ?? 0);

    /// <summary>Null when the record has faults, which are added with their keys, or no rail at all.</summary>
    public static Rails? Create(RailsRecord record, Group group, List<(string Key, string Message)> faults)
    {
        int before = faults.Count;
        CheckGroup(record, group, faults);
        CheckRange(faults, "min_prefix_v4", record.MinPrefixV4, 1, 32);
        CheckRange(faults, "min_prefix_v6", record.MinPrefixV6, 1, 128);
        CheckRange(faults, "max_ttl", record.MaxTtl, 1, MaxTtlLimit);
        CheckRange(faults, "max_entries", record.MaxEntries, 1, int.MaxValue);
        CheckRange(faults, "rate", record.Rate, 1, MaxRate);
        CheckRange(faults, "burst", record.Burst, 1, MaxRate);
        if (record is { Burst: not null, Rate: null })
        {
            faults.Add(("burst", "needs rate"));
        }

        var policies = new List<Policy>();
        foreach (string word in Items(record.Policies, "policies", faults))
        {
            if (Policies.TryParse(Encoding.UTF8.GetBytes(word), out Policy policy))
            {
                policies.Add(policy);
            }
            else
            {
                faults.Add(("policies", "\"drop\" or \"ignore\" is expected"));
            }
        }

        foreach (string pattern in Items(record.Tags, "tags", faults))
        {
            if (TagFault(pattern) is { } fault)
            {
                faults.Add(("tags", fault));
            }
        }

        var from = new List<IPNetwork>();
        foreach (string network in Items(record.From, "from", faults))
        {
            if (Cidr.TryParse(Encoding.UTF8.GetBytes(network), out Cidr cidr) is var fault && fault != CidrFault.None)
            {
                faults.Add(("from", fault.Explain()));
                continue;
            }

            from.Add(IPNetwork.Parse(cidr.Network.ToString()));
        }

        return faults.Count > before || record == new RailsRecord() ? null : new Rails(record, [.. policies], [.. from]);
    }

    /// <summary>Whether the client may change entries and sets of the policy.</summary>
    public bool Allows(Policy policy) => _policies.Length == 0 || _policies.Contains(policy);

    /// <summary>Whether the token is accepted from an address.</summary>
    public bool AllowsFrom(IPAddress address)
    {
        IPAddress plain = address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address;
        return From.Count == 0 || From.Any(network => network.Contains(plain));
    }

    /// <inheritdoc/>
    public bool MayChange(ReadOnlySpan<byte> tag)
    {
        foreach (TagPattern pattern in _tags)
        {
            if (pattern.Matches(tag))
            {
                return true;
            }
        }

        return _tags.Length == 0;
    }

    /// <summary>The first rail that an addition breaks, with the field at fault; null for none.</summary>
    /// <param name="network">Without host bits.</param>
    /// <param name="expiration">Seconds since 1970, 0 for never.</param>
    /// <param name="now">Seconds since 1970.</param>
    public (string Field, string Message)? Fault(Cidr network, ReadOnlySpan<byte> tag, ulong expiration, ulong now)
    {
        if (WidthFault(network) is { } width)
        {
            return ("cidr", width);
        }

        if (!MayChange(tag))
        {
            return ("tag", TagMessage(tag));
        }

        if (Record.MaxTtl is { } ttl && (expiration == 0 || expiration > now + (ulong)ttl + ClockTolerance))
        {
            string kind = expiration == 0 ? "an expiration is required" : "too far ahead";
            return ("expiration", $"rail \"max_ttl\": {kind} (at most {ttl} s ahead for this client)");
        }

        return null;
    }

    /// <summary>Why a network is too wide; null when it is not.</summary>
    public string? WidthFault(Cidr network)
    {
        (string key, long? min) = network.Family == IpFamily.V4 ? ("min_prefix_v4", Record.MinPrefixV4) : ("min_prefix_v6", Record.MinPrefixV6);
        return network.Length < min ? $"rail \"{key}\": {network} is wider than /{min}, the widest that this client may add" : null;
    }

    /// <summary>What a refusal by <see cref="MayChange"/> says.</summary>
    public string TagMessage(ReadOnlySpan<byte> tag) =>
        $"rail \"tags\": {(tag.IsEmpty ? "no tag" : $"\"{Encoding.UTF8.GetString(tag)}\"")} does not match {string.Join(", ", Record.Tags!.Select(pattern => $"\"{pattern}\""))}";

    /// <summary>Takes changes from the allowance of the rate.</summary>
    /// <param name="wait">How long the client has to wait before the next change; zero when the changes are admitted.</param>
    public bool TryTake(int changes, TimeProvider time, out TimeSpan wait)
    {
        wait = TimeSpan.Zero;
        return _rate is null || _rate.TryTake(changes, time, out wait);
    }

    /// <summary>Takes changes that turned out to be many more than were admitted; the next request waits until the debt is paid.</summary>
    public void Charge(int changes) => _rate?.Charge(changes);

    private static void CheckGroup(RailsRecord record, Group group, List<(string Key, string Message)> faults)
    {
        if (group.Allows(Permission.Clients) && record != new RailsRecord { From = record.From })
        {
            faults.Add(("group", $"rails cannot limit a client of group {group.Name()}, which may create clients without them"));
        }

        if (group == Group.Peering && (record.Tags ?? record.MaxEntries as object) is not null)
        {
            faults.Add((record.Tags is null ? "max_entries" : "tags", "not for group peering: the rules of a peer keep the tags and creators of their nodes"));
        }
    }

    private static void CheckRange(List<(string Key, string Message)> faults, string key, long? value, long min, long max)
    {
        if (value < min || value > max)
        {
            faults.Add((key, string.Create(CultureInfo.InvariantCulture, $"{value} is out of range ({min} to {max})")));
        }
    }

    private static string[] Items(string[]? items, string key, List<(string Key, string Message)> faults)
    {
        if (items is { Length: 0 or > MaxItems })
        {
            faults.Add((key, $"1 to {MaxItems} items are expected"));
            return [];
        }

        if (items?.Any(item => item is null) == true)
        {
            faults.Add((key, "strings are expected"));
            return [];
        }

        return items ?? [];
    }

    private static string? TagFault(string pattern)
    {
        int start = pattern.StartsWith('*') ? 1 : 0;
        int end = pattern.Length > start && pattern.EndsWith('*') ? pattern.Length - 1 : pattern.Length;
        string core = pattern[start..end];
        string name = core.EndsWith(TagRule.SetSuffix, StringComparison.Ordinal) ? core[..^TagRule.SetSuffix.Length] : core;
        return TagRule.Fault(Encoding.UTF8.GetBytes(name)) is { } fault ? $"\"{pattern}\": {fault}; \"*\" at either end matches anything" : null;
    }
}

/// <summary>
/// A token bucket: changes per second, and so many at once after a pause. A batch may take more than is left, and the next one waits until
/// the debt is paid: its size is not known before it is read. Thread-safe.
/// </summary>
internal sealed class ChangeRate(long perSecond, long burst)
{
    private readonly Lock _gate = new();
    private double _left = burst;
    private long _at;

    public void Charge(int changes)
    {
        lock (_gate)
        {
            _left -= changes;
        }
    }

    public bool TryTake(int changes, TimeProvider time, out TimeSpan wait)
    {
        lock (_gate)
        {
            long now = time.GetTimestamp();
            _left = _at == 0 ? burst : Math.Min(burst, _left + (time.GetElapsedTime(_at, now).TotalSeconds * perSecond));
            _at = now;
            wait = _left >= 1 ? TimeSpan.Zero : TimeSpan.FromSeconds((1 - _left) / perSecond);
            if (_left < 1)
            {
                return false;
            }

            _left -= changes;
            return true;
        }
    }
}
