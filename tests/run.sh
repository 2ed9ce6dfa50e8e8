#!/usr/bin/env bash
# Passes all tests: starts throw-away PostgreSQL and MariaDB servers (installs them when they are missing and that is
# allowed), runs every test of the workspace, and stops the servers again. Arguments go to `cargo test`.
set -euo pipefail
cd "$(dirname "$0")/.."

servers=$(mktemp -d "${TMPDIR:-/tmp}/migrate-servers.XXXXXX")
trap 'tests/servers.sh stop "$servers"' EXIT
tests/servers.sh start "$servers" >"$servers/environment" || { cat "$servers"/*.log >&2 2>/dev/null; exit 1; }
. "$servers/environment"

# All failures are shown, not only those of the first package.
cargo test --workspace --no-fail-fast "$@"
