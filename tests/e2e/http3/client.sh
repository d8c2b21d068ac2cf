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

wanted=tests/e2e/http3/requirements.txt
packages=.python/http3-$(sha256sum "$wanted" | cut -c 1-16)

# Makes the folder of the packages, whole or not at all.
fetch() (
  need_pip
  new_folder .python
  echo "client.sh: fetching the packages of $wanted" >&2
  pip install --no-user --target "$new" --requirement "$wanted" || die "pip cannot fetch the packages of $wanted"
  keep "$packages"
)

[[ -d $packages ]] || fetch
PYTHONPATH=$packages exec "$python" tests/e2e/http3/client.py "$@"
