using Couic.Cli.Syntax;

namespace Couic.Cli.Commands;

/// <summary>
/// <c>help</c>; the parser answers it itself at every level, so this only says that it exists, in help and completion.
/// </summary>
internal static class HelpCommand
{
    public static readonly CommandSpec Spec = new()
    {
        Name = "help",
        Summary = "Show the help of a command",
        Arguments = [new ArgumentSpec("COMMAND", "The command, word by word", ValueKind.CommandPath, Occurs.AnyNumber)],
        Examples = ["couicctl help drop add"],
    };
}
