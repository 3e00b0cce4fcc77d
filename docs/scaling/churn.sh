#!/usr/bin/env bash
# Months of a registry on PostgreSQL, in minutes: how large its tables and indexes become, and what vacuuming keeps of that.
#
#   RegistryFunctions migrate postgres://…                     makes the tables, in an empty database
#   docs/scaling/churn.sh postgres://… [devices] [days]
#
# Tables are vacuumed when autovacuum would do it by its defaults: when 50 rows and a fifth of all are dead.
set -euo pipefail
url=$1 devices=${2:-50000} days=${3:-120}
query() { PGOPTIONS='-c synchronous_commit=off' psql "$url" -qAt -v ON_ERROR_STOP=1 "$@"; }

query -f "$(dirname "$0")/churn.sql"
echo "| day | bundles | remembered | bundle | its key | by age | spent | its key | by age | device and key | vacuumed so far |"
echo "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |"
vacuumed=0
for day in $(seq 1 "$days"); do
  query -c "CALL simulate_day($day, $days, $devices)"
  due=$(query -c "SELECT format('VACUUM %I;', relname) FROM pg_stat_user_tables
    WHERE relname IN ('bundle', 'spent', 'device') AND n_dead_tup > 50 + 0.2 * n_live_tup")
  if [ -n "$due" ]; then
    query -f <(echo "$due")
    vacuumed=$((vacuumed + $(wc -l <<< "$due")))
  fi
  if [ $((day % 30)) -eq 0 ]; then
    query -F ' | ' -c "SELECT '| $day', (SELECT count(*) FROM bundle), (SELECT count(*) FROM spent),
      pg_size_pretty(pg_relation_size('bundle')), pg_size_pretty(pg_relation_size('bundle_pkey')), pg_size_pretty(pg_relation_size('bundle_by_age')),
      pg_size_pretty(pg_relation_size('spent')), pg_size_pretty(pg_relation_size('spent_pkey')), pg_size_pretty(pg_relation_size('spent_by_age')),
      pg_size_pretty(pg_total_relation_size('device')), '$vacuumed |'"
  fi
done
