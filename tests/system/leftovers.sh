#!/usr/bin/env bash
# A daemon is killed while it writes the file of a set or of a client. The next start removes the temporary file, and no file is incomplete.
source "$(dirname "$0")/_tap.sh"
source tests/system/_daemon.sh

start_daemon
sets=$DIR/lib/sets/drop
clients=$DIR/lib/rbac/clients

# killed_at CALLS COMMAND...: kills the daemon as it enters one of the system calls, which the command makes it do.
killed_at() {
  local calls=$1 tracer
  shift
  strace -f -qq -p "$DAEMON" -e trace="$calls" -e inject="$calls":signal=SIGKILL >"$WORK/strace" 2>&1 &
  tracer=$!
  wait_for 10 all_traced || { cat "$WORK/strace"; return 1; }
  "$@" >/dev/null 2>&1
  wait_for 10 gone "$DAEMON" || return 1
  wait "$tracer" "$DAEMON" 2>/dev/null
  return 0
}
all_traced() { ! grep -hx 'TracerPid:.0' /proc/"$DAEMON"/task/*/status; }
left_in() { find "$1" -name '.*.tmp' | grep .; }
restart() {
  start_inside "$DIR/log" "$COUIC" -c "$DIR/couic.toml"
  DAEMON=$STARTED
  wait_for 10 answers
}
writing=rename,renameat,renameat2,link,linkat

check 'the daemon is killed while it writes a new set' killed_at $writing ctl sets create drop feed 192.0.2.1
check 'a file is left' left_in "$sets"
restart
check 'it starts again' answers
refute 'nothing is left of the write' left_in "$sets"
refute 'and the set does not exist' test -e "$sets/feed.couic"

ctl sets create drop feed 192.0.2.1 >/dev/null
check 'the daemon is killed while it replaces a set' killed_at $writing api -X PUT http://couic/v1/sets/drop/feed -d '{"name":"feed","entries":["192.0.2.2/32"]}'
check 'a file is left of that' left_in "$sets"
restart
check 'it starts again' answers
refute 'nothing is left of the write' left_in "$sets"
equal 'the set is as it was' 192.0.2.1/32 "$(ctl drop list -q)"

check 'the daemon is killed while it writes a token' killed_at $writing ctl clients add -n visitor -g clientro
check 'a file is left of the token' left_in "$clients"
restart
check 'it starts again' answers
refute 'nothing is left of the token' left_in "$clients"
refute 'and the client does not exist' test -e "$clients/visitor.toml"
