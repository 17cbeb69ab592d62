"""Completes command lines in a real shell on a pseudo-terminal, with the keys of a person.

_complete.py SHELL SCRIPT LINE: starts SHELL, sources SCRIPT, types LINE and Tab, and prints the line as the shell shows it then.
The shell runs with "print the line" bound to Ctrl-X Ctrl-P, so that no screen has to be read.
"""
import os
import pty
import re
import select
import sys
import time

shell, script, line = sys.argv[1:4]
starts = {
    "bash": (["bash", "--norc", "--noprofile", "-i"],
             f". '{script}'; bind -x '\"\\C-x\\C-p\": printf \"\\n<%s>\\n\" \"$READLINE_LINE\"'; PS1='rea''dy> '\n"),
    "zsh": (["zsh", "-f", "-i"],
            f"autoload -Uz compinit && compinit -u -D; . '{script}'; show() {{ print -r -- $'\\n'\"<$BUFFER>\" }}; zle -N show; "
            "bindkey '^X^P' show; unsetopt prompt_cr prompt_sp; PS1='rea''dy> '\n"),
}
arguments, setup = starts[shell]
child, terminal = pty.fork()
if child == 0:
    os.environ.update(TERM="dumb" if shell == "bash" else "xterm", LC_ALL="C.UTF-8", HISTFILE="/dev/null")
    os.execvp(arguments[0], arguments)

seen = b""


def wait_for(pattern):
    """Reads until the output has the pattern."""
    global seen
    end = time.time() + 30
    while time.time() < end:
        found = re.search(pattern, seen)
        if found:
            return found
        if select.select([terminal], [], [], 0.2)[0]:
            try:
                seen += os.read(terminal, 65536)
            except OSError:
                break
    sys.exit(f"{shell} did not print {pattern!r}; it printed {seen!r}")


os.write(terminal, setup.encode())
wait_for(rb"ready> ")  # not the echo of the setup, which has it in two pieces
os.write(terminal, line.encode() + b"\t\x18\x10")
print(wait_for(rb"\n<([^>\n]*)>").group(1).decode())
os.kill(child, 9)
