using System.Globalization;
using System.Net.Http.Headers;
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
        var source = new ImportSource(lines, new LockOutGuard(invocation, api, isGuarded).Objection);
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
