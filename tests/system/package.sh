#!/usr/bin/env bash
# The Debian package on a clean Debian 12: installs, starts under systemd, upgrades keeping the configuration, purges.
source "$(dirname "$0")/_tap.sh"
source tests/system/_booted.sh

prepare_base
package=$(package_file)
matches 'the package names its fields' "$(dpkg-deb --field "$package")" '^Architecture: (amd64|arm64)'
equal 'its files belong to root' '' "$(dpkg-deb --contents "$package" | awk '$2 != "root/root"')"

# A newer package of the same content, to upgrade to.
dpkg-deb --raw-extract "$package" "$WORK/newer"
sed -i 's/^Version: .*/Version: 99.0/' "$WORK/newer/DEBIAN/control"
dpkg-deb --root-owner-group -Zgzip -z1 --build "$WORK/newer" "$WORK/newer.deb" >/dev/null
rm -rf "$WORK/newer"

# Without systemd running: a container image, or an installer's chroot.
root=$WORK/plain
overlay "$root"
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

# With systemd as the first process, in a container with a private network.
root=$WORK/booted
overlay "$root"
cp "$package" "$root/couic.deb"
cp "$WORK/newer.deb" "$root/newer.deb"
mkdir "$root/docs"
cp tests/system/_docs.py docs/guide/{install,policies,clients,sets}.md "$root/docs/"
boot "$root" tests/system/_in_container.sh 150
