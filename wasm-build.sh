#!/usr/bin/env bash
# Builds the filter for Envoy and prints its path, size and SHA-256. Needs rustup's stable toolchain only.
# Two builds of one commit with one toolchain give the same bytes, whatever folder they are in.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

target=wasm32-wasip1
if ! rustup target list --installed 2>/dev/null | grep -qx "$target"; then
    rustup target add "$target" >&2
fi

# Each callback that the module exports costs an entry into the VM with every request, and the SDK exports all there
# are. So the linker is told of those only that the filter has (src/host.rs); what only the others need goes as well.
exports="_initialize proxy_abi_version_0_2_1 proxy_on_memory_allocate \
proxy_on_vm_start proxy_on_configure proxy_on_tick proxy_on_context_create proxy_on_delete \
proxy_on_request_headers proxy_on_request_trailers proxy_on_response_headers"
# Named for what it keeps: cargo builds again when the name changes, not when what is in the file does.
linker=${CARGO_TARGET_DIR:-$PWD/target}/wasm-link-$(cksum <<<"$exports" | cut -d ' ' -f 1).sh
mkdir -p "${linker%/*}"
cat >"$linker" <<EOF
#!/usr/bin/env bash
arguments=()
while [[ \$# -gt 0 ]]; do
    if [[ \$1 == --export && " $exports " != *" \$2 "* ]]; then
        shift 2
    else
        arguments+=("\$1")
        shift
    fi
done
exec "$(rustc --print sysroot)/lib/rustlib/$(rustc --print host-tuple)/bin/rust-lld" "\${arguments[@]}"
EOF
chmod 755 "$linker"
export CARGO_TARGET_WASM32_WASIP1_LINKER=$linker

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
