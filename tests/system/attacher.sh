#!/usr/bin/env bash
# The daemon without any capability: a separate service loads and attaches (couic-attacher@.service), here started for the
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
ifaces = ["lo", "late0"]
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
# attachers: the process ids of those that were started from this test's own copy.
attachers() {
  local pid
  for pid in $(pgrep -x couic-attacher); do
    [ "$(readlink "/proc/$pid/exe")" = "$COUIC" ] && echo "$pid"
  done
}
ended() { [ -z "$(attachers)" ]; }
another_than() { [ -n "$(attachers)" ] && [ "$(attachers)" != "$1" ]; }
filtered() { inside ip -j link show "$1" | jq -e '.[0].xdp' >/dev/null; }
status_says() { api http://couic/v1/status | jq -e "$1" >/dev/null; }

start "$DIR/log.none"
wait "$STARTED"
equal 'without the service it does not start' 1 $?
matches 'and names the solution' "$(cat "$DIR/log.none")" 'couic: connect to ".*attacher.sock": .*couic-attacher.socket'

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
# One filter for clone3 and one for the rest; systemd-socket-activate adds none.
equal 'every thread of the daemon has both seccomp filters of the program' 2 "$(sed -n 's/^Seccomp_filters:\t//p' /proc/"$daemon"/task/*/status | sort -u)"
check 'a source gets through' pings_from 127.0.0.9
matches 'a rule is taken' "$(api http://couic/v1/drop -d '{"cidr":"127.0.0.9/32","expiration":0}')" '"creation"'
refute 'and drops' pings_from 127.0.0.9

two_capabilities=0000008000001000 # CAP_BPF and CAP_NET_ADMIN; CAP_PERFMON was for loading only
for set in CapPrm CapEff CapInh CapAmb; do
  equal "every thread of the attacher has two capabilities in $set" $two_capabilities \
    "$(sed -n "s/^$set:\t//p" /proc/"$(attachers)"/task/*/status | sort -u)"
done
equal 'so has every thread of the attacher' 2 "$(sed -n 's/^Seccomp_filters:\t//p' /proc/"$(attachers)"/task/*/status | sort -u)"
equal 'the attacher is the user of the configuration' "$(id -u nobody)" "$(stat -c %u /proc/"$(attachers)")"

check 'a missing interface is shown' status_says '.interfaces[1] | .configured == "late0" and .state == "missing"'
for signal in KILL TERM; do
  before=$(attachers)
  kill -$signal "$before"
  check "an attacher that gets SIG$signal ends" wait_for 5 gone "$before"
  refute 'and the filter stays' pings_from 127.0.0.9
  check 'another one takes its place' wait_for 10 another_than "$before"
  check 'as the status reports' wait_for 10 status_says '.attacher == "running" and .interfaces[0].state == "attached"'
  refute 'and still the filter is there' pings_from 127.0.0.9
  inside ip link add late0 type veth peer name late1
  check 'the new one attaches what comes' wait_for 5 filtered late0
  inside ip link delete late0
done
matches 'the log reports the loss' "$(cat "$DIR/log")" 'event=attacher_lost|the attacher process has ended'

kill -KILL "$daemon"
check 'when the daemon is killed the filter is gone' wait_for 5 pings_from 127.0.0.9
check 'and so is the attacher' wait_for 5 ended

start "$DIR/log.again"
daemon=$STARTED
check 'the next start gets another attacher' wait_for 10 answers
stop "$daemon"
check 'a stop leaves nothing attached' test -z "$(inside ip -j link show lo | jq -r '.[0].xdp // empty')"

# Started by root, it changes to the configured user with the service, too.
start_inside "$DIR/log.root" env COUIC_ATTACHER="$DIR/attacher.sock" "$COUIC" -c "$DIR/couic.toml"
daemon=$STARTED
check 'started by root it starts' wait_for 10 answers
equal 'and becomes the user of the configuration' "$(printf '%s\t%s\t%s\t%s' "$(id -u nobody)" "$(id -u nobody)" "$(id -u nobody)" "$(id -u nobody)")" \
  "$(sed -n 's/^Uid:\t//p' /proc/"$daemon"/task/*/status | sort -u)"
equal 'without a capability' '' "$(grep -hE '^Cap' /proc/"$daemon"/task/*/status | grep -v '0000000000000000$')"
stop "$daemon"

sed -i 's/^ifaces = .*/ifaces = ["absent0"]\nrequire_ifaces = true/' "$DIR/couic.toml"
start "$DIR/log.absent"
wait "$STARTED"
equal 'an interface that is required and not there fails the start' 1 $?
matches 'with its name' "$(cat "$DIR/log.absent")" 'absent0'
