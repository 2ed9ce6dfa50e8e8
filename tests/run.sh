#!/usr/bin/env bash
# Starts temporary servers (PostgreSQL, PgBouncer, MariaDB, Galera), runs all tests of the workspace, and stops the servers.
# Missing servers are installed if the user may install packages. Arguments are passed to `cargo test`.
set -euo pipefail
cd "$(dirname "$0")/.."

servers=$(mktemp -d "${TMPDIR:-/tmp}/migrate-servers.XXXXXX")
trap 'tests/servers.sh stop "$servers"' EXIT
tests/servers.sh start "$servers" >"$servers/environment" || { cat "$servers"/*.log >&2 2>/dev/null; exit 1; }
. "$servers/environment"

# Without `--no-fail-fast`, only the failures of the first package would be shown.
cargo test --workspace --no-fail-fast "$@"
