#!/usr/bin/env bash
# Debian's fail2ban server bans through pkg/fail2ban/couic.conf.
source "$(dirname "$0")/_tap.sh"
source tests/system/_daemon.sh

start_daemon
config=$DIR/fail2ban
cp -r /etc/fail2ban "$config"
rm -f "$config"/jail.d/*
cp pkg/fail2ban/couic.conf "$config/action.d/couic.conf"
printf '[Definition]\nfailregex = ^\\s*login failed from <HOST>$\ndatepattern = {^LN-BEG}EPOCH\n' >"$config/filter.d/test.conf"
: >"$DIR/auth.log"
cat >"$config/jail.local" <<JAIL
[DEFAULT]
banaction = couic
banaction_allports = couic
[test]
enabled = true
backend = polling
filter = test
logpath = $DIR/auth.log
maxretry = 3
findtime = 600
bantime = 600
ignoreself = false
ignoreip =
action = couic[name=%(__name__)s, bantime="%(bantime)s", couicctl="$DIR/bin/couicctl"]
JAIL
client() { inside fail2ban-client -c "$config" -s "$DIR/f2b.sock" -p "$DIR/f2b.pid" "$@"; }
start_inside "$DIR/f2b.out" fail2ban-server -f -c "$config" -s "$DIR/f2b.sock" -p "$DIR/f2b.pid" --loglevel INFO --logtarget "$DIR/f2b.log"
if ! wait_for 20 client ping; then
  fail 'fail2ban starts' "$(cat "$DIR/f2b.out" "$DIR/f2b.log" 2>&1)"
  exit 1
fi

check 'before it fails to log in the source gets through' pings_from 127.0.0.9
for _ in 1 2 3; do
  echo "$(date +%s) login failed from 127.0.0.9" >>"$DIR/auth.log"
done

banned() { ! pings_from "$1"; }
check 'three failed logins later it is dropped' wait_for 20 banned 127.0.0.9
entry=$(ctl drop inspect 127.0.0.9 --json)
equal 'the entry has the tag of the jail' fail2ban-test "$(jq -r .tag <<<"$entry")"
left=$(($(jq .expiration <<<"$entry") - $(date +%s)))
check 'it expires a minute after the ban' test "$left" -gt 620 -a "$left" -le 661

check 'a ban by hand works' client set test banip 127.0.0.10
check 'and drops' wait_for 5 banned 127.0.0.10
check 'a second ban of an address is no error' ctl drop add 127.0.0.10 -t fail2ban-test -e 660s --update
check 'an unban works' client set test unbanip 127.0.0.10
check 'and lets through' wait_for 5 pings_from 127.0.0.10
ctl drop delete 127.0.0.9
check 'an unban of what is gone already is no error' client set test unbanip 127.0.0.9
client set test banip 127.0.0.11 127.0.0.12
wait_for 5 banned 127.0.0.12
check 'unbanning all empties the list' client unban --all
emptied() { [ -z "$(ctl drop list -q)" ]; }
check 'of couic too' wait_for 5 emptied
equal 'fail2ban has logged no error' '' "$(grep -E 'ERROR|CRITICAL' "$DIR/f2b.log")"
