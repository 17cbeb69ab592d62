using Couic.Cli.Api;
using Couic.Cli.Syntax;
using Couic.Store;

namespace Couic.Cli.Commands;

/// <summary><c>drop delete</c>, <c>ignore delete</c>.</summary>
internal static class EntryDelete
{
    public static CommandSpec Spec(Policy policy) => new()
    {
        Name = "delete",
        Summary = $"Remove a network from {policy.Name()}",
        Details = ["Prints nothing. An entry that a set defines goes when the set does not hold it any more and sets are reloaded."],
        Arguments = [CommonOptions.Cidr],
        Examples = [$"couicctl {policy.Name()} delete 192.0.2.0/24"],
        Run = Run,
    };

    private static int Run(Invocation invocation)
    {
        Cidr cidr = invocation.CidrArgument(0);
        using ApiClient api = invocation.Connect();
        api.Delete(EntryPath.Of(invocation.PolicyOfCommand(), cidr));
        return ExitStatus.Success;
    }
}
