#!/usr/bin/env bash
# Every test that the documentation names as the holder of a promise exists and runs, so a promise cannot lose its test unnoticed.
source "$(dirname "$0")/_tap.sh"

# With the results of a whole run at hand (tests/run), a named test must have run; by itself this script sees only what the source excludes.
executed=
if [ -e TestResults/Couic.Tests.trx ] && [ -e TestResults/Couic.IntegrationTests.trx ]; then
  executed=$(grep -ohE '<UnitTestResult testName="[^"(]*[^>]* outcome="(Passed|Failed)"' TestResults/*.trx | sed 's/.*testName="\([^"(]*\).*/\1/' | LC_ALL=C sort -u)
fi

mapfile -t named < <(grep -hoE '`[A-Z][A-Za-z0-9]*Tests(\.[A-Za-z0-9_]+)?`' -r --include='*.md' docs SECURITY.md README.md | tr -d '`' | LC_ALL=C sort -u)
check 'the documentation names tests' test "${#named[@]}" -gt 40
for name in "${named[@]}"; do
  class=${name%%.*}
  mapfile -t files < <(grep -rlE --include='*.cs' "class $class\b" tests/unit tests/integration tests/browser)
  if [ ${#files[@]} -eq 0 ]; then
    fail "$name runs" "no class $class in tests/"
  elif [[ $name == *.* ]] && ! grep -qE "(void|Task) ${name#*.}\(" "${files[@]}"; then
    fail "$name runs" "no test of that name in ${files[*]}"
  elif grep -qE '\[(Fact|Theory)\(.*(Skip|Explicit)' "${files[@]}"; then
    fail "$name runs" "${files[*]} excludes tests"
  elif [ -n "$executed" ] && ! grep -qE "\.${name//./\\.}(\.|$)" <<<"$executed"; then
    fail "$name runs" 'it was skipped or left out of this run'
  else
    pass "$name runs"
  fi
done

while read -r path; do
  check "$path exists" test -e "$path"
done < <(grep -hoE '`(tests|bench|tools|pkg)/[A-Za-z0-9_./-]+`' docs/reliability.md SECURITY.md | tr -d '`' | LC_ALL=C sort -u)
