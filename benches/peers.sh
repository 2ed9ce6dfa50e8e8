#!/usr/bin/env bash
# Installs the tools that the benchmarks compare with into a folder: sqlx, refinery (from crates.io) and dbmate (from npm).
#
#   benches/peers.sh DIR
#   MIGRATE_BENCH_PEERS=DIR cargo bench -p migrate-benches --bench apply
set -euo pipefail
dir=$(mkdir -p "${1:?a folder}" && cd "$1" && pwd)
cargo install --quiet --root "$dir" sqlx-cli --version 0.9.0 --no-default-features --features postgres,mysql,sqlite,rustls
cargo install --quiet --root "$dir" refinery_cli
npm install --silent --prefix "$dir" dbmate@2.36.0
ln -sf "$dir/node_modules/.bin/dbmate" "$dir/bin/dbmate"
