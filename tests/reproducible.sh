#!/usr/bin/env bash
# Builds the filter of this tree in two other folders, with two names for cargo's home, and compares the modules.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

ln -s "${CARGO_HOME:-$HOME/.cargo}" "$work/cargo-home"
home=${CARGO_HOME:-$HOME/.cargo}
for folder in one another/and/deeper; do
  mkdir -p "$work/$folder"
  git ls-files -z Cargo.toml Cargo.lock src wasm-build.sh | tar --create --null --files-from - |
    tar --extract --directory "$work/$folder"
  # The targets that Cargo.toml names must exist, though this builds none of them.
  mkdir -p "$work/$folder/envoy" "$work/$folder/tests/core" "$work/$folder/tests/e2e"
  (cd "$work/$folder" && env -u CARGO_TARGET_DIR CARGO_HOME="$home" ./wasm-build.sh | tail -n 1 >"$work/sum")
  cat "$work/sum" >>"$work/sums"
  home=$work/cargo-home
done

cat "$work/sums"
if [[ $(sort -u "$work/sums" | wc -l) -ne 1 ]]; then
  echo "reproducible.sh: the two builds differ" >&2
  exit 1
fi
