#!/usr/bin/env bash
# Prints the folder of the certificates of other makers; fetches them if need be. All else goes to stderr.
#
# They are the test vectors of the Python package cryptography (certificates of real CAs, PKITS, and what its authors
# broke on purpose), one version with one digest. They are kept in .python/. Several runs at the same time do not
# disturb each other.
set -euo pipefail

version=50.0.2
sha256=51641f03a3eb4edbe9fb68e3a3574d25f86aa502d06391fffa886330d02778a0
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=envoy/packages.sh
. "$root/envoy/packages.sh"
kept=$root/.python/cryptography_vectors-$version

die() {
  echo "fetch.sh: $*" >&2
  exit 1
}

is_whole() {
  [[ -d $kept/cryptography_vectors/x509/PKITS_data/certs ]]
}

# Makes the folder, whole or not at all.
fetch() {
  need_pip
  new_folder "$root/.python"
  echo "fetch.sh: fetching cryptography_vectors $version" >&2
  echo "cryptography_vectors==$version --hash=sha256:$sha256" >"$new/requirements.txt"
  pip install --no-user --no-deps --no-compile --require-hashes --target "$new" \
    --requirement "$new/requirements.txt" ||
    die "pip cannot fetch cryptography_vectors $version, which holds the test certificates"
  keep "$kept"
}

is_whole || fetch
is_whole || die "$kept does not hold the test certificates where they are expected; remove it"
echo "$kept/cryptography_vectors"
