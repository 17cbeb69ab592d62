#!/usr/bin/env bash
# The systemd units: well-formed, and as closed as the daemon's work allows.
source "$(dirname "$0")/_tap.sh"

# verify wants the programs that the units start; a copy of the units points at what was built.
mkdir "$WORK/units"
for unit in couic.service pkg/*.service pkg/*.socket pkg/*.timer; do
  sed "s:/usr/bin/couic:$ROOT/out/couic:" "$unit" >"$WORK/units/$(basename "$unit")"
done

for unit in "$WORK"/units/*; do
  name=$(basename "$unit")
  output=$(SYSTEMD_UNIT_PATH="$WORK/units:" systemd-analyze verify --man=no "$unit" 2>&1 | grep -F "$name")
  equal "$name has no fault" '' "$output"
done

for unit in couic.service "pkg/couic-attacher@.service" pkg/couic-report.service; do
  output=$(systemd-analyze security --offline=true --threshold=15 "$unit" 2>/dev/null)
  status=$?
  exposure=$(sed -n 's/.*exposure level for [^:]*: \([0-9.]*\).*/\1/p' <<<"$output")
  equal "$(basename "$unit") is exposed by 1.5 or less (it is: $exposure)" 0 $status
done

bare=$(grep -nE '^[A-Z][A-Za-z]*=' couic.service | wc -l)
check 'the unit of the daemon sets what it closes' test "$bare" -gt 30
