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
            + "A line may also be an entry as the API writes it, a JSON object of cidr, tag and expiration: it keeps its own tag and expiration.",
        ],
        Arguments = [File],
        Options =
        [
            CommonOptions.Tag, CommonOptions.Expiration, CommonOptions.Update, CommonOptions.Extend,
            new OptionSpec("dry-run", '\0', null, "Check the file and send nothing"),
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
        var source = new ImportSource(lines, new LockOutGuard(invocation, api, policy == Policy.Drop).Objection);
        if (invocation.Has("dry-run"))
        {
            return DryRun(invocation, source, policy);
        }

        string path = $"{EntryPath.Of(policy)}/bulk?on_conflict={(invocation.Has("update") ? "update" : invocation.Has("extend") ? "extend" : "keep")}";
        using var content = new ImportContent(source, tag, CommonOptions.ExpiryOf(seconds, invocation.Context.Clock.GetUtcNow()), progress);
        ApiAnswer answer = Send(api, path, content);
        progress.Dispose();
        return Summarize(invocation, policy, source, api.Parse(answer, WireJson.Default.BulkRecord));
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

    private static int DryRun(Invocation invocation, ImportSource source, Policy policy)
    {
        while (source.TryNext(out _))
        {
        }

        invocation.Out.WriteLine($"Dry run: {Count(source.Sent)} CIDRs would be sent to {policy.Name()}, {Count(source.Rejections.Count)} lines rejected");
        return Report(invocation, source);
    }

    private static int Summarize(Invocation invocation, Policy policy, ImportSource source, BulkRecord result)
    {
        BulkRejection[] listed = result.Rejected ?? [];
        foreach (BulkRejection rejection in listed)
        {
            source.Rejections.Add(source.LineOf(rejection.Index), $"{Printable.Escape(rejection.Message)} ({rejection.Code})");
        }

        source.Rejections.AddUnlisted((long)Math.Max(result.RejectedCount, (ulong)listed.Length) - listed.Length);
        invocation.Out.WriteLine(
            $"Imported into {policy.Name()}: {result.Created} created, {result.Updated} updated, {result.Unchanged} unchanged, {Count(source.Rejections.Count)} rejected");
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
