# Runs inside the container of machine.sh, as root, with systemd as the first process. Says "ok SENTENCE" or "not ok SENTENCE".
export PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8
expect() {
  local sentence=$1
  shift
  if output=$("$@" 2>&1); then echo "ok $sentence"; else
    echo "not ok $sentence"
    echo "$output" | tail -n 20
    journalctl --no-pager --since "@$mark" -u couic -u 'couic-attacher@*' | tail -n 25
  fi
  mark=$(date +%s)
}
expect_not() {
  local sentence=$1
  shift
  if output=$("$@" 2>&1); then
    echo "not ok $sentence"
    echo "$output" | tail -n 20
  else echo "ok $sentence"; fi
  mark=$(date +%s)
}
same() { [ "$1" = "$2" ] || { printf 'expected: %s\nactual:   %s\n' "$1" "$2"; return 1; }; }
has() { grep -qE "$2" <<<"$1" || { printf 'expected: %s\nactual:   %s\n' "$2" "$1"; return 1; }; }
main_pid() { systemctl show -P MainPID couic; }
mark=$(date +%s)

# within SECONDS COMMAND...: the command succeeds before that many seconds have passed.
within() {
  local end=$((SECONDS + $1))
  shift
  until "$@"; do
    [ $SECONDS -lt $end ] || return 1
    sleep 0.1
  done
}

# The other side of both links: 10.77.N.2 is the default gateway, .66 a source that is listed, .67 one that is not. 10.77.0.53 takes
# packets for its name server and never answers.
ip netns add out
wire() {
  ip link add "$1" type veth peer name "to-$1" netns out
  ip -n out address add "10.77.$2.2/24" dev "to-$1"
  ip -n out address add "10.77.$2.66/24" dev "to-$1"
  ip -n out address add "10.77.$2.67/24" dev "to-$1"
  ip -n out link set "to-$1" up
  ip address add "10.77.$2.1/24" dev "$1"
  ip link set "$1" up
}
ip link set lo up
wire wan 0
wire lan 1
ip -n out address add 10.77.0.53/24 dev to-wan
ip route add default via 10.77.0.2
ip netns exec out python3 -c '
import socket, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(("10.77.0.53", 53)); time.sleep(600)' &
printf 'nameserver 10.77.0.53\nnameserver 10.77.0.54\nsearch example.net\n' >/etc/resolv.conf
passes() { ip netns exec out ping -q -c 1 -W 1 -I "10.77.$1.$2" "10.77.$1.1"; }
drops() { passes "$1" 67 && ! passes "$1" 66; }

expect 'the package installs' dpkg -i /couic.deb
configure() {
  {
    echo "ifaces = [$1]"
    echo "operation_mode = \"$2\""
    sed -e '/^ifaces/d' -e '/^operation_mode/d' /etc/couic/couic.toml.shipped
    printf '[peering]\nenabled = true\n'
    for i in $(seq 16); do
      printf '[[peering.peers]]\nhost = "node%s.example.net"\nport = 2900\ntls = true\ntoken = "bbfa1388-3218-463c-9722-6805507c14%02d"\n' "$i" "$i"
    done
  } >/etc/couic/couic.toml
}
mv /etc/couic/couic.toml /etc/couic/couic.toml.shipped
cp -p /etc/couic/couic.toml.shipped /etc/couic/couic.toml
mkdir -p /var/lib/couic/sets/drop
restart() {
  systemctl reset-failed couic
  systemctl restart couic
}

# Two interfaces, one of which is not there.
configure '"wan", "later0"' generic
restart
expect 'the service starts although an interface is missing' systemctl is-active couic
expect 'the interface that is there is attached' within 2 sh -c 'ip -d link show wan | grep -q xdp'
expect 'systemd says how many are filtered' has "$(systemctl show -P StatusText couic)" '1 of 2'
expect_not 'status --check fails while one is missing' couicctl status --check
expect 'it names the missing interface' has "$(couicctl status --check 2>&1)" 'later0'

for mode in generic native; do
  configure '"wan", "lan"' $mode
  restart
  couicctl drop add 10.77.0.66 10.77.1.66 >/dev/null 2>&1 || { couicctl drop add 10.77.0.66; couicctl drop add 10.77.1.66; } >/dev/null
  expect "$mode: the listed source is dropped on the first interface, the other passes" drops 0
  expect "$mode: and on the second" drops 1
done

# The guard inside the sandbox.
expect_not 'dropping the default gateway is refused' couicctl drop add 10.77.0.2
expect_not 'dropping its network too' couicctl drop add 10.77.0.0/25
expect_not 'dropping the name server is refused' couicctl drop add 10.77.0.53
refused_set() { couicctl sets create drop bogons 10.0.0.0/8 172.16.0.0/12 && couicctl sets reload; }
expect_not 'a set that covers the gateway is refused' refused_set
expect 'the gateway still reaches this machine' passes 0 2
couicctl sets delete drop bogons >/dev/null 2>&1

# Name servers that take packets and do not answer, with sixteen peers by name, beside a full table.
python3 - >/tmp/full.ndjson <<'PY'
for i in range(200000):
    print('{"cidr":"%d.%d.%d.0/24","expiration":0}' % (20 + i // 65536, i // 256 % 256, i % 256))
PY
token=$(sed -n 's/^token *= *"\(.*\)"/\1/p' /var/lib/couic/rbac/clients/couicctl.toml)
expect 'two hundred thousand rules are added' curl -sf --unix-socket /run/couic/couic.sock -H "Authorization: Bearer $token" -H 'Content-Type: application/x-ndjson' \
  --data-binary @/tmp/full.ndjson http://couic/v1/drop/bulk
pid=$(main_pid)
most=0
slow=0
for _ in $(seq 45); do
  tasks=$(sed -n 's/^Threads:\t//p' "/proc/$pid/status")
  [ "$tasks" -le "$most" ] || most=$tasks
  curl -sf -m 1 --unix-socket /run/couic/couic.sock -H "Authorization: Bearer $token" http://couic/v1/status >/dev/null || slow=$((slow + 1))
  sleep 1
done
resident=$(sed -n 's/^VmHWM:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$pid/status")
echo "threads at most $most of $(systemctl show -P TasksMax couic), resident at most $((resident / 1024)) MiB of $(($(systemctl show -P MemoryMax couic) >> 20))"
expect 'after 45 seconds without name servers it is the same process' same "$pid" "$(main_pid)"
expect 'it never had three quarters of the threads that the unit allows' test "$most" -le 48
expect 'it never had half of the memory that the unit allows' test "$resident" -le 262144
expect 'every question for the status was answered within a second' same 0 "$slow"
expect 'it still filters' drops 0

# Reloads that fail are seen to fail.
echo 'foo = 1' >>/etc/couic/couic.toml
expect_not 'systemctl reload fails when the configuration has a fault' systemctl reload couic
expect 'the daemon goes on' same "$pid" "$(main_pid)"
expect 'status --check names the fault' has "$(couicctl status --check 2>&1)" 'foo'
sed -i '/^foo = 1/d' /etc/couic/couic.toml
configure '"wan", "lan"' native
expect 'a good configuration reloads' systemctl reload couic

# An interface that is deleted, made again and renamed.
ip link del lan
expect_not 'status --check fails after an interface was deleted' couicctl status --check
wire lan 1
expect 'made again, it is filtered' within 2 drops 1
ip link set wan down
ip link set wan name wan-old
ip link set wan-old up
ip route replace default via 10.77.0.2
sleep 2
expect 'a renamed interface stays filtered' drops 0
ip link set wan-old down
ip link set wan-old name wan
ip link set wan up
ip route replace default via 10.77.0.2
sleep 1
expect 'with its old name, too' drops 0

# Processes that are killed or stop working.
attacher=$(systemctl show -P MainPID "$(systemctl list-units --plain --no-legend 'couic-attacher@*' | head -n 1 | cut -d' ' -f1)")
kill -KILL "$attacher"
sleep 2
expect 'the filter outlives a killed attacher' drops 0
ip link del lan
wire lan 1
expect 'and an interface that comes back is attached by a new one' within 8 drops 1
kill -KILL "$(main_pid)"
expect 'a killed daemon is started again' within 8 sh -c 'systemctl is-active -q couic && couicctl drop list -q >/dev/null 2>&1'
expect 'and filters' within 3 sh -c 'couicctl drop add 10.77.0.66 >/dev/null'
expect 'the listed source is dropped again' within 2 drops 0
pid=$(main_pid)
kill -STOP "$pid"
expect 'a daemon that stops working is replaced by the watchdog' within 45 sh -c "[ \"\$(systemctl show -P MainPID couic)\" != $pid ] && couicctl drop list -q >/dev/null 2>&1"
expect 'and says why it ended' has "$(journalctl --no-pager -u couic | grep -i watchdog)" 'atchdog'
expect 'a stop is clean' systemctl stop couic
expect 'and nothing stays attached' sh -c '! ip -d link | grep -q "prog/xdp"'
echo end
