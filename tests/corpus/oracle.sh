#!/usr/bin/env bash
# What other readers find in certificates: runs a program of this folder with Python's package cryptography, which is kept
# in .python/ and fetched if need be. Several runs at the same time do not disturb each other.
#
#   tests/corpus/oracle.sh [oracle.py | names.py]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

die() {
  echo "oracle.sh: $*" >&2
  exit 1
}

# shellcheck source=envoy/packages.sh
. envoy/packages.sh

need_packages corpus tests/corpus/requirements.txt
PYTHONPATH=$packages exec "$python" "tests/corpus/${1:-oracle.py}"
