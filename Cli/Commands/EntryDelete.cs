using System.Text;
using System.Text.Json;
using Couic.Api.Contracts;
using Couic.Cli.Api;
using Couic.Cli.Output;
using Couic.Cli.Values;
using Couic.CommandLine;
using Couic.Store;

namespace Couic.Cli.Commands;

/// <summary><c>drop delete</c>, <c>ignore delete</c>: networks, a list of them, or all entries of tags.</summary>
internal static class EntryDelete
{
    /// <summary>Removing a full table under one tag takes a few seconds.</summary>
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(2);

    private static readonly OptionSpec Tags = new(
        "tag", 't', "PATTERNS", "Without CIDR: every entry whose tag matches; with CIDR: only what was added under this tag")
    { Kind = ValueKind.TagPatterns };

    private static readonly OptionSpec FromFile = new("from-file", '\0', "FILE", "Read the networks from a list; \"-\" for standard input") { Kind = ValueKind.File };

    public static CommandSpec Spec(Policy policy) => new()
    {
        Name = "delete",
        Aliases = ["rm", "del", "remove"],
        Summary = $"Remove networks from {policy.Name()}",
        Details =
        [
            "Prints nothing for a single network. An entry of a set disappears when the set no longer contains it and the sets are reloaded.",
            "PATTERNS are as for \"list\": separated by commas, with \"*\" at the start or the end. "
            + "With a tag and CIDRs, an entry that has other tags as well (\"add --extend\") keeps those, and an entry without the tag is not an error.",
        ],
        Arguments = [CommonOptions.Cidrs with { Kind = ValueKind.Cidr }],
        Options = [Tags, FromFile, CommonOptions.IfExists, CommonOptions.DryRun, .. policy == Policy.Ignore ? [GuardOptions.Force] : Array.Empty<OptionSpec>()],
        Examples =
        [
            $"couicctl {policy.Name()} delete 192.0.2.0/24 198.51.100.7",
            $"couicctl {policy.Name()} delete -t 'scan*' --dry-run",
            $"couicctl {policy.Name()} delete --from-file wrong.txt",
        ],
        Run = Run,
    };

    public static CommandSpec Flush(Policy policy) => new()
    {
        Name = "flush",
        Summary = $"Remove all entries from {policy.Name()} but those of sets",
        Options = [CommonOptions.DryRun, .. policy == Policy.Ignore ? [GuardOptions.Force] : Array.Empty<OptionSpec>()],
        Examples = [$"couicctl {policy.Name()} flush --dry-run"],
        Run = invocation =>
        {
            using ApiClient api = invocation.Connect();
            return RemoveMatching(invocation, api, invocation.PolicyOfCommand(), null);
        },
    };

    private static int Run(Invocation invocation)
    {
        Policy policy = invocation.PolicyOfCommand();
        string? tag = invocation.Option(Tags.Long), file = invocation.Option(FromFile.Long);
        int arguments = invocation.Parsed.Arguments.Count;
        List<Cidr> cidrs = invocation.CidrArguments(
            arguments > 0 && file is not null ? "CIDR and --from-file exclude each other" : null,
            arguments == 0 && file is null && tag is null ? "CIDR is missing (or --tag, or --from-file)" : null,
            tag is null || (arguments == 0 && file is null && tag.AsSpan().ContainsAny(",*")) ? null : CommonOptions.TagFault(tag));
        using ApiClient api = invocation.Connect();
        if (file is not null)
        {
            using NetworkList list = NetworkList.Open(invocation.Context, file, out long? size);
            return RemoveAll(invocation, api, policy, new ImportSource(list, static _ => null), tag, size, null);
        }

        return cidrs.Count == 0 ? RemoveTags(invocation, api, policy, tag!)
            : cidrs is [var only] && !invocation.Has("dry-run") ? RemoveOne(invocation, api, policy, only, tag)
            : RemoveAll(invocation, api, policy, ImportSource.Of(cidrs), tag, null, cidrs);
    }

    private static int RemoveTags(Invocation invocation, ApiClient api, Policy policy, string patterns)
    {
        bool isExact = patterns.Length > 0 && !patterns.Contains('*', StringComparison.Ordinal) && !patterns.Contains(',', StringComparison.Ordinal);
        return isExact && !invocation.Has(CommonOptions.DryRun.Long)
            ? Removed(invocation, policy, RemoveTag(invocation, api, policy, patterns))
            : RemoveMatching(invocation, api, policy, TagPatterns.Parse(patterns));
    }

    private static int RemoveOne(Invocation invocation, ApiClient api, Policy policy, Cidr cidr, string? tag)
    {
        ulong removed = 1;
        try
        {
            invocation.Noted(api.Delete(EntryPath.Of(policy, cidr) + Query(invocation, policy, tag is null ? null : $"tag={tag}")));
        }
        catch (CliException e) when (tag is not null && e.ExitStatus is ExitStatus.Absent or ExitStatus.Present)
        {
            // There is no entry under this tag, which is the requested state.
            removed = 0;
        }
        catch (CliException e) when (e.ExitStatus == ExitStatus.Absent)
        {
            removed = invocation.Has("if-exists") ? 0UL : throw Neighbourhood.Absent(api, policy, cidr);
        }

        if (invocation.IsJson)
        {
            WriteRemoved(invocation, removed);
        }

        return ExitStatus.Success;
    }

    /// <summary>Removes what was added under one tag; entries with other tags as well keep those.</summary>
    private static ulong RemoveTag(Invocation invocation, ApiClient api, Policy policy, string tag)
    {
        ApiAnswer answer = invocation.Noted(api.Send(HttpMethod.Delete, $"{EntryPath.Of(policy)}/tag/{tag}{Query(invocation, policy, null)}", limit: Limit));
        return api.Parse(answer, WireJson.Default.BulkRecord).Removed;
    }

    /// <summary>Removes the entries whose tags match; null matches all but those of sets.</summary>
    private static int RemoveMatching(Invocation invocation, ApiClient api, Policy policy, TagPatterns? patterns)
    {
        var found = new List<Cidr>();
        var tags = new SortedSet<string>(StringComparer.Ordinal);
        ulong ofSets = 0;
        api.Stream(HttpMethod.Get, EntryPath.Of(policy), null, stream => JsonArrayReader.ForEach(stream, json =>
        {
            EntryLine entry = EntryLine.Parse(json);
            if (!(patterns?.Match(entry.Tag) ?? true))
            {
                return;
            }

            if (entry.Tag.EndsWith(".couic"u8))
            {
                ofSets++;
                return;
            }

            bool byTag = patterns is not null && !entry.Tag.IsEmpty && !invocation.Has(CommonOptions.DryRun.Long);
            if (byTag)
            {
                tags.Add(Encoding.UTF8.GetString(entry.Tag));
            }
            else
            {
                found.Add(entry.Cidr.Network);
            }
        }));
        if (ofSets > 0)
        {
            invocation.Note($"{Quantity.Grouped(ofSets)} entries belong to sets and stay (change the set, then \"couicctl sets reload\")");
        }

        ulong removed = tags.Aggregate(0UL, (sum, tag) => sum + RemoveTag(invocation, api, policy, tag));
        return found.Count > 0 || tags.Count == 0 ? RemoveAll(invocation, api, policy, ImportSource.Of(found), null, null, found, removed) : Removed(invocation, policy, removed);
    }

    private static int Removed(Invocation invocation, Policy policy, ulong count)
    {
        if (invocation.IsJson)
        {
            WriteRemoved(invocation, count);
        }
        else
        {
            invocation.Out.WriteLine($"{Quantity.Grouped(count)} removed from {policy.Name()}");
        }

        return ExitStatus.Success;
    }

    private static void WriteRemoved(Invocation invocation, ulong count) => IndentedJson.WriteObject(invocation, json => json.WriteNumber("removed"u8, count));

    /// <param name="known">The networks, if they are in memory: a dry run shows the first.</param>
    private static int RemoveAll(Invocation invocation, ApiClient api, Policy policy, ImportSource source, string? tag, long? size, List<Cidr>? known, ulong before = 0)
    {
        bool isDry = invocation.Has("dry-run");
        using var progress = new ProgressBar(invocation.Context, $"{policy.Name()} delete") { Total = size };
        using BulkContent content = BulkContent.Removals(source, progress);
        string query = Query(invocation, policy, string.Join('&', new[] { "action=remove", tag is null ? null : $"tag={tag}", isDry ? "dry_run=true" : null }.OfType<string>()));
        ApiAnswer answer = EntryImport.Send(api, $"{EntryPath.Of(policy)}/bulk{query}", content);
        progress.Dispose();
        BulkRecord result = api.Parse(answer, WireJson.Default.BulkRecord);
        result = result with { Removed = result.Removed + before };
        invocation.Noted(answer);
        if (invocation.IsJson)
        {
            IndentedJson.WriteResult(invocation, before == 0 ? answer.Body : JsonSerializer.SerializeToUtf8Bytes(result, WireJson.Default.BulkRecord));
        }
        else
        {
            Summarize(invocation, policy, result, isDry, known);
        }

        int? failure = known is null ? BulkReport.Rejections(invocation, result, source) : BulkReport.Rejections(invocation, result, index => known[(int)index].ToString());
        bool isAbsentAllowed = tag is not null || invocation.Has("if-exists") || invocation.Parsed.Arguments.Count == 0 && known is not null;
        return failure ?? (result.Absent > 0 && !isAbsentAllowed ? ExitStatus.Absent : ExitStatus.Success);
    }

    private static void Summarize(Invocation invocation, Policy policy, BulkRecord result, bool isDry, List<Cidr>? known)
    {
        string absent = result.Absent == 0 ? "" : $", {Quantity.Grouped(result.Absent)} {(result.Absent == 1 ? "was" : "were")} not there";
        invocation.Out.WriteLine($"{Quantity.Grouped(result.Removed)} {(isDry ? "would be removed" : "removed")} from {policy.Name()}{absent}");
        const int Shown = 10;
        foreach (Cidr cidr in isDry ? known?.Take(Shown) ?? [] : [])
        {
            invocation.Out.WriteLine($"  {cidr.Network}");
        }

        if (isDry && known?.Count > Shown)
        {
            invocation.Out.WriteLine($"  and {Quantity.Grouped((ulong)(known.Count - Shown))} more");
        }
    }

    /// <summary>An entry in ignore may protect an address that drop covers.</summary>
    private static string Query(Invocation invocation, Policy policy, string? part) =>
        policy == Policy.Ignore ? invocation.GuardedQuery(part) : part is null ? "" : "?" + part;
}

/// <summary>Explains an absent entry by the entries that cover its address.</summary>
internal static class Neighbourhood
{
    public static CliException Absent(ApiClient api, Policy policy, Cidr cidr)
    {
        string text = $"{cidr.Network} is not in {policy.Name()}";
        foreach (Policy other in (ReadOnlySpan<Policy>)[policy, policy == Policy.Drop ? Policy.Ignore : Policy.Drop])
        {
            if (Covering(api, other, cidr) is { } cover)
            {
                bool isExact = cover == cidr.Network;
                string how = isExact ? $"but it is in {other.Name()}" : $"but {cover}{(other == policy ? "" : $" in {other.Name()}")} covers it";
                return new CliException($"{text}, {how} (couicctl why {cidr.AddressText()})") { ExitStatus = ExitStatus.Absent };
            }
        }

        return new CliException(text) { ExitStatus = ExitStatus.Absent };
    }

    /// <summary>The longest network of a policy that covers another one; null for none, or when the daemon does not answer that.</summary>
    private static Cidr? Covering(ApiClient api, Policy policy, Cidr cidr)
    {
        Cidr? longest = null;
        try
        {
            api.Stream(HttpMethod.Get, $"{EntryPath.Of(policy)}?match={cidr.AddressText()}", null, stream => JsonArrayReader.ForEach(stream, json =>
            {
                Cidr found = EntryLine.Parse(json).Cidr.Network;
                longest = found.Contains(cidr.Network) && (longest is null || found.Length > longest.Value.Length) ? found : longest;
            }));
        }
        catch (CliException)
        {
            // The token may lack the right to read; the absence is reported without the hint.
        }

        return longest;
    }
}
