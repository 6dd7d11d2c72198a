#!/usr/bin/env bash
# Real services on loopback for tests and trying things out, without Docker.
#
#   deploy/services.sh up kafka postgresql redis   gets what is missing, starts each, waits until it answers
#   deploy/services.sh status kafka                says whether it runs
#   deploy/services.sh again postgresql            starts one that was killed, on its port and its data
#   deploy/services.sh down kafka                  ends it by its process id and removes its data
#
# `up` prints `export NAME=value` lines: eval "$(deploy/services.sh up kafka)".
# Everything is kept under SERVICES_DIR (default: a folder of yours below the temporary folder).
# KAFKA_PORT, POSTGRES_PORT and REDIS_PORT choose where the search for a free port begins.
# shellcheck disable=SC2329  # services are called by name: "$1_up"
set -euo pipefail

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
BASE=${SERVICES_DIR:-${TMPDIR:-/tmp}/mlsite-services-$(id -u)}
# The broker is asked through the project's own client.
PYTHON=${PYTHON:-$HERE/../.venv/bin/python}
WAIT_SECONDS=60

say() { echo "services: $*" >&2; }
fail() { say "$*"; exit 3; }
answers() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
# A process that has ended and was not waited for is not alive.
alive() {
  [ -s "$BASE/$1/pid" ] && kill -0 "$(cat "$BASE/$1/pid")" 2>/dev/null && [[ $(ps -o stat= -p "$(cat "$BASE/$1/pid")") != Z* ]]
}

free_port() {
  local port=$1
  while answers "$port"; do port=$((port + 1)); done
  echo "$port"
}

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; elif command -v sudo >/dev/null; then sudo -n "$@"; else fail "needs root: $*"; fi
}

get_packages() {  # PROGRAM PACKAGE…
  local program=$1
  shift
  command -v "$program" >/dev/null && return
  say "installing $*"
  { as_root apt-get update -qq && as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@"; } >&2 \
    || fail "could not install $*"
}

wait_for() {  # NAME COMMAND…
  local name=$1 end=$((SECONDS + WAIT_SECONDS))
  shift
  until "$@" >/dev/null 2>&1; do
    alive "$name" || { tail -n 20 "$BASE/$name/log" >&2; fail "$name ended while starting"; }
    [ "$SECONDS" -lt "$end" ] || { tail -n 20 "$BASE/$name/log" >&2; fail "$name did not answer in $WAIT_SECONDS s"; }
    sleep 0.3
  done
}

stop_pid() {  # PID: asks, then insists
  kill "$1" 2>/dev/null || return 0
  for _ in $(seq 50); do
    kill -0 "$1" 2>/dev/null || return 0
    sleep 0.2
  done
  kill -9 "$1" 2>/dev/null || true
}

# ---- Kafka ----
kafka_env() { echo "export KAFKA_BOOTSTRAP_SERVERS=127.0.0.1:$(cat "$BASE/kafka/port")"; }

kafka_answers() {
  "$PYTHON" -c 'import sys; from kafka.admin import KafkaAdminClient as Admin; Admin(bootstrap_servers=sys.argv[1]).list_topics()' \
    "127.0.0.1:$1"
}

kafka_up() {
  local dir=$BASE/kafka jars=$BASE/kafka-jars port
  get_packages java default-jre-headless
  get_packages mvn maven
  "$PYTHON" -c 'import kafka' || fail "$PYTHON has no kafka-python: run make setup, or name another with PYTHON"
  if [ ! -e "$jars/.complete" ]; then
    say "getting Kafka's jars"
    mvn -q -B -f "$HERE/kafka/pom.xml" dependency:copy-dependencies -DoutputDirectory="$jars" >&2 || fail "maven could not get the jars"
    touch "$jars/.complete"
  fi
  rm -rf "$dir"
  mkdir -p "$dir"
  port=$(free_port "${KAFKA_PORT:-19092}")
  echo "$port" >"$dir/port"
  sed -e "s|@PORT@|$port|g; s|@CONTROLLER@|$(free_port $((port + 1000)))|g; s|@DIR@|$dir|g" "$HERE/kafka/server.properties" \
    >"$dir/server.properties"
  java -cp "$jars/*" kafka.tools.StorageTool format --standalone -t "$(java -cp "$jars/*" kafka.tools.StorageTool random-uuid 2>/dev/null)" \
    -c "$dir/server.properties" >"$dir/log" 2>&1 || { cat "$dir/log" >&2; fail "Kafka's storage could not be formatted"; }
  kafka_again
}

kafka_again() {
  local dir=$BASE/kafka jars=$BASE/kafka-jars port
  port=$(cat "$dir/port")
  setsid nohup java -Xmx512m -Dlog4j2.configurationFile="$HERE/kafka/log4j2.properties" -cp "$jars/*" \
    kafka.Kafka "$dir/server.properties" >>"$dir/log" 2>&1 </dev/null &
  echo $! >"$dir/pid"
  wait_for kafka kafka_answers "$port"
}

kafka_down() { stop_pid "$(cat "$BASE/kafka/pid")"; }

# ---- Redis ----
redis_env() { echo "export TEST_REDIS_URL=redis://127.0.0.1:$(cat "$BASE/redis/port")/0"; }

redis_up() {
  local dir=$BASE/redis
  get_packages redis-server redis-server
  rm -rf "$dir"
  mkdir -p "$dir"
  free_port "${REDIS_PORT:-16379}" >"$dir/port"
  redis_again
}

redis_again() {
  local dir=$BASE/redis port
  port=$(cat "$BASE/redis/port")
  setsid nohup redis-server --port "$port" --bind 127.0.0.1 --dir "$dir" --appendonly yes --maxmemory-policy noeviction --save "" \
    >"$dir/log" 2>&1 </dev/null &
  echo $! >"$dir/pid"
  wait_for redis redis-cli -p "$port" ping
}

redis_down() { stop_pid "$(cat "$BASE/redis/pid")"; }

# ---- PostgreSQL ----
postgresql_env() { echo "export TEST_POSTGRES_URL=postgresql://postgres@127.0.0.1:$(cat "$BASE/postgresql/port")/postgres"; }
# Its programs refuse to run as root.
as_postgres() { if [ "$(id -u)" = 0 ]; then su postgres -s /bin/sh -c "$*"; else sh -c "$*"; fi; }
postgresql_bin() { find /usr/lib/postgresql -maxdepth 2 -name bin 2>/dev/null | sort -V | tail -n 1; }

postgresql_up() {
  local dir=$BASE/postgresql bin
  [ -x "$(postgresql_bin)/initdb" ] || get_packages no-postgresql-yet postgresql
  bin=$(postgresql_bin)
  rm -rf "$dir"
  mkdir -p "$dir"
  free_port "${POSTGRES_PORT:-15432}" >"$dir/port"
  # Owned by the user the server runs as, and reachable through the folders above it.
  if [ "$(id -u)" = 0 ]; then chmod 711 "$BASE" && chown postgres "$dir"; fi
  as_postgres "$bin/initdb -D $dir/data -A trust -U postgres" >"$dir/log" 2>&1 || { cat "$dir/log" >&2; fail "initdb failed"; }
  postgresql_again
}

postgresql_again() {
  local dir=$BASE/postgresql bin port
  bin=$(postgresql_bin)
  port=$(cat "$dir/port")
  # One that was killed leaves processes behind for a moment, and starts only once they are gone.
  for attempt in 1 2 3 4 5 6 7 8 9 10; do
    as_postgres "$bin/pg_ctl -D $dir/data -l $dir/data/server.log -o '-p $port -k $dir -h 127.0.0.1' start" >>"$dir/log" 2>&1 && break
    [ "$attempt" -lt 10 ] || { cat "$dir/log" >&2; fail "PostgreSQL did not start"; }
    sleep 0.3
  done
  head -n 1 "$dir/data/postmaster.pid" >"$dir/pid"
  wait_for postgresql "$bin/pg_isready" -p "$port" -h 127.0.0.1
}

# A smart stop waits for clients; INT asks for the fast one.
postgresql_down() {
  local pid
  pid=$(cat "$BASE/postgresql/pid")
  kill -INT "$pid" 2>/dev/null && sleep 0.5
  stop_pid "$pid"
}

# ---- verbs ----
up() {
  alive "$1" || { say "starting $1"; "$1_up"; }
  "$1_env"
}

again() {
  [ -d "$BASE/$1" ] || fail "$1 was never up"
  alive "$1" || { say "starting $1 again"; "$1_again"; }
}

down() {
  if [ -d "$BASE/$1" ]; then
    if alive "$1"; then "$1_down"; fi
    rm -rf "${BASE:?}/$1"
    say "$1 stopped"
  fi
}

status() {
  if alive "$1"; then echo "$1: up at 127.0.0.1:$(cat "$BASE/$1/port")"; else echo "$1: down"; STATUS=1; fi
}

VERB=${1:-}
STATUS=0
case $VERB in up | again | down | status) shift ;; *) say "usage: services.sh up|again|down|status kafka|postgresql|redis…"; exit 2 ;; esac
[ $# -gt 0 ] || set -- kafka postgresql redis
mkdir -p "$BASE"
for name in "$@"; do
  case $name in kafka | postgresql | redis) "$VERB" "$name" ;; *) say "unknown service $name: kafka, postgresql or redis"; exit 2 ;; esac
done
exit $STATUS
