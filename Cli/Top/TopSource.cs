using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Couic.Api.Contracts;
using Couic.Cli.Api;
using Couic.CommandLine;
using Couic.Store;

namespace Couic.Cli.Top;

/// <summary>Which entries a sample has.</summary>
/// <param name="Order">As the API names it.</param>
/// <param name="Filter">Text that a tag or network contains; empty for everything.</param>
internal sealed record TopQuery(string Order, string Filter);

/// <summary>
/// Takes samples: a few small answers, and the first entries of an order, which the daemon selects. A daemon with many entries needs
/// some time for those, so they are asked for less often then. Not thread-safe.
/// </summary>
/// <param name="connect">Reads the configuration and the token again, which may have changed with the daemon.</param>
internal sealed class TopSource(Func<ApiClient> connect, TimeProvider clock) : IDisposable
{
    /// <summary>Entries of each policy: more than a screen has rows, for scrolling.</summary>
    private const int Listed = 200;

    /// <summary>With a filter that the daemon does not know, more are fetched and filtered here.</summary>
    private const int ListedToFilter = 1000;

    /// <summary>At most this share of the time is spent on entries.</summary>
    private const double Share = 0.05;

    private ApiClient? _api;
    private IReadOnlyList<TopEntry>? _entries;
    private TopQuery? _asked;
    private long _askedAt;
    private TimeSpan _cost;

    /// <exception cref="CliException">The daemon does not answer.</exception>
    public TopSample Take(TopQuery query)
    {
        try
        {
            _api ??= connect();
            MetricsRecord metrics = Get("/v1/metrics", WireJson.Default.MetricsRecord);
            long at = clock.GetTimestamp();
            StatusRecord? status = TryGet("/v1/status", WireJson.Default.StatusRecord);
            PeerRecord[]? peers = status?.Peers is { Configured: > 0 } ? TryGet("/v1/peers", WireJson.Default.PeerRecordArray) : null;

            // A daemon without status is one of couic 1.x, which would send all entries.
            _entries = status is null ? null : Entries(query);
            return new TopSample(at, clock.GetUtcNow(), metrics, status, peers, _entries);
        }
        catch (CliException)
        {
            Dispose();
            throw;
        }
    }

    public void Dispose()
    {
        _api?.Dispose();
        (_api, _asked) = (null, null);
    }

    private IReadOnlyList<TopEntry>? Entries(TopQuery query)
    {
        long begun = clock.GetTimestamp();
        bool hasRates = query.Order != "rate" || _entries is not [{ Entry.Rate: null }, ..];
        if (_asked == query && hasRates && clock.GetElapsedTime(_askedAt, begun) < _cost / Share)
        {
            return _entries;
        }

        var found = new Dictionary<(Policy, string), TopEntry>();
        foreach (Policy policy in Policies.All)
        {
            foreach (string parameters in Parameters(query))
            {
                if (TryGet($"/v1/{policy.Name()}{parameters}", WireJson.Default.EntryRecordArray) is not { } entries)
                {
                    return null;
                }

                foreach (EntryRecord entry in entries)
                {
                    found[(policy, entry.Cidr)] = new TopEntry(policy, entry);
                }
            }
        }

        (_asked, _askedAt, _cost) = (query, begun, clock.GetElapsedTime(begun));
        return Sorted(found.Values, query.Order);
    }

    /// <summary>Both policies in one order.</summary>
    private static List<TopEntry> Sorted(IEnumerable<TopEntry> entries, string order) =>
    [
        .. order switch
        {
            "packets" => entries.OrderByDescending(one => one.Entry.Packets),
            "last_hit" => entries.OrderByDescending(one => one.Entry.LastHit),
            "creation" => entries.OrderByDescending(one => one.Entry.Creation),
            "expiration" => entries.OrderBy(one => one.Entry.Expiration == 0 ? ulong.MaxValue : one.Entry.Expiration),
            _ => entries.OrderByDescending(one => one.Entry.Rate ?? 0).ThenByDescending(one => one.Entry.Packets),
        },
    ];

    /// <summary>The daemon filters by tag. A part of a network is searched here, in the first entries of the order.</summary>
    private static IEnumerable<string> Parameters(TopQuery query)
    {
        string sort = $"?sort={query.Order}&details=true";
        bool isTag = query.Filter.Length > 0 && TagRule.Fault(System.Text.Encoding.UTF8.GetBytes(query.Filter)) is null;
        if (isTag)
        {
            yield return $"{sort}&limit={Listed}&tag={Uri.EscapeDataString($"*{query.Filter}*")}";
        }

        if (query.Filter.All(c => char.IsAsciiHexDigit(c) || c is '.' or ':' or '/') || TagRule.Untagged.Contains(query.Filter, StringComparison.Ordinal))
        {
            yield return $"{sort}&limit={(query.Filter.Length == 0 ? Listed : ListedToFilter)}";
        }
    }

    private T Get<T>(string path, JsonTypeInfo<T> type) => _api!.Parse(_api.Get(path), type);

    /// <summary>Null where the token does not permit it, or the daemon does not have it.</summary>
    private T? TryGet<T>(string path, JsonTypeInfo<T> type)
        where T : class
    {
        try
        {
            return Get(path, type);
        }
        catch (CliException e) when (e.ExitStatus is ExitStatus.Refused or ExitStatus.Absent)
        {
            return null;
        }
    }
}
