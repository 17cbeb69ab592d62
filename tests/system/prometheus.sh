#!/usr/bin/env bash
# Debian's Prometheus scrapes the daemon through the proxy of pkg/nginx/metrics.conf with the job of pkg/prometheus.
source "$(dirname "$0")/_tap.sh"
source tests/system/_daemon.sh
source tests/system/_proxy.sh

start_daemon
start_proxy pkg/nginx/metrics.conf
check 'a client of the group monitoring is made' ctl clients add -n prometheus -g monitoring
ctl clients inspect prometheus --json | jq -j .token >"$DIR/token"
api -o /dev/null http://couic/v1/drop -d '{"cidr":"127.0.0.9/32","tag":"test","expiration":0}'
api -o /dev/null http://couic/v1/ignore -d '{"cidr":"127.0.0.10/32","tag":"office","expiration":0}'
pings_from 127.0.0.9
pings_from 127.0.0.10

# The two gauges of 1.x end in _total on purpose (docs/guide/monitoring.md).
complaints=$(api -H "Accept: text/plain" "http://couic/v1/metrics?format=prometheus" | promtool check metrics 2>&1 |
  grep -vE '^couic_(drop|ignore)_cidr_total non-counter metrics should not have "_total" suffix$')
equal 'promtool has no complaint but the two known ones' '' "$complaints"

sed "s:/etc/prometheus/couic.token:$DIR/token:; s/15s/1s/" pkg/prometheus/couic.yml >"$DIR/prometheus.yml"
check 'promtool takes the job' promtool check config "$DIR/prometheus.yml"
check 'promtool takes the alerts' promtool check rules pkg/prometheus/alerts.yml

start_inside "$DIR/prometheus.log" prometheus --config.file="$DIR/prometheus.yml" --storage.tsdb.path="$DIR/tsdb" --web.listen-address=127.0.0.1:9090

query() { inside curl -s --get http://127.0.0.1:9090/api/v1/query --data-urlencode "query=$1" | jq -r '.data.result[0].value[1]'; }
scraped() { [ "$(query couic_drop_cidr_total)" = 1 ]; }
check 'Prometheus has scraped us' wait_for 30 scraped
equal 'the target is up' 1 "$(query 'up{job="couic"}')"
equal 'a dropped packet is there by its tag' 1 "$(query 'couic_drop_tag_rx_packets_total{tag="test"}')"
equal 'and by its action' 1 "$(query 'couic_stats_rx_packets_total{action="XDP_DROP"}')"

# Each expression of the dashboard must be one that Prometheus understands and that finds something.
while IFS= read -r expression; do
  expression=${expression//\$__rate_interval/1m}
  expression=${expression//\$instance/.*}
  refute "the dashboard's expression finds samples: $expression" test "$(query "${expression//rate(/last_over_time(}")" = null
done < <(jq -r '.panels[].targets[].expr' pkg/grafana/couic.json)
