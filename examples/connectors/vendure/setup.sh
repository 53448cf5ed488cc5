#!/usr/bin/env bash
# Installs a Vendure shop into this folder (about 425 packages, 170 MB) and runs the catalog sync against it.
#
#   ./setup.sh                 5 categories, 50 products, 150 offers
#   ./setup.sh --categories 50 50 categories, 500 products, 1,500 offers
#   ./setup.sh --input orders.csv --products 500
#
# TRUNKLINE names the program (default: the one on the PATH, else the release build of this repository).
set -euo pipefail
cd "$(dirname "$0")"

command -v node >/dev/null || { echo "Node 20.11 or newer is needed" >&2; exit 1; }
[ -d node_modules/@vendure/core ] || npm install --no-audit --no-fund --loglevel=error

root=$(cd ../../.. && pwd)
program=${TRUNKLINE:-$(command -v trunkline || echo "${CARGO_TARGET_DIR:-$root/target}/release/trunkline")}
[ -x "$program" ] || { echo "There is no program $program: run 'cargo build --release -p trunkline-cli' first" >&2; exit 1; }
exec node sync.mjs --trunkline "$program" "$@"
