using Couic.Cli.Syntax;
using Couic.Store;

namespace Couic.Cli.Commands;

/// <summary><c>drop</c> and <c>ignore</c>.</summary>
internal static class EntryCommands
{
    public static CommandSpec Spec(Policy policy) => new()
    {
        Name = policy.Name(),
        Summary = policy == Policy.Drop ? "Networks whose packets are dropped" : "Networks whose packets always pass, whatever drop says",
        Commands = [EntryAdd.Spec(policy), EntryDelete.Spec(policy), EntryList.Spec(policy), EntryInspect.Spec(policy), EntryImport.Spec(policy)],
    };
}
