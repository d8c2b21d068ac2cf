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

wanted=tests/corpus/requirements.txt
packages=.python/corpus-$(sha256sum "$wanted" | cut -c 1-16)

# Makes the folder of the packages, whole or not at all.
fetch() (
  need_pip
  new_folder .python
  echo "oracle.sh: fetching the packages of $wanted" >&2
  pip install --no-user --target "$new" --requirement "$wanted" || die "pip cannot fetch the packages of $wanted"
  keep "$packages"
)

[[ -d $packages ]] || fetch
PYTHONPATH=$packages exec "$python" tests/corpus/oracle.py
