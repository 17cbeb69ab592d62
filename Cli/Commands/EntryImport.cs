using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using Couic.Api.Contracts;
using Couic.Cli.Api;
using Couic.Cli.Output;
using Couic.Cli.Values;
using Couic.CommandLine;
using Couic.Store;

namespace Couic.Cli.Commands;

/// <summary><c>drop import</c>, <c>ignore import</c>: streams a file of any length to the bulk endpoint.</summary>
internal static class EntryImport
{
    private static readonly ArgumentSpec File = new("FILE", "Networks or addresses, one per line; \"-\" for standard input", ValueKind.File);

    public static CommandSpec Spec(Policy policy) => new()
    {
        Name = "import",
        Summary = $"Add a file of networks to {policy.Name()}",
        Details =
        [
            "Blank lines and lines that start with \"#\" are skipped. An invalid or rejected line does not stop the others: "
            + "they are added, rejected lines are reported, and the exit status is 1. Without --update or --extend, existing entries stay unchanged. "
            + "A line may also be an entry in the format of the API, a JSON object with cidr, tag, expiration and reason; it keeps its own ones. "
            + "Without --force, lines of drop that may lock you out are rejected. A line with host bits set after a short prefix, such as 203.0.113.0/2, is always rejected.",
        ],
        Arguments = [File],
        Options =
        [
            CommonOptions.Tag, CommonOptions.Expiration, CommonOptions.Reason, CommonOptions.Update, CommonOptions.Extend, CommonOptions.Claim,
            GuardOptions.Force,
            CommonOptions.DryRun,
        ],
        Examples = [$"couicctl {policy.Name()} import blocklist.txt -t blocklist -e 1d", $"zcat list.gz | couicctl {policy.Name()} import -"],
        Run = Run,
    };

    private static int Run(Invocation invocation)
    {
        Policy policy = invocation.PolicyOfCommand();
        string tag = invocation.Option("tag") ?? "";
        CommonOptions.ThrowIfAny(
            CommonOptions.TagFault(tag), CommonOptions.ReasonFault(invocation.Option("reason") ?? ""), ExpirationArgument.TryParse(invocation.Option("expiration") ?? "0", invocation.Context.Clock, out ulong expiration));
        using NetworkList lines = NetworkList.Open(invocation.Context, invocation.Argument(0), out long? size);
        using var progress = new ProgressBar(invocation.Context, $"{policy.Name()} import") { Total = size };
        using ApiClient api = invocation.Connect();
        bool isGuarded = policy == Policy.Drop && !invocation.Has("force");
        var source = new ImportSource(lines, new OperatorGuard(invocation, api, isGuarded).Objection);
        string path = $"{EntryPath.Of(policy)}/bulk" + invocation.GuardedQuery(
            $"on_conflict={invocation.ConflictMode() ?? "keep"}", invocation.Has("dry-run") ? "dry_run=true" : null);
        using var content = BulkContent.Additions(source, ItemDefaults.Of(invocation, expiration), progress);
        ApiAnswer answer = Send(api, path, content);
        progress.Dispose();
        return Summarize(invocation, policy, source, api.Parse(answer, WireJson.Default.BulkRecord), answer);
    }

    /// <summary>Sends a bulk request of any length.</summary>
    public static ApiAnswer Send(ApiClient api, string path, BulkContent content)
    {
        try
        {
            return api.Send(HttpMethod.Post, path, content, Timeout.InfiniteTimeSpan);
        }
        catch (CliException) when (content.SourceFailure is not null)
        {
            throw content.SourceFailure;
        }
    }

    private static int Summarize(Invocation invocation, Policy policy, ImportSource source, BulkRecord result, ApiAnswer answer)
    {
        BulkReport.AddTo(source.Rejections, result, source.LineOf);
        invocation.Noted(answer);
        if (invocation.IsJson)
        {
            IndentedJson.WriteObject(invocation, json => BulkReport.WriteMembers(json, result, source.Rejections));
            return source.Rejections.Count == 0 ? ExitStatus.Success : ExitStatus.Failure;
        }

        string done = invocation.Has("dry-run") ? $"Dry run, {policy.Name()} would have" : $"Imported into {policy.Name()}";
        invocation.Out.WriteLine(
            $"{done}: {Quantity.Grouped(result.Created)} created, {Quantity.Grouped(result.Updated)} updated, "
            + $"{Quantity.Grouped(result.Unchanged)} unchanged, {Quantity.Grouped((ulong)source.Rejections.Count)} rejected");
        return BulkReport.Print(invocation, source.Rejections) ?? ExitStatus.Success;
    }
}

/// <summary>Reports the rejections of a bulk request.</summary>
internal static class BulkReport
{
    /// <returns>The exit status of a failure; null without rejections.</returns>
    public static int? Rejections(Invocation invocation, BulkRecord result, ImportSource source)
    {
        AddTo(source.Rejections, result, source.LineOf);
        return Print(invocation, source.Rejections);
    }

    /// <param name="nameOf">The network with an index.</param>
    /// <inheritdoc cref="Rejections(Invocation, BulkRecord, ImportSource)"/>
    public static int? Rejections(Invocation invocation, BulkRecord result, Func<ulong, string> nameOf)
    {
        invocation.Context.Flush();
        foreach (BulkRejection rejection in result.Rejected ?? [])
        {
            string message = Printable.Escape(rejection.Message), name = nameOf(rejection.Index);
            invocation.Complain($"{(message.Contains(name, StringComparison.Ordinal) ? "" : name + ": ")}{message}");
        }

        return result.RejectedCount == 0 && result.Rejected is null or [] ? null : ExitStatus.Refused;
    }

    public static void AddTo(ImportRejections rejections, BulkRecord result, Func<ulong, int> lineOf)
    {
        BulkRejection[] listed = result.Rejected ?? [];
        foreach (BulkRejection rejection in listed)
        {
            rejections.Add(lineOf(rejection.Index), $"{Printable.Escape(rejection.Message)} ({rejection.Code})");
        }

        rejections.AddUnlisted((long)Math.Max(result.RejectedCount, (ulong)listed.Length) - listed.Length);
    }

    /// <summary>The counts of an import, and its rejected lines.</summary>
    public static void WriteMembers(Utf8JsonWriter json, BulkRecord result, ImportRejections rejections)
    {
        json.WriteNumber("created"u8, result.Created);
        json.WriteNumber("updated"u8, result.Updated);
        json.WriteNumber("unchanged"u8, result.Unchanged);
        json.WriteStartArray("rejected"u8);
        foreach ((int line, string reason) in rejections.Listed)
        {
            json.WriteStartObject();
            json.WriteNumber("line"u8, line);
            json.WriteString("message"u8, reason);
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteNumber("rejected_count"u8, rejections.Count);
    }

    public static int? Print(Invocation invocation, ImportRejections rejections)
    {
        invocation.Context.Flush();
        foreach (string line in rejections.Lines())
        {
            invocation.Complain(line);
        }

        return rejections.Count == 0 ? null : ExitStatus.Failure;
    }
}

/// <summary>Iterates over the valid lines of a list; records the rejected ones and the line number of each item.</summary>
/// <param name="next">Advances to the next item.</param>
/// <param name="objection">Returns why a network must not be sent; null if it may.</param>
/// <param name="position">Returns the bytes read so far.</param>
/// <param name="file">Name of the list in messages; null for none.</param>
internal sealed class ImportSource(ImportSource.Reader next, Func<Cidr, string?> objection, Func<long> position, string? file = null)
{
    public ImportSource(NetworkList list, Func<Cidr, string?> objection)
        : this(list.TryNext, objection, () => list.Position, list.FileName)
    {
    }

    public delegate bool Reader(out ListItem item);

    /// <summary>Networks in memory; they need no check.</summary>
    public static ImportSource Of(List<Cidr> cidrs)
    {
        int next = 0;
        return new ImportSource(Read, static _ => null, () => next);

        bool Read(out ListItem item)
        {
            bool isAny = next < cidrs.Count;
            item = isAny ? new ListItem(next + 1, cidrs[next++].Network, null) : default;
            return isAny;
        }
    }

    /// <summary>Item numbers at which the offset between item and line changes, with the line.</summary>
    private readonly List<(ulong Index, int Line)> _jumps = [];

    public ImportRejections Rejections { get; } = new(file);

    /// <summary>Number of valid networks so far.</summary>
    public int Sent { get; private set; }

    /// <summary>Bytes read so far.</summary>
    public long Position => position();

    public bool TryNext(out ListItem item)
    {
        while (next(out item))
        {
            if ((item.Fault ?? objection(item.Cidr)) is { } fault)
            {
                Rejections.Add(item.Line, fault);
                continue;
            }

            if (_jumps.Count == 0 || (int)((ulong)Sent - _jumps[^1].Index) + _jumps[^1].Line != item.Line)
            {
                _jumps.Add(((ulong)Sent, item.Line));
            }

            Sent++;
            return true;
        }

        return false;
    }

    /// <summary>The line number (from 1) of an item (from 0).</summary>
    public int LineOf(ulong index)
    {
        int at = _jumps.FindLastIndex(j => j.Index <= index);
        return at < 0 ? 0 : _jumps[at].Line + (int)(index - _jumps[at].Index);
    }
}

/// <summary>The body of a bulk request: one JSON value per line, written while the list is read.</summary>
internal sealed class BulkContent : HttpContent
{
    /// <summary>Maximum bytes of a line: network, tag, expiration, JSON syntax, and a reason in which each byte is an escape.</summary>
    private const int LongestLine = 256 + (6 * ReasonRule.MaxBytes);

    private readonly ImportSource _source;
    private readonly ProgressBar _progress;
    private readonly bool _isRemoval;
    private readonly ItemDefaults _defaults;
    private (string Text, JsonEncodedText Json) _lastReason = ("", JsonEncodedText.Encode(""));

    private BulkContent(ImportSource source, ProgressBar progress, bool isRemoval, ItemDefaults defaults)
    {
        (_source, _progress, _isRemoval, _defaults) = (source, progress, isRemoval, defaults);
        Headers.ContentType = new MediaTypeHeaderValue("application/x-ndjson");
    }

    /// <summary>Why the list could not be read completely; the request failed for that reason.</summary>
    public CliException? SourceFailure { get; private set; }

    public static BulkContent Additions(ImportSource source, in ItemDefaults defaults, ProgressBar progress) => new(source, progress, false, defaults);

    public static BulkContent Removals(ImportSource source, ProgressBar progress) => new(source, progress, true, default);

    protected override void SerializeToStream(Stream stream, TransportContext? context, CancellationToken cancellationToken)
    {
        byte[] buffer = new byte[65536];
        int length = 0;
        try
        {
            while (_source.TryNext(out ListItem item))
            {
                length += Write(buffer.AsSpan(length), item);
                if (length > buffer.Length - LongestLine)
                {
                    stream.Write(buffer, 0, length);
                    length = 0;
                    _progress.Show(_source.Sent, _source.Position);
                }
            }
        }
        catch (CliException e)
        {
            SourceFailure = e;
            throw new IOException(e.Message, e);
        }

        stream.Write(buffer, 0, length);
    }

    private int Write(Span<byte> to, in ListItem item)
    {
        int n = Append(to, _isRemoval ? "\""u8 : "{\"cidr\":\""u8);
        n += item.Cidr.Format(to[n..]);
        if (_isRemoval)
        {
            return n + Append(to[n..], "\"\n"u8);
        }

        n += Append(to[n..], "\""u8);
        if ((item.Tag ?? _defaults.Tag) is { } tag)
        {
            n += Append(to[n..], tag.Length == 0 ? ",\"tag\":null"u8 : ",\"tag\":\""u8);
            n += tag.Length == 0 ? 0 : Encoding.UTF8.GetBytes(tag, to[n..]);
            n += tag.Length == 0 ? 0 : Append(to[n..], "\""u8);
        }

        if ((item.Expiration ?? _defaults.Expiration) is { } expiration)
        {
            n += Append(to[n..], ",\"expiration\":"u8);
            _ = expiration.TryFormat(to[n..], out int digits, provider: CultureInfo.InvariantCulture);
            n += digits;
        }

        string reason = item.Reason ?? _defaults.Reason ?? "";
        if (reason.Length > 0)
        {
            _lastReason = reason == _lastReason.Text ? _lastReason : (reason, JsonEncodedText.Encode(reason, JavaScriptEncoder.UnsafeRelaxedJsonEscaping));
            n += Append(to[n..], ",\"reason\":\""u8);
            n += Append(to[n..], _lastReason.Json.EncodedUtf8Bytes);
            n += Append(to[n..], "\""u8);
        }

        return n + Append(to[n..], "}\n"u8);
    }

    private static int Append(Span<byte> to, ReadOnlySpan<byte> text)
    {
        text.CopyTo(to);
        return text.Length;
    }

    protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context)
    {
        SerializeToStream(stream, context, CancellationToken.None);
        return Task.CompletedTask;
    }

    protected override bool TryComputeLength(out long length)
    {
        length = 0;
        return false;
    }
}

/// <summary>What lines without a value of their own get.</summary>
/// <param name="Tag">Valid by the tag rule, so it needs no escaping; null to send none, so that an entry keeps its own.</param>
/// <param name="Expiration">Seconds since 1970, 0 for never; null to send none.</param>
/// <param name="Reason">Null for none.</param>
internal readonly record struct ItemDefaults(string? Tag, ulong? Expiration, string? Reason)
{
    /// <summary>The values of the options; with <c>--update</c>, those that were not given are not sent.</summary>
    public static ItemDefaults Of(Invocation invocation, ulong expiration)
    {
        bool merges = invocation.Merges();
        return new ItemDefaults(
            invocation.Option("tag") ?? (merges ? null : ""), merges && !invocation.Has("expiration") ? null : expiration, invocation.Option("reason"));
    }
}

/// <summary>The rejected lines of an import: the first hundred with reasons, the others counted.</summary>
internal sealed class ImportRejections(string? file = null)
{
    private const int MaxListed = 100;

    private readonly List<(int Line, string Reason)> _listed = [];

    public long Count { get; private set; }

    public void Add(int line, string reason)
    {
        Count++;
        if (_listed.Count < MaxListed)
        {
            _listed.Add((line, reason));
        }
    }

    /// <summary>Adds rejections without a reason.</summary>
    public void AddUnlisted(long count) => Count += count;

    /// <summary>The first hundred, in file order.</summary>
    public IEnumerable<(int Line, string Reason)> Listed => _listed.OrderBy(r => r.Line);

    /// <summary>The messages, in file order.</summary>
    public IEnumerable<string> Lines()
    {
        foreach ((int line, string reason) in Listed)
        {
            yield return $"{(file is null ? "" : $"{file}: ")}line {line}: {reason}";
        }

        if (Count > _listed.Count)
        {
            yield return $"and {Quantity.Grouped((ulong)(Count - _listed.Count))} more lines";
        }
    }
}
