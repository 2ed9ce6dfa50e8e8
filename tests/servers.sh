#!/usr/bin/env bash
# Temporary servers on loopback, with their own data folders and ports: PostgreSQL, a PgBouncer in front of it (transaction
# mode, pool of two), MariaDB, and a Galera cluster of three MariaDB nodes.
#
#   tests/servers.sh start DIR [WHAT...]   starts the servers in DIR and prints `export ...` lines with their URLs
#   tests/servers.sh restart DIR WHAT      kills postgres or mariadb, as in a crash, and starts it again
#   tests/servers.sh stop DIR              stops the servers by the process ids in DIR, and removes DIR
#
# If SERVERS_TLS is a folder with server.crt and server.key, postgres and mariadb offer TLS with them.
#
# WHAT is postgres, standby (a read-only replica of postgres), pgbouncer, mariadb, galera or disks [default: all but standby].
# disks creates a disk of 4 MiB and a read-only mount of a folder.
#
# If the user is root, the servers run under the accounts of their packages, because they refuse to run as root.
set -euo pipefail

action=${1:?start, restart or stop}
dir=${2:?a folder}

postgres_bin() {
  local bin
  for bin in "$(command -v pg_ctl || true)" /usr/lib/postgresql/*/bin/pg_ctl /usr/local/pgsql/bin/pg_ctl /opt/homebrew/opt/postgresql*/bin/pg_ctl; do
    if [ -x "$bin" ] && [ -x "$(dirname "$bin")/initdb" ]; then dirname "$bin"; fi
  done | tail -n 1
}

mariadb_server() { command -v mariadbd || ls /usr/sbin/mariadbd 2>/dev/null || true; }

pooler() { command -v pgbouncer || ls /usr/sbin/pgbouncer 2>/dev/null || true; }

galera_library() { ls /usr/lib/galera/libgalera_smm.so /usr/lib*/galera-4/libgalera_smm.so /usr/lib/*/libgalera_smm.so 2>/dev/null | head -n 1 || true; }

# Installs missing packages if the user may do so.
install_missing() {
  local missing=()
  [ -n "$(postgres_bin)" ] || missing+=(postgresql)
  [ -n "$(mariadb_server)" ] || missing+=(mariadb-server)
  [ -n "$(pooler)" ] || missing+=(pgbouncer)
  [ -n "$(galera_library)" ] || missing+=(galera-4)
  command -v rsync >/dev/null || missing+=(rsync)
  # The shells in which completion is tested.
  command -v zsh >/dev/null || missing+=(zsh)
  command -v fish >/dev/null || missing+=(fish)
  [ ${#missing[@]} -eq 0 ] && return
  local sudo=()
  [ "$(id -u)" = 0 ] || sudo=(sudo -n)
  echo "installing ${missing[*]}" >&2
  if ! command -v apt-get >/dev/null || ! { "${sudo[@]}" apt-get update -qq && "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "${missing[@]}"; } >&2; then
    echo "error: could not install the missing packages ${missing[*]}; install them manually" >&2
    exit 1
  fi
}

# Runs a command under another account if the user is root.
as() {
  local user=$1
  shift
  if [ "$(id -u)" = 0 ]; then (cd / && exec setpriv --reuid "$user" --regid "$user" --init-groups "$@"); else "$@"; fi
}

# A port below the range of outgoing connections, so that no connection takes it before the server does.
free_port() {
  local port
  for _ in $(seq 100); do
    port=$((12000 + RANDOM % 20000))
    (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || { echo "$port"; return; }
  done
}

start_postgres() {
  local bin port data=$dir/postgres
  bin=$(postgres_bin)
  port=$(free_port)
  mkdir -p "$data"
  if [ "$(id -u)" = 0 ]; then chown postgres: "$data"; fi
  echo "$port" >"$dir/postgres.port"
  as postgres "$bin/initdb" -D "$data/data" -U postgres --auth=trust --encoding=UTF8 --locale=C >"$dir/initdb.log" 2>&1
  start_on_some_port postgres
  echo "export MIGRATE_TEST_POSTGRES=postgres://postgres@127.0.0.1:$(cat "$dir/postgres.port")/postgres"
}

# Retries, because another test may take the same port at the same time.
start_on_some_port() {
  local attempt
  for attempt in 1 2 3; do
    if run_postgres "$1"; then return; fi
    free_port >"$dir/$1.port"
  done
  tail -n 5 "$dir/$1/data/log" "$dir/$1/log" "$dir/pg_ctl.log" 2>/dev/null >&2 || true
  echo "error: PostgreSQL does not start" >&2
  return 1
}

# Copies the certificate and its key to where the account of a server can read them, and only it.
tls_files() {
  install -m 600 "$SERVERS_TLS/server.crt" "$SERVERS_TLS/server.key" "$1/"
  if [ "$(id -u)" = 0 ]; then chown "$2:" "$1/server.crt" "$1/server.key"; fi
}

run_postgres() {
  local bin data=$dir/$1 port tls=
  bin=$(postgres_bin)
  port=$(cat "$dir/$1.port")
  if [ -n "${SERVERS_TLS:-}" ]; then
    tls_files "$data" postgres
    tls="-c ssl=on -c ssl_cert_file='$data/server.crt' -c ssl_key_file='$data/server.key'"
  fi
  as postgres "$bin/pg_ctl" -D "$data/data" -l "$data/log" -w -t 60 -o "-p $port -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c fsync=${SERVERS_SYNC:-off} -c max_connections=300 $tls" start >"$dir/pg_ctl.log" 2>&1 || return 1
  head -n 1 "$data/data/postmaster.pid" >"$dir/$1.pid"
}

start_standby() {
  local bin port data=$dir/standby
  bin=$(postgres_bin)
  port=$(free_port)
  mkdir -p "$data"
  if [ "$(id -u)" = 0 ]; then chown postgres: "$data"; fi
  echo "$port" >"$dir/standby.port"
  as postgres "$bin/pg_basebackup" -h 127.0.0.1 -p "$(cat "$dir/postgres.port")" -U postgres -D "$data/data" -R -c fast >"$dir/standby.log" 2>&1
  start_on_some_port standby
  echo "export MIGRATE_TEST_STANDBY=postgres://postgres@127.0.0.1:$(cat "$dir/standby.port")/postgres"
}

start_pgbouncer() {
  local port data=$dir/pgbouncer server
  server=$(cat "$dir/postgres.port")
  port=$(free_port)
  mkdir -p "$data"
  cat >"$data/pgbouncer.ini" <<INI
[databases]
* = host=127.0.0.1 port=$server user=postgres
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = $port
unix_socket_dir =
auth_type = any
admin_users = postgres
pool_mode = transaction
default_pool_size = 2
max_client_conn = 500
server_idle_timeout = 5
logfile = $data/log
pidfile = $data/pid
INI
  if [ "$(id -u)" = 0 ]; then chown -R postgres: "$data"; fi
  as postgres "$(pooler)" -d -q "$data/pgbouncer.ini" >"$dir/pgbouncer.log" 2>&1
  for _ in $(seq 100); do [ -s "$data/pid" ] && break; sleep 0.1; done
  cp "$data/pid" "$dir/pgbouncer.pid"
  echo "export MIGRATE_TEST_PGBOUNCER=postgres://postgres@127.0.0.1:$port/postgres"
}

# Grants the privileges that the tests need, and revokes the default privileges on databases named test. MariaDB
# distinguishes connections over TCP and over the socket by the host name.
grant() {
  mariadb --no-defaults --socket="$1" -uroot -e "DELETE FROM mysql.db WHERE Db LIKE 'test%'; FLUSH PRIVILEGES; CREATE USER 'migrate'@'%' IDENTIFIED BY 'secret'; GRANT ALL ON *.* TO 'migrate'@'%' WITH GRANT OPTION; CREATE USER 'migrate'@'localhost' IDENTIFIED BY 'secret'; GRANT ALL ON *.* TO 'migrate'@'localhost' WITH GRANT OPTION;"
}

# Starts three nodes, each after the previous one has joined the cluster.
start_galera() {
  local node ports=() listen=() members= user urls= library
  library=$(galera_library)
  user=$(id -un)
  if [ "$user" = root ]; then user=mysql; fi
  for node in 1 2 3; do
    ports+=("$(free_port)")
    listen+=("$(free_port)")
  done
  for node in 0 1 2; do
    local data=$dir/galera/$node
    mkdir -p "$data/tmp"
    if [ "$user" = mysql ]; then chown -R mysql: "$dir/galera"; fi
    TMPDIR=$data/tmp mariadb-install-db --no-defaults --datadir="$data/data" --auth-root-authentication-method=normal --user="$user" >"$dir/galera-$node.install.log" 2>&1
    setsid nohup "$(mariadb_server)" --no-defaults --user="$user" --datadir="$data/data" --tmpdir="$data/tmp" --socket="$data/socket" --pid-file="$data/pid" \
      --bind-address=127.0.0.1 --port="${ports[$node]}" --max-connections=300 --innodb-buffer-pool-size=32M --innodb-flush-log-at-trx-commit=2 \
      --binlog-format=ROW --innodb-autoinc-lock-mode=2 --wsrep-on=ON --wsrep-provider="$library" --wsrep-cluster-name=tests \
      --wsrep-cluster-address="gcomm://$members" --wsrep-node-name="node$node" --wsrep-node-address=127.0.0.1 \
      --wsrep-sst-method=rsync --wsrep-sst-receive-address="127.0.0.1:$(free_port)" \
      "--wsrep-provider-options=gmcast.listen_addr=tcp://127.0.0.1:${listen[$node]};ist.recv_addr=127.0.0.1:$(free_port);gcache.size=32M;evs.suspect_timeout=PT15S;evs.inactive_timeout=PT45S;evs.install_timeout=PT15S" \
      >"$data/log" 2>&1 </dev/null &
    for _ in $(seq 600); do
      mariadb --no-defaults --socket="$data/socket" -uroot -N -e "SHOW STATUS LIKE 'wsrep_local_state_comment'" 2>/dev/null | grep -q Synced && break
      sleep 0.1
    done
    cp "$data/pid" "$dir/galera-$node.pid"
    if [ "$node" = 0 ]; then grant "$data/socket"; fi
    members+="${members:+,}127.0.0.1:${listen[$node]}"
    urls+="${urls:+ }mysql://migrate:secret@127.0.0.1:${ports[$node]}/mysql"
  done
  echo "export MIGRATE_TEST_GALERA='$urls'"
  echo "export MIGRATE_TEST_GALERA_PIDS='$(cat "$dir"/galera-[012].pid | tr '\n' ' ')'"
}

start_mariadb() {
  local port data=$dir/mariadb
  port=$(free_port)
  echo "$port" >"$dir/mariadb.port"
  # A server deletes the temporary tables of other servers in its temporary folder when it starts.
  mkdir -p "$data/tmp"
  local user
  user=$(id -un)
  if [ "$user" = root ]; then user=mysql; chown mysql: "$data" "$data/tmp"; fi
  TMPDIR=$data/tmp mariadb-install-db --no-defaults --datadir="$data/data" --auth-root-authentication-method=normal --user="$user" >"$dir/install-db.log" 2>&1
  run_mariadb
  grant "$data/socket"
  echo "export MIGRATE_TEST_MARIADB=mysql://migrate:secret@127.0.0.1:$port/mysql"
}

run_mariadb() {
  local server port data=$dir/mariadb flush=2 user tls=()
  if [ "${SERVERS_SYNC:-off}" = on ]; then flush=1; fi
  server=$(mariadb_server)
  port=$(cat "$dir/mariadb.port")
  user=$(id -un)
  if [ "$user" = root ]; then user=mysql; fi
  if [ -n "${SERVERS_TLS:-}" ]; then
    tls_files "$data" "$user"
    tls=(--ssl-cert="$data/server.crt" --ssl-key="$data/server.key")
  fi
  setsid nohup "$server" --no-defaults --user="$user" --datadir="$data/data" --tmpdir="$data/tmp" --socket="$data/socket" --pid-file="$data/pid" \
    --bind-address=127.0.0.1 --port="$port" --max-connections=300 --innodb-flush-log-at-trx-commit=$flush --innodb-buffer-pool-size=64M \
    "${tls[@]}" \
    >"$data/log" 2>&1 </dev/null &
  for _ in $(seq 300); do
    mariadb-admin --no-defaults --socket="$data/socket" -uroot ping >/dev/null 2>&1 && break
    sleep 0.1
  done
  cp "$data/pid" "$dir/mariadb.pid"
}

# Runs a command as root, or with sudo if that needs no password.
mounts() {
  if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}

start_disks() {
  mkdir -p "$dir/small" "$dir/writable" "$dir/read-only"
  if ! { mounts mount -t tmpfs -o size=4m,mode=777 tmpfs "$dir/small" && mounts mount --bind "$dir/writable" "$dir/read-only" \
    && mounts mount -o remount,bind,ro "$dir/read-only"; } 2>"$dir/disks.log"; then
    echo "warning: the user may not mount disks, so full and read-only disks are not tested" >&2
    return
  fi
  echo "export MIGRATE_TEST_SMALL_DISK='$dir/small' MIGRATE_TEST_WRITABLE='$dir/writable' MIGRATE_TEST_READ_ONLY='$dir/read-only'"
}

stop_server() {
  local pid
  pid=$(cat "$1" 2>/dev/null) || return 0
  kill "$pid" 2>/dev/null || return 0
  for _ in $(seq 300); do kill -0 "$pid" 2>/dev/null || return 0; sleep 0.1; done
  kill -9 "$pid" 2>/dev/null || true
}

case $action in
  start)
    install_missing
    mkdir -p "$dir"
    chmod 755 "$dir"
    shift 2
    for what in "${@:-postgres pgbouncer mariadb galera disks}"; do
      for server in $what; do "start_$server"; done
    done
    ;;
  restart)
    kill -9 "$(cat "$dir/$3.pid")"
    while kill -0 "$(cat "$dir/$3.pid")" 2>/dev/null; do sleep 0.05; done
    case $3 in
      postgres) run_postgres postgres ;;
      mariadb) run_mariadb ;;
    esac
    ;;
  stop)
    for mount in small read-only; do
      if mountpoint -q "$dir/$mount"; then mounts umount -l "$dir/$mount"; fi
    done
    for server in pgbouncer standby postgres mariadb galera-2 galera-1 galera-0; do stop_server "$dir/$server.pid"; done
    rm -rf "$dir"
    ;;
  *) echo "error: the action must be start, restart or stop" >&2; exit 2 ;;
esac
