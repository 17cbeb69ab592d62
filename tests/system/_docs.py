"""Runs the console blocks of a Markdown file and compares what they print.

A block that opens with ```console holds lines that start with "$ " (a command, for bash), lines that start with "> "
(its continuation) and the output that follows. In the expected output "…" stands for any text on its line, and a line
of "…" alone for any lines. Blocks of one file share one shell, so a variable lives on. One "ok" or "not ok" per command.
"""
import fcntl
import os
import re
import struct
import subprocess
import sys
import termios

END = "__end_of_command__"


def steps(path):
    """Yields (line number, command, expected lines) of each command."""
    inside = False
    current = None
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            line = line.rstrip("\n")
            if line.startswith("```"):
                if inside and current:
                    yield current
                inside = line == "```console"
                current = None
            elif inside and line.startswith("$ "):
                if current:
                    yield current
                current = (number, line[2:], [])
            elif inside and line.startswith("> ") and current and not current[2]:
                current = (current[0], current[1] + "\n" + line[2:], [])
            elif inside and current:
                current[2].append(line)


def same(expected, actual):
    """Whether the lines fit, "…" being anything."""
    pattern = ""
    for line in expected:
        if line.strip() == "…":
            pattern += r"(?:.*\n)*?"
        else:
            pattern += ".*?".join(re.escape(part) for part in line.split("…")) + r"\n"
    return re.fullmatch(pattern, "".join(line + "\n" for line in actual)) is not None


def terminal():
    """Both ends of a terminal that is 250 columns wide and changes no output; what is not in a pipe prints as for a reader."""
    master, slave = os.openpty()
    modes = termios.tcgetattr(slave)
    modes[1] &= ~termios.OPOST
    termios.tcsetattr(slave, termios.TCSANOW, modes)
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 250, 0, 0))
    return master, slave


def run(shell, output, command):
    """The lines that a command prints, standard error among them."""
    shell.stdin.write(command + "\nprintf '\\n%s\\n' " + END + "\n")
    shell.stdin.flush()
    lines = []
    for line in output:
        line = line.rstrip("\n")
        if line == END:
            break
        lines.append(line)
    if lines and lines[-1] == "":
        lines.pop()
    while lines and lines[-1] == "":
        lines.pop()
    return lines


def main():
    failed = False
    for path in sys.argv[1:]:
        master, slave = terminal()
        shell = subprocess.Popen(["bash", "--norc"], stdin=subprocess.PIPE, stdout=slave, stderr=slave,
                                 text=True, encoding="utf-8", bufsize=1, env={**os.environ, "NO_COLOR": "1"})
        output = os.fdopen(master, encoding="utf-8", newline="\n")
        shell.stdin.write('jq() { command jq -M "$@"; }\n')  # before 1.7.1 it knows no NO_COLOR
        for number, command, expected in steps(path):
            actual = run(shell, output, command)
            while expected and expected[-1] == "":
                expected.pop()
            good = same(expected, actual)
            failed = failed or not good
            print(f"{'ok' if good else 'not ok'} - {path}:{number}: {command.splitlines()[0]}")
            if not good:
                for line in ["expected:", *expected, "actual:", *actual]:
                    print("#   " + line)
        shell.stdin.close()
        shell.wait(timeout=10)
    return 1 if failed else 0


sys.exit(main())
