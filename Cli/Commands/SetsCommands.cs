using Couic.Cli.Api;
using Couic.Cli.Syntax;
using Couic.Cli.Values;
using Couic.Http.Wire;
using Couic.Store;

namespace Couic.Cli.Commands;

/// <summary><c>sets</c>.</summary>
internal static class SetsCommands
{
    public static readonly ArgumentSpec Name = new("NAME", "Name of the set: 1 to 48 ASCII letters, digits, \"-\" and \"_\"", ValueKind.SetName);

    public static readonly CommandSpec Spec = new()
    {
        Name = "sets",
        Summary = "Files of networks that survive a restart",
        Details =
        [
            "A set is a file. What is created, updated or deleted here takes effect with \"couicctl sets reload\", in one step, "
            + "or when the daemon starts again.",
        ],
        Commands = [SetsList.Spec, SetsInspect.Spec, SetsCreate.Spec, SetsUpdate.Spec, SetsDelete.Spec, SetsReload.Spec],
    };

    /// <summary>Checks POLICY and NAME, together with what else the caller found.</summary>
    /// <exception cref="UsageException">One of them is bad.</exception>
    public static (Policy Policy, string Name, string Path) Target(Invocation invocation, params IEnumerable<string?> faults)
    {
        string name = invocation.Argument(1);
        CommonOptions.ThrowIfAny([NameArgument.TryPolicy(invocation.Argument(0), out Policy policy), NameArgument.Fault("set name", name), .. faults]);
        return (policy, name, $"{PathOf(policy)}/{name}");
    }

    public static string PathOf(Policy policy) => "/v1/sets/" + policy.Name();

    /// <summary>Checks the entries of a set of drop against the operator's own address.</summary>
    /// <exception cref="CliException">One covers it.</exception>
    public static void ThrowIfLockedOut(Invocation invocation, ApiClient api, Policy policy, SetRecord set)
    {
        var guard = new LockOutGuard(invocation, api, policy == Policy.Drop && !invocation.Has(GuardOptions.Force.Long));
        foreach (string entry in set.Entries)
        {
            if (CidrArgument.TryParse(entry, out Cidr cidr) is null && guard.Objection(cidr, "--force") is { } objection)
            {
                throw new CliException(objection);
            }
        }
    }

    /// <summary>The query of a reload: only the daemon knows what the files hold, so it is told whom they must not cut off.</summary>
    public static string ReloadQuery(Invocation invocation, ApiClient api) =>
        invocation.GuardedQuery(new LockOutGuard(invocation, api, !invocation.Has(GuardOptions.Force.Long)).OperatorParameters);

    /// <summary>Says what was done, and that it is not in force yet.</summary>
    public static void Announce(TextWriter output, string done)
    {
        output.WriteLine(done);
        output.WriteLine("Note: Run 'couicctl sets reload' to apply changes");
    }
}
