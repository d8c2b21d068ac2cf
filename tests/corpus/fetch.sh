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
  local python=python3
  command -v $python >/dev/null || die "python3 is missing; install it to fetch the test certificates"
  $python -m pip --version >/dev/null 2>&1 ||
    die "python3 has no pip; install it (Debian, Ubuntu: apt install python3-pip) to fetch the test certificates"

  mkdir -p "$root/.python"
  new=$(mktemp -d "$root/.python/.new.XXXXXX")
  trap 'rm -rf "$new"' EXIT
  echo "fetch.sh: fetching cryptography_vectors $version" >&2
  echo "cryptography_vectors==$version --hash=sha256:$sha256" >"$new/requirements.txt"
  # Into a folder of its own: no environment is changed, so none has to allow it.
  PIP_REQUIRE_VIRTUALENV=0 $python -m pip install --quiet --disable-pip-version-check --no-input --no-user \
    --no-deps --no-compile --only-binary :all: --require-hashes --target "$new" \
    --requirement "$new/requirements.txt" >"$new/pip.log" 2>&1 || {
    grep -v '^ *$' "$new/pip.log" | tail -n 3 >&2
    die "pip cannot fetch cryptography_vectors $version, which holds the test certificates"
  }
  # A rename does not replace what another run has put there in the meantime; that one is as good.
  chmod 755 "$new"
  $python -c 'import os, sys; os.rename(*sys.argv[1:])' "$new" "$kept" 2>/dev/null || is_whole ||
    die "$kept is there but does not hold the test certificates; remove it"
}

is_whole || fetch
is_whole || die "cryptography_vectors $version does not hold the test certificates where they are expected"
echo "$kept/cryptography_vectors"
