#!/usr/bin/env bash
# make run: starts the daemon on its embedded default, and the three commands that it prints work.
source "$(dirname "$0")/_tap.sh"
source tests/system/_daemon.sh

NETNS=system-$$-run
ip netns add "$NETNS"
on_exit ip netns delete "$NETNS"
inside ip link set lo up
# Another daemon that runs in this folder keeps its files.
export XDG_RUNTIME_DIR=$WORK/runtime
mkdir -m 700 "$XDG_RUNTIME_DIR"
start_inside "$WORK/log" make -s run
make=$STARTED
attached() { inside ip link show lo | grep -q xdp; }
if ! wait_for 30 attached; then
  fail 'make run starts the daemon' "$(cat "$WORK/log")"
  exit 1
fi

pass 'make run starts the daemon'
mapfile -t commands < <(sed -n 's/^    \([a-z].*\)/\1/p' "$WORK/log" | sed 's/ *#.*//')
equal 'it prints three commands' 3 "${#commands[@]}"
[ ${#commands[@]} -eq 3 ] || exit 1
served() { curl -s -o /dev/null --unix-socket "$(find "$XDG_RUNTIME_DIR" -name 'couic.sock' | head -n 1)" http://couic/v1/drop; }
check 'its API is served' wait_for 10 served
# shellcheck disable=SC2086
check "the first is answered: ${commands[0]}" inside ${commands[0]}
# shellcheck disable=SC2086
check "the second is taken: ${commands[1]}" inside ${commands[1]}
# shellcheck disable=SC2086
refute "the third is not answered: ${commands[2]}" inside ${commands[2]}

# A shell starts background commands with SIGINT ignored, so the test sends SIGTERM.
daemon=$(pgrep -P "$make")
kill -TERM "$daemon"
check 'it ends when it is asked to' wait_for 10 gone "$daemon"
wait "$make" 2>/dev/null
refute 'and leaves nothing attached' attached
