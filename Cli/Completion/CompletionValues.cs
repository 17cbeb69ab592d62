using System.Text.Json.Serialization.Metadata;
using Couic.Api.Contracts;
using Couic.Cli.Api;
using Couic.Cli.Commands;
using Couic.Cli.Values;
using Couic.CommandLine;
using Couic.Store;

namespace Couic.Cli.Completion;

/// <summary>The values that may stand for a word: fixed ones, and those that the daemon knows.</summary>
/// <param name="connect">Opens the connection when it is needed.</param>
/// <param name="policy">Drop, ignore, or null for both.</param>
internal sealed class CompletionValues(Func<ApiClient> connect, string? policy) : IDisposable
{
    /// <summary>More are of no help to a person.</summary>
    public const int Most = 200;

    /// <summary>Entries of one page of candidates, before they are compared with the word.</summary>
    private const int PageOfEntries = 1000;

    /// <summary>The limit of all requests: the user waits for them.</summary>
    private static readonly TimeSpan AnswerTime = TimeSpan.FromSeconds(2);

    private readonly long _begun = Environment.TickCount64;
    private ApiClient? _api;

    /// <summary>The values of a kind that begin with a word.</summary>
    /// <exception cref="CliException">The daemon does not answer, or refuses.</exception>
    public IEnumerable<string> Of(ValueKind kind, string word) => All(kind, word)
        .Where(value => value.StartsWith(word, StringComparison.Ordinal) && IsSafe(value)).Distinct().Take(Most);

    public void Dispose() => _api?.Dispose();

    private IEnumerable<string> All(ValueKind kind, string word) => kind switch
    {
        ValueKind.Policy => Policies.All.ToArray().Select(one => one.Name()),
        ValueKind.Group => NameArgument.Groups,
        ValueKind.Shell => CompletionCommand.Shells,
        ValueKind.EntrySort => EntrySort.Keys,
        ValueKind.TagSort => TagSort.Keys,
        ValueKind.OutputFormat => OutputStyle.Formats,
        ValueKind.ColourMode => OutputStyle.ColourModes,
        ValueKind.Tag => Tags().Where(tag => !tag.Contains('.', StringComparison.Ordinal)), // an entry cannot have the tag of a set
        ValueKind.TagPatterns => Tags().Select(tag => word[..(word.LastIndexOf(',') + 1)] + tag),
        ValueKind.Cidr => Networks(word),
        ValueKind.SetName => EachPolicy().SelectMany(one => Get("/v1/sets/" + one, WireJson.Default.SetSummaryArray)).Select(set => set.Name),
        ValueKind.ClientName => Get("/v1/client", WireJson.Default.ClientRecordArray).Select(client => client.Name),
        ValueKind.Peer => Get("/v1/peers", WireJson.Default.PeerRecordArray).Select(peer => peer.Host),
        _ => [],
    };

    private string[] EachPolicy() => policy is null ? ["drop", "ignore"] : [policy];

    private IEnumerable<string> Tags() => EachPolicy()
        .SelectMany(one => Get("/v1/stats/tags/" + one, WireJson.Default.TagStatsRecord).Tags.Keys)
        .Where(tag => tag != TagRule.Untagged)
        .Order(StringComparer.Ordinal);

    private IEnumerable<string> Networks(string word) => EachPolicy().SelectMany(one => AddressRanges.After(word).SelectMany(after => Get(
        $"/v1/{one}?limit={(word.Length == 0 ? Most : PageOfEntries)}{(after is null ? "" : $"&after={Uri.EscapeDataString(after)}")}",
        WireJson.Default.EntryRecordArray))).Select(entry => entry.Cidr);

    /// <summary>Shells expand some characters of a candidate, and terminals obey some; no valid value has any of them.</summary>
    private static bool IsSafe(string value) => value.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.' or ':' or '/' or ',' or '*');

    private T Get<T>(string path, JsonTypeInfo<T> type)
    {
        TimeSpan left = AnswerTime - TimeSpan.FromMilliseconds(Environment.TickCount64 - _begun);
        if (left <= TimeSpan.Zero)
        {
            throw new CliException("no time is left");
        }

        _api ??= connect();
        return _api.Parse(_api.Send(HttpMethod.Get, path, limit: left), type);
    }
}
