using Couic.Api.Contracts;
using Couic.Cli.Api;
using Couic.Cli.Syntax;
using Couic.Cli.Values;
using Couic.Store;

namespace Couic.Cli.Commands;

/// <summary><c>drop add</c>, <c>ignore add</c>.</summary>
internal static class EntryAdd
{
    public static CommandSpec Spec(Policy policy) => new()
    {
        Name = "add",
        Summary = policy == Policy.Drop ? "Drop packets from a network" : "Never drop packets from a network",
        Details =
        [
            "The rule is in force when the command returns. Host bits are cleared: 192.0.2.7/24 becomes 192.0.2.0/24. "
            + "Entries are lost at a restart; entries that must survive belong in a set (see \"couicctl sets --help\").",
        ],
        Arguments = [CommonOptions.Cidr],
        Options = [CommonOptions.Tag, CommonOptions.Expiration, CommonOptions.Update, CommonOptions.Extend, GuardOptions.Force, CommonOptions.Json],
        Examples = policy == Policy.Drop
            ? ["couicctl drop add 192.0.2.7", "couicctl drop add 2001:db8:bad::/48 -t scanners -e 1d12h"]
            : ["couicctl ignore add 198.51.100.0/24 -t office"],
        Run = Run,
    };

    private static int Run(Invocation invocation)
    {
        Policy policy = invocation.PolicyOfCommand();
        string tag = invocation.Option("tag") ?? "";
        CommonOptions.ThrowIfAny(
            CidrArgument.TryParse(invocation.Argument(0), out Cidr cidr),
            CommonOptions.TagFault(tag),
            TimeArgument.TryParse(invocation.Option("expiration") ?? "0", out ulong seconds));
        bool guarded = policy == Policy.Drop && !invocation.Has("force");
        if (guarded && cidr.Length == 0)
        {
            throw new UsageException(OperatorGuard.EverythingObjection(cidr));
        }

        using ApiClient api = invocation.Connect();
        if (new OperatorGuard(invocation, api, guarded).Objection(cidr) is { } objection)
        {
            throw new CliException(objection);
        }

        // The remaining time counts from the request, so that it does not depend on the duration of the request.
        DateTimeOffset now = invocation.Context.Clock.GetUtcNow();
        var entry = new NewEntry(cidr.ToString(), tag.Length == 0 ? null : tag, CommonOptions.ExpiryOf(seconds, now));
        string? update = invocation.Has("update") ? "on_conflict=update" : invocation.Has("extend") ? "on_conflict=extend" : null;
        ApiAnswer answer = invocation.Noted(
            api.Send(HttpMethod.Post, EntryPath.Of(policy) + Query(invocation, policy, update), entry, WireJson.Default.NewEntry));
        string mapped = $"{cidr.Network} is an IPv6 entry and matches no IPv4 packet; add the IPv4 network for those";
        if (cidr.IsV4Mapped && !answer.Warnings.Contains(mapped))
        {
            invocation.Context.Error.WriteLine($"{CouicctlMain.Name}: note: {mapped}"); // daemons of 1.x do not say so
        }

        EntryInspect.Print(invocation, policy, answer, api, now);
        return ExitStatus.Success;
    }

    /// <summary>
    /// The daemon knows more protected addresses and is asked to refuse as well. An addition to ignore cannot lock out.
    /// </summary>
    private static string Query(Invocation invocation, Policy policy, string? update) =>
        policy == Policy.Drop || invocation.Has("force") ? invocation.GuardedQuery(update) : update is null ? "" : "?" + update;
}
