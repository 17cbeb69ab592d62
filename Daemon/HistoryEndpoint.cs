using System.Globalization;
using System.Text;
using System.Text.Json;
using Couic.Api;
using Couic.Api.Access;
using Couic.Api.Contracts;
using Couic.Api.Endpoints;
using Couic.Http;
using Couic.Http.Parsing;
using Couic.Logging;
using Couic.Store;

namespace Couic.Daemon;

/// <summary>Who changed what and when: the audit lines of the log files.</summary>
/// <param name="folder">Of the log files as they are now; null when there are none.</param>
internal sealed class HistoryEndpoint(Func<string?> folder)
{
    public const int DefaultLimit = 100;
    public const int MaxLimit = 10_000;

    /// <summary>Lines that are read without a pause for other requests.</summary>
    private const int Slice = 4_096;

    private static readonly HashSet<string> Events =
    [
        "entry_created", "entry_updated", "entry_deleted", "entry_claimed", "entry_unclaimed", "entry_failed", "entries_expired", "entries_forgotten", "bulk_applied", "bulk_broken", "tag_removed",
        "set_created", "set_updated", "set_deleted", "sets_loaded", "sets_reloaded", "client_created", "client_deleted", "client_taken", "client_ended",
        "peer_jobs_out_of_rails", "reloaded", "started", "stopping",
    ];

    public void Register(ApiRouter router) => router.Map(Verb.Get, "/v1/history", Permission.EntriesRead, HandleAsync);

    private async ValueTask HandleAsync(Exchange exchange)
    {
        if (!TryReadQuery(exchange, out Question question))
        {
            return;
        }

        if (folder() is not { } path)
        {
            exchange.Fail(409, ErrorCode.Conflict, "there are no log files ([logging] dir = \"-\"): see journalctl -u couic");
            return;
        }

        if (!await exchange.OffloadAsync(WorkClass.Blocking))
        {
            return;
        }

        try
        {
            if (await FindAsync(exchange, path, question) is { } history)
            {
                using var writer = new Utf8JsonWriter(exchange.Answer(200));
                JsonSerializer.Serialize(writer, history, WireJson.Default.HistoryRecord);
            }
        }
        catch (IOException e)
        {
            exchange.Fail(500, ErrorCode.Internal, e.Message);
        }
    }

    private static bool TryReadQuery(Exchange exchange, out Question question)
    {
        Query query = exchange.Query;
        ulong since = 0;
        if (query.Find("since"u8, out string text) > 0 && !ulong.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out since))
        {
            exchange.AddFault("since", "seconds since 1970 are expected");
        }

        int limit = DefaultLimit;
        if (query.Find("limit"u8, out text) > 0 && (!int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out limit) || limit is 0 or > MaxLimit))
        {
            exchange.AddFault("limit", $"a number from 1 to {MaxLimit} is expected");
        }

        Cidr? network = null;
        if (query.Find("cidr"u8, out text) > 0)
        {
            CidrFault fault = Cidr.TryParse(Encoding.UTF8.GetBytes(text), out Cidr cidr);
            network = cidr.Network;
            if (fault != CidrFault.None)
            {
                exchange.AddFault("cidr", fault.Explain());
            }
        }

        question = new Question(DateTimeOffset.FromUnixTimeSeconds((long)Math.Min(since, 253_402_300_799)), limit, network);
        return !PathReader.Failed(exchange);
    }

    /// <summary>Null when the request has been answered.</summary>
    private static async ValueTask<HistoryRecord?> FindAsync(Exchange exchange, string path, Question question)
    {
        List<ChangeRecord> changes = [];
        long bytes = 0;
        int lines = 0;
        bool isComplete = true;
        foreach (byte[] text in LogHistory.ReadBackwards(path))
        {
            if (++lines % Slice == 0 && exchange.ShouldYield)
            {
                exchange.ReleaseWorker();
                if (!await exchange.OffloadAsync(WorkClass.Blocking))
                {
                    return null;
                }
            }

            bytes += text.Length + 1;
            if (LogLine.Parse(text) is not { } line)
            {
                continue;
            }

            if (line.Time < question.Since)
            {
                return Answer(changes, isComplete: true);
            }

            if (!Events.Contains(line.Event) || (question.Network is { } network && !Names(line, network)))
            {
                continue;
            }

            if (changes.Count == question.Limit)
            {
                isComplete = false;
                break;
            }

            changes.Add(RecordOf(line));
        }

        return Answer(changes, isComplete && bytes < LogHistory.MaxBytes);
    }

    private static HistoryRecord Answer(List<ChangeRecord> changes, bool isComplete)
    {
        changes.Reverse();
        return new HistoryRecord([.. changes], isComplete);
    }

    private static ChangeRecord RecordOf(LogLine line) => new(
        line.Time.ToString("yyyy-MM-dd'T'HH:mm:ss.ffffff'Z'", CultureInfo.InvariantCulture), line.Event, Field(line, "client"), Field(line, "policy"), Field(line, "cidr"),
        Field(line, "tag"), ulong.TryParse(Field(line, "expiration"), NumberStyles.None, CultureInfo.InvariantCulture, out ulong at) ? at : null, line.Message);

    private static string? Field(LogLine line, string name) => line.Fields.TryGetValue(name, out string? value) && value.Length > 0 ? value : null;

    /// <summary>Whether a line names the network, one that covers it, or one within it.</summary>
    private static bool Names(LogLine line, Cidr network)
    {
        foreach (string word in $"{Field(line, "cidr")} {Field(line, "networks")}".Split(' ', ',', '(', ')'))
        {
            if (word.Contains('/', StringComparison.Ordinal) && Cidr.TryParse(Encoding.UTF8.GetBytes(word), out Cidr named) == CidrFault.None
                && (named.Network.Contains(network) || network.Contains(named.Network)))
            {
                return true;
            }
        }

        return false;
    }

    private readonly record struct Question(DateTimeOffset Since, int Limit, Cidr? Network);
}
