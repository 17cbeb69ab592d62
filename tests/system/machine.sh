#!/usr/bin/env bash
# A machine as it is shipped: the package on Debian 12 under the real units and their limits, two interfaces, peers by name, name servers
# that do not answer, an interface that comes and goes, a killed attacher, a killed daemon, a daemon that stops working.
source "$(dirname "$0")/_tap.sh"
source tests/system/_booted.sh

prepare_base
root=$WORK/booted
cp -a --reflink=auto "$BASE" "$root"
cp "$(package_file)" "$root/couic.deb"
boot "$root" tests/system/_on_machine.sh 240
