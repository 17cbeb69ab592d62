#!/usr/bin/env bash
# Every test that the documentation names as the holder of a promise exists, so a promise cannot lose its test unnoticed.
source "$(dirname "$0")/_tap.sh"

mapfile -t named < <(grep -hoE '`[A-Z][A-Za-z0-9]*Tests(\.[A-Za-z0-9_]+)?`' -r --include='*.md' docs SECURITY.md README.md | tr -d '`' | LC_ALL=C sort -u)
check 'the documentation names tests' test "${#named[@]}" -gt 40
for name in "${named[@]}"; do
  class=${name%%.*}
  mapfile -t files < <(grep -rlE --include='*.cs' "class $class\b" tests/unit tests/integration)
  if [ ${#files[@]} -eq 0 ]; then
    fail "$name exists" "no class $class in tests/"
  elif [[ $name == *.* ]] && ! grep -qE "(void|Task) ${name#*.}\(" "${files[@]}"; then
    fail "$name exists" "no test of that name in ${files[*]}"
  else
    pass "$name exists"
  fi
done

while read -r path; do
  check "$path exists" test -e "$path"
done < <(grep -hoE '`(tests|bench|tools|pkg)/[A-Za-z0-9_./-]+`' docs/reliability.md SECURITY.md | tr -d '`' | LC_ALL=C sort -u)
