#!/usr/bin/env bash
# The manual pages: well-formed, and true to the tables of the program.
source "$(dirname "$0")/_tap.sh"

for page in couic.8 couicctl.1 couic.toml.5 couic-report.8; do
  equal "$page is well-formed" '' "$(man --warnings=all -E UTF-8 -l -Tutf8 -Z "out/man/$page" 2>&1 >/dev/null)"
  matches "$page has its parts" "$(grep '^\.SH' "out/man/$page" | tr '\n' ' ')" 'NAME .*SEE ALSO'
done

# The parts that come from the program's tables are there, one of each.
check 'couic.toml(5) has the keys' grep -q 'connection_memory_bytes' out/man/couic.toml.5
check 'couicctl(1) has the commands' grep -q 'couicctl sets create' out/man/couicctl.1
check 'couic(8) has its commands' grep -q 'client files and set files, and print every fault' out/man/couic.8
refute 'no part is missing' grep -l '<!' out/man/*

for shell in bash zsh fish; do
  check "there is completion for $shell" test -s "out/completion/couicctl.$shell"
done
check 'bash takes the completion' bash -n out/completion/couicctl.bash
