#!/usr/bin/env bash
# Runs an MCP client in its newest version: run.sh python|node ARGUMENT…, as client.py takes them. Fetches its packages into
# .python/ or .node/ if need be. Several runs at the same time do not disturb each other.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../../.."
here=tests/contextforge/newest

die() {
  echo "run.sh: $*" >&2
  exit 1
}

# shellcheck source=envoy/packages.sh
. envoy/packages.sh

client=$1
shift
case $client in
  python)
    need_packages mcp-client "$here/requirements.txt"
    PYTHONNOUSERSITE=1 PYTHONPATH=$packages exec "$python" "$here/client.py" "$@"
    ;;
  node)
    command -v npm >/dev/null || die "npm is missing; install Node.js 20 or newer"
    modules=.node/$(cat "$here/package-lock.json" "$here/client.mjs" | sha256sum | cut -c 1-16)
    [[ -d $modules ]] || (
      new_folder .node
      echo "run.sh: fetching the packages of $here/package.json" >&2
      cp "$here"/package*.json "$here/client.mjs" "$new"
      npm ci --prefix "$new" --ignore-scripts --no-audit --no-fund >"$new/npm.log" 2>&1 || {
        tail -n 3 "$new/npm.log" >&2
        die "npm cannot fetch the packages"
      }
      keep "$modules"
    )
    exec node "$modules/client.mjs" "$@"
    ;;
  *) die "python or node, not $client" ;;
esac
