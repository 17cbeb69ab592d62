using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Text;
using Couic.Api.Contracts;
using Couic.Cli.Api;
using Couic.Cli.Output;
using Couic.Cli.Syntax;
using Couic.Cli.Values;
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
            + "A line may also be an entry in the format of the API, a JSON object with cidr, tag and expiration; it keeps its own tag and expiration. "
            + "Without --force, lines of drop that may lock you out are rejected. A line with host bits set after a short prefix, such as 203.0.113.0/2, is always rejected.",
        ],
        Arguments = [File],
        Options =
        [
            CommonOptions.Tag, CommonOptions.Expiration, CommonOptions.Update, CommonOptions.Extend,
            GuardOptions.Force,
            new OptionSpec("dry-run", '\0', null, "Report the effect of each line without changing anything"),
        ],
        Examples = [$"couicctl {policy.Name()} import blocklist.txt -t blocklist -e 1d", $"zcat list.gz | couicctl {policy.Name()} import -"],
        Run = Run,
    };

    private static int Run(Invocation invocation)
    {
        Policy policy = invocation.PolicyOfCommand();
        string tag = invocation.Option("tag") ?? "";
        CommonOptions.ThrowIfAny(
            CommonOptions.TagFault(tag), TimeArgument.TryParse(invocation.Option("expiration") ?? "0", out ulong seconds));
        Stream file = LineFile.Open(invocation.Context, invocation.Argument(0));
        using var lines = new CidrLines(file) { TakesEntries = true };
        using var progress = new ProgressBar(invocation.Context, $"{policy.Name()} import") { Total = file.CanSeek ? file.Length : null };
        using ApiClient api = invocation.Connect();
        bool isGuarded = policy == Policy.Drop && !invocation.Has("force");
        var source = new ImportSource(lines, new OperatorGuard(invocation, api, isGuarded).Objection);
        string path = $"{EntryPath.Of(policy)}/bulk" + invocation.GuardedQuery(
            $"on_conflict={(invocation.Has("update") ? "update" : invocation.Has("extend") ? "extend" : "keep")}", invocation.Has("dry-run") ? "dry_run=true" : null);
        using var content = new ImportContent(source, tag, CommonOptions.ExpiryOf(seconds, invocation.Context.Clock.GetUtcNow()), progress);
        ApiAnswer answer = Send(api, path, content);
        progress.Dispose();
        return Summarize(invocation, policy, source, api.Parse(answer, WireJson.Default.BulkRecord), answer);
    }

    private static ApiAnswer Send(ApiClient api, string path, ImportContent content)
    {
        content.Headers.ContentType = new MediaTypeHeaderValue("application/x-ndjson");
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
        BulkRejection[] listed = result.Rejected ?? [];
        foreach (BulkRejection rejection in listed)
        {
            source.Rejections.Add(source.LineOf(rejection.Index), $"{Printable.Escape(rejection.Message)} ({rejection.Code})");
        }

        source.Rejections.AddUnlisted((long)Math.Max(result.RejectedCount, (ulong)listed.Length) - listed.Length);
        string done = invocation.Has("dry-run") ? $"Dry run, {policy.Name()} would have" : $"Imported into {policy.Name()}";
        invocation.Out.WriteLine(
            $"{done}: {result.Created} created, {result.Updated} updated, {result.Unchanged} unchanged, {Count(source.Rejections.Count)} rejected");
        invocation.Context.Flush();
        invocation.Noted(answer);
        return Report(invocation, source);
    }

    private static int Report(Invocation invocation, ImportSource source)
    {
        invocation.Context.Flush();
        foreach (string line in source.Rejections.Lines())
        {
            invocation.Context.Error.WriteLine($"{CouicctlMain.Name}: {line}");
        }

        return source.Rejections.Count == 0 ? ExitStatus.Success : ExitStatus.Failure;
    }

    private static string Count(long count) => count.ToString(CultureInfo.InvariantCulture);
}

/// <summary>Iterates over the valid lines of an import; records the rejected ones and the line number of each item.</summary>
/// <param name="objection">Returns why a network must not be sent; null if it may.</param>
internal sealed class ImportSource(CidrLines lines, Func<Cidr, string?> objection)
{
    /// <summary>Item numbers at which the offset between item and line changes, with the line.</summary>
    private readonly List<(ulong Index, int Line)> _jumps = [];

    public ImportRejections Rejections { get; } = new();

    /// <summary>Number of valid lines so far.</summary>
    public int Sent { get; private set; }

    /// <summary>Tag and expiration of the last valid line as JSON members; null when it has none.</summary>
    public string? Members => lines.Members;

    /// <summary>Bytes read so far.</summary>
    public long Position => lines.Position;

    public bool TryNext(out Cidr cidr)
    {
        while (lines.TryNext(allowBareAddress: true, out cidr, out string? fault))
        {
            fault ??= objection(cidr);
            if (fault is not null)
            {
                Rejections.Add(lines.Number, fault);
                continue;
            }

            if (_jumps.Count == 0 || (int)((ulong)Sent - _jumps[^1].Index) + _jumps[^1].Line != lines.Number)
            {
                _jumps.Add(((ulong)Sent, lines.Number));
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

/// <summary>The body of an import: one JSON object per line, written while the file is read.</summary>
internal sealed class ImportContent : HttpContent
{
    /// <summary>Maximum bytes of a line: network, tag, expiration and JSON syntax.</summary>
    private const int LongestLine = 256;

    private readonly ImportSource _source;
    private readonly ProgressBar _progress;
    private readonly byte[] _suffix;

    /// <param name="tag">Valid by the tag rule, so it needs no escaping.</param>
    public ImportContent(ImportSource source, string tag, ulong expiration, ProgressBar progress)
    {
        _source = source;
        _progress = progress;
        string tagJson = tag.Length == 0 ? "null" : $"\"{tag}\"";
        _suffix = Suffix($"\"tag\":{tagJson},\"expiration\":{expiration}");
    }

    /// <summary>Why the file could not be read completely; the request failed for that reason.</summary>
    public CliException? SourceFailure { get; private set; }

    protected override void SerializeToStream(Stream stream, TransportContext? context, CancellationToken cancellationToken)
    {
        byte[] buffer = new byte[65536];
        int room = buffer.Length - LongestLine;
        int length = 0;
        try
        {
            while (_source.TryNext(out Cidr cidr))
            {
                "{\"cidr\":\""u8.CopyTo(buffer.AsSpan(length));
                length += 9;
                length += cidr.Format(buffer.AsSpan(length));
                byte[] suffix = _source.Members is { } members ? Suffix(members) : _suffix;
                suffix.CopyTo(buffer, length);
                length += suffix.Length;
                if (length > room)
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

    private static byte[] Suffix(string members) => Encoding.UTF8.GetBytes($"\",{members}}}\n");

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

/// <summary>The rejected lines of an import: the first hundred with reasons, the others counted.</summary>
internal sealed class ImportRejections
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

    /// <summary>The messages, in file order.</summary>
    public IEnumerable<string> Lines()
    {
        foreach ((int line, string reason) in _listed.OrderBy(r => r.Line))
        {
            yield return $"line {line}: {reason}";
        }

        if (Count > _listed.Count)
        {
            yield return $"and {Count - _listed.Count} more lines";
        }
    }
}
