# Sourced by run and machine: boots a kernel in qemu's software emulation.

# archive FOLDER: as the kernel unpacks it. Several after one another are one.
archive() { (cd "$1" && find . | cpio --quiet -o -H newc -R 0:0); }

# emulate FOLDER NAME INITRD SECONDS OPTION...: boots FOLDER/vmlinuz. The guest's second serial line goes to
# FOLDER/NAME.log, its console to FOLDER/NAME.console, and both of an earlier, broken boot to FOLDER/NAME.broken.N.
# The processor is a Nehalem, which has what the binary needs and no more: with newer instructions the emulator gets flags wrong and the
# guest panics. So it does with cmpxchg16b, which the binary wants and the kernel must not use (clearcpuid=141, X86_FEATURE_CX16).
emulate() {
  local folder=$1 log=$1/$2.log console=$1/$2.console initrd=$3 seconds=$4 attempt
  rm -f "$1/$2.log" "$1/$2.console" "$1/$2".broken.*
  shift 4
  # The emulator breaks a kernel now and then. One such boot proves nothing about the kernel, so it boots again.
  for attempt in 1 2 3; do
    timeout --kill-after=5 "$seconds" qemu-system-x86_64 -accel tcg -cpu Nehalem -smp 1 -no-reboot -display none -nodefaults \
      -kernel "$folder/vmlinuz" -initrd "$initrd" -append 'console=ttyS0 quiet loglevel=4 panic=-1 oops=panic clearcpuid=141' \
      -serial file:"$console" -serial stdio "$@" </dev/null 2>"$folder/qemu.log" | sed -u 's/\r$//' >"$log"
    if [ -s "$log" ] && ! grep -q 'Kernel panic' "$console"; then
      break
    fi

    [ $attempt = 3 ] || { cat "$console"; sed 's/^/guest: /' "$log"; } >"${console%.console}.broken.$attempt"
  done
}

# complaints FOLDER NAME: searches the console of every boot and prints what the kernel complained about. Succeeds when that is a finding: a
# complaint in the boot that counts, two broken boots after the guest had begun its checks, or one whose trace names packet filters.
complaints() {
  local pattern='BUG:|WARNING: CPU|Oops|Kernel panic|Out of memory' broken begun=0 found=1
  grep -E "$pattern" "$1/$2.console" 2>/dev/null && found=0
  for broken in "$1/$2".broken.*; do
    [ -e "$broken" ] || continue
    echo "$broken: booted again after: $(grep -m 1 -oE "($pattern).*" "$broken" || echo silence)"
    ! grep -q '^guest: ok' "$broken" || begun=$((begun + 1))
    ! grep -E 'RIP: .*(bpf|xdp|veth)|bpf_prog_[0-9a-f]+_couic' "$broken" || found=0
  done

  [ $begun -lt 2 ] || found=0
  return $found
}
