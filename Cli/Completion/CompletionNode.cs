using Couic.Cli.Commands;
using Couic.Cli.Values;
using Couic.CommandLine;

namespace Couic.Cli.Completion;

/// <summary>The completions after one command, in the form that the script writers need.</summary>
/// <param name="Path">The words of the command's path, without the program's name; empty for the root.</param>
/// <param name="Commands">Visible subcommands.</param>
/// <param name="Options">All options of the command, including inherited ones and help.</param>
/// <param name="Arguments">Kinds of its arguments by position; the last repeats when <paramref name="RepeatsLast"/>.</param>
internal sealed record CompletionNode(
    string Path, CommandSpec[] Commands, OptionSpec[] Options, ValueKind[] Arguments, bool RepeatsLast)
{
    /// <summary>All commands of a tree, parents first.</summary>
    public static CompletionNode[] Of(CommandSpec root) => [.. Walk("", root, root)];

    /// <summary>The fixed words of a kind; empty for none.</summary>
    public static string[] Words(ValueKind kind) => kind switch
    {
        ValueKind.Policy => ["drop", "ignore"],
        ValueKind.Group => NameArgument.Groups,
        ValueKind.Shell => CompletionCommand.Shells,
        ValueKind.EntrySort => EntrySort.Keys,
        ValueKind.TagSort => TagSort.Keys,
        _ => [],
    };

    /// <summary>The shell command that prints the words of a kind; null for none.</summary>
    /// <param name="policy">The shell's expression for the preceding policy.</param>
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
            path, children, [.. options], Array.ConvertAll(command.Arguments, a => a.Kind), command.Arguments is [.., { Repeats: true }]);
        foreach (CommandSpec child in children)
        {
            foreach (CompletionNode node in Walk(path.Length == 0 ? child.Name : $"{path} {child.Name}", child, root))
            {
                yield return node;
            }
        }
    }
}
