#!/usr/bin/env bash
# The systemd units: well-formed, and as restricted as the daemon's work allows.
source "$(dirname "$0")/_tap.sh"

# verify requires the programs that the units start, so a copy of the units points at the build.
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

# Lines that systemd-analyze does not rate.
for line in Type=notify WatchdogSec=30 Restart=on-failure RestartSec=1 TimeoutStartSec=10min StartLimitIntervalSec=0 MemoryMax=512M TasksMax=64 LimitNOFILE=16384 LimitCORE=0 \
  UMask=0077 SystemCallErrorNumber=EPERM NotifyAccess=main FileDescriptorStoreMax=1024 Environment=FDSTORE=1024 Requires=couic-attacher.socket; do
  check "couic.service has $line" grep -qxF "$line" couic.service
done
