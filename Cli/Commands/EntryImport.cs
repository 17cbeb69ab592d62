using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Text;
using Couic.Cli.Api;
using Couic.Cli.Output;
using Couic.Cli.Syntax;
using Couic.Cli.Values;
using Couic.Http.Wire;
using Couic.Store;

namespace Couic.Cli.Commands;

/// <summary><c>drop import</c>, <c>ignore import</c>: a file of any length through the bulk endpoint, as a stream.</summary>
internal static class EntryImport
{
    private static readonly ArgumentSpec File = new("FILE", "Networks or addresses, one a line; \"-\" for standard input", ValueKind.File);

    public static CommandSpec Spec(Policy policy) => new()
    {
        Name = "import",
        Summary = $"Add a file of networks to {policy.Name()}",
        Details =
        [
            "Blank lines and lines that start with \"#\" are skipped. A line that is bad or that the daemon rejects stops no other: "
            + "the rest is added, the rejected lines are named, and the exit status is 1. What is there already stays as it is without --update or --extend. "
            + "A line may also be an entry as the API writes it, a JSON object of cidr, tag and expiration: it keeps its own tag and expiration. "
            + "Lines of drop that may lock you out are rejected without --force; a line with host bits below a short prefix, such as 203.0.113.0/2, always is.",
        ],
        Arguments = [File],
        Options =
        [
            CommonOptions.Tag, CommonOptions.Expiration, CommonOptions.Update, CommonOptions.Extend,
            GuardOptions.Force,
            new OptionSpec("dry-run", '\0', null, "Ask the daemon what would become of each line, and change nothing"),
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

/// <summary>The good lines of a file to import; remembers the bad ones, and which line an item came from.</summary>
/// <param name="objection">Why a network is not to be sent; null when it may be.</param>
internal sealed class ImportSource(CidrLines lines, Func<Cidr, string?> objection)
{
    /// <summary>Item numbers at which the distance between an item and its line changes, with the line.</summary>
    private readonly List<(ulong Index, int Line)> _jumps = [];

    public ImportRejections Rejections { get; } = new();

    /// <summary>How many good lines there were so far.</summary>
    public int Sent { get; private set; }

    /// <summary>Tag and expiration that the last good line gives itself, as JSON members; null for those of the command.</summary>
    public string? Members => lines.Members;

    /// <summary>Bytes of the file that were read.</summary>
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

    /// <summary>The line that an item was on; both numbers as people see them, the line from 1 and the item from 0.</summary>
    public int LineOf(ulong index)
    {
        int at = _jumps.FindLastIndex(j => j.Index <= index);
        return at < 0 ? 0 : _jumps[at].Line + (int)(index - _jumps[at].Index);
    }
}

/// <summary>The body of an import: one JSON object a line, written while the file is read.</summary>
internal sealed class ImportContent : HttpContent
{
    /// <summary>Bytes: network, tag and expiration with what is around them.</summary>
    private const int LongestLine = 256;

    private readonly ImportSource _source;
    private readonly ProgressBar _progress;
    private readonly byte[] _suffix;

    /// <param name="tag">Good by the tag rule, so that it needs no escaping.</param>
    public ImportContent(ImportSource source, string tag, ulong expiration, ProgressBar progress)
    {
        _source = source;
        _progress = progress;
        string tagJson = tag.Length == 0 ? "null" : $"\"{tag}\"";
        _suffix = Suffix($"\"tag\":{tagJson},\"expiration\":{expiration}");
    }

    /// <summary>Why the file could not be read to its end; the request has failed then for that reason.</summary>
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

/// <summary>The lines that an import did not take: the first hundred with their reasons, the others counted.</summary>
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

    /// <summary>Rejections that nobody gave a reason for.</summary>
    public void AddUnlisted(long count) => Count += count;

    /// <summary>For people, in the order of the file.</summary>
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
