#!/usr/bin/env bash
# Starts ContextForge on this machine, as the process that this script is, with the settings of settings.env.
#
#   envoy/contextforge/start.sh PORT DIR [NAME=VALUE…]
#
# On 127.0.0.1 and PORT (0: a free one, which it logs). Its database and its secrets lie in DIR and are made if they
# are not there. More settings may follow; nothing of the environment reaches it.
set -euo pipefail

die() {
  echo "start.sh: $*" >&2
  exit 1
}

[[ $# -ge 2 && $1 =~ ^[0-9]+$ && -d $2 ]] || die "usage: start.sh PORT DIR [NAME=VALUE…]"
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
port=$1
dir=$(cd "$2" && pwd)
shift 2
kept=$("$here/fetch.sh")

umask 077
[[ -e $dir/mcp.db ]] || cp "$kept/empty.db" "$dir/mcp.db"
[[ -e $dir/secrets.env ]] || "$here/secrets.sh" >"$dir/secrets.env"
mapfile -t settings < <(grep -hv '^#\|^$' "$here/settings.env" "$dir/secrets.env")
# It reads a file `.env` in its folder, if there is one.
cd "$dir"
exec env -i PATH="$PATH" HOME="$dir" PYTHONPATH="$kept/site" PYTHONNOUSERSITE=1 "${settings[@]}" \
  DATABASE_URL="sqlite:///$dir/mcp.db" "$@" \
  "${PYTHON:-python3}" "$here/serve.py" mcpgateway.main:app "$port"
