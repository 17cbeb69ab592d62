using Couic.Cli.Api;
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
        invocation.Out.Write(CompletionScripts.Of(invocation.Argument(0)));
        return ExitStatus.Success;
    }
}

/// <summary>
/// <c>complete</c>, for the completion scripts: what may stand for the last word. It prints a few hundred lines at most, waits two seconds at
/// most, and says nothing if the daemon cannot be asked: a shell would show it in the middle of what the user types.
/// </summary>
internal static class CompleteCommand
{
    public static readonly CommandSpec Spec = new()
    {
        Name = "complete",
        Summary = "Print what may stand for the last word, for the completion scripts",
        Hidden = true,
        Arguments = [new ArgumentSpec("WORD", "The words after the program's name", Occurs: Occurs.AnyNumber)],
        Run = Run,
    };

    private static int Run(Invocation invocation)
    {
        var words = new CompletionWords(CouicctlCommands.Root, [.. invocation.Parsed.Arguments]);
        using var values = new CompletionValues(
            () => new ApiClient(EndpointReader.Read(
                words.Server ?? invocation.Option(CommonOptions.Server.Long), words.Config ?? invocation.Option(CommonOptions.Config.Long), invocation.Context.Environment)),
            words.Policy);
        var found = new List<Candidate>();
        try
        {
            found.AddRange(words.Candidates(values.Of));
        }
        catch (CliException)
        {
            // Fixed words were found before.
        }

        invocation.Out.WriteLine(words.Kind == ValueKind.File ? "files" : "words");
        foreach (Candidate candidate in found)
        {
            invocation.Out.WriteLine(candidate.Summary.Length == 0 ? candidate.Word : $"{candidate.Word}\t{candidate.Summary}");
        }

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
