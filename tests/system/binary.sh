#!/usr/bin/env bash
# The shipped executable: static, position-independent, hardened, stripped, and the same wherever it was built.
source "$(dirname "$0")/_tap.sh"

headers=$(readelf -lWd "$COUIC")
sections=$(readelf -SW "$COUIC")

matches 'the executable is position-independent' "$headers" 'Flags: NOW PIE'
refute 'it has no interpreter' grep -q INTERP <<<"$headers"
refute 'it needs no shared library' grep -q '(NEEDED)' <<<"$headers"
matches 'the relocated part is read-only after start' "$headers" 'GNU_RELRO'
matches 'all symbols are bound at start' "$headers" 'BIND_NOW'
refute 'it has no text relocations' grep -q TEXTREL <<<"$headers"
matches 'the stack is not executable' "$headers" 'GNU_STACK .* RW +0'
refute 'no segment is writable and executable' grep -qE 'LOAD .* RWE' <<<"$headers"
refute 'it is stripped' grep -qE '\.(symtab|debug_info)' <<<"$sections"
check 'its symbols lie beside it' test -s "$COUIC.dbg"
equal 'the symbols belong to it' "$(readelf -n "$COUIC" 2>/dev/null | grep 'Build ID')" "$(readelf -n "$COUIC.dbg" 2>/dev/null | grep 'Build ID')"
equal 'couicctl is a link to it' couic "$(readlink "$(dirname "$COUIC")/couicctl")"
equal 'couic-report is a link to it' couic "$(readlink "$(dirname "$COUIC")/couic-report")"

# Folders that every static program names (glibc's) are not the builder's.
paths=$(strings -n 6 "$COUIC" | grep -E "^(/home|/root|/work|/tmp/)|/\.nuget/|$ROOT")
equal 'it names no folder of the machine that built it' '' "$paths"

empty=$WORK/empty
mkdir "$empty"
cp "$COUIC" "$empty/couic"
version=$(sed -n 's:.*<Version>\(.*\)</Version>.*:\1:p' Directory.Build.props)
equal 'it runs in an empty chroot and prints its version' "Couic $version" "$(chroot "$empty" /couic --version 2>&1)"
