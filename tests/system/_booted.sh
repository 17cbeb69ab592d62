# Sourced by scripts that boot a Debian 12 with systemd. debootstrap makes it once below $COUIC_TEST_CACHE, for each list of packages; tests
# work on overlays of it.
booted_packages=systemd,systemd-sysv,iproute2,iputils-ping,curl,fail2ban,bpftool
booted_cache=${COUIC_TEST_CACHE:-/var/cache/couic-test}
BASE=$booted_cache/bookworm-$(sha256sum <<<"$booted_packages" | cut -c 1-8)

# Makes $BASE if it is not there yet.
prepare_base() {
  mkdir -p "$booted_cache"
  exec {booted_lock}>"$booted_cache/lock"
  flock $booted_lock
  if [ ! -d "$BASE" ]; then
    rm -rf "$BASE.new"
    if ! debootstrap --variant=minbase --include=$booted_packages bookworm "$BASE.new" \
      "${COUIC_TEST_MIRROR:-http://deb.debian.org/debian}" >"$WORK/debootstrap.log" 2>&1; then
      fail 'debootstrap makes a Debian 12' "$(tail -n 20 "$WORK/debootstrap.log")"
      exit 1
    fi

    chroot "$BASE.new" apt-get clean
    # No test needs these, and each takes a second or more of the start.
    for unit in apt-daily.timer apt-daily-upgrade.timer e2scrub_all.timer fstrim.timer getty.target systemd-logind.service; do
      ln -sf /dev/null "$BASE.new/etc/systemd/system/$unit"
    done

    chroot "$BASE.new" systemctl disable fail2ban >/dev/null 2>&1
    mv "$BASE.new" "$BASE"
  fi

  exec {booted_lock}>&-
}

# overlay ROOT: a copy of $BASE; where the kernel cannot stack file systems, a real one.
overlay() {
  mkdir -p "$1" "$1.changes" "$1.work"
  if mount -t overlay -o "lowerdir=$BASE,upperdir=$1.changes,workdir=$1.work" couic-test "$1" 2>/dev/null; then
    on_exit umount "$1"
  else
    cp -a --reflink=auto "$BASE/." "$1"
  fi
}

# The package of the program that is tested.
package_file() {
  local package
  package=$(ls -t out/couic_*.deb 2>/dev/null | head -n 1)
  [ -n "$package" ] && [ "$package" -nt out/couic ] || { make -s deb >/dev/null 2>&1; package=$(ls -t out/couic_*.deb | head -n 1); }
  printf '%s\n' "$package"
}

# boot ROOT SCRIPT SECONDS: boots ROOT, runs SCRIPT in it as root, and repeats its lines "ok SENTENCE" and "not ok SENTENCE". The
# last line of the script is "end".
boot() {
  local root=$1 script=$2 seconds=$3 line
  cp "$script" "$root/in_container.sh"
  cp tests/system/_guest.sh "$root/guest.sh"
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
  relay "$root/result" 'under systemd'
}

# relay FILE PLACE: repeats the results that a guest wrote, with the place before each.
relay() {
  local line
  while IFS= read -r line; do
    case $line in
      'ok '*) pass "$2: ${line#ok }" ;;
      'not ok '*) fail "$2: ${line#not ok }" ;;
      *) echo "#   $line" ;;
    esac
  done <"$1"
  matches "$2: the script came to its end" "$(cat "$1")" '^end$'
}

# machine_files ROOT: what _on_machine.sh needs there.
machine_files() {
  cp "$(package_file)" "$1/couic.deb"
  cp tests/system/_machine.py "$1/machine.py"
  cp docs/guide/fail2ban.md "$1/fail2ban.md"
}
