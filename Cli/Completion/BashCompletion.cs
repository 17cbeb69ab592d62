using System.Text;
using Couic.CommandLine;

namespace Couic.Cli.Completion;

/// <summary>Writes the completion script for bash, without dependencies.</summary>
internal static class BashCompletion
{
    public static string Write(CompletionNode[] nodes)
    {
        var text = new StringBuilder("""
            # bash completion for couicctl, made by "couicctl completion bash"

            # Follows the words before the cursor: $at is the command, $place the number of its arguments so far,
            # $first the first of them.
            _couicctl_walk() {
                at= place=0 first=
                local i word
                for ((i = 1; i < COMP_CWORD; i++)); do
                    word=${COMP_WORDS[i]}
                    case "$at $word" in

            """.ReplaceLineEndings("\n"));
        foreach (CompletionNode node in nodes)
        {
            string[] valued = [.. node.Options.Where(o => o.TakesValue).SelectMany(Spellings).Select(s => $"'{node.Path} {s}'")];
            text.Append("            ").AppendJoin('|', valued).Append(") ((i++)) ;;\n");
            if (node.Commands.Length > 0)
            {
                text.Append("            ").AppendJoin('|', node.Commands.Select(c => $"'{node.Path} {c.Name}'"))
                    .Append(") at=${at:+$at }$word ;;\n");
            }
        }

        text.Append("""
                        *' -'*) ;;
                        *) ((place++)); first=${first:-$word} ;;
                    esac
                done
            }

            _couicctl() {
                local at place first cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} words=
                _couicctl_walk
                COMPREPLY=()
                case "$at $prev" in

            """.ReplaceLineEndings("\n"));
        foreach (CompletionNode node in nodes)
        {
            foreach (OptionSpec option in node.Options.Where(o => o.TakesValue))
            {
                text.Append("        ").AppendJoin('|', Spellings(option).Select(s => $"'{node.Path} {s}'")).Append(") ")
                    .Append(Reply(option.Kind)).Append(" return ;;\n");
            }
        }

        text.Append("    esac\n    if [[ $cur == -* ]]; then\n        case \"$at\" in\n");
        foreach (CompletionNode node in nodes)
        {
            text.Append($"            '{node.Path}') words='").AppendJoin(' ', node.Options.SelectMany(Spellings)).Append("' ;;\n");
        }

        text.Append("        esac\n    else\n        case \"$at $place\" in\n");
        foreach (CompletionNode node in nodes)
        {
            AppendPlaces(text, node);
        }

        return text.Append("""
                    esac
                fi
                COMPREPLY=($(compgen -W "$words" -- "$cur"))
            }

            complete -F _couicctl couicctl

            """.ReplaceLineEndings("\n")).ToString();
    }

    private static void AppendPlaces(StringBuilder text, CompletionNode node)
    {
        if (node.Commands.Length > 0)
        {
            text.Append($"            '{node.Path} 0') words='").AppendJoin(' ', node.Commands.Select(c => c.Name)).Append("' ;;\n");
        }

        for (int i = 0; i < node.Arguments.Length; i++)
        {
            string place = node.RepeatsLast && i == node.Arguments.Length - 1 ? $"'{node.Path} '*" : $"'{node.Path} {i}'";
            string reply = Reply(node.Arguments[i]);
            if (reply.Length > 0)
            {
                text.Append($"            {place}) {reply} return ;;\n");
            }
        }
    }

    private static string Reply(ValueKind kind)
    {
        if (kind == ValueKind.File)
        {
            return "COMPREPLY=($(compgen -f -- \"$cur\"));";
        }

        string words = CompletionNode.WordsCommand(kind, "\"$first\"") is { } command
            ? $"$({command})"
            : string.Join(' ', CompletionNode.Words(kind));
        return words.Length == 0 ? "" : $"COMPREPLY=($(compgen -W \"{words}\" -- \"$cur\"));";
    }

    private static IEnumerable<string> Spellings(OptionSpec option) =>
        option.Short == 0 ? ["--" + option.Long] : ["-" + option.Short, "--" + option.Long];
}
