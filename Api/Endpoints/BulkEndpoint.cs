using System.Buffers;
using System.IO.Pipelines;
using System.Text;
using System.Text.Json;
using Couic.Api.Access;
using Couic.Http;
using Couic.Http.Parsing;
using Couic.Store;

namespace Couic.Api.Endpoints;

/// <summary>
/// Many entries in one request, as a JSON array or one per line. The body is read as a stream: each item is applied as it
/// arrives, and memory does not grow with their number.
/// </summary>
internal sealed class BulkEndpoint(ApiServices services)
{
    public void Register(ApiRouter router) => router.Map(Verb.Post, "/v1/{policy}/bulk", Permission.EntriesWrite, HandleAsync);

    private async ValueTask HandleAsync(Exchange exchange)
    {
        Policy policy = PathReader.Policy(exchange, 0);
        if (PathReader.Failed(exchange) || !TryReadOptions(exchange, out bool removes, out ConflictMode mode, out byte[]? tag))
        {
            return;
        }

        if (!RailRules.Admit(exchange, services.Time, policy, changes: 0) || (tag is not null && !RailRules.AdmitTag(exchange, tag)))
        {
            return;
        }

        bool isLines = MediaType.IsLines(exchange.SentContentType);
        if (!isLines && !MediaType.IsJson(exchange.SentContentType))
        {
            exchange.Fail(400, ErrorCode.BadRequest, "the content type must be application/json or application/x-ndjson");
            return;
        }

        if (!await exchange.OffloadAsync(WorkClass.Long))
        {
            return;
        }

        var job = new BulkJob(services, policy, exchange.Client(), removes, mode, EntryRules.Stance(exchange.Query), isLines, tag)
        {
            IsDryRun = exchange.Query.Has("dry_run"u8, "true"),
            Merges = EntryRules.Merges(exchange.Query),
        };
        string action = removes ? "remove" : "add";
        if (await RunAsync(exchange, job) is { } cause)
        {
            AuditLog.BulkBroken(services.Audit, action, policy.Name(), exchange.ClientName, exchange.Origin, cause);
            exchange.Fail(400, ErrorCode.BadRequest, cause);
        }
        else
        {
            IReadOnlyList<string> warnings = job.Warnings;
            WriteAnswer(exchange.Answer(200), job, removes, warnings);
            Warnings.AddHeader(exchange, warnings);
        }

        if (job.IsDryRun)
        {
            return;
        }

        AuditLog.BulkApplied(
            services.Audit, action, policy.Name(), exchange.ClientName, exchange.Origin, job.Created, job.Updated, job.Unchanged, job.Removed, job.Absent, job.RejectedCount,
            job.Changed.ToString());
    }

    private static bool TryReadOptions(Exchange exchange, out bool removes, out ConflictMode mode, out byte[]? tag)
    {
        Query query = exchange.Query;
        removes = query.Has("action"u8, "remove");
        if (!removes && query.Find("action"u8, out string action) > 0 && action != "add")
        {
            exchange.AddFault("action", "\"add\" or \"remove\" is expected");
        }

        bool isGiven = query.Find("on_conflict"u8, out string conflict) > 0;
        mode = EntryRules.Mode(query);
        if (isGiven && mode == ConflictMode.Refuse && conflict != "keep")
        {
            exchange.AddFault("on_conflict", "\"keep\", \"update\", \"merge\", \"extend\" or \"claim\" is expected");
        }

        tag = removes && query.Find("tag"u8, out string text) > 0 ? Encoding.UTF8.GetBytes(text) : null;
        if (tag is not null && TagRule.Fault(tag) is { } fault)
        {
            exchange.AddFault("tag", fault);
        }

        return !PathReader.Failed(exchange);
    }

    /// <summary>Processes the body. Returns null, or where it is broken.</summary>
    private static async ValueTask<string?> RunAsync(Exchange exchange, BulkJob job)
    {
        BodyPipeReader body = exchange.OpenBody();
        string? cause = null;
        while (cause is null && !job.HasEnded)
        {
            ValueTask<ReadResult> reading = body.ReadAsync();
            bool pauses = !reading.IsCompleted || exchange.ShouldYield;
            if (pauses)
            {
                // Applies what has arrived, and lets others compute.
                await job.SettleAsync();
                exchange.ReleaseWorker();
            }

            ReadResult read = await reading;
            bool goesOn = true;
            if (pauses)
            {
                goesOn = await exchange.OffloadAsync(WorkClass.Long);
                read = body.ReadAgain();
            }

            if (!goesOn)
            {
                cause = ParseFault.NoRoom.Text();
            }
            else if (read.IsCanceled)
            {
                exchange.CloseAfterAnswer();
                cause = body.Fault.Text();
            }
            else
            {
                cause = await ProcessAsync(exchange, job, body, read);
            }
        }

        await job.SettleAsync();
        if (cause is null)
        {
            body.Complete();
        }

        return cause is null ? null : Broken(job, cause);
    }

    /// <summary>Processes what was read. Returns null, or why the body is broken.</summary>
    private static async ValueTask<string?> ProcessAsync(Exchange exchange, BulkJob job, BodyPipeReader body, ReadResult read)
    {
        int done = 0;
        try
        {
            while (true)
            {
                done += job.Read(read.Buffer.FirstSpan[done..], read.IsCompleted); // one segment, as the connection's buffer is
                if (!job.IsFull)
                {
                    break;
                }

                await job.ApplyAsync();
            }
        }
        catch (JsonException e)
        {
            return e.BytePositionInLine is null ? e.Message : "the JSON is malformed";
        }

        body.AdvanceTo(read.Buffer.GetPosition(done), read.Buffer.End);
        return !job.HasEnded && read.Buffer.Length - done > exchange.Limits.MaxItemBytes
            ? $"the item is larger than {exchange.Limits.MaxItemBytes} bytes"
            : null;
    }

    private static string Broken(BulkJob job, string cause) =>
        $"the body broke at item {job.Items}: {cause}; the {job.Applied} good items before it {(job.IsDryRun ? "would be" : "are")} applied";

    private static void WriteAnswer(IBufferWriter<byte> body, BulkJob job, bool removes, IReadOnlyList<string> warnings)
    {
        body.Raw(removes ? "{\"removed\":"u8 : "{\"created\":"u8);
        body.Number(removes ? job.Removed : job.Created);
        if (removes)
        {
            body.Raw(",\"absent\":"u8);
            body.Number(job.Absent);
        }
        else
        {
            body.Raw(",\"updated\":"u8);
            body.Number(job.Updated);
            body.Raw(",\"unchanged\":"u8);
            body.Number(job.Unchanged);
        }

        body.Raw(",\"rejected\":["u8);
        for (int i = 0; i < job.Rejected.Count; i++)
        {
            body.Raw(i == 0 ? "{\"index\":"u8 : ",{\"index\":"u8);
            body.Number(job.Rejected[i].Index);
            body.Raw(",\"code\":\""u8);
            body.Raw(job.Rejected[i].Code.Word());
            body.Raw("\",\"message\":"u8);
            body.String(job.Rejected[i].Message);
            body.Raw("}"u8);
        }

        body.Raw("]"u8);
        if (job.RejectedCount > job.Rejected.Count)
        {
            body.Raw(",\"rejected_count\":"u8);
            body.Number(job.RejectedCount);
        }

        Warnings.WriteMember(body, warnings);
        body.Raw(job.IsDryRun ? ",\"dry_run\":true}"u8 : "}"u8);
    }
}
