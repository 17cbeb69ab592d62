#!/usr/bin/env bash
# The daemon without any capability: a service of its own loads and attaches (couic-attacher@.service), here started for the
# connection by systemd-socket-activate in place of the service manager.
source "$(dirname "$0")/_tap.sh"
source tests/system/_daemon.sh

NETNS=system-$$-attacher
DIR=$WORK/attacher
SOCKET=$DIR/run/couic.sock
mkdir -p "$DIR/lib" "$DIR/run"
chmod 755 "$WORK" "$DIR"
# The folder of the checkout may be closed to other users.
install -m 755 "$COUIC" "$DIR/couic"
COUIC=$DIR/couic
chown nobody:nogroup "$DIR/lib" "$DIR/run"
ip netns add "$NETNS"
on_exit ip netns delete "$NETNS"
inside ip link set lo up
cat >"$DIR/couic.toml" <<TOML
ifaces = ["lo"]
working_dir = "$DIR/lib"
user = "nobody"
group = "nogroup"
[server]
socket = "$SOCKET"
[logging]
dir = "-"
TOML

# start LOG: the daemon, as a user without a capability in any set.
start() {
  start_inside "$1" setpriv --reuid nobody --regid nogroup --clear-groups --inh-caps=-all --ambient-caps=-all --bounding-set=-all \
    env COUIC_ATTACHER="$DIR/attacher.sock" "$COUIC" -c "$DIR/couic.toml"
}
ended() { ! pgrep -f "attacher-service -c $DIR/couic.toml" >/dev/null || [ "$(pgrep -fc "attacher-service -c $DIR/couic.toml")" -le 1 ]; }

start "$DIR/log.none"
wait "$STARTED"
equal 'without the service it does not start' 1 $?
matches 'and says what to do' "$(cat "$DIR/log.none")" 'couic: connect to ".*attacher.sock": .*couic-attacher.socket'

start_inside "$DIR/attacher.log" systemd-socket-activate -l "$DIR/attacher.sock" --seqpacket --accept --inetd \
  "$COUIC" attacher-service -c "$DIR/couic.toml"
wait_for 5 test -S "$DIR/attacher.sock"
chown nobody "$DIR/attacher.sock"
start "$DIR/log"
daemon=$STARTED
check 'with it it starts' wait_for 10 answers
TOKEN=$(sed -n 's/^token *= *"\(.*\)"/\1/p' "$DIR/lib/rbac/clients/couicctl.toml")
status=$(cat /proc/"$daemon"/task/*/status)
equal 'no thread has a capability in any set' '' "$(grep -E '^Cap' <<<"$status" | grep -v '0000000000000000$')"
equal 'every thread has no-new-privs' '' "$(grep '^NoNewPrivs' <<<"$status" | grep -v '1$')"
check 'a source gets through' pings_from 127.0.0.9
matches 'a rule is taken' "$(api http://couic/v1/drop -d '{"cidr":"127.0.0.9/32","expiration":0}')" '"creation"'
refute 'and drops' pings_from 127.0.0.9
kill -KILL "$daemon"
check 'when the daemon is killed the filter is gone' wait_for 5 pings_from 127.0.0.9
check 'and so is the attacher' wait_for 5 ended

start "$DIR/log.again"
daemon=$STARTED
check 'the next start has an attacher of its own' wait_for 10 answers
stop "$daemon"
check 'a stop leaves nothing attached' test -z "$(inside ip -j link show lo | jq -r '.[0].xdp // empty')"

sed -i 's/^ifaces = .*/ifaces = ["absent0"]/' "$DIR/couic.toml"
start "$DIR/log.absent"
wait "$STARTED"
equal 'an interface that is not there fails the start' 1 $?
matches 'with its name' "$(cat "$DIR/log.absent")" 'absent0'
