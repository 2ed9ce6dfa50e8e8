#!/usr/bin/env bash
# Private throw-away PostgreSQL and MariaDB servers on loopback, with their own data folders and ports.
#
#   tests/servers.sh start DIR   starts them in DIR and prints `export ...` lines with their URLs
#   tests/servers.sh stop DIR    stops them, by the pids in DIR, and removes DIR
#
# As root the servers run under the accounts that their packages made, because neither runs as root.
set -euo pipefail

act=${1:?start or stop}
dir=${2:?a folder}

postgres_bin() {
  local bin
  for bin in "$(command -v pg_ctl || true)" /usr/lib/postgresql/*/bin/pg_ctl /usr/local/pgsql/bin/pg_ctl /opt/homebrew/opt/postgresql*/bin/pg_ctl; do
    if [ -x "$bin" ] && [ -x "$(dirname "$bin")/initdb" ]; then dirname "$bin"; fi
  done | tail -n 1
}

mariadb_server() { command -v mariadbd || ls /usr/sbin/mariadbd 2>/dev/null || true; }

# Installs what is missing, where that is allowed.
install_missing() {
  local missing=()
  [ -n "$(postgres_bin)" ] || missing+=(postgresql)
  [ -n "$(mariadb_server)" ] || missing+=(mariadb-server)
  [ ${#missing[@]} -eq 0 ] && return
  local sudo=()
  [ "$(id -u)" = 0 ] || sudo=(sudo -n)
  echo "installing ${missing[*]}" >&2
  if ! command -v apt-get >/dev/null || ! { "${sudo[@]}" apt-get update -qq && "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "${missing[@]}"; } >&2; then
    echo "error: ${missing[*]} is missing and could not be installed; install it by hand" >&2
    exit 1
  fi
}

as() {
  local user=$1
  shift
  if [ "$(id -u)" = 0 ]; then (cd / && exec setpriv --reuid "$user" --regid "$user" --init-groups "$@"); else "$@"; fi
}

free_port() {
  local port
  for _ in $(seq 100); do
    port=$((20000 + RANDOM % 30000))
    (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || { echo "$port"; return; }
  done
}

start_postgres() {
  local bin port data=$dir/postgres
  bin=$(postgres_bin)
  port=$(free_port)
  mkdir -p "$data"
  if [ "$(id -u)" = 0 ]; then chown postgres: "$data"; fi
  as postgres "$bin/initdb" -D "$data/data" -U postgres --auth=trust --encoding=UTF8 --locale=C >"$dir/initdb.log" 2>&1
  as postgres "$bin/pg_ctl" -D "$data/data" -l "$data/log" -w -t 60 -o "-p $port -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c fsync=${SERVERS_SYNC:-off} -c max_connections=300" start >"$dir/pg_ctl.log" 2>&1
  head -n 1 "$data/data/postmaster.pid" >"$dir/postgres.pid"
  echo "export MIGRATE_TEST_POSTGRES=postgres://postgres@127.0.0.1:$port/postgres"
}

start_mariadb() {
  local server port data=$dir/mariadb flush=2
  if [ "${SERVERS_SYNC:-off}" = on ]; then flush=1; fi
  server=$(mariadb_server)
  port=$(free_port)
  mkdir -p "$data"
  local user
  user=$(id -un)
  if [ "$user" = root ]; then user=mysql; chown mysql: "$data"; fi
  mariadb-install-db --no-defaults --datadir="$data/data" --auth-root-authentication-method=normal --user="$user" >"$dir/install-db.log" 2>&1
  setsid nohup "$server" --no-defaults --user="$user" --datadir="$data/data" --socket="$data/socket" --pid-file="$data/pid" \
    --bind-address=127.0.0.1 --port="$port" --max-connections=300 --innodb-flush-log-at-trx-commit=$flush --innodb-buffer-pool-size=64M \
    >"$data/log" 2>&1 </dev/null &
  for _ in $(seq 300); do
    mariadb-admin --no-defaults --socket="$data/socket" -uroot ping >/dev/null 2>&1 && break
    sleep 0.1
  done
  cp "$data/pid" "$dir/mariadb.pid"
  # TCP connections of root are told from socket ones by the host name.
  mariadb --no-defaults --socket="$data/socket" -uroot -e "CREATE USER 'migrate'@'%' IDENTIFIED BY 'secret'; GRANT ALL ON *.* TO 'migrate'@'%' WITH GRANT OPTION; CREATE USER 'migrate'@'localhost' IDENTIFIED BY 'secret'; GRANT ALL ON *.* TO 'migrate'@'localhost' WITH GRANT OPTION;"
  echo "export MIGRATE_TEST_MARIADB=mysql://migrate:secret@127.0.0.1:$port/mysql"
}

stop_one() {
  local pid
  pid=$(cat "$1" 2>/dev/null) || return 0
  kill "$pid" 2>/dev/null || return 0
  for _ in $(seq 300); do kill -0 "$pid" 2>/dev/null || return 0; sleep 0.1; done
  kill -9 "$pid" 2>/dev/null || true
}

case $act in
  start)
    install_missing
    mkdir -p "$dir"
    chmod 755 "$dir"
    start_postgres
    start_mariadb
    ;;
  stop)
    stop_one "$dir/postgres.pid"
    stop_one "$dir/mariadb.pid"
    rm -rf "$dir"
    ;;
  *) echo "start or stop" >&2; exit 2 ;;
esac
