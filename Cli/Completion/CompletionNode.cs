using Couic.Cli.Commands;
using Couic.Cli.Syntax;
using Couic.Cli.Values;

namespace Couic.Cli.Completion;

/// <summary>What can stand behind one command, in the form that the script writers need.</summary>
/// <param name="Path">The words that lead to the command, without the program's name; empty for the root.</param>
/// <param name="Commands">What may come next as a command.</param>
/// <param name="Options">Everything the command understands, inherited options and help included.</param>
/// <param name="Arguments">Kinds of its arguments, by place; the last repeats when <paramref name="RepeatsLast"/>.</param>
internal sealed record CompletionNode(
    string Path, CommandSpec[] Commands, OptionSpec[] Options, ValueKind[] Arguments, bool RepeatsLast)
{
    /// <summary>All commands of a tree, parents first.</summary>
    public static CompletionNode[] Of(CommandSpec root) => [.. Walk("", root, root)];

    /// <summary>The fixed words of a kind; empty when there are none.</summary>
    public static string[] Words(ValueKind kind) => kind switch
    {
        ValueKind.Policy => ["drop", "ignore"],
        ValueKind.Group => NameArgument.Groups,
        ValueKind.Shell => CompletionCommand.Shells,
        _ => [],
    };

    /// <summary>The command that prints the words of a kind, in every shell; null when there is none.</summary>
    /// <param name="policy">How the shell writes the policy that stands before.</param>
    public static string? WordsCommand(ValueKind kind, string policy) => kind switch
    {
        ValueKind.ClientName => "couicctl clients list -q 2>/dev/null",
        ValueKind.SetName => $"couicctl sets list {policy} 2>/dev/null | sed -n 's/: .*//p'",
        _ => null,
    };

    private static IEnumerable<CompletionNode> Walk(string path, CommandSpec command, CommandSpec root)
    {
        CommandSpec[] children = Array.FindAll(command.Commands, c => !c.Hidden);
        IEnumerable<OptionSpec> options = command == root
            ? [.. root.Options, CommandLineParser.Help, CommandLineParser.Version]
            : [.. command.Options, .. root.Options, CommandLineParser.Help];
        yield return new CompletionNode(
            path, children, [.. options], Array.ConvertAll(command.Arguments, a => a.Kind), command.Arguments is [.., { Occurs: Occurs.AnyNumber }]);
        foreach (CommandSpec child in children)
        {
            foreach (CompletionNode node in Walk(path.Length == 0 ? child.Name : $"{path} {child.Name}", child, root))
            {
                yield return node;
            }
        }
    }
}
