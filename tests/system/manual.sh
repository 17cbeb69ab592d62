#!/usr/bin/env bash
# The manual pages: well-formed, and true to the tables of the program.
source "$(dirname "$0")/_tap.sh"

for page in couic.8 couicctl.1 couic.toml.5 couic-report.8; do
  equal "$page is well-formed" '' "$(man --warnings=all -E UTF-8 -l -Tutf8 -Z "out/man/$page" 2>&1 >/dev/null)"
  matches "$page has its parts" "$(grep '^\.SH' "out/man/$page" | tr '\n' ' ')" 'NAME .*SEE ALSO'
done

# Every key that the reader asks for stands in the page, and every key of the page is one that the reader knows.
page=$(sed -n 's/^| \(`[^|]*\) |.*/\1/p' docs/man/couic.toml.5.md | grep -v / | grep -o '`[a-z_]*`' | tr -d '`' | sort -u)
asked=$(grep -ohE '(Number|Boolean|Word|Words|Texts?|RequiredText|RequiredNumber|FullPath|Tables|Seconds\(table,|ReadHost\(table,|ReadToken\(table,) ?\(?\s*"[a-z_]+"' Config/SettingsReader*.cs |
  grep -o '"[a-z_]*"' | tr -d '"' | sort -u | grep -v '^peers$')
# Keys whose call has its first argument on the next line.
asked=$(printf '%s\n%s\n' "$asked" "$(grep -A1 -hE '\.(Word|Words)\($' Config/SettingsReader*.cs | grep -oE '"[a-z_]+"' | tr -d '"')" | sort -u)
equal 'couic.toml(5) has every key of the reader, and no other' "$asked" "$page"

# Each default that the page names is one that is taken.
mkdir "$WORK/dir"
{
  printf 'ifaces = ["lo"]\nworking_dir = "%s"\nuser = "root"\ngroup = "root"\n' "$WORK/dir"
  sed -n '/^## KEYS/,/^### \[reporting\]/p' docs/man/couic.toml.5.md | while IFS='|' read -r _ key _ default _; do
    [[ $key =~ ^\#*\ *$ ]] && continue
    key=$(tr -d '` ' <<<"$key")
    default=$(xargs -0 <<<"$default" | sed 's/^ *//; s/ *$//')
    [[ $default =~ ^[a-z]+$ && ! $default =~ ^(true|false)$ ]] && default="\"$default\""
    [[ -n $default && $key =~ ^[a-z_]+$ && $key != key ]] && echo "$key = $default"
  done
} >"$WORK/keys"
python3 - "$WORK/keys" "$WORK/couic.toml" <<'PYTHON'
import sys
logging, limits = {"rotation", "max_log_files", "format", "level"}, None
top, log, lim = [], ['dir = "-"'], []
for line in open(sys.argv[1]):
    key = line.split(" = ")[0]
    (log if key in logging else lim if key.startswith(("max_", "min_", "per_")) or key.endswith("_secs") else top).append(line.strip())
open(sys.argv[2], "w").write("\n".join(top + ["[logging]"] + log + ["[server]", f'socket = "{sys.argv[2]}.sock"', "[limits]"] + lim) + "\n")
PYTHON
check 'the defaults of the page are taken' "$COUIC" check -c "$WORK/couic.toml"
check 'there are many of them' test "$(grep -c = "$WORK/couic.toml")" -gt 25

for shell in bash zsh fish; do
  check "there is completion for $shell" test -s "out/completion/couicctl.$shell"
done
check 'bash takes the completion' bash -n out/completion/couicctl.bash
