#!/usr/bin/env bash
# The completion scripts in the real shells, in front of a real daemon.
source "$(dirname "$0")/_tap.sh"
source tests/system/_daemon.sh
start_daemon completion
export PATH=$DIR/bin:$PATH
for shell in bash zsh fish; do
  command -v $shell >/dev/null || { skip "completion in $shell" "$shell is not installed"; continue; }
  couicctl completion $shell >"$DIR/completion.$shell"
done

couicctl drop add 192.0.2.0/24 -t scanners >/dev/null
couicctl drop add 2001:db8:bad::/48 -t sshd >/dev/null
couicctl sets create drop feed 198.51.100.0/24 >/dev/null
touch "$DIR/my list.txt"
cd "$DIR" || exit 1

# completes SHELL LINE RESULT: what the line is after Tab.
completes() {
  local shell=$1 line=$2 result=$3
  command -v "$shell" >/dev/null || return
  equal "$shell: $line<Tab>" "$result" "$(python3 "$ROOT/tests/system/_complete.py" "$shell" "$DIR/completion.$shell" "$line" 2>&1)"
}

for shell in bash zsh; do
  completes $shell 'couicctl sta' 'couicctl stat'
  completes $shell 'couicctl drop li' 'couicctl drop list '
  completes $shell 'couicctl drop list -t sc' 'couicctl drop list -t scanners '
  completes $shell 'couicctl drop delete 192' 'couicctl drop delete 192.0.2.0/24 '
  completes $shell 'couicctl drop delete 2001:d' 'couicctl drop delete 2001:db8:bad::/48 '
  completes $shell 'couicctl sets inspect drop f' 'couicctl sets inspect drop feed '
  completes $shell 'couicctl clients inspect co' 'couicctl clients inspect couicctl '
  completes $shell 'couicctl drop import my' 'couicctl drop import my\ list.txt '
  completes $shell 'couicctl drop list --sort=la' 'couicctl drop list --sort=last-hit '
  completes $shell 'couicctl help drop imp' 'couicctl help drop import '
done

# fish completes on request; a candidate is followed by a tab and its description.
fished() { fish --no-config -c "source '$DIR/completion.fish'; complete -C '$1'" | cut -f 1 | paste -sd ' '; }
if command -v fish >/dev/null; then
  equal 'fish: commands' 'stats status' "$(fished 'couicctl stat')"
  equal 'fish: tags' 'scanners' "$(fished 'couicctl drop list -t sc')"
  equal 'fish: networks' '2001:db8:bad::/48' "$(fished 'couicctl drop delete 2001:d')"
  equal 'fish: sets' 'feed' "$(fished 'couicctl sets inspect drop ')"
  equal 'fish: clients' 'couicctl' "$(fished 'couicctl clients inspect ')"
  equal 'fish: files with blanks' 'my list.txt' "$(fished 'couicctl drop import my')"
  equal 'fish: values after =' '--sort=last-hit' "$(fished 'couicctl drop list --sort=la')"
fi

stop "$DAEMON"
equal 'without a daemon nothing is said' 'words' "$(couicctl complete -- drop list -t '' 2>&1)"
echo "1..$tap_count"
