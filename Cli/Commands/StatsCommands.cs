using Couic.Cli.Syntax;
using Couic.Store;

namespace Couic.Cli.Commands;

/// <summary><c>stats</c>.</summary>
internal static class StatsCommands
{
    public static readonly CommandSpec Spec = new()
    {
        Name = "stats",
        Summary = "Counters of packets and bytes",
        Commands = [StatsGlobal.Spec, StatsTags.Spec(Policy.Drop), StatsTags.Spec(Policy.Ignore)],
    };
}
