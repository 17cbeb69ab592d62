# Sourced by the scripts beside it: prints "ok" or "not ok" for each sentence, and exits non-zero when one failed.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
ROOT=$PWD
COUIC=${COUIC_BINARY:-$ROOT/out/couic}
tap_count=0
tap_failed=0
WORK=$(mktemp -d "${TMPDIR:-/tmp}/couic-test.XXXXXX")
cleanups=()

# on_exit COMMAND...: run at the end, the last one first.
on_exit() { cleanups=("$(printf '%q ' "$@")" "${cleanups[@]}"); }

finish() {
  local status=$? command
  for command in "${cleanups[@]}"; do
    eval "$command" >/dev/null 2>&1
  done
  rm -rf "$WORK"
  [ $status -eq 0 ] && [ $tap_failed -gt 0 ] && status=1
  exit $status
}
trap finish EXIT

pass() {
  tap_count=$((tap_count + 1))
  echo "ok $tap_count - $1"
}

fail() {
  tap_count=$((tap_count + 1))
  tap_failed=$((tap_failed + 1))
  echo "not ok $tap_count - $1"
  [ $# -lt 2 ] || printf '%s\n' "$2" | sed 's/^/#   /'
}

# skip SENTENCE REASON: the check cannot run here; tests/run counts and prints it.
skip() {
  tap_count=$((tap_count + 1))
  echo "ok $tap_count - $1 # skip $1: $2"
}

# check SENTENCE COMMAND...: the command succeeds.
check() {
  local sentence=$1 output
  shift
  if output=$("$@" 2>&1); then pass "$sentence"; else fail "$sentence" "$output"; fi
}

# refute SENTENCE COMMAND...: the command fails.
refute() {
  local sentence=$1 output
  shift
  if output=$("$@" 2>&1); then fail "$sentence" "$output"; else pass "$sentence"; fi
}

# equal SENTENCE EXPECTED ACTUAL
equal() {
  if [ "$2" = "$3" ]; then pass "$1"; else fail "$1" "expected: $2
actual:   $3"; fi
}

# matches SENTENCE TEXT EXTENDED_REGEX
matches() {
  if grep -qE -- "$3" <<<"$2"; then pass "$1"; else fail "$1" "no match for $3 in:
$2"; fi
}

# wait_for SECONDS COMMAND...: until it succeeds; fails after that time.
wait_for() {
  local end=$((SECONDS + $1))
  shift
  until "$@" >/dev/null 2>&1; do
    [ $SECONDS -lt $end ] || return 1
    sleep 0.05
  done
}
