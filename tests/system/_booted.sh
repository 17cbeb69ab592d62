# Sourced by scripts that boot a Debian 12 with systemd in a container. The Debian is made once by debootstrap, below $COUIC_TEST_CACHE;
# each run works on a copy.
booted_cache=${COUIC_TEST_CACHE:-/var/cache/couic-test}
BASE=$booted_cache/bookworm

# Makes $BASE if it is not there yet.
prepare_base() {
  [ ! -e "$BASE/etc/couic-test-ready-2" ] || return 0
  rm -rf "$BASE"
  mkdir -p "$booted_cache"
  if ! debootstrap --variant=minbase --include=systemd,systemd-sysv,iproute2,iputils-ping,curl,python3-minimal bookworm "$BASE" \
    "${COUIC_TEST_MIRROR:-http://deb.debian.org/debian}" >"$WORK/debootstrap.log" 2>&1; then
    fail 'debootstrap makes a Debian 12' "$(tail -n 20 "$WORK/debootstrap.log")"
    exit 1
  fi

  chroot "$BASE" apt-get clean
  # Nothing of the tests needs these, and each takes a second or more of the container's start.
  for unit in apt-daily.timer apt-daily-upgrade.timer e2scrub_all.timer fstrim.timer getty.target systemd-logind.service; do
    ln -sf /dev/null "$BASE/etc/systemd/system/$unit"
  done

  touch "$BASE/etc/couic-test-ready-2"
}

# The package of the program that is tested.
package_file() {
  local package
  package=$(ls -t out/couic_*.deb 2>/dev/null | head -n 1)
  [ -n "$package" ] && [ "$package" -nt out/couic ] || { make -s deb >/dev/null 2>&1; package=$(ls -t out/couic_*.deb | head -n 1); }
  printf '%s\n' "$package"
}

# boot ROOT SCRIPT SECONDS: boots ROOT, runs SCRIPT in it as root, and passes on its lines "ok SENTENCE" and "not ok SENTENCE". The script
# ends with the line "end".
boot() {
  local root=$1 script=$2 seconds=$3 line
  cp "$script" "$root/in_container.sh"
  cat >"$root/etc/systemd/system/couic-test.service" <<UNIT
[Unit]
After=basic.target
[Service]
Type=oneshot
TimeoutStartSec=$seconds
ExecStart=/bin/bash /in_container.sh
StandardOutput=file:/result
StandardError=file:/result.errors
ExecStopPost=/bin/systemctl poweroff --no-block
UNIT
  mkdir -p "$root/etc/systemd/system/multi-user.target.wants"
  ln -s ../couic-test.service "$root/etc/systemd/system/multi-user.target.wants/couic-test.service"
  SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1 timeout --kill-after=5 $((seconds + 50)) systemd-nspawn --directory="$root" --machine="couic-test-$$" \
    --register=no --keep-unit --private-network --capability=all --system-call-filter='bpf' --boot </dev/null >"$WORK/boot.log" 2>&1
  [ -s "$root/result" ] || fail 'the container runs the tests' "$(tail -n 30 "$WORK/boot.log")"
  while IFS= read -r line; do
    case $line in
      'ok '*) pass "under systemd: ${line#ok }" ;;
      'not ok '*) fail "under systemd: ${line#not ok }" ;;
      *) echo "#   $line" ;;
    esac
  done <"$root/result"
  matches 'the container came to its end' "$(cat "$root/result")" '^end$'
}
