# Sourced by the scripts that run as root inside a booted Debian (_in_container.sh, _on_machine.sh). They print "ok SENTENCE" or
# "not ok SENTENCE". SLOW multiplies every time limit: emulated machines need that.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8
SLOW=${SLOW:-1}
since=$(date +%s)

# expect SENTENCE COMMAND...: the command succeeds. expect_not: it fails. A failure prints the output and the journal since the last check.
expect() { judge yes "$@"; }
expect_not() { judge no "$@"; }
judge() {
  local wanted=$1 sentence=$2 output succeeded=no
  shift 2
  output=$("$@" 2>&1) && succeeded=yes
  if [ $succeeded = "$wanted" ]; then echo "ok $sentence"; else
    echo "not ok $sentence"
    tail -n 20 <<<"$output"
    journalctl --no-pager -o short-precise --since "@$since" -u 'couic*' -u 'east*' -u 'west*' 2>/dev/null | grep -v token_in_clear | cut -c 1-250 | tail -n 30
  fi
  since=$(date +%s)
}

same() { [ "$1" = "$2" ] || { printf 'expected: %s\nactual:   %s\n' "$1" "$2"; return 1; }; }
has() { grep -qE -- "$2" <<<"$1" || { printf 'expected: %s\nactual:   %s\n' "$2" "$1"; return 1; }; }
main_pid() { systemctl show -P MainPID "${1:-couic}"; }

# within SECONDS COMMAND...: the command succeeds before that many seconds (times SLOW) have passed.
within() {
  local end=$((SECONDS + $1 * SLOW))
  shift
  until "$@"; do
    [ $SECONDS -lt $end ] || return 1
    sleep 0.1
  done
}
