# Runs inside the machine of restarts.sh.
source /guest.sh
read -r restarts kills upgrades failures </restarts

# One link to the namespace "out": this machine is 10.77.0.1 and fd77::1; beyond it .66 is listed, .69 is listed and ignored, .70 is neither.
ip link set lo up
ip netns add out
ip link add wan type veth peer name to-wan netns out
for host in 66 69 70; do
  ip -n out address add "10.77.0.$host/24" dev to-wan
  ip -n out address add "fd77::$host/64" dev to-wan nodad
done
ip -n out link set to-wan up
ip address add 10.77.0.1/24 dev wan
ip address add fd77::1/64 dev wan nodad
ip link set wan up

dpkg -i /couic.deb >/dev/null 2>&1
sed -i 's/^ifaces = .*/ifaces = ["wan"]/' /etc/couic/couic.toml
cp -p /etc/couic/couic.toml /root/good.toml
couicctl sets create drop listed 10.77.0.66 10.77.0.69 fd77::66 fd77::69 >/dev/null
couicctl sets create ignore friends 10.77.0.69 fd77::69 >/dev/null
attached() { ip -d link show wan | grep -q 'prog/xdp'; }
active_again() { [ "$(main_pid)" != "$1" ] && [ "$(systemctl show -P ActiveState couic)" = active ]; }

restart_often() { local i; for i in $(seq "$restarts"); do systemctl restart couic && attached || return 1; done; }
kill_often() {
  local i old
  for i in $(seq "$kills"); do
    old=$(main_pid)
    kill -KILL "$old"
    within 20 active_again "$old" || return 1
  done
}
upgrade_often() { local i; for i in $(seq "$upgrades"); do dpkg -i --force-confdef --force-downgrade "$([ $((i % 2)) = 1 ] && echo /newer.deb || echo /couic.deb)" && attached || return 1; done; }

# Each failure is in another stage: the configuration, the socket, the interfaces, the attacher that cannot load.
break_start() {
  case $(($1 % 4)) in
    0) echo 'nonsense = 1' >>/etc/couic/couic.toml ;;
    1) sed -i '1i require_ifaces = true' /etc/couic/couic.toml && sed -i 's/^ifaces = .*/ifaces = ["wan", "absent0"]/' /etc/couic/couic.toml ;;
    2) sed -i 's:^socket = .*:socket = "/run/couic/absent/couic.sock":' /etc/couic/couic.toml ;;
    3) mkdir -p /etc/systemd/system/couic-attacher@.service.d && printf '[Service]\nAmbientCapabilities=\nAmbientCapabilities=CAP_BPF CAP_NET_ADMIN\n' >/etc/systemd/system/couic-attacher@.service.d/less.conf && systemctl daemon-reload ;;
  esac
}
mend_start() {
  cp -p /root/good.toml /etc/couic/couic.toml
  rm -rf /etc/systemd/system/couic-attacher@.service.d
  systemctl daemon-reload
}
fail_often() {
  local i
  for i in $(seq "$failures"); do
    break_start "$i"
    ! systemctl restart couic || { echo "failure $i starts"; return 1; }
    attached || { echo "failure $i detaches"; return 1; }
    mend_start
    systemctl restart couic || return 1
  done
}
counted() { read -r sent admitted lost times </counts; }

for mode in generic native; do
  sed -i '/^operation_mode/d' /root/good.toml
  sed -i "1i operation_mode = \"$mode\"" /root/good.toml
  cp -p /root/good.toml /etc/couic/couic.toml
  systemctl restart couic
  expect "$mode: it is attached in this mode" has "$(couicctl status)" "wan.*$mode"
  rm -f /counts
  python3 /machine.py cross /counts 66 69 70 &
  sender=$!
  within 10 test -s /counts
  expect "$mode: $restarts restarts" restart_often
  expect "$mode: $kills kills, each followed by an automatic start" kill_often
  expect "$mode: $upgrades upgrades between two packages" upgrade_often
  expect "$mode: $failures starts that fail keep the filter, and the next one succeeds" fail_often
  sleep 0.5
  kill $sender
  wait $sender 2>/dev/null
  counted
  echo "$mode: $sent packets sent, $admitted listed ones arrived, $lost others were lost"
  expect "$mode: packets were sent" test "$sent" -gt 10000
  [ "$admitted" = 0 ] || echo "listed packets arrived at $times"
  expect "$mode: no listed packet arrived" same 0 "$admitted"
  expect "$mode: no other one was lost" same 0 "$lost"
  expect "$mode: the log has no interruption after the first start" same '' "$(journalctl --no-pager -o cat -u couic | grep -E 'event=(interrupted|store_f)' | grep -v "it was attached in generic mode")"
done
expect 'the hand-over is logged' has "$(journalctl --no-pager -o cat -u couic)" 'event=handed_over'
journalctl --no-pager -o cat -u couic | sed -n 's/.*event=handed_over.*milliseconds=\([0-9]*\).*/\1/p' | sort -n | awk '{ v[NR] = $1 } END { print "hand-over: median", v[int((NR + 1) / 2)], "ms, longest", v[NR], "ms, of", NR }'
gone() { ! attached; }
expect 'a stop succeeds' systemctl stop couic
expect 'and detaches' within 2 gone
expect 'the next start attaches' systemctl start couic
kill -TERM "$(main_pid)"
expect 'a process that ends without a fault is not started again, and nothing stays attached' within 3 gone
echo end
