#!/usr/bin/env bash
# What Python's cryptography reads in certificates: runs oracle.py with that package, which is kept in .python/ and
# fetched if need be. Several runs at the same time do not disturb each other.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

die() {
  echo "oracle.sh: $*" >&2
  exit 1
}

# shellcheck source=envoy/packages.sh
. envoy/packages.sh

need_packages corpus tests/corpus/requirements.txt
PYTHONPATH=$packages exec "$python" tests/corpus/oracle.py
