# Runs inside the machine of machine.sh and of tests/kernels/machine: the package under the shipped units.
source /guest.sh
machine() { python3 /machine.py "$@"; }

# Two links to the namespace "out". On link N (0: wan, 1: lan) this machine is 10.77.N.1 and fd77:N::1; beyond it .2 is the gateway, .66 to
# .69 are sources that become listed, .70 is one that never is. 10.77.0.53 is a name server, which answers while /names exists.
ip netns add out
out() { nsenter --net=/run/netns/out "$@"; }
wire() {
  local host
  ip link add "$1" type veth peer name "to-$1" netns out
  for host in 2 66 67 68 69 70; do
    ip -n out address add "10.77.$2.$host/24" dev "to-$1"
    ip -n out address add "fd77:$2::$host/64" dev "to-$1" nodad
  done
  ip -n out link set "to-$1" up
  ip address add "10.77.$2.1/24" dev "$1"
  raise "$1" "$2"
}
# raise INTERFACE LINK: the kernel removes IPv6 addresses and routes when an interface goes down.
raise() {
  ip link set "$1" up
  ip address replace "fd77:$2::1/64" dev "$1" nodad
  [ "$2" = 1 ] || ip route replace default via 10.77.0.2
}
ip link set lo up
ip -n out link set lo up
wire wan 0
wire lan 1
for address in 53 11 12; do ip -n out address add 10.77.0.$address/24 dev to-wan; done
out python3 /machine.py names 10.77.0.53 /names &
printf 'nameserver 10.77.0.53\nnameserver 10.77.0.54\nsearch example.net\n' >/etc/resolv.conf

patience=$(((SLOW + 3) / 4))
passes() { out ping -q -c 1 -W $patience -I "10.77.$1.$2" "10.77.$1.1"; }
passes6() { out ping -q -c 1 -W $patience -I "fd77:$1::$2" "fd77:$1::1"; }
# drops LINK [SOURCE]: packets of .70 pass and those of the source (default .66) do not, IPv4 and IPv6.
drops() {
  local source=${2:-66} jobs=() wrong=0
  passes "$1" 70 & jobs+=($!)
  passes6 "$1" 70 & jobs+=($!)
  passes "$1" "$source" & jobs+=($!)
  passes6 "$1" "$source" & jobs+=($!)
  wait "${jobs[0]}" || { echo "10.77.$1.70 does not pass"; wrong=1; }
  wait "${jobs[1]}" || { echo "fd77:$1::70 does not pass"; wrong=1; }
  wait "${jobs[2]}" && { echo "10.77.$1.$source passes"; wrong=1; }
  wait "${jobs[3]}" && { echo "fd77:$1::$source passes"; wrong=1; }
  return $wrong
}
both_drop() { drops 0 "$@" && drops 1 "$@"; }
all_of() { printf '%s\n' "10.77.0.$1/32" "10.77.1.$1/32" "fd77:0::$1/128" "fd77:1::$1/128"; }
add_all() { local cidr; for cidr in $(all_of "$1"); do couicctl drop add "$cidr" >/dev/null || return 1; done; }
in_kernel() { local policy=$1; shift; machine holds "$(main_pid)" "$policy" "$@"; }

# confine: puts the daemon into a group with the unit's limits, where systemd cannot: a container has no controllers of cgroup v2 while its
# host binds them to v1.
confine() {
  local controller
  [ ! -e /sys/fs/cgroup/system.slice/memory.max ] || return 0
  for controller in memory pids; do
    mkdir -p /v1/$controller
    mountpoint -q /v1/$controller || mount -t cgroup -o $controller none /v1/$controller
    mkdir -p "/v1/$controller/$HOSTNAME"
  done
  systemctl show -P MemoryMax couic >"/v1/memory/$HOSTNAME/memory.limit_in_bytes"
  systemctl show -P TasksMax couic >"/v1/pids/$HOSTNAME/pids.max"
  for controller in memory pids; do main_pid >"/v1/$controller/$HOSTNAME/cgroup.procs"; done
}
# limits: those of the shipped unit are in force, and the daemon never reached them.
limits() {
  local group
  group=/sys/fs/cgroup$(systemctl show -P ControlGroup couic)
  if [ -e "$group/memory.max" ]; then
    same '536870912 64' "$(cat "$group/memory.max" "$group/pids.max" | xargs)" &&
      same 0 "$(awk '$1 == "max" || $1 == "oom_kill" { n += $2 } END { print n + 0 }' "$group/memory.events" "$group/pids.events")"
  else
    same "$(main_pid) 536870912 0 64 max 0" "$(cat "/v1/memory/$HOSTNAME"/{cgroup.procs,memory.limit_in_bytes,memory.failcnt} "/v1/pids/$HOSTNAME"/pids.{max,events} | xargs)"
  fi
}
# token_for CTL NAME: a new client of group "peering" at the daemon that couicctl reaches with CTL.
token_for() { couicctl clients add -n "$2" -g peering --json -c "$1" | python3 -c 'import json, sys; print(json.load(sys.stdin)["token"])'; }

# Before 5.19 the kernel wants CAP_BPF for each change of a map.
older() { [ "$(printf '%s\n' "$1" "$(uname -r | cut -d. -f1,2)" | sort -V | head -n 1)" != "$1" ]; }
if older 5.19; then
  expect_not 'without the drop-in for its kernel the package is not configured' dpkg -i /couic.deb
  expect 'and dpkg shows the cause' has "$(dpkg --configure couic 2>&1)" 'CAP_BPF'
  dropin=/usr/share/doc/couic/examples/systemd/linux-before-5.19.conf
  install -D -m 644 -t /etc/systemd/system/couic.service.d $dropin
  systemctl daemon-reload
  expect 'with it the package is configured' dpkg --configure couic
else
  expect 'the package installs' dpkg -i /couic.deb
fi

# Each thread has the filters of the unit, which a command before the start counts, and two of the program.
for unit in couic.service couic-attacher@.service; do
  mkdir -p "/etc/systemd/system/$unit.d"
  printf '[Service]\nExecStartPre=/bin/grep -H Seccomp_filters /proc/self/status\n' >"/etc/systemd/system/$unit.d/count.conf"
done
systemctl daemon-reload
systemctl restart couic
filters() { # UNIT PID
  local before
  before=$(journalctl --no-pager -o cat -u "$1" -t grep | sed -n 's/.*Seccomp_filters:[^0-9]*//p' | tail -n 1)
  same "$((before + 2))" "$(sed -n 's/^Seccomp_filters:[^0-9]*//p' /proc/"$2"/task/*/status | sort -u)"
}
attacher() { systemctl list-units --plain --no-legend 'couic-attacher@*' | cut -d' ' -f1 | tail -n 1; }
expect 'every thread of the daemon has the filters of its unit and its own two' filters couic "$(main_pid)"
expect 'so has every thread of the attacher' filters "$(attacher)" "$(main_pid "$(attacher)")"
rm /etc/systemd/system/couic*.service.d/count.conf
systemctl daemon-reload

mv /etc/couic/couic.toml /etc/couic/couic.toml.shipped
cp -p /etc/couic/couic.toml.shipped /etc/couic/couic.toml
token_east=$(token_for /etc/couic/couicctl.toml east)
token_west=$(token_for /etc/couic/couicctl.toml west)

# Two peers, each under a copy of the shipped units in the namespace "out". A relay stands for the proxy before each socket.
peer() {
  local name=$1 port=$2 interface=$3 token=$4 unit
  for unit in couic.service couic-attacher.socket couic-attacher@.service; do
    sed -e "s/couic-attacher/$name-attacher/g; s:/etc/couic/couic.toml:/etc/couic/$name.toml:; s/^\(Runtime\|State\|Logs\)Directory=couic/\1Directory=$name/" \
      "/lib/systemd/system/$unit" >"/etc/systemd/system/${unit/couic/$name}"
    mkdir -p "/etc/systemd/system/${unit/couic/$name}.d"
    cp /etc/systemd/system/$unit.d/*.conf "/etc/systemd/system/${unit/couic/$name}.d" 2>/dev/null
    [[ $unit = *.socket ]] || printf '[Service]\nNetworkNamespacePath=/run/netns/out\n' >"/etc/systemd/system/${unit/couic/$name}.d/out.conf"
  done
  cat >"/etc/couic/$name.toml" <<TOML
ifaces = ["$interface"]
working_dir = "/var/lib/$name"
user = "couic"
group = "couic"
[server]
socket = "/run/$name/couic.sock"
[logging]
dir = "-"
[peering]
enabled = true
[[peering.peers]]
host = "10.77.0.1"
port = 2900
token = "$token"
TOML
  printf 'mode = "local"\nsocket = "/run/%s/couic.sock"\nclient_file = "/var/lib/%s/rbac/clients/couicctl.toml"\n' "$name" "$name" >"/etc/couic/$name-ctl.toml"
  chown root:couic /etc/couic/*.toml
  out systemd-socket-activate -l "$port" /lib/systemd/systemd-socket-proxyd "/run/$name/couic.sock" >/dev/null 2>&1 &
  systemctl daemon-reload
  systemctl start "$name"
}
systemd-socket-activate -l 2900 /lib/systemd/systemd-socket-proxyd /run/couic/couic.sock >/dev/null 2>&1 &
expect 'a peer starts' peer east 2901 to-wan "$token_east"
expect 'and another one' peer west 2902 to-lan "$token_west"
token_east=$(token_for /etc/couic/east-ctl.toml main)
token_west=$(token_for /etc/couic/west-ctl.toml main)

# The shipped configuration with other interfaces, the two peers by name, and fourteen with unknown names.
peers() {
  printf '[peering]\nenabled = true\n'
  printf '[[peering.peers]]\nhost = "%s.example.net"\nport = %s\ntoken = "%s"\n' east 2901 "$token_east" west 2902 "$token_west"
  local i
  for i in $(seq 10 23); do
    printf '[[peering.peers]]\nhost = "node%s.example.net"\nport = 2900\ntoken = "bbfa1388-3218-463c-9722-6805507c14%s"\n' "$i" "$i"
  done
}
configure() {
  {
    echo "ifaces = [$1]"
    echo "operation_mode = \"$2\""
    sed -e '/^ifaces/d' -e '/^operation_mode/d' /etc/couic/couic.toml.shipped
    peers
  } >/etc/couic/couic.toml
}
restart() {
  systemctl reset-failed couic
  systemctl restart couic
  confine
}

# Two interfaces, one of which is missing.
configure '"wan", "later0"' generic
restart
expect 'the service starts although an interface is missing' systemctl is-active couic
expect 'the other one is attached' within 2 sh -c 'ip -d link show wan | grep -q xdp'
expect 'systemd shows how many are filtered' has "$(systemctl show -P StatusText couic)" '1 of 2'
expect_not 'status --check fails while one is missing' couicctl status --check
expect 'it names the missing interface' has "$(couicctl status --check 2>&1)" 'later0'

for mode in generic native; do
  configure '"wan", "lan"' $mode
  restart
  expect "$mode: rules are added" add_all 66
  expect "$mode: the listed source is dropped on both interfaces, the other one passes" both_drop
done
expect 'the kernel holds the rules' in_kernel drop $(all_of 66)

# The lockout guard, inside the sandbox.
expect_not 'dropping the default gateway is refused' couicctl drop add 10.77.0.2
expect_not 'so is dropping its network' couicctl drop add 10.77.0.0/25
expect_not 'so is dropping the name server' couicctl drop add 10.77.0.53
refused_set() { couicctl sets create drop bogons 10.0.0.0/8 172.16.0.0/12 && couicctl sets reload; }
expect_not 'a set that covers the gateway is refused' refused_set
expect 'the gateway still reaches this machine' passes 0 2
couicctl sets delete drop bogons >/dev/null 2>&1

# Name servers begin to answer.
lists() { couicctl drop list -q -c "/etc/couic/$1-ctl.toml" | grep -qxF "$2"; }
printf 'east.example.net 10.77.0.11\nwest.example.net 10.77.0.12\n' >/names
couicctl drop add 192.0.2.1 >/dev/null
expect 'a rule reaches the first peer once its name is known' within 60 lists east 192.0.2.1/32
expect 'and the second one' within 60 lists west 192.0.2.1/32
couicctl drop add 192.0.2.2 -c /etc/couic/east-ctl.toml >/dev/null
expect 'a rule of a peer arrives here' within 10 sh -c 'couicctl drop list -q | grep -qxF 192.0.2.2/32'
expect 'and in the kernel' in_kernel drop 192.0.2.2/32

# Four full tables, and a set of two lines whose packets show that sets are in force.
couicctl sets create drop static $(all_of 67) >/dev/null
machine full /var/lib/couic/sets
expect 'sets that fill all four tables are loaded' couicctl sets reload
expect 'the kernel holds the first and the last of each' in_kernel drop 20.0.0.0/24 23.255.111.0/24 2a20::/48 2a20:3:ff6f::/48
expect 'of both policies' in_kernel ignore 40.0.0.0/24 40.255.119.0/24 2a40::/48 2a40:0:ff77::/48
expect 'a source of the small set is dropped' both_drop 67

# Name servers receive queries and do not answer, and a peer is stuck: its event loop stands still.
rm /names
token=$(sed -n 's/^token *= *"\(.*\)"/\1/p' /var/lib/couic/rbac/clients/couicctl.toml)
machine hold "$(main_pid east)" api &
pid=$(main_pid)
most=0
slow=0
for _ in $(seq 45); do
  tasks=$(sed -n 's/^Threads:\t//p' "/proc/$pid/status")
  [ "$tasks" -le "$most" ] || most=$tasks
  curl -sf -m "$SLOW" --unix-socket /run/couic/couic.sock -H "Authorization: Bearer $token" http://couic/v1/status >/dev/null || slow=$((slow + 1))
  sleep 1
done
resident=$(sed -n 's/^VmHWM:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$pid/status")
echo "threads at most $most of $(systemctl show -P TasksMax couic), resident at most $((resident / 1024)) MiB of $(($(systemctl show -P MemoryMax couic) >> 20))"
expect 'after 45 seconds without name servers it is the same process' same "$pid" "$(main_pid)"
expect 'it never had three quarters of the threads that the unit allows' test "$most" -le 48
expect 'it never met the limits of memory and tasks' limits
expect 'every request for the status was answered in time' same 0 "$slow"
expect 'it still filters' drops 0
expect 'the watchdog has replaced the stuck peer' same "1 1" "$(systemctl show -P NRestarts east) $(journalctl --no-pager -u east | grep -c "Failed with result 'watchdog'")"
expect_not 'dropping the address of a peer that is known by name is refused' couicctl drop add 10.77.0.12
couicctl drop add 192.0.2.3 >/dev/null
expect 'rules still reach a peer at its last known address' within 10 lists west 192.0.2.3/32
expect 'and the peer that was restarted' within 10 lists east 192.0.2.1/32

# Name servers are back, and a peer has moved.
ip -n out address del 10.77.0.12/24 dev to-wan
ip -n out address add 10.77.0.13/24 dev to-wan
printf 'east.example.net 10.77.0.11\nwest.example.net 10.77.0.13\n' >/names
couicctl drop add 192.0.2.4 >/dev/null

# Reloads that fail are seen to fail.
echo 'foo = 1' >>/etc/couic/couic.toml
expect_not 'systemctl reload fails when the configuration has a fault' systemctl reload couic
expect 'the daemon continues' same "$pid" "$(main_pid)"
expect 'status --check names the fault' has "$(couicctl status --check 2>&1)" 'foo'
configure '"wan", "lan"' native
expect 'a good configuration reloads' systemctl reload couic

# An interface that is deleted, created again and renamed, and one that loses its program.
ip link del lan
expect_not 'status --check fails after an interface was deleted' couicctl status --check
wire lan 1
expect 'created again, it is filtered' within 2 drops 1
ip link set wan down
ip link set wan name wan-old
raise wan-old 0
sleep 2
expect 'a renamed interface stays filtered' drops 0
ip link set wan-old down
ip link set wan-old name wan
raise wan 0
sleep 1
expect 'with its old name, too' drops 0
detach() { bpftool link detach id "$(awk -v wanted="$(cat /sys/class/net/wan/ifindex)" '$1 == "link_id:" { id = $2 } $1 == "ifindex:" && $2 == wanted { print id; exit }' /proc/"$(main_pid)"/fdinfo/*)"; }
expect 'the program is detached from an interface by force' detach
expect 'it is attached again' within 5 drops 0

# The attacher is killed.
kill -KILL "$(main_pid "$(attacher)")"
sleep 2
expect 'the filter outlives a killed attacher' drops 0
ip link del lan
wire lan 1
expect 'and an interface that comes back is attached by a new one' within 8 drops 1

# fail2ban, with the lines of its page.
sed -n 's/^    \(cp .*\)/\1/p' /fail2ban.md | sh
rm -f /etc/fail2ban/jail.d/*
printf '[Definition]\nfailregex = ^\\s*login failed from <HOST>$\ndatepattern = {^LN-BEG}EPOCH\n' >/etc/fail2ban/filter.d/test.conf
touch /var/log/test.log
{
  sed -n '/^    \[DEFAULT\]/,/^    banaction_allports/s/^    //p' /fail2ban.md
  printf 'ignoreself = false\n[test]\nenabled = true\nbackend = polling\nfilter = test\nlogpath = /var/log/test.log\nmaxretry = 3\nbantime = 600\n'
} >/etc/fail2ban/jail.local
expect 'fail2ban starts' systemctl restart fail2ban
expect 'and answers' within 15 fail2ban-client ping
for address in 10.77.0.69 10.77.1.69 fd77:0::69 fd77:1::69; do
  for _ in 1 2 3; do echo "$(date +%s) login failed from $address" >>/var/log/test.log; done
done
expect 'sources that fail to log in are dropped' within 15 both_drop 69

expect 'a rule reaches the peer at its new address' within 60 lists west 192.0.2.4/32
expect 'the limits were not met' limits

# The daemon is killed while name servers do not answer. Its sets and the bans of fail2ban come back without help.
rm /names
kill -KILL "$(main_pid)"
expect 'a killed daemon is started again, and its sets drop' within 20 both_drop 67
expect 'bans of fail2ban are back' within 15 both_drop 69
confine
expect 'the kernel holds the full tables again' in_kernel drop 20.0.0.0/24 23.255.111.0/24 2a20::/48 2a20:3:ff6f::/48
systemctl restart fail2ban
expect 'after a restart of fail2ban its bans are in force' within 15 both_drop 69

# The thread that expires entries is stuck.
pid=$(main_pid)
machine hold "$pid" expiry &
expect 'a daemon whose expiry thread is stuck is replaced by the watchdog' within 45 sh -c "[ \"\$(systemctl show -P MainPID couic)\" != $pid ] && couicctl drop list -q >/dev/null 2>&1"
expect 'the journal names the watchdog' has "$(journalctl --no-pager -u couic)" "Failed with result 'watchdog'"
confine
expect 'it filters again' within 8 both_drop 67
expect 'no limit was met' limits
expect 'no daemon logged an internal error' same '' "$(journalctl --no-pager -o cat -u couic -u east -u west | grep event=internal_error)"
expect 'a stop is clean' systemctl stop couic
expect 'and leaves nothing attached' sh -c '! ip -d link | grep -q "prog/xdp"'
rmdir /v1/*/"$HOSTNAME" 2>/dev/null
echo end
