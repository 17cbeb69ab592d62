#!/usr/bin/env bash
# make install and uninstall below another root.
source "$(dirname "$0")/_tap.sh"

root=$WORK/root
tools/install "$root" /usr >/dev/null || fail 'install runs'
check 'the program is there' test -x "$root/usr/bin/couic"
equal 'couicctl is a link to it' couic "$(readlink "$root/usr/bin/couicctl")"
equal 'couic-report is a link to it' couic "$(readlink "$root/usr/bin/couic-report")"
for file in lib/systemd/system/couic.service lib/sysusers.d/couic.conf lib/tmpfiles.d/couic.conf \
  share/man/man8/couic.8.gz share/man/man1/couicctl.1.gz share/man/man5/couic.toml.5.gz share/man/man8/couic-report.8.gz \
  share/bash-completion/completions/couicctl share/zsh/vendor-completions/_couicctl share/fish/vendor_completions.d/couicctl.fish \
  share/doc/couic/copyright share/doc/couic/examples/fail2ban/couic.conf share/doc/couic/examples/nginx/couic.conf \
  share/doc/couic/examples/couic-report.toml share/doc/couic/docs/guide/troubleshooting.md; do
  check "$file is there" test -s "$root/usr/$file"
done

equal 'the links of the installed documentation lead somewhere' '' "$(tools/links "$root/usr/share/doc/couic" links)"

echo 'changed' >"$root/etc/couic/couic.toml"
tools/install "$root" /usr >/dev/null
equal 'a second installation keeps a configuration that was changed' changed "$(cat "$root/etc/couic/couic.toml")"

tools/uninstall "$root" /usr
equal 'only the configuration is left' "$root/etc/couic/couic.toml $root/etc/couic/couicctl.toml" "$(find "$root" -type f -o -type l | LC_ALL=C sort | tr '\n' ' ' | sed 's/ $//')"

tools/install "$root" /usr/local >/dev/null
check 'another prefix works' test -x "$root/usr/local/bin/couic"
equal 'its unit starts the program that is there' "ExecStart=/usr/local/bin/couic -c /etc/couic/couic.toml" "$(grep '^ExecStart=' "$root/usr/local/lib/systemd/system/couic.service")"
