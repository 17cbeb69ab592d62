using System.Text;
using Couic.CommandLine;

namespace Couic.Cli.Completion;

/// <summary>Writes the completion script for fish.</summary>
internal static class FishCompletion
{
    public static string Write(CompletionNode[] nodes)
    {
        var text = new StringBuilder("""
            # fish completion for couicctl, made by "couicctl completion fish"

            # Prints the command before the cursor and, behind a slash, the number of its arguments so far.
            function __couicctl_at
                set -l at ''
                set -l place 0
                set -l skip 0
                for word in (commandline -opc)[2..-1]
                    if test $skip = 1
                        set skip 0
                        continue
                    end
                    switch "$at $word"

            """.ReplaceLineEndings("\n"));
        foreach (CompletionNode node in nodes)
        {
            string[] valued = [.. node.Options.Where(o => o.TakesValue).SelectMany(Spellings).Select(s => $"'{node.Path} {s}'")];
            text.Append("            case ").AppendJoin(' ', valued).Append("\n                set skip 1\n");
            if (node.Commands.Length > 0)
            {
                text.Append("            case ").AppendJoin(' ', node.Commands.Select(c => $"'{node.Path} {c.Name}'"))
                    .Append("\n                set at (string trim -- \"$at $word\")\n");
            }
        }

        text.Append("""
                        case '* -*'
                        case '*'
                            set place (math $place + 1)
                    end
                end
                echo "$at/$place"
            end

            # Prints the last word before the cursor, which is the policy when a set's name follows.
            function __couicctl_last
                set -l words (commandline -opc)
                echo $words[-1]
            end

            complete -c couicctl -f

            """.ReplaceLineEndings("\n"));
        foreach (CompletionNode node in nodes)
        {
            AppendNode(text, node);
        }

        return text.ToString();
    }

    private static void AppendNode(StringBuilder text, CompletionNode node)
    {
        foreach (CommandSpec command in node.Commands)
        {
            text.Append($"complete -c couicctl -n 'test (__couicctl_at) = \"{node.Path}/0\"' -a {command.Name} -d {Quote(command.Summary)}\n");
        }

        foreach (OptionSpec option in node.Options)
        {
            text.Append($"complete -c couicctl -n 'string match -q -- \"{node.Path}/*\" (__couicctl_at)'");
            text.Append(option.Short == 0 ? "" : $" -s {option.Short}").Append($" -l {option.Long} -d {Quote(option.Summary)}");
            text.Append(!option.TakesValue ? "" : option.Kind == ValueKind.File ? " -r -F" : " -x" + Values(option.Kind)).Append('\n');
        }

        for (int i = 0; i < node.Arguments.Length; i++)
        {
            string values = Values(node.Arguments[i]);
            if (values.Length > 0)
            {
                string place = node.RepeatsLast && i == node.Arguments.Length - 1 ? "*" : i.ToString(System.Globalization.CultureInfo.InvariantCulture);
                text.Append($"complete -c couicctl -n 'string match -q -- \"{node.Path}/{place}\" (__couicctl_at)'{values}\n");
            }
        }
    }

    private static string Values(ValueKind kind)
    {
        if (kind == ValueKind.File)
        {
            return " -F";
        }

        if (CompletionNode.WordsCommand(kind, "(__couicctl_last)") is { } command)
        {
            return $" -a {Quote($"({command})")}";
        }

        string words = string.Join(' ', CompletionNode.Words(kind));
        return words.Length == 0 ? "" : $" -a '{words}'";
    }

    /// <summary>Quotes a word: inside single quotes fish knows only <c>\'</c> and <c>\\</c>.</summary>
    private static string Quote(string text) =>
        "'" + text.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("'", "\\'", StringComparison.Ordinal) + "'";

    private static IEnumerable<string> Spellings(OptionSpec option) =>
        option.Short == 0 ? ["--" + option.Long] : ["-" + option.Short, "--" + option.Long];
}
