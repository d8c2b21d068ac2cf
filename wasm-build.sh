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
cargo rustc --quiet --locked --release --target "$target" --lib --crate-type staticlib >&2

# Envoy enters the VM for each callback that the module exports, and the SDK has some for everything. So the module is
# linked with the callbacks that the filter has (src/host/mod.rs), and no others; one that is missing is an error.
exports=(
    _initialize
    proxy_abi_version_0_2_1
    proxy_on_memory_allocate
    proxy_on_context_create
    proxy_on_vm_start
    proxy_on_configure
    proxy_on_tick
    proxy_on_request_headers
    proxy_on_request_body
    proxy_on_request_trailers
    proxy_on_response_headers
    proxy_on_delete
)
folder=${CARGO_TARGET_DIR:-target}/$target/release
file=$folder/mtls_identity.wasm
rust=$(rustc --print sysroot)/lib/rustlib
"$rust/$(rustc --print host-tuple)/bin/rust-lld" -flavor wasm --no-entry --gc-sections --strip-all -O3 \
    --stack-first -z stack-size=1048576 "${exports[@]/#/--export=}" \
    "$folder/libmtls_identity.a" "$rust/$target/lib/self-contained/libc.a" -o "$file"

sha256() {
    if command -v sha256sum >/dev/null; then
        sha256sum "$1"
    else
        shasum -a 256 "$1"
    fi | cut -d ' ' -f 1
}

printf '%s\n%s bytes\nsha256:%s\n' "$file" "$(wc -c <"$file" | tr -d ' ')" "$(sha256 "$file")"
