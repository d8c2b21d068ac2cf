#!/usr/bin/env bash
# Asks every reader about so many mutated messages: tests/mcp_readers/run.sh [COUNT]. Needs Python, Node.js and Go; fetches
# the packages of requirements.txt into .python/.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

die() {
  echo "run.sh: $*" >&2
  exit 1
}

for program in node go; do
  command -v "$program" >/dev/null || die "$program is missing; install it"
done
# shellcheck source=envoy/packages.sh
. envoy/packages.sh
need_packages mcp-readers tests/mcp_readers/requirements.txt
reader=$PWD/target/mcp-reader
go -C tests/mcp_readers/readers/go build -o "$reader" .

readers=tests/mcp_readers/readers
export PYTHONPATH=$packages
export MCP_MESSAGES=${1:-1000000}
export MCP_READERS="$python $readers/read.py json
$python $readers/read.py orjson
$python $readers/read.py pydantic_core
node $readers/read.js
$reader"
exec cargo test --locked --test mcp_readers -- --nocapture
