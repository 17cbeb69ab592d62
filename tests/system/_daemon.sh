# Sourced after _tap.sh: starts a daemon in a private network namespace, with its files below $WORK.
#   prepare_daemon [NAME [EXTRA_TOML]] makes namespace, folders and $DIR/couic.toml; sets NETNS, DIR, SOCKET
#   start_daemon [NAME [EXTRA_TOML]]   prepares and starts; sets NETNS, DIR, SOCKET, TOKEN, DAEMON, CTL_CONFIG
#   inside COMMAND...                  runs in the daemon's namespace
# The namespace has the loopback interface only, so no packet of these tests leaves the machine.

prepare_daemon() {
  local name=${1:-main}
  NETNS=system-$$-$name
  DIR=$WORK/$name
  SOCKET=$DIR/run/couic.sock
  mkdir -p "$DIR/lib" "$DIR/run" "$DIR/bin"
  ip netns add "$NETNS"
  on_exit ip netns delete "$NETNS"
  inside ip link set lo up
  cat >"$DIR/couic.toml" <<TOML
ifaces = ["lo"]
working_dir = "$DIR/lib"
user = "root"
group = "root"

[server]
socket = "$SOCKET"

[logging]
dir = "-"

${2:-}
TOML
}

start_daemon() {
  prepare_daemon "$@"
  CTL_CONFIG=$DIR/couicctl.toml
  cat >"$CTL_CONFIG" <<TOML
mode = "local"
socket = "$SOCKET"
client_file = "$DIR/lib/rbac/clients/couicctl.toml"
TOML
  # Pages of the documentation call this couicctl.
  printf '#!/bin/sh\nexec "%s/out/couicctl" -c "%s" "$@"\n' "$ROOT" "$CTL_CONFIG" >"$DIR/bin/couicctl"
  chmod +x "$DIR/bin/couicctl"
  start_inside "$DIR/log" "$COUIC" -c "$DIR/couic.toml"
  DAEMON=$STARTED
  if ! wait_for 10 answers; then
    fail 'the daemon starts' "$(cat "$DIR/log")"
    exit 1
  fi

  TOKEN=$(sed -n 's/^token *= *"\(.*\)"/\1/p' "$DIR/lib/rbac/clients/couicctl.toml")
}

answers() { curl -s -o /dev/null --unix-socket "$SOCKET" http://couic/v1/drop; }

# nsenter keeps /sys, which "ip netns exec" replaces.
inside() { nsenter --net="/run/netns/$NETNS" "$@"; }

# start_inside LOG COMMAND...: in the background, until the test ends; its number is in STARTED. (A function in the background
# would be a separate shell, and killing that leaves the command.)
start_inside() {
  local log=$1
  shift
  nsenter --net="/run/netns/$NETNS" "$@" >"$log" 2>&1 &
  STARTED=$!
  on_exit stop "$STARTED"
}

# stop PID: sends SIGTERM, and SIGKILL after five seconds.
stop() {
  kill "$1" 2>/dev/null || return 0
  wait_for 5 gone "$1" || kill -KILL "$1"
  wait "$1" 2>/dev/null
}

gone() { ! kill -0 "$1" 2>/dev/null || grep -q '^State:.*Z' "/proc/$1/status" 2>/dev/null; }

api() { curl -s --unix-socket "$SOCKET" -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' "$@"; }

ctl() { "$DIR/bin/couicctl" "$@"; }

# Whether a ping from this address of the loopback interface is answered.
pings_from() { inside ping -c 1 -W 1 -I "$1" 127.0.0.1 >/dev/null 2>&1; }
