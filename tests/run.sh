#!/usr/bin/env bash
# Starts temporary servers, runs the tests, and stops the servers.
#
#   tests/run.sh [ARGUMENT...]           all tests of the workspace, on the installed PostgreSQL, PgBouncer, MariaDB and Galera;
#                                        the arguments are passed to `cargo test`
#   tests/run.sh --newest [NAME...]      the suites below, on the newest supported versions of PostgreSQL and MariaDB
#   tests/run.sh --both-ends [NAME...]   the suites below, on the installed versions, then on the newest supported ones
#
# A NAME is a part of the names of the tests [default: all of the suites]. Missing servers are installed if the user may install
# packages; the newest versions are downloaded into the temporary folder of the servers.
set -euo pipefail
cd "$(dirname "$0")/.."

# The suites that depend on how PostgreSQL and MariaDB behave. Tests that need a pooler have the word in their names.
suites=(
  atomicity:: command:: conformance:: corpus:: foreign_histories:: history_place:: interruptions:: proof:: proof_drops::
  race:: requirements:: rollout:: round_trips:: session::
)

# Runs a command with the servers that a script starts: `on SCRIPT "SERVERS" COMMAND...`.
on() (
  script=$1
  servers=$(mktemp -d "${TMPDIR:-/tmp}/migrate-servers.XXXXXX")
  trap '"$script" stop "$servers"' EXIT
  # shellcheck disable=SC2086
  "$script" start "$servers" $2 >"$servers/environment" || { cat "$servers"/*.log >&2 2>/dev/null; exit 1; }
  . "$servers/environment"
  shift 2
  "$@"
)

# Runs the suites with the servers that a script starts.
run_suites() {
  local script=$1
  shift
  if [ $# = 0 ]; then set -- "${suites[@]}"; fi
  echo "the suites run on the servers of $script" >&2
  on "$script" "postgres mariadb" cargo test -p migrate-tests --test suite -- --skip pooler "$@"
}

case ${1:-} in
  --newest | --both-ends)
    option=$1
    shift
    # The tests start the command, which belongs to another package.
    cargo build -p cargo-migrate
    failed=0
    if [ "$option" = --both-ends ]; then run_suites tests/servers.sh "$@" || failed=1; fi
    run_suites tests/newest_servers.sh "$@" || failed=1
    exit $failed
    ;;
  *)
    # A test that waits for ever must not hide which one it is. In the foreground, Ctrl-C ends the tests, too.
    limit=()
    if command -v timeout >/dev/null; then limit=(timeout --foreground --kill-after=60s 60m); fi
    # Without `--no-fail-fast`, only the failures of the first package would be shown.
    on tests/servers.sh "" ${limit[@]+"${limit[@]}"} cargo test --workspace --no-fail-fast "$@"
    ;;
esac
