using System.Net;
using Couic.Cli.Api;
using Couic.Cli.Syntax;
using Couic.Cli.Values;
using Couic.Store;

namespace Couic.Cli.Commands;

/// <summary><c>drop delete</c>, <c>ignore delete</c>: one network, or all entries of a tag.</summary>
internal static class EntryDelete
{
    /// <summary>Removing a full table under one tag takes a few seconds.</summary>
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(2);

    private static readonly ArgumentSpec Network = CommonOptions.Cidr with { Occurs = Occurs.Optional };

    private static readonly OptionSpec UnderTag =
        new("tag", 't', "TAG", "Only what was added under this tag; without CIDR, everything under it");

    public static CommandSpec Spec(Policy policy) => new()
    {
        Name = "delete",
        Summary = $"Remove a network from {policy.Name()}",
        Details =
        [
            "Prints nothing. An entry of a set disappears when the set no longer contains it and the sets are reloaded.",
            "With --tag, an entry that has other tags as well (\"add --extend\") keeps those, and an entry without the tag is not an error.",
        ],
        Arguments = [Network],
        Options = policy == Policy.Ignore ? [UnderTag, GuardOptions.Force] : [UnderTag],
        Examples = [$"couicctl {policy.Name()} delete 192.0.2.0/24", $"couicctl {policy.Name()} delete -t scanners"],
        Run = Run,
    };

    private static int Run(Invocation invocation)
    {
        Policy policy = invocation.PolicyOfCommand();
        string? tag = invocation.Option("tag");
        if (invocation.Parsed.Arguments.Count == 0)
        {
            return tag is null ? throw new UsageException("CIDR is missing (or --tag for all of a tag)") : DeleteAll(invocation, policy, tag);
        }

        CommonOptions.ThrowIfAny(CidrArgument.TryParse(invocation.Argument(0), out Cidr cidr), tag is null ? null : CommonOptions.TagFault(tag));
        using ApiClient api = invocation.Connect();
        string path = EntryPath.Of(policy, cidr);
        if (tag is null)
        {
            invocation.Noted(api.Delete(path + Query(invocation, policy, null)));
            return ExitStatus.Success;
        }

        try
        {
            invocation.Noted(api.Delete(path + Query(invocation, policy, $"tag={tag}")));
        }
        catch (CliException e) when (e.Status is (int)HttpStatusCode.NotFound or (int)HttpStatusCode.Conflict)
        {
            // There is no entry under this tag, which is the requested state.
        }

        return ExitStatus.Success;
    }

    private static int DeleteAll(Invocation invocation, Policy policy, string tag)
    {
        CommonOptions.ThrowIfAny(CommonOptions.TagFault(tag));
        using ApiClient api = invocation.Connect();
        invocation.Noted(api.Send(HttpMethod.Delete, $"{EntryPath.Of(policy)}/tag/{tag}{Query(invocation, policy, null)}", limit: Limit));
        return ExitStatus.Success;
    }

    /// <summary>An entry in ignore may protect an address that drop covers.</summary>
    private static string Query(Invocation invocation, Policy policy, string? part) =>
        policy == Policy.Ignore ? invocation.GuardedQuery(part) : part is null ? "" : "?" + part;
}
