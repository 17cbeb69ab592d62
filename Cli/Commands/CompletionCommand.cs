using Couic.Cli.Completion;
using Couic.CommandLine;

namespace Couic.Cli.Commands;

/// <summary><c>completion</c>.</summary>
internal static class CompletionCommand
{
    public static readonly string[] Shells = ["bash", "zsh", "fish"];

    public static readonly CommandSpec Spec = new()
    {
        Name = "completion",
        Summary = "Print the completion script of a shell",
        Details =
        [
            "The package installs these scripts already. By hand: \"couicctl completion bash > /etc/bash_completion.d/couicctl\", "
            + "\"couicctl completion zsh > /usr/local/share/zsh/site-functions/_couicctl\" or "
            + "\"couicctl completion fish > ~/.config/fish/completions/couicctl.fish\".",
        ],
        Arguments = [new ArgumentSpec("SHELL", "bash, zsh or fish", ValueKind.Shell)],
        Run = Run,
    };

    private static int Run(Invocation invocation)
    {
        string shell = invocation.Argument(0);
        CompletionNode[] nodes = CompletionNode.Of(CouicctlCommands.Root);
        invocation.Out.Write(shell switch
        {
            "bash" => BashCompletion.Write(nodes),
            "zsh" => ZshCompletion.Write(nodes),
            "fish" => FishCompletion.Write(nodes),
            _ => throw new UsageException($"\"{Values.Printable.Quote(shell)}\" is not a supported shell; expected one of {string.Join(", ", Shells)}"),
        });
        return ExitStatus.Success;
    }
}

/// <summary><c>help</c>: the parser answers it at every level; this entry makes it appear in help and completion.</summary>
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
