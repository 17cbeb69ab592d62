#!/usr/bin/env bash
# A machine as it is shipped: the package on Debian 12 under the real units and their limits, two interfaces, full tables, peers by name,
# name servers that come and go, fail2ban, an interface that comes and goes, killed processes, threads that are stuck.
source "$(dirname "$0")/_tap.sh"
source tests/system/_booted.sh

prepare_base
root=$WORK/booted
overlay "$root"
machine_files "$root"
boot "$root" tests/system/_on_machine.sh 280
