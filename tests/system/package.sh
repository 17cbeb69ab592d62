#!/usr/bin/env bash
# The Debian package on a clean Debian 12: installs, starts under systemd, upgrades keeping the configuration, purges.
# The Debian is made once by debootstrap and kept below $COUIC_TEST_CACHE; each run works on a copy.
source "$(dirname "$0")/_tap.sh"

cache=${COUIC_TEST_CACHE:-/var/cache/couic-test}
base=$cache/bookworm
if [ ! -e "$base/etc/couic-test-ready-2" ]; then
  rm -rf "$base"
  mkdir -p "$cache"
  if ! debootstrap --variant=minbase --include=systemd,systemd-sysv,iproute2,iputils-ping,curl,python3-minimal bookworm "$base" \
    "${COUIC_TEST_MIRROR:-http://deb.debian.org/debian}" >"$WORK/debootstrap.log" 2>&1; then
    fail 'debootstrap makes a Debian 12' "$(tail -n 20 "$WORK/debootstrap.log")"
    exit 1
  fi

  chroot "$base" apt-get clean
  # Nothing of the tests needs these, and each takes a second or more of the container's start.
  for unit in apt-daily.timer apt-daily-upgrade.timer e2scrub_all.timer fstrim.timer getty.target systemd-logind.service; do
    ln -sf /dev/null "$base/etc/systemd/system/$unit"
  done

  touch "$base/etc/couic-test-ready-2"
fi

package=$(ls -t out/couic_*.deb 2>/dev/null | head -n 1)
[ -n "$package" ] && [ "$package" -nt out/couic ] || { make -s deb >/dev/null 2>&1; package=$(ls -t out/couic_*.deb | head -n 1); }
matches 'the package names its fields' "$(dpkg-deb --field "$package")" '^Architecture: (amd64|arm64)'
equal 'its files belong to root' '' "$(dpkg-deb --contents "$package" | awk '$2 != "root/root"')"

# A newer package of the same content, to upgrade to.
dpkg-deb --raw-extract "$package" "$WORK/newer"
sed -i 's/^Version: .*/Version: 99.0/' "$WORK/newer/DEBIAN/control"
dpkg-deb --root-owner-group -Zgzip -z1 --build "$WORK/newer" "$WORK/newer.deb" >/dev/null
rm -rf "$WORK/newer"

# Without systemd running: a container image, or an installer's chroot.
root=$WORK/plain
cp -a --reflink=auto "$base" "$root"
cp "$package" "$root/couic.deb"
before=$(cd "$root" && find etc usr/bin usr/lib usr/share var/lib var/log lib | grep -vE 'var/lib/(dpkg|systemd)' | LC_ALL=C sort)
check 'it installs in a chroot' chroot "$root" dpkg -i /couic.deb
check 'the program runs there' chroot "$root" couic --version
equal 'the user owns its folder' couic "$(chroot "$root" stat -c %U /var/lib/couic)"
equal 'the configuration is not readable by everybody' '640 root couic' "$(chroot "$root" stat -c '%a %U %G' /etc/couic/couic.toml)"
check 'the configuration has no fault' chroot "$root" couic check -c /etc/couic/couic.toml
check 'it is purged' chroot "$root" dpkg --purge couic
after=$(cd "$root" && find etc usr/bin usr/lib usr/share var/lib var/log lib | grep -vE 'var/lib/(dpkg|systemd)' | LC_ALL=C sort)
equal 'nothing is left of it' '' "$(diff <(echo "$before") <(echo "$after") | grep '^[<>]' | grep -vE 'etc/(passwd|shadow|group|gshadow|subuid|subgid)-$')"
refute 'not even its user' chroot "$root" getent passwd couic
rm -rf "$root"

# With systemd as the first process, in a container with a network namespace of its own.
root=$WORK/booted
cp -a --reflink=auto "$base" "$root"
cp "$package" "$root/couic.deb"
cp "$WORK/newer.deb" "$root/newer.deb"
cp tests/system/_in_container.sh "$root/in_container.sh"
mkdir "$root/docs"
cp tests/system/_docs.py docs/install.md docs/policies.md docs/clients.md docs/sets.md "$root/docs/"
cat >"$root/etc/systemd/system/couic-test.service" <<'UNIT'
[Unit]
After=basic.target
[Service]
Type=oneshot
TimeoutStartSec=150
ExecStart=/bin/bash /in_container.sh
StandardOutput=file:/result
StandardError=file:/result.errors
ExecStopPost=/bin/systemctl poweroff --no-block
UNIT
mkdir -p "$root/etc/systemd/system/multi-user.target.wants"
ln -s ../couic-test.service "$root/etc/systemd/system/multi-user.target.wants/couic-test.service"
SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1 timeout --kill-after=5 200 systemd-nspawn --directory="$root" --machine="couic-test-$$" --register=no \
  --keep-unit --private-network --capability=all --system-call-filter='bpf' --boot </dev/null >"$WORK/boot.log" 2>&1
if [ ! -s "$root/result" ]; then
  fail 'the container runs the tests' "$(tail -n 30 "$WORK/boot.log")"
fi

while IFS= read -r line; do
  case $line in
    'ok '*) pass "under systemd: ${line#ok }" ;;
    'not ok '*) fail "under systemd: ${line#not ok }" ;;
    *) echo "#   $line" ;;
  esac
done <"$root/result"
matches 'the container came to its end' "$(cat "$root/result")" '^end$'
