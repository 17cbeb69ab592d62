#!/usr/bin/env bash
# The filter over restarts, kills, upgrades and failing starts under the shipped units, in a Debian with systemd, beside packets of listed and
# other sources at full rate. COUIC_RESTARTS="RESTARTS KILLS UPGRADES FAILURES" for each mode; the default is a short run.
source "$(dirname "$0")/_tap.sh"
source tests/system/_booted.sh

prepare_base
root=$WORK/booted
overlay "$root"
machine_files "$root"
dpkg-deb --raw-extract "$root/couic.deb" "$WORK/newer"
sed -i 's/^Version: .*/Version: 99.0/' "$WORK/newer/DEBIAN/control"
dpkg-deb --root-owner-group -Zgzip -z1 --build "$WORK/newer" "$root/newer.deb" >/dev/null
echo "${COUIC_RESTARTS:-3 2 1 1}" >"$root/restarts"
boot "$root" tests/system/_on_restarts.sh "${COUIC_RESTARTS_SECONDS:-150}"
