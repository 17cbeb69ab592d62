#!/usr/bin/env bash
# docs/guide/remote-access.md: its commands make two nodes peer over TLS, on two machines that have the package and nothing else. Each
# machine is a network namespace and a mount namespace with the package's folders.
source "$(dirname "$0")/_tap.sh"
page=docs/guide/remote-access.md

# machine NODE ADDRESS: makes a namespace that has the folders of a fresh installation; root takes the place of the user couic.
machine() {
  local node=$1 dir=$WORK/$1
  mkdir -p "$dir"/{etc,lib,run,log,bin}
  sed -e 's/^user = .*/user = "root"/; s/^group = .*/group = "root"/; s:^dir = .*:dir = "-":; /^rotation\|^max_log/d' pkg/couic.toml >"$dir/etc/couic.toml"
  cp pkg/couicctl.toml "$dir/etc/"
  ln -s "$COUIC" "$dir/bin/couic"
  ln -s "$COUIC" "$dir/bin/couicctl"
  # "systemctl restart couic" is all that the page asks of systemd.
  cat >"$dir/bin/systemctl" <<SH
#!/bin/bash
[ "\$*" = 'restart couic' ] || exit 1
[ ! -s $dir/pid ] || { kill \$(cat $dir/pid); while kill -0 \$(cat $dir/pid) 2>/dev/null; do sleep 0.05; done; }
setsid couic >>$dir/log.txt 2>&1 </dev/null &
echo \$! >$dir/pid
for _ in {1..100}; do curl -s -o /dev/null --unix-socket /run/couic/couic.sock http://couic/v1/drop && exit 0; sleep 0.1; done
exit 1
SH
  chmod +x "$dir/bin/systemctl"
  ip netns add "remote-$$-$node"
  on_exit ip netns delete "remote-$$-$node"
  on_exit stop_node "$dir"
  ip -n "remote-$$-$node" link set lo up
}

stop_node() { [ ! -s "$1/pid" ] || kill "$(cat "$1/pid")"; }

# on NODE COMMAND...: with the folders of that machine.
on() {
  local dir=$WORK/$1 net=/run/netns/remote-$$-$1
  shift
  nsenter --net="$net" unshare -m bash -c '
    mkdir -p /etc/couic /var/lib/couic /run/couic
    mount --bind "$0/etc" /etc/couic && mount --bind "$0/lib" /var/lib/couic && mount --bind "$0/run" /run/couic || exit 99
    PATH=$0/bin:$PATH exec "$@"' "$dir" "$@"
}

machine couic1
machine couic2
ip link add "r1-$$" netns "remote-$$-couic1" type veth peer name "r2-$$" netns "remote-$$-couic2"
for n in 1 2; do
  ip -n "remote-$$-couic$n" address add "192.0.2.$n/24" dev "r$n-$$"
  ip -n "remote-$$-couic$n" link set "r$n-$$" up
  check "couic$n starts as installed" on "couic$n" systemctl restart couic
done

# The commands of the page in its order: "NODE<TAB>FILE" for each block.
number=0
declare -A fingerprint token
while read -r node block; do
  number=$((number + 1))
  # What the page says the commands have printed is what they printed.
  for n in 1 2; do
    digits=$(printf "$n%.0s" {1..64})
    sed -i "s/sha256:$digits/${fingerprint[couic$n]:-sha256:$digits}/; s/$(echo "$n" | sed 's/./&&&&&&&&-&&&&-4&&&-8&&&-&&&&&&&&&&&&/')/${token[couic$n]:-none}/" "$block"
  done
  output=$(on "$node" bash -e "$block" 2>&1) && pass "block $number of the page, on $node" || fail "block $number of the page, on $node" "$output"
  fingerprint[$node]=${fingerprint[$node]:-$(grep -oE -m 1 'sha256:[0-9a-f]{64}' <<<"$output" | head -n 1)}
  token[$node]=${token[$node]:-$(grep -oE -m 1 '[0-9a-f]{8}-[0-9a-f-]{27}' <<<"$output" | head -n 1)}
done < <(awk -v work="$WORK" '/^```sh couic/ { node = $2; file = work "/block" ++n; next } /^```/ { if (node) print node, file; node = ""; close(file) } node { print > file }' $page)
equal 'the page has four blocks' 4 $number
for n in 1 2; do
  equal "five commands on couic$n" 5 "$(sed -n "/^\`\`\`sh couic$n/,/^\`\`\`\$/p" $page | grep -cE '^(couic|couicctl|sed|cat|systemctl) ')"
done

listed() { on "$1" couicctl drop list -q | grep -qx "$2"; }
is_up() { [ "$(on "$1" couicctl peers --json | jq -r '.. | .state? // empty' | head -n 1)" = up ]; }
check 'couic1 reaches couic2' wait_for 20 is_up couic1
check 'couic2 reaches couic1' wait_for 20 is_up couic2
check 'a rule is made on couic1' on couic1 couicctl drop add 198.51.100.7 -e 10m
check 'and is on couic2' wait_for 10 listed couic2 198.51.100.7/32
check 'a rule is made on couic2' on couic2 couicctl drop add 198.51.100.8 -e 10m
check 'and is on couic1' wait_for 10 listed couic1 198.51.100.8/32

# couicctl from the other machine.
admin=$(sed -n 's/^token *= *"\(.*\)"/\1/p' "$WORK/couic1/lib/rbac/clients/couicctl.toml")
remote() { on couic2 env COUICCTL_TOKEN="$admin" COUICCTL_FINGERPRINT="${pin:-${fingerprint[couic1]}}" couicctl --server "${server:-https://192.0.2.1:2900}" "$@"; }
matches 'the status of couic1 from couic2' "$(remote status 2>&1)" 'Certificate: *192.0.2.1: until 20'
check 'a rule is made from there' remote drop add 198.51.100.9 -t remote -e 5m
matches 'and listed' "$(remote drop list 2>&1)" '198.51.100.9/32'
check 'and removed' remote drop delete 198.51.100.9
check 'a reload works from there' remote reload
other=sha256:$(printf '0%.0s' {1..64})
matches 'another fingerprint: both are named' "$(pin=$other remote status 2>&1)" "its certificate has fingerprint ${fingerprint[couic1]}, and $other is expected"
matches 'no TLS there: it is said' "$(server=https://192.0.2.1:2901 remote status 2>&1)" 'connection refused'
refute 'a wrong token is refused' on couic2 env COUICCTL_TOKEN=11111111-1111-4111-8111-111111111111 COUICCTL_FINGERPRINT="${fingerprint[couic1]}" \
  couicctl --server https://192.0.2.1:2900 status
check 'the log of couic1 names the address' wait_for 10 grep -q 'token_unknown.*from 192.0.2.2' "$WORK/couic1/log.txt"
refute 'plain HTTP is refused' on couic2 curl -sf -o /dev/null http://192.0.2.1:2900/v1/openapi.json
