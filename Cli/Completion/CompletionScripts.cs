using Couic.CommandLine;

namespace Couic.Cli.Completion;

/// <summary>
/// The scripts for the shells. They ask <c>couicctl complete</c>, which knows the commands and their values: the first line of its answer
/// is <c>files</c> or <c>words</c>, each further one a candidate, with its description after a tab.
/// </summary>
internal static class CompletionScripts
{
    /// <exception cref="UsageException">Another shell.</exception>
    public static string Of(string shell) => shell switch
    {
        "bash" => Bash,
        "zsh" => Zsh,
        "fish" => Fish,
        _ => throw new UsageException($"\"{Values.Printable.Quote(shell)}\" is not a supported shell; expected one of {string.Join(", ", Commands.CompletionCommand.Shells)}"),
    };

    private const string Bash = """"
        # bash completion for couicctl, made by "couicctl completion bash"

        _couicctl() {
            # readline splits words at ":" and "=", too: join them again where no blank is between.
            local -a words=() found=()
            local word blank rest=$COMP_LINE
            for word in "${COMP_WORDS[@]:0:COMP_CWORD+1}"; do
                blank=${rest%%[![:space:]]*}
                rest=${rest#"$blank"}
                rest=${rest#"$word"}
                if [[ -z $blank && ${#words[@]} -gt 0 ]]; then
                    words[${#words[@]}-1]+=$word
                else
                    words+=("$word")
                fi
            done
            words=("${words[@]//\\/}")
            words=("${words[@]//[\"\']/}")
            words=("${words[@]/#\~\//$HOME/}")

            mapfile -t found < <(couicctl complete -- "${words[@]:1}" 2>/dev/null)
            COMPREPLY=()
            if [[ ${found[0]-} == files ]]; then
                compopt -o default 2>/dev/null # names with blanks, quotes and a tilde, as readline completes them
                return
            fi
            COMPREPLY=("${found[@]:1}")
            COMPREPLY=("${COMPREPLY[@]%%$'\t'*}")

            # readline replaces only what follows the last ":" or "=".
            word=${words[${#words[@]}-1]}
            if [[ $word == *[:=]* ]]; then
                COMPREPLY=("${COMPREPLY[@]#"${word%"${word##*[:=]}"}"}")
            fi
        }

        complete -F _couicctl couicctl

        """";

    private const string Zsh = """"
        #compdef couicctl
        # zsh completion for couicctl, made by "couicctl completion zsh"

        _couicctl() {
            local line
            local -a found values
            found=("${(@f)$(couicctl complete -- "${(@Q)words[2,CURRENT-1]}" "${(Q)PREFIX}" 2>/dev/null)}")
            if [[ ${found[1]} == files ]]; then
                [[ $PREFIX == --*=* ]] && compset -P '*='
                _files
                return
            fi
            for line in "${(@)found[2,-1]}"; do
                if [[ $line == *$'\t'* ]]; then
                    values+=("${${line%%$'\t'*}//:/\\:}:${line#*$'\t'}")
                else
                    values+=("${line//:/\\:}")
                fi
            done
            _describe -V couicctl values
        }

        # In $fpath the file is the body of the function at its first call; sourced, it registers the function.
        if [[ ${funcstack[1]} == _couicctl ]]; then
            _couicctl "$@"
        else
            compdef _couicctl couicctl
        fi

        """";

    private const string Fish = """"
        # fish completion for couicctl, made by "couicctl completion fish"

        function __couicctl_complete
            set -l words (commandline -opc)
            set -l last (commandline -ct)
            set -l found (couicctl complete -- $words[2..-1] "$last" 2>/dev/null)
            if test "$found[1]" = files
                set -l before (string match -r -- '^--[a-z-]+=' "$last")
                __fish_complete_path (string replace -r -- '^--[a-z-]+=' '' "$last") | string replace -r -- '^' "$before"
            else
                printf '%s\n' $found[2..-1]
            end
        end

        complete -c couicctl -f -a '(__couicctl_complete)'

        """";
}
