#!/usr/bin/env bash
# The limits of `make bench-check`, and the one part of it that any machine can measure in seconds: a ratio with a factor of four to spare.
source "$(dirname "$0")/_tap.sh"

figures() { printf 'dataplane/IPv4 any source, two tries\t1\t%s\tns\ndataplane/IPv4 any source, couic\t1\t25\tns\n' "$1"; }
awk -F'"' '/^    \("/ { above = $6; below = $8; print $2 "/" above "\t1\t100\tx"; print $2 "/" below "\t1\t1\tx" }' bench/check >"$WORK/good"
check 'figures far above each limit pass' bench/check --judge "$WORK/good"
{ cat "$WORK/good"; figures 100; } >"$WORK/slow"
refute 'a ratio below its limit fails' bench/check --judge "$WORK/slow"
matches 'and is named' "$(bench/check --judge "$WORK/slow")" '^NOT OK dataplane: an unlisted source, against two tries: 4.00 '
grep -v 'bulk/ipset' "$WORK/good" >"$WORK/missing"
refute 'a figure that is missing fails' bench/check --judge "$WORK/missing"
check 'the program is as much faster than two tries as the README says, within wide limits' bench/check dataplane
