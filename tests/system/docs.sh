#!/usr/bin/env bash
# Every console block of the documentation prints what the page says, each page with a daemon of its own.
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
