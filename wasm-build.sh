#!/usr/bin/env bash
# Builds the filter for Envoy and prints its path, size and SHA-256. Needs rustup's stable toolchain only.
# Two builds of one commit with one toolchain give the same bytes, whatever folder they are in.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

target=wasm32-wasip1
if ! rustup target list --installed 2>/dev/null | grep -qx "$target"; then
    rustup target add "$target" >&2
fi

# Paths of this machine would otherwise stand in the module, in the messages of panics.
unset RUSTFLAGS
export CARGO_ENCODED_RUSTFLAGS="--remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}=/cargo"$'\x1f'"--remap-path-prefix=$PWD=/mtls-identity"
cargo build --quiet --locked --release --target "$target" --lib >&2

sha256() {
    if command -v sha256sum >/dev/null; then
        sha256sum "$1"
    else
        shasum -a 256 "$1"
    fi | cut -d ' ' -f 1
}

file=${CARGO_TARGET_DIR:-target}/$target/release/mtls_identity.wasm
printf '%s\n%s bytes\nsha256:%s\n' "$file" "$(wc -c <"$file" | tr -d ' ')" "$(sha256 "$file")"
