#!/usr/bin/env bash
# pkg/nginx/couic.conf in Debian's nginx: curl and couicctl reach the API through TLS.
source "$(dirname "$0")/_tap.sh"
source tests/system/_daemon.sh
source tests/system/_proxy.sh

start_daemon
start_proxy pkg/nginx/couic.conf
remote() {
  inside curl -s --cacert "$DIR/tls/couic.crt" --resolve couic1.couic.tld:2900:127.0.0.1 -H "Authorization: Bearer $TOKEN" \
    -H 'Content-Type: application/json' "$@"
}
base=https://couic1.couic.tld:2900

wait_for 10 remote -o /dev/null $base/v1/drop
equal 'a list comes through the proxy' '[]' "$(remote $base/v1/drop)"
matches 'an entry is made through the proxy' "$(remote $base/v1/drop -d '{"cidr":"127.0.0.9/32","expiration":0}')" '"cidr":"127.0.0.9/32"'
refute 'and drops' pings_from 127.0.0.9
equal 'a wrong token is 401 there too' 401 "$(TOKEN=wrong remote -o /dev/null -w '%{http_code}' $base/v1/drop)"
equal 'percent signs in a path are not touched' 404 "$(remote -o /dev/null -w '%{http_code}' --path-as-is $base/v1/drop/127.0.0.9%2F32)"
equal 'a body of a megabyte comes through' 200 "$(
  python3 -c 'import json; print(json.dumps([{"cidr": f"10.{i >> 8}.{i & 255}.0/24", "expiration": 0} for i in range(20000)]))' >"$DIR/body"
  remote -o "$DIR/answer" -w '%{http_code}' $base/v1/drop/bulk --data-binary @"$DIR/body")"
equal 'all of it' 20000 "$(jq .created "$DIR/answer")"
equal 'a long list comes back' 20001 "$(remote $base/v1/drop | jq length)"
refute 'a connection without TLS is refused' inside curl -sf -o /dev/null http://127.0.0.1:2900/v1/drop

echo "token = \"$TOKEN\"
mode = \"remote\"
host = \"localhost\"
port = 2900
tls = true
ca_file = \"$DIR/tls/couic.crt\"" >"$DIR/remote.toml"
couicctl() { inside "$ROOT/out/couicctl" -c "$DIR/remote.toml" "$@"; }
equal 'couicctl in remote mode finds the entry' 127.0.0.9/32 "$(couicctl drop inspect 127.0.0.9 --json 2>&1 | jq -r .cidr)"
check 'couicctl in remote mode deletes' couicctl drop delete 127.0.0.9
check 'and the source gets through again' pings_from 127.0.0.9

sed -i '/^ca_file/d' "$DIR/remote.toml"
matches 'an untrusted certificate is refused with its cause' "$(couicctl drop list -q 2>&1)" 'couicctl: .*certificate'
