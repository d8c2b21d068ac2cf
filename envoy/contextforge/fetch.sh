#!/usr/bin/env bash
# Prints the folder of ContextForge, the MCP gateway of the guide; fetches it if need be. All else goes to stderr.
#
#   envoy/contextforge/fetch.sh
#
# It is kept in .python/: `site` holds the packages of requirements.txt, for PYTHONPATH (the MCP client and server of
# the tests are among them), `empty.db` a database of ContextForge in which nothing but its administrator is: to make
# one takes three times as long as to start with it. Several runs at the same time do not disturb each other.
#
# Environment: PYTHON (python3), 3.11 to 3.13.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
# shellcheck source=envoy/packages.sh
. "$root/envoy/packages.sh"

die() {
  echo "fetch.sh: $*" >&2
  exit 1
}

need_pip ", or set PYTHON"
version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
[[ $version =~ ^3\.1[123]$ ]] || die "ContextForge needs Python 3.11 to 3.13, not $version; set PYTHON"
# Other packages, or another Python: another folder.
packages=$(cksum <"$here/requirements.txt")
kept=$root/.python/contextforge-${packages%% *}-python$version

is_whole() {
  [[ -s $kept/empty.db ]]
}

# The administrator in the database has a password that nobody knows: who they are, Envoy says.
empty_database() {
  local secret
  secret=$("$python" -c 'import secrets; print(secrets.token_hex(32))')
  (cd "$new" && env -i PATH="$PATH" HOME="$new" PYTHONPATH="$new/site" PYTHONNOUSERSITE=1 JWT_SECRET_KEY="$secret" \
    PLATFORM_ADMIN_PASSWORD="$secret" DATABASE_URL="sqlite:///$new/empty.db" \
    "$python" -m mcpgateway.bootstrap_db >"$new/database.log" 2>&1) || {
    tail -n 3 "$new/database.log" >&2
    die "ContextForge cannot make its database"
  }
}

# Makes the folder, whole or not at all.
fetch() {
  new_folder "$root/.python"
  echo "fetch.sh: fetching ContextForge" >&2
  pip install --no-user --no-deps --target "$new/site" --requirement "$here/requirements.txt" ||
    die "pip cannot fetch ContextForge for this machine"
  empty_database
  keep "$kept"
  is_whole || die "$kept is there but does not hold ContextForge; remove it"
}

is_whole || fetch
echo "$kept"
