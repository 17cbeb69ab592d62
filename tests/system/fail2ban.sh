#!/usr/bin/env bash
# Debian's fail2ban server bans through pkg/fail2ban/couic.conf, set up with the two lines of docs/guide/fail2ban.md.
source "$(dirname "$0")/_tap.sh"
source tests/system/_daemon.sh

start_daemon
config=$DIR/fail2ban
cp -r /etc/fail2ban "$config"
rm -f "$config"/jail.d/*
# couicctl of this test stands where the action looks for it: in PATH.
cp pkg/fail2ban/couic.conf "$config/action.d/couic.conf"
export PATH=$DIR/bin:$PATH
printf '[Definition]\nfailregex = ^\\s*login failed from <HOST>$\ndatepattern = {^LN-BEG}EPOCH\n' >"$config/filter.d/test.conf"
odd="a name.of any/form's"
long=$(printf 'x%.0s' {1..80})
touch "$DIR/auth.log" "$DIR/empty.log"
jail() {
  printf '[%s]\nenabled = true\nbackend = polling\nfilter = test\nlogpath = %s\nmaxretry = 3\nbantime = %s\n' "$1" "$DIR/$2.log" "$3"
}
{
  printf '[DEFAULT]\nignoreself = false\nignoreip =\nfindtime = 600\n'
  sed -n 's/^    \(banaction.*\)/\1/p' docs/guide/fail2ban.md
  jail test auth 600
  jail sshd empty 20
  jail recidive empty 604800
  jail forever empty -1
  jail "$odd" empty 600
  jail "${odd//./ }" empty 600
  jail "$long" empty 600
  jail "é" empty 600
} >"$config/jail.local"
client() { inside fail2ban-client -c "$config" -s "$DIR/f2b.sock" -p "$DIR/f2b.pid" "$@"; }
start_inside "$DIR/f2b.out" env PYTHONUTF8=1 fail2ban-server -f -c "$config" -s "$DIR/f2b.sock" -p "$DIR/f2b.pid" --loglevel INFO --logtarget "$DIR/f2b.log"
FAIL2BAN=$STARTED
if ! wait_for 20 client ping; then
  fail 'fail2ban starts' "$(cat "$DIR/f2b.out" "$DIR/f2b.log" 2>&1)"
  exit 1
fi

banned() { ! pings_from "$1"; }
lists() { ctl drop list --json | jq -r '.[] | "\(.cidr) \(.tag)"' | grep -qx "$1/32 $2"; }
unlisted() { ! ctl drop inspect "$1" >/dev/null 2>&1; }
tag_of() { ctl drop inspect "$1" --json | jq -r .tag; }
time_left() { echo $(($(ctl drop inspect "$1" --json | jq .expiration) - $(date +%s))); }
between() { [ "$1" -gt "$2" ] && [ "$1" -le "$3" ]; }
errors() { grep -E ' (ERROR|CRITICAL) ' "$DIR/f2b.log"; }

equal 'the documentation gives two lines' 2 "$(grep -c '^banaction' "$config/jail.local")"
check 'before it fails to log in the source gets through' pings_from 127.0.0.9
for _ in 1 2 3; do
  echo "$(date +%s) login failed from 127.0.0.9" >>"$DIR/auth.log"
done
check 'three failed logins later it is dropped' wait_for 20 banned 127.0.0.9
equal 'the entry has the tag of the jail' fail2ban-test "$(tag_of 127.0.0.9)"
check 'it expires a minute after the ban' between "$(time_left 127.0.0.9)" 600 661

check 'a ban by hand works' client set test banip 127.0.0.10
check 'and drops' wait_for 5 banned 127.0.0.10
check 'an unban works' client set test unbanip 127.0.0.10
check 'and lets through' wait_for 5 pings_from 127.0.0.10
ctl drop delete 127.0.0.9
check 'an unban of an absent entry is not an error' client set test unbanip 127.0.0.9

# Two jails and one address: the longer ban decides, whichever came first.
client set sshd banip 127.0.0.20 >/dev/null
wait_for 5 lists 127.0.0.20 fail2ban-sshd
client set recidive banip 127.0.0.20 >/dev/null
check 'a longer ban of another jail takes over' wait_for 5 lists 127.0.0.20 fail2ban-recidive
client set recidive banip 127.0.0.21 >/dev/null
wait_for 5 lists 127.0.0.21 fail2ban-recidive
client set sshd banip 127.0.0.21 127.0.0.22 >/dev/null
wait_for 5 lists 127.0.0.22 fail2ban-sshd
equal 'a shorter one leaves the longer' fail2ban-recidive "$(tag_of 127.0.0.21)"
client set sshd unbanip 127.0.0.20 127.0.0.21 >/dev/null
check 'the unban of the shorter leaves the longer' banned 127.0.0.20
check 'in both orders' banned 127.0.0.21
check 'with its whole time' between "$(time_left 127.0.0.20)" 604700 604861
client set sshd banip 127.0.0.20 >/dev/null
client set recidive unbanip 127.0.0.20 >/dev/null
check 'the early unban of the longer leaves the shorter' wait_for 5 lists 127.0.0.20 fail2ban-sshd
check 'with its own time' between "$(time_left 127.0.0.20)" 10 81
client set sshd unbanip 127.0.0.20 >/dev/null
check 'and the last unban frees the address' wait_for 5 unlisted 127.0.0.20
client set forever banip 127.0.0.24 >/dev/null
wait_for 5 lists 127.0.0.24 fail2ban-forever
equal 'a ban of no end has none' 0 "$(ctl drop inspect 127.0.0.24 --json | jq .expiration)"
check 'the end of a ban of 20 s by fail2ban itself frees the address' wait_for 60 unlisted 127.0.0.22

# Rules made by hand and by sets.
ctl drop add 127.0.0.30 -t by-hand >/dev/null
ctl drop add 127.0.0.31 -t by-hand -e 100s >/dev/null
ctl drop add 127.0.0.32 >/dev/null
client set test banip 127.0.0.30 127.0.0.31 127.0.0.32 127.0.0.33 >/dev/null
wait_for 5 lists 127.0.0.33 fail2ban-test
equal 'a rule made by hand stays under a ban' '0 by-hand' "$(ctl drop inspect 127.0.0.30 --json | jq -r '"\(.expiration) \(.tag)"')"
check 'a shorter one lasts as long as the ban' between "$(time_left 127.0.0.31)" 590 661
client set test unbanip 127.0.0.30 127.0.0.31 127.0.0.32 127.0.0.33 >/dev/null
check 'an unban removes what was banned' wait_for 5 unlisted 127.0.0.33
equal 'a rule made by hand stays after an unban' by-hand "$(tag_of 127.0.0.30)"
equal 'and one without a tag' null "$(tag_of 127.0.0.32)"
check 'and a shorter one, with its own time' between "$(time_left 127.0.0.31)" 0 100
ctl sets create drop held 127.0.0.40 >/dev/null && ctl sets reload >/dev/null
client set test banip 127.0.0.40 127.0.0.41 >/dev/null
wait_for 5 lists 127.0.0.41 fail2ban-test
client set test unbanip 127.0.0.40 >/dev/null
equal 'what a set holds stays the set'"'"'s' held.couic "$(tag_of 127.0.0.40)"
equal 'fail2ban has logged no error' '' "$(errors)"

# Names of jails.
number=50
for name in "$odd" "${odd//./ }" "$long" "é"; do
  client set "$name" banip "127.0.0.$number" >/dev/null
  check "a jail may be called ${name:0:20}" wait_for 5 banned "127.0.0.$number"
  number=$((number + 1))
done
equal 'each has a distinct tag' 4 "$(for n in 50 51 52 53; do tag_of "127.0.0.$n"; done | sort -u | grep -cE '^fail2ban-[A-Za-z0-9_-]{1,55}$')"
client set "$odd" unbanip 127.0.0.50 >/dev/null
check 'its unban works' wait_for 5 unlisted 127.0.0.50
check 'and leaves its neighbour' banned 127.0.0.51

# Another daemon: bans are put back, and those that were made while there was none are put in force.
client set test banip 127.0.0.60 127.0.0.61 >/dev/null
wait_for 5 banned 127.0.0.61
ends=$(ctl drop inspect 127.0.0.60 --json | jq .expiration)
kill -KILL "$DAEMON"
wait "$DAEMON" 2>/dev/null
client set test banip 127.0.0.62 >/dev/null
client set test unbanip 127.0.0.61 >/dev/null
sleep 1
start_inside "$DIR/log" "$COUIC" -c "$DIR/couic.toml"
DAEMON=$STARTED
wait_for 10 answers
check 'a ban is put back after a restart of couic' wait_for 15 banned 127.0.0.60
equal 'with its own end' "$ends" "$(ctl drop inspect 127.0.0.60 --json | jq .expiration)"
check 'one made while it was down is in force' wait_for 5 banned 127.0.0.62
check 'one ended while it was down is not' unlisted 127.0.0.61
check 'bans of other jails are put back' banned 127.0.0.24
client set test unbanip 127.0.0.62 >/dev/null
check 'and may be ended' wait_for 5 unlisted 127.0.0.62

# Ten thousand at once.
ctl drop add 127.0.0.30 -t by-hand >/dev/null
client set test banip 127.0.0.30 2001:db8::30 >/dev/null
wait_for 5 ctl drop inspect 2001:db8::30
seq 0 9999 | awk '{ printf "10.9.%d.%d\n", $1 / 256, $1 % 256 }' | ctl drop import - -t fail2ban-test >/dev/null
equal 'ten thousand bans are there' 10000 "$(ctl drop list -q -t fail2ban-test | grep -c '^10\.9\.')"
mv "$DIR/bin/couicctl" "$DIR/bin/couicctl.real"
printf '#!/bin/sh\necho "$*" >>"%s/calls"\nexec "%s/bin/couicctl.real" "$@"\n' "$DIR" "$DIR" >"$DIR/bin/couicctl"
chmod +x "$DIR/bin/couicctl"
check 'unbanning all' client unban --all
emptied() { ! ctl drop list -q -t 'fail2ban-*' | grep -q .; }
check 'ends them all' wait_for 20 emptied
equal 'in one call a jail and family' 2 "$(grep -c -- 'drop delete -t fail2ban-test' "$DIR/calls")"
equal 'and none an address' 0 "$(grep -c 'drop delete [0-9]' "$DIR/calls")"
equal 'a rule made by hand has stayed' by-hand "$(tag_of 127.0.0.30)"
client set test banip 127.0.0.70 >/dev/null
wait_for 5 lists 127.0.0.70 fail2ban-test
client set test banip 2001:db8::70 >/dev/null
wait_for 5 ctl drop inspect 2001:db8::70
client unban --all >/dev/null
check 'and a second time' wait_for 5 unlisted 127.0.0.70
equal 'fail2ban logged no error until its end' '' "$(errors)"
state=/run/fail2ban-couic/$(cat "$DIR/f2b.pid")
stop "$FAIL2BAN"
ended() { [ ! -e "$state" ]; }
check 'nothing of it stays when fail2ban ends' wait_for 20 ended
