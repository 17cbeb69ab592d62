# Runs inside the container of package.sh.
source /guest.sh
pings() { ping -c 1 -W 1 -I "$1" 127.0.0.1; }

ip link set lo up
expect 'the package installs' dpkg -i /couic.deb
expect 'the service is active' systemctl is-active couic
expect 'and enabled' systemctl is-enabled couic
expect 'couicctl reaches it' couicctl drop list
expect 'a source gets through' pings 127.0.0.9
expect 'a rule is added' couicctl drop add 127.0.0.9 -t tour -e 10m
expect_not 'and drops the source' pings 127.0.0.9

# The pages for newcomers, in their order, each with empty tables.
for page in install policies clients sets; do
  systemctl reset-failed couic
  systemctl restart couic
  token=$(sed -n 's/^token *= *"\(.*\)"/\1/p' /var/lib/couic/rbac/clients/couicctl.toml)
  (cd /root && SOCKET=/run/couic/couic.sock TOKEN=$token timeout 60 python3 /docs/_docs.py "/docs/$page.md") | sed 's:/docs/:docs/:; s/^\(not \)\{0,1\}ok - /\1ok /'
done
systemctl reset-failed couic
couicctl drop add 127.0.0.9 -t tour -e 10m >/dev/null
rm -f /var/lib/couic/sets/*/*.couic
systemctl reload couic

status=$(cat /proc/"$(main_pid)"/task/*/status)
expect 'no thread has a capability' same '' "$(grep -E '^Cap(Prm|Eff|Inh|Bnd|Amb):' <<<"$status" | grep -v '0000000000000000$')"
expect 'every thread has no-new-privs' same '' "$(grep '^NoNewPrivs:' <<<"$status" | grep -v '1$')"
expect 'every thread is held to its system calls' same '' "$(grep '^Seccomp:' <<<"$status" | grep -v '2$')"
expect 'the user is couic' same couic "$(stat -c %U /proc/"$(main_pid)")"

# The guard knows the gateway although the unit hides most of /proc, and checks every kind of change.
ip link add dum0 type veth peer name dum1 && ip link set dum1 up && ip address add 10.99.0.2/24 dev dum0 && ip link set dum0 up && ip route add default via 10.99.0.1
systemctl restart couic
expect 'the guard can read all that it looks at' same '' "$(journalctl -u couic --no-pager | grep guard_source_unreadable)"
refused() { local text; text=$("$@" 2>&1) && return 1; grep -q 'the default gateway' <<<"$text" || { echo "$text"; return 1; }; }
expect 'a drop of the gateway is refused' refused couicctl drop add 10.99.0.1
expect 'and of its network' refused couicctl drop add 10.99.0.0/24
printf '10.0.0.0/8\n' >/root/bogons.txt
expect 'and in an import' refused couicctl drop import /root/bogons.txt
expect 'and in a set' refused couicctl sets create drop bogons --from-file /root/bogons.txt
expect 'forced, the set is written' couicctl sets create drop bogons --from-file /root/bogons.txt --force
expect 'a reload of it is refused' refused couicctl sets reload
expect_not 'and so is that of the timer' systemctl start couic-sets-reload.service
expect 'the gateway is not dropped' same '' "$(couicctl drop list -q)"
rm -f /var/lib/couic/sets/drop/bogons.couic
systemctl reset-failed couic couic-sets-reload.service
ip link del dum0
systemctl restart couic
couicctl drop add 127.0.0.9 -t tour -e 10m >/dev/null

couicctl sets create drop static 127.0.0.77 >/dev/null
expect 'the timer starts' systemctl start couic-sets-reload.timer
expect 'its service reloads the sets' systemctl start couic-sets-reload.service
expect_not 'and the set drops' pings 127.0.0.77
expect 'a reload succeeds' systemctl reload couic
expect 'status --check succeeds' couicctl status --check
cp -p /etc/couic/couic.toml /root/couic.toml
echo 'nonsense = 1' >>/etc/couic/couic.toml
expect_not 'a reload of a bad configuration fails' systemctl reload couic
expect 'and its reason is in the journal' sh -c 'journalctl -u couic -n 20 | grep -q "couicctl: .*nonsense"'
expect 'the service is active all the same' systemctl is-active couic
expect 'and the status reports it' sh -c 'couicctl status --check | grep -q "last reload of the configuration failed"'
cp -p /root/couic.toml /etc/couic/couic.toml
expect 'a reload of the corrected one succeeds' systemctl reload couic
expect 'and status --check succeeds again' couicctl status --check
expect 'and loses no rule' same 127.0.0.9/32 "$(couicctl drop list -q -t tour)"

cat >/etc/couic/couic-report.toml <<'TOML'
[server]
name = "test"
secret = "7f0c3b0e-5a0e-4f6e-9d53-0d1f1fd4a3c1"
[webhook]
url = "http://127.0.0.1:8001/summary"
TOML
chmod 600 /etc/couic/couic-report.toml
report() {
  curl -s --retry 20 --retry-delay 1 --retry-connrefused http://127.0.0.1:8000/v1/reports/7f0c3b0e-5a0e-4f6e-9d53-0d1f1fd4a3c1 -H 'Content-Type: application/json' \
    -d '[{"action": "add", "policy": "drop", "entry": {"creation": 1, "cidr": "192.0.2.1/32", "tag": null, "expiration": 0}, "metadata": null}]'
}
expect 'the report receiver starts' systemctl start couic-report
expect 'and takes a report' same '{"received":1}' "$(report)"
expect 'as an unprivileged user' test "$(stat -c %U /proc/"$(systemctl show -P MainPID couic-report)")" != root

echo '# changed by the administrator' >>/etc/couic/couic.toml
old=$(main_pid)
expect 'an upgrade installs' dpkg -i --force-confdef /newer.deb
expect 'the changed configuration is kept' grep -q 'changed by the administrator' /etc/couic/couic.toml
expect 'its owner too' same '640 root couic' "$(stat -c '%a %U %G' /etc/couic/couic.toml)"
expect 'the service is active again' systemctl is-active couic
expect_not 'as another process' test "$old" = "$(main_pid)"
expect 'with its sets' same 127.0.0.77/32 "$(couicctl drop list -q)"
expect_not 'which drop' pings 127.0.0.77
expect 'the watchdog is content' same 0 "$(systemctl show -P NRestarts couic)"

expect 'a stop is clean' systemctl stop couic
expect 'and detaches the filter' pings 127.0.0.77
expect 'with exit status 0' same 'success 0' "$(systemctl show -P Result couic) $(systemctl show -P ExecMainStatus couic)"
systemctl start couic
kill -KILL "$(main_pid)"
sleep 3
expect 'a killed daemon is started again' systemctl is-active couic

expect 'the package is removed' dpkg --remove couic
expect 'what it filtered gets through' pings 127.0.0.77
expect 'the configuration stays' test -e /etc/couic/couic.toml
expect 'the package is purged' dpkg --purge couic
expect_not 'no configuration is left' test -e /etc/couic
expect_not 'no rule is left' test -e /var/lib/couic
expect_not 'no log is left' test -e /var/log/couic
expect_not 'no user is left' getent passwd couic
echo end
