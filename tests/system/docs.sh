#!/usr/bin/env bash
# Every console block of the documentation prints what the page shows. Each page gets a fresh daemon.
source "$(dirname "$0")/_tap.sh"
source tests/system/_daemon.sh

number=0
mapfile -t pages < <(find README.md docs -name '*.md' | LC_ALL=C sort)
for page in "${pages[@]}"; do
  grep -q '^```console' "$page" || continue
  number=$((number + 1))
  start_daemon "docs$number"
  output=$(cd "$DIR" && inside env SOCKET="$SOCKET" TOKEN="$TOKEN" SETS="$DIR/lib/sets" PATH="$DIR/bin:$ROOT/out:$PATH" LC_ALL=C.UTF-8 \
    timeout 60 python3 "$ROOT/tests/system/_docs.py" "$ROOT/$page" 2>&1)
  while IFS= read -r line; do
    case $line in
      'ok - '*) pass "${line#ok - $ROOT/}" ;;
      'not ok - '*) fail "${line#not ok - $ROOT/}" ;;
      *) echo "$line" ;;
    esac
  done <<<"$output"
  [[ $output == *'ok - '* ]] || fail "$page: ran" "$output"
  stop "$DAEMON"
done

check 'there are pages with console blocks' test $number -gt 5
equal 'every link, anchor and file name of the documentation leads somewhere' '' "$(tools/links)"

# Events: the reference lists those of the source, no more and no fewer. (A line of the log itself is written by Logging/.)
events() { grep -rhoE --include='*.cs' 'EventName = "[a-z_]+"|LogEvent [A-Za-z]+ = new\([0-9]+, "[a-z_]+"|"log_[a-z]+_[a-z]+"' Access Api Bpf Config Daemon Http Journal Logging Names Peering Reporting Sets Store 2>/dev/null |
  grep -oE '"[a-z_]+"$' | tr -d '"' | grep -vx log_writer | LC_ALL=C sort -u; }
listed() { sed -n 's/^| \(`[^|]*\)|.*/\1/p' docs/reference/events.md | grep -oE '[a-z_]+' | LC_ALL=C sort -u; }
equal 'the events of the reference are those of the source' '' "$(diff <(events) <(listed))"

# Troubleshooting quotes messages: each quotation of two words and more is in the source.
quoted() { sed -n 's/^| \([^|]*\)|.*/\1/p' docs/guide/troubleshooting.md | grep -oE '`[^`]* [^`]*`' | tr -d '`' | LC_ALL=C sort -u; }
unknown=$(quoted | while IFS= read -r text; do
  grep -rqF --include='*.cs' -- "$text" Access Api Bpf Cli Config Daemon Http Journal Logging Names Native Peering Reporting Sets Store 2>/dev/null ||
    grep -rqF --include='*.cs' -- "${text//\"/\\\"}" Cli Daemon Peering Config Sets || echo "$text"
done)
equal 'the messages that troubleshooting quotes are those of the programs' '' "$unknown"
check 'it quotes messages' test "$(quoted | wc -l)" -gt 15

# The sample of couic-report is refused until its secret is replaced, and is good then.
sed 's/^port = .*/port = 8077/' pkg/couic-report.toml >"$WORK/report.toml"
chmod 600 "$WORK/report.toml"
matches 'the sample of couic-report needs a secret' "$("$ROOT/out/couic-report" -c "$WORK/report.toml" 2>&1)" 'secret must not be all zeros'
sed -i 's/^secret = .*/secret = "7f0c3b0e-5a0e-4f6e-9d53-0d1f1fd4a3c1"/' "$WORK/report.toml"
matches 'with one it is good' "$(inside timeout --preserve-status 2 "$ROOT/out/couic-report" -c "$WORK/report.toml" 2>&1)" 'receiving reports at 127.0.0.1:8077'
