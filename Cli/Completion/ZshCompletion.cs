using System.Text;
using Couic.CommandLine;

namespace Couic.Cli.Completion;

/// <summary>Writes the completion script for zsh.</summary>
internal static class ZshCompletion
{
    public static string Write(CompletionNode[] nodes)
    {
        var text = new StringBuilder("""
            #compdef couicctl
            # zsh completion for couicctl, made by "couicctl completion zsh"

            _couicctl() {
                local at= word first= previous=${words[CURRENT-1]}
                local -i i place=0
                local -a found
                for ((i = 2; i < CURRENT; i++)); do
                    word=${words[i]}
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
                case "$at $previous" in

            """.ReplaceLineEndings("\n"));
        foreach (CompletionNode node in nodes)
        {
            foreach (OptionSpec option in node.Options.Where(o => o.TakesValue))
            {
                text.Append("        ").AppendJoin('|', Spellings(option).Select(s => $"'{node.Path} {s}'")).Append(") ")
                    .Append(Reply(option.Kind)).Append(" return ;;\n");
            }
        }

        text.Append("    esac\n    if [[ $PREFIX == -* ]]; then\n        case \"$at\" in\n");
        foreach (CompletionNode node in nodes)
        {
            text.Append($"            '{node.Path}') found=(");
            text.AppendJoin(' ', node.Options.SelectMany(o => Spellings(o).Select(s => Pair(s, o.Summary)))).Append(") ;;\n");
        }

        text.Append("        esac\n        _describe -o option found\n        return\n    fi\n    case \"$at $place\" in\n");
        foreach (CompletionNode node in nodes)
        {
            AppendPlaces(text, node);
        }

        // In $fpath the file is the body of the function at its first call; sourced, it registers the function.
        return text.Append("""
                esac
            }

            if [[ ${funcstack[1]} == _couicctl ]]; then
                _couicctl "$@"
            else
                compdef _couicctl couicctl
            fi

            """.ReplaceLineEndings("\n")).ToString();
    }

    private static void AppendPlaces(StringBuilder text, CompletionNode node)
    {
        if (node.Commands.Length > 0)
        {
            text.Append($"        '{node.Path} 0') found=(").AppendJoin(' ', node.Commands.Select(c => Pair(c.Name, c.Summary)))
                .Append("); _describe command found ;;\n");
        }

        for (int i = 0; i < node.Arguments.Length; i++)
        {
            string place = node.RepeatsLast && i == node.Arguments.Length - 1 ? $"'{node.Path} '*" : $"'{node.Path} {i}'";
            string reply = Reply(node.Arguments[i]);
            if (reply.Length > 0)
            {
                text.Append($"        {place}) {reply} ;;\n");
            }
        }
    }

    private static string Reply(ValueKind kind)
    {
        if (kind == ValueKind.File)
        {
            return "_files;";
        }

        if (CompletionNode.WordsCommand(kind, "\"$first\"") is { } command)
        {
            return $"compadd -- ${{(f)\"$({command})\"}};";
        }

        string words = string.Join(' ', CompletionNode.Words(kind));
        return words.Length == 0 ? "" : $"compadd -- {words};";
    }

    private static string Pair(string word, string summary) =>
        "'" + $"{word}:{summary.Replace(":", "\\:", StringComparison.Ordinal)}".Replace("'", "'\\''", StringComparison.Ordinal) + "'";

    private static IEnumerable<string> Spellings(OptionSpec option) =>
        option.Short == 0 ? ["--" + option.Long] : ["-" + option.Short, "--" + option.Long];
}
