#!/usr/bin/env bash
# A client of HTTP/3: runs client.py with its packages, which are kept in .python/ and fetched if need be. Several runs at
# the same time do not disturb each other.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../../.."

die() {
  echo "client.sh: $*" >&2
  exit 1
}

# shellcheck source=envoy/packages.sh
. envoy/packages.sh

need_packages http3 tests/e2e/http3/requirements.txt
PYTHONPATH=$packages exec "$python" tests/e2e/http3/client.py "$@"
