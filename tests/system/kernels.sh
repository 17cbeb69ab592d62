#!/usr/bin/env bash
# The daemon on other kernels, in qemu: the oldest and the newest stable one of Debian. `make kernels` checks more of them.
source "$(dirname "$0")/_tap.sh"

if ! tools/setup kernels >"$WORK/setup" 2>&1; then
  skip 'the daemon on other kernels' "qemu cannot be installed: $(tail -n 1 "$WORK/setup")"
  exit 0
fi

tests/kernels/run bullseye trixie >"$WORK/table" 2>"$WORK/errors"
status=$?
if [ $status -eq 3 ]; then
  skip 'the daemon on other kernels' "no kernel can be had: $(tail -n 1 "$WORK/errors")"
  exit 0
fi

sed 's/^/# /' "$WORK/table"
for log in out/kernels/{bullseye,trixie}/checks.log; do
  [ -e "$log" ] || continue
  version=$(sed -n 's/^kernel //p' "$log")
  while IFS= read -r line; do
    case $line in
      'ok '*) pass "$version: ${line#ok }" ;;
      'not ok '*) fail "$version: ${line#not ok }" "$(grep -A 12 -Fx "$line" "$log" | grep '^#')" ;;
    esac
  done <"$log"
done

for suite in bullseye trixie; do
  [ -e "out/kernels/$suite/checks.log" ] || skip "the daemon on the kernel of $suite" 'it cannot be downloaded'
done

equal 'every guest came to its end, and no kernel complained' 0 $status
