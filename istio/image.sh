#!/usr/bin/env bash
# Puts the filter into an image that Istio takes, and pushes it.
#
#   istio/image.sh                          builds target/istio/image, an OCI layout, and prints its digest
#   istio/image.sh REGISTRY/NAME:TAG        pushes it as well, and prints the two lines for istio/image/image.yaml
#   istio/image.sh --plain-http REGISTRY/…  to a registry without TLS, on this machine, say
#   istio/image.sh --sbom …                 writes beside the layout what is built in, as CycloneDX: target/istio/image.cdx.json
#   istio/image.sh --sign REGISTRY/…        signs the image with cosign, and attests the SBOM if there is one
#
# WASM=FILE takes this module instead of building one, LAYOUT=FOLDER is where the layout goes, SOURCE=URL is where the
# source can be had (an annotation of the image). Needs Python 3; to push, skopeo (`skopeo login REGISTRY` first);
# for the SBOM, cargo-cyclonedx, which it installs; to sign, cosign on the PATH, with the key
# COSIGN_KEY or without a key. COSIGN_OPTIONS are more options for it: `--tlog-upload=false`, say, keeps the signature out of
# the public log, and then it is checked with `cosign verify --insecure-ignore-tlog`.
#
# It is the "compat" variant of the Wasm image specification: one layer of a standard media type with plugin.wasm in
# it. The same module of the same commit gives the same image, byte for byte: no times, no owners, and a layer that is not
# compressed, because no two versions of zlib need agree on how. `mtls-identity verify` compares an image with the source.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

die() {
  echo "image.sh: $*" >&2
  exit 1
}

# annotation NAME VALUE: an annotation of the image, if there is a value.
annotation() {
  [[ -z $2 ]] || printf 'org.opencontainers.image.%s=%s\n' "$1" "$2"
}

# What the image says of itself. A commit that is not all there is says so.
annotations() {
  local revision
  annotation licenses "$(sed -n 's/^license = "\(.*\)"/\1/p' "$root/Cargo.toml")"
  annotation version "$(sed -n 's/^version = "\(.*\)"/\1/p' "$root/Cargo.toml")"
  annotation source "${SOURCE:-}"
  revision=$(git -C "$root" rev-parse --verify --quiet HEAD 2>/dev/null || true)
  [[ -z $revision || -z $(git -C "$root" status --porcelain --untracked-files=no) ]] || revision+=-dirty
  annotation revision "$revision"
}

# sbom FILE: what is built into the module, as CycloneDX.
sbom() {
  local version=0.5.9 name=mtls-identity.sbom.$$
  bill=$root/$name.json
  command -v cargo-cyclonedx >/dev/null || PATH=$root/target/tools/bin:$PATH
  command -v cargo-cyclonedx >/dev/null ||
    CARGO_PROFILE_DEV_DEBUG=0 cargo install --quiet --locked --debug "cargo-cyclonedx@$version" --root "$root/target/tools" \
      --target-dir "$root/target/tools/build" >&2
  # It writes into the folder of Cargo.toml.
  SOURCE_DATE_EPOCH=0 cargo-cyclonedx cyclonedx --quiet --manifest-path "$root/Cargo.toml" --format json --spec-version 1.5 \
    --target wasm32-wasip1 --no-build-deps --override-filename "$name" >&2
  built_in "$bill" "$1"
}

# packages EDGES: the packages that the module is built from, a line each: "serde v1.0.0".
packages() {
  cargo tree --manifest-path "$root/Cargo.toml" --locked --target wasm32-wasip1 --edges "$1" --prefix none --format '{p}' |
    cut -d ' ' -f 1,2
}

# built_in BILL FILE: leaves of a bill what cargo builds the module from. cargo-cyclonedx also lists what the features of the
# commands and of the tests add. A procedural macro runs in the compiler and is not in the module: scope `excluded`.
# Paths of this machine are nobody's business, and differ.
built_in() {
  local all linked
  all=$(packages normal)
  linked=$(packages normal,no-proc-macro)
  python3 - "$1" "$2" "$root" "$all" "$linked" <<'PYTHON'
import json, sys

source, target, root, built, linked = sys.argv[1:]
built, linked = set(built.splitlines()), set(linked.splitlines())
with open(source) as file:
    bill = json.loads(file.read().replace(f"file://{root}", "file://."))

def package(component):
    return f"{component['name']} v{component['version']}"

own = bill["metadata"]["component"]
# The module is the library; the commands are another program.
own["components"] = [it for it in own.get("components", []) if it["type"] == "library"]
components = [it for it in bill["components"] if package(it) in built]
missing = built - {package(it) for it in [own, *components]}
if missing:
    sys.exit(f"image.sh: cargo-cyclonedx does not list {', '.join(sorted(missing))}")
for component in components:
    component["scope"] = "required" if package(component) in linked else "excluded"
references = {it["bom-ref"] for it in [own, *components]}
dependencies = [it for it in bill["dependencies"] if it["ref"] in references]
for dependency in dependencies:
    if "dependsOn" in dependency:
        dependency["dependsOn"] = [it for it in dependency["dependsOn"] if it in references]
with open(target, "w") as file:
    json.dump(bill | {"components": components, "dependencies": dependencies}, file, indent=2)
    file.write("\n")
PYTHON
}

# sign REFERENCE SBOM
sign() {
  local key=() more=() name=${1%:*}
  command -v cosign >/dev/null || die "cosign is missing: https://docs.sigstore.dev/cosign/system_config/installation/"
  [[ -z ${COSIGN_KEY:-} ]] || key=(--key "$COSIGN_KEY")
  read -ra more <<<"${COSIGN_OPTIONS:-}"
  cosign sign --yes "${key[@]}" "${more[@]}" "$name@sha256:$digest" >&2
  [[ -z $2 ]] || cosign attest --yes "${key[@]}" "${more[@]}" --type cyclonedx --predicate "$2" "$name@sha256:$digest" >&2
}

# layout MODULE FOLDER ANNOTATION…: writes the OCI layout, prints the digest of its manifest.
layout() {
  python3 - "$@" <<'PYTHON'
import hashlib, io, json, os, struct, sys, tarfile, zlib

module, folder, *annotations = sys.argv[1:]
with open(module, "rb") as file:
    wasm = file.read()
if wasm[:8] != b"\0asm\1\0\0\0":
    sys.exit(f"image.sh: {module} is no WebAssembly module")

def archive(name, content):
    """A tar archive with one file, of nobody and no time."""
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(content), 0o644
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        tar.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()

def gzip(content):
    """RFC 1952 around stored blocks (RFC 1951 section 3.2.4)."""
    blocks = [content[start:start + 0xffff] for start in range(0, len(content), 0xffff)]
    last = len(blocks) - 1
    deflated = b"".join(struct.pack("<BHH", index == last, len(block), len(block) ^ 0xffff) + block
                        for index, block in enumerate(blocks))
    header = b"\x1f\x8b\x08\x00" + b"\0\0\0\0" + b"\x00\xff"
    return header + deflated + struct.pack("<II", zlib.crc32(content), len(content))

def blob(content):
    digest = hashlib.sha256(content).hexdigest()
    with open(os.path.join(folder, "blobs/sha256", digest), "wb") as file:
        file.write(content)
    return digest

def descriptor(media_type, content):
    return {"mediaType": "application/vnd.oci.image." + media_type, "digest": "sha256:" + blob(content),
            "size": len(content)}

def document(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()

os.makedirs(os.path.join(folder, "blobs/sha256"))
tar = archive("plugin.wasm", wasm)
config = document({"architecture": "wasm", "os": "wasip1", "config": {},
                   "rootfs": {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(tar).hexdigest()]}})
manifest = document({
    "schemaVersion": 2,
    "mediaType": "application/vnd.oci.image.manifest.v1+json",
    "config": descriptor("config.v1+json", config),
    "layers": [descriptor("layer.v1.tar+gzip", gzip(tar))],
    "annotations": {"module.wasm.image/variant": "compat"} | dict(line.split("=", 1) for line in annotations),
})
index = {"schemaVersion": 2, "manifests": [descriptor("manifest.v1+json", manifest)]}
for name, content in (("oci-layout", {"imageLayoutVersion": "1.0.0"}), ("index.json", index)):
    with open(os.path.join(folder, name), "wb") as file:
        file.write(document(content))
print(hashlib.sha256(manifest).hexdigest())
PYTHON
}

# Pushes the layout as it is: a digest that changes on the way would be another image.
push() {
  command -v skopeo >/dev/null || die "skopeo is missing: it is a package of that name (apt-get install skopeo)"
  skopeo --insecure-policy copy --quiet --preserve-digests "--dest-tls-verify=$tls" "oci:$1" "docker://$2" >&2
}

tls=true wants_sbom=false wants_signature=false
while [[ ${1:-} == --plain-http || ${1:-} == --sbom || ${1:-} == --sign ]]; do
  case $1 in
  --plain-http) tls=false ;;
  --sbom) wants_sbom=true ;;
  --sign) wants_signature=true ;;
  esac
  shift
done
[[ $# -le 1 && ${1:-} != -* ]] || die "usage: image.sh [--sbom] [[--plain-http] [--sign] REGISTRY/NAME:TAG]"
reference=${1:-}
[[ -z $reference || $reference =~ ^[a-z0-9.-]+(:[0-9]+)?/[a-z0-9._/-]+:[A-Za-z0-9._-]+$ ]] ||
  die "$reference is not REGISTRY/NAME:TAG"
[[ $wants_signature == false || -n $reference ]] || die "--sign needs REGISTRY/NAME:TAG: what is signed is in a registry"
command -v python3 >/dev/null || die "python3 is missing"

module=${WASM:-}
if [[ -z $module ]]; then
  built=$("$root/wasm-build.sh")
  module=${built%%$'\n'*}
  [[ $module == /* ]] || module=$root/$module
fi
folder=${LAYOUT:-$root/target/istio/image}
[[ ! -e $folder || -f $folder/oci-layout ]] || die "$folder is there and is no OCI layout"
# Whole or not at all: what was there stays until the new one is complete.
mkdir -p "$(dirname "$folder")"
new=$(mktemp -d "$(dirname "$folder")/.image.XXXXXX")
bill=
trap 'rm -rf "$new" "$bill"' EXIT
mapfile -t annotations < <(annotations)
digest=$(layout "$module" "$new" "${annotations[@]}")
chmod 755 "$new"
rm -rf "$folder"
mv "$new" "$folder"

published=
if [[ $wants_sbom == true ]]; then
  published=$folder.cdx.json
  sbom "$published"
fi
if [[ -z $reference ]]; then
  printf '%s\nsha256:%s\n' "$folder" "$digest"
else
  push "$folder" "$reference"
  [[ $wants_signature == false ]] || sign "$reference" "$published"
  printf '  url: oci://%s\n  sha256: "%s"\n' "$reference" "$digest"
fi
