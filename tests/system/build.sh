#!/usr/bin/env bash
# Building and installing on a machine that is not fresh: other packages in the cache, blanks in the path, a strict umask, a stale out/.
source "$(dirname "$0")/_tap.sh"

# A copy of what the repository tracks, in a folder with blanks, without anything that was built.
tree="$WORK/a b é"
mkdir -p "$tree"
git ls-files -z --cached --others --exclude-standard | xargs -0 cp --parents -t "$tree" 2>/dev/null

# Licence texts follow from what was linked, not from what else the cache holds.
cache=$WORK/cache
package() {
  mkdir -p "$cache/$1/$2/sdk"
  : >"$cache/$1/$2/$1.nuspec"
  : >"$cache/$1/$2/sdk/part.a"
  [ -z "${3:-}" ] || echo "$3" >"$cache/$1/$2/LICENSE.TXT"
}

package some.compiler 9.0.1 'the text of 9.0.1'
package some.compiler 10.0.2
package some.compiler 11.0.0 'the text of 11.0.0'
licenses() { (cd "$tree" && tools/licenses "$WORK/linked") 2>&1; }

echo "$cache/some.compiler/9.0.1/sdk/part.a" >"$WORK/linked"
check 'the licence texts of the linked packages are gathered' licenses
equal 'the version that was linked decides, not the newest of the cache' 'the text of 9.0.1' "$(cat "$tree/out/licenses/some.compiler-LICENSE.txt")"

echo "$cache/some.compiler/10.0.2/sdk/part.a" >"$WORK/linked"
check 'a package without a text is covered by the text beside the SDK' licenses
check 'that text is there' test -s "$tree/out/licenses/dotnet-LICENSE.txt"
refute 'no text of an earlier run is left' test -e "$tree/out/licenses/some.compiler-LICENSE.txt"

: >"$WORK/linked"
refute 'a list without a file is an error' licenses
matches 'the error names the list' "$(licenses)" 'licenses: read ".*/linked"'

# A rebuild is decided by content.
up_to_date() { make -C "$tree" -q out/couic "$@"; }
built() {
  make -C "$tree" -n help >/dev/null
  touch -d '2 hours ago' "$tree/out/.inputs"
  touch -d '1 hour ago' "$tree/out/couic"
}

: >"$tree/out/couic"
touch -d '1 hour ago' "$tree/out/couic"
refute 'a program without a record of what it was built from is built again' up_to_date
built
touch "$tree/Program.cs"
check 'a file that was only touched changes nothing' up_to_date
touch -d '1 day ago' "$tree/Store/Policy.cs"
check 'so does an old one' up_to_date
rm "$tree/Store/Policy.cs"
refute 'a source that has gone is noticed' up_to_date
built
echo '// changed' >"$tree/Store/Policy.cs"
touch -d '1 day ago' "$tree/Store/Policy.cs"
refute 'other content is noticed, however old the file is' up_to_date
built
check 'what was built of it is up to date' up_to_date
refute 'another target is noticed' up_to_date RID=linux-arm64
cp Store/Policy.cs "$tree/Store/"

# Blanks and other letters in the path, and a umask that keeps everybody out.
compiled() { (umask 077 && cd "$tree" && dotnet msbuild couic.csproj -restore -t:CompileBpf -p:Configuration=Release -v:q -nologo); }
check 'the XDP object is compiled in a folder with blanks' compiled
object=$(find "$tree/obj" -name couic.bpf.o | head -n 1)
check 'it is there' test -s "$object"
refute 'it names no folder of the machine' grep -q "$WORK" "$object"

(umask 077 && tools/install "$WORK/root" /usr >/dev/null) || fail 'install runs with a strict umask'
equal 'installed folders can be entered by everybody' '' "$(find "$WORK/root" -type d ! -perm -755)"
equal 'installed programs, units and pages can be read by everybody' '' "$(find "$WORK/root/usr" -type f ! -perm -444)"
