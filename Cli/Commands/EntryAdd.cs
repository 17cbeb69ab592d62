using Couic.Api.Contracts;
using Couic.Cli.Api;
using Couic.Cli.Output;
using Couic.Cli.Values;
using Couic.CommandLine;
using Couic.Store;

namespace Couic.Cli.Commands;

/// <summary><c>drop add</c>, <c>ignore add</c>: one network by its own request, several by one bulk request.</summary>
internal static class EntryAdd
{
    public static CommandSpec Spec(Policy policy) => new()
    {
        Name = "add",
        Summary = policy == Policy.Drop ? "Drop packets from networks" : "Never drop packets from networks",
        Details =
        [
            "The rules are in force when the command returns. Host bits are cleared: 192.0.2.7/24 becomes 192.0.2.0/24. "
            + "Entries are lost at a restart; entries that must survive belong in a set (see \"couicctl sets --help\").",
        ],
        Arguments = [CommonOptions.Cidrs with { Occurs = Occurs.AtLeastOnce }],
        Options =
        [
            CommonOptions.Tag, CommonOptions.Expiration, CommonOptions.Reason, CommonOptions.Update, CommonOptions.Extend, CommonOptions.Claim, CommonOptions.IfAbsent,
            GuardOptions.Force,
        ],
        Examples = policy == Policy.Drop
            ? ["couicctl drop add 192.0.2.7 --reason 'port scan, ticket 4711'", "couicctl drop add 2001:db8:bad::/48 192.0.2.0/24 -t scanners -e 1d12h"]
            : ["couicctl ignore add 198.51.100.0/24 -t office"],
        Run = Run,
    };

    private static int Run(Invocation invocation)
    {
        Policy policy = invocation.PolicyOfCommand();
        string tag = invocation.Option("tag") ?? "";
        List<Cidr> cidrs = invocation.CidrArguments(
            CommonOptions.TagFault(tag),
            CommonOptions.ReasonFault(invocation.Option("reason") ?? ""),
            ExpirationArgument.TryParse(invocation.Option("expiration") ?? "0", invocation.Context.Clock, out ulong expiration));
        bool guarded = policy == Policy.Drop && !invocation.Has("force");
        if (guarded)
        {
            CommonOptions.ThrowIfAny(cidrs.Where(cidr => cidr.Length == 0).Select(OperatorGuard.EverythingObjection));
        }

        using ApiClient api = invocation.Connect();
        var guard = new OperatorGuard(invocation, api, guarded);
        string[] objections = [.. cidrs.Select(guard.Objection).OfType<string>()];
        if (objections.Length > 0)
        {
            throw new CliException(objections) { ExitStatus = ExitStatus.Refused };
        }

        DateTimeOffset now = invocation.Context.Clock.GetUtcNow();
        return cidrs is [var only] ? AddOne(invocation, api, policy, only, tag, expiration, now) : AddAll(invocation, api, policy, cidrs, tag, expiration);
    }

    private static int AddOne(Invocation invocation, ApiClient api, Policy policy, Cidr cidr, string tag, ulong expiration, DateTimeOffset now)
    {
        string? reason = invocation.Option("reason");
        string? conflict = invocation.ConflictMode() is { } mode ? $"on_conflict={mode}" : null;
        ApiAnswer answer;
        try
        {
            string path = EntryPath.Of(policy) + invocation.GuardedQuery(conflict);
            answer = invocation.Noted(invocation.Merges()
                ? api.Send(HttpMethod.Post, path, new PartialEntry(cidr.ToString(), invocation.Option("tag"), invocation.Has("expiration") ? expiration : null, reason), WireJson.Default.PartialEntry)
                : api.Send(HttpMethod.Post, path, new NewEntry(cidr.ToString(), tag.Length == 0 ? null : tag, expiration, reason is { Length: > 0 } ? reason : null), WireJson.Default.NewEntry));
        }
        catch (CliException e) when (e.ExitStatus == ExitStatus.Present && invocation.Has("if-absent"))
        {
            invocation.Note(e.Messages[0]);
            if (invocation.IsJson)
            {
                IndentedJson.WriteObject(invocation, static json => json.WriteNumber("created"u8, 0));
            }

            return ExitStatus.Success;
        }

        string mapped = $"{cidr.Network} is an IPv6 entry and matches no IPv4 packet; add the IPv4 network for those";
        if (cidr.IsV4Mapped && !answer.Warnings.Contains(mapped))
        {
            invocation.Note(mapped); // daemons of 1.x do not warn
        }

        EntryInspect.Print(invocation, policy, answer, api, now);
        return ExitStatus.Success;
    }

    private static int AddAll(Invocation invocation, ApiClient api, Policy policy, List<Cidr> cidrs, string tag, ulong expiration)
    {
        string conflict = invocation.ConflictMode() ?? "keep";
        ImportSource source = ImportSource.Of(cidrs);
        using var progress = new ProgressBar(invocation.Context, $"{policy.Name()} add");
        using BulkContent content = BulkContent.Additions(source, ItemDefaults.Of(invocation, expiration), progress);
        ApiAnswer answer = EntryImport.Send(api, $"{EntryPath.Of(policy)}/bulk{invocation.GuardedQuery($"on_conflict={conflict}")}", content);
        BulkRecord result = api.Parse(answer, WireJson.Default.BulkRecord);
        invocation.Noted(answer);
        if (invocation.IsJson)
        {
            IndentedJson.WriteResult(invocation, answer.Body);
        }
        else
        {
            string present = result.Unchanged == 0 ? "" : $", {Quantity.Grouped(result.Unchanged)} unchanged";
            string updated = result.Updated == 0 ? "" : $", {Quantity.Grouped(result.Updated)} updated";
            invocation.Out.WriteLine($"{Quantity.Grouped(result.Created)} added to {policy.Name()}{updated}{present}");
        }

        return BulkReport.Rejections(invocation, result, index => cidrs[(int)index].ToString())
            ?? (result.Unchanged > 0 && conflict is "keep" or "claim" && !invocation.Has("if-absent") ? ExitStatus.Present : ExitStatus.Success);
    }
}
