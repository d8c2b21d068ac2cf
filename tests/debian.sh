#!/usr/bin/env bash
# Prints the path of a program that the tests compare with or run beside Envoy; fetches it if need be. All else goes
# to stderr.
#
#   tests/debian.sh nginx     the one of the PATH; else Debian's package of that name, unpacked, not installed
#   tests/debian.sh iptables xtables-nft-multi     a program of a package that has another name
#
# Unpacked packages are kept in .debian/NAME, with the libraries they need and this system does not have. Nothing
# outside that folder changes and no root is needed. Several runs at the same time do not disturb each other.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
PATH=$PATH:/usr/sbin:/sbin

die() {
  echo "debian.sh: $*" >&2
  exit 1
}

# apt with its lists and archives in the new folder.
apt() {
  apt-get -qq -o "Dir::State::lists=$new/lists" -o "Dir::Cache=$new/cache" -o Debug::NoLocking=1 \
    -o APT::Sandbox::User= -o Acquire::Languages=none "$@" >>"$new/apt.log" 2>&1 || {
    tail -n 3 "$new/apt.log" >&2
    die "apt cannot fetch $name; install it by hand: sudo apt-get install $name"
  }
}

# Makes .debian/NAME, whole or not at all.
fetch() {
  if ! command -v apt-get >/dev/null || ! command -v dpkg-deb >/dev/null; then
    die "$name is missing, and this is no Debian or Ubuntu; install it, so that it is in the PATH"
  fi
  mkdir -p "$root/.debian"
  new=$(mktemp -d "$root/.debian/.new.XXXXXX")
  trap 'rm -rf "$new"' EXIT
  echo "debian.sh: fetching $name" >&2
  mkdir -p "$new/lists/partial" "$new/cache/archives/partial" "$new/root"
  apt update
  apt install --yes --no-install-recommends --download-only "$name"
  local archive
  for archive in "$new"/cache/archives/*.deb; do
    dpkg-deb --extract "$archive" "$new/root"
  done
  rm -rf "$new/lists" "$new/cache"
  chmod 755 "$new"
  # A rename does not replace what another run has put there in the meantime; that one is as good.
  mv --no-target-directory --no-clobber "$new" "$kept" 2>/dev/null || true
}

# What starts the unpacked program with the libraries and Python packages beside it.
launcher() {
  local found libraries extensions packages=$kept/root/usr/lib/python3/dist-packages
  found=$(find "$kept/root" -path "*bin/$program" -print -quit)
  [[ -n $found ]] || die "$kept does not hold $program; remove it"
  extensions=$(find "$kept/root" -name xtables -type d -print -quit)
  libraries=$(find "$kept/root" -name '*.so*' -printf '%h\n' | sort -u | tr '\n' ':')
  printf '#!/bin/sh\n'
  [[ ! -d $packages ]] || printf 'export PYTHONPATH=%q\n' "$packages"
  [[ -z $extensions ]] || printf 'export XTABLES_LIBDIR=%q\n' "$extensions"
  printf 'LD_LIBRARY_PATH=%q exec %q "$@"\n' "${libraries%:}" "$found"
}

[[ $# -ge 1 && $# -le 2 && $1 =~ ^[a-z0-9-]+$ && ${2:-$1} =~ ^[a-z0-9-]+$ ]] || die "usage: debian.sh NAME [PROGRAM]"
name=$1
program=${2:-$1}
kept=$root/.debian/$name
if type -P "$program"; then
  exit
fi
[[ -d $kept ]] || fetch
start=$kept/$program
if [[ ! -x $start ]]; then
  made=$(mktemp "$kept/.start.XXXXXX")
  launcher >"$made"
  chmod 755 "$made"
  mv "$made" "$start"
fi
echo "$start"
