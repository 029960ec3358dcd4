#!/bin/sh
# Makes deploy/.env with a password for each user of the services, once: what stands there already is kept.
set -eu
umask 077
file="$(dirname "$0")/.env"
touch "$file"
for name in REDIS_PASSWORD CLICKHOUSE_ADMIN_PASSWORD CLICKHOUSE_FLYBALL_PASSWORD CLICKHOUSE_GRAFANA_PASSWORD \
    GRAFANA_ADMIN_PASSWORD; do
  grep -q "^$name=" "$file" || printf '%s=%s\n' "$name" "$(head -c 24 /dev/urandom | od -An -tx1 | tr -d ' \n')" >> "$file"
done
