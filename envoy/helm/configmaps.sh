#!/usr/bin/env bash
# Prints the two ConfigMaps of envoy.yaml in this folder: Envoy's configuration, and the module.
#
#   envoy/helm/configmaps.sh [SERVICE [PORT]]     the gateway's; of the guide's release if absent
#
# Needs ./wasm-build.sh first. Apply them with `--server-side`: kubectl would otherwise write the module into an
# annotation, which is too small for it.
set -euo pipefail

die() {
  echo "configmaps.sh: $*" >&2
  exit 1
}

cd "$(dirname "${BASH_SOURCE[0]}")/../.."
service=${1:-mcp-gateway-mcp-stack-mcpgateway}
port=${2:-80}
[[ $service =~ ^[a-z0-9.-]+$ && $port =~ ^[0-9]+$ ]] || die "usage: configmaps.sh [SERVICE [PORT]]"
module=target/wasm32-wasip1/release/mtls_identity.wasm
[[ -s $module ]] || die "$module is missing; run ./wasm-build.sh"
[[ $(wc -c <"$module") -lt 1048576 ]] || die "$module is larger than a ConfigMap may be"

cat <<END
apiVersion: v1
kind: ConfigMap
metadata:
  name: mtls-identity
data:
  # envoy/envoy.yaml, but for the address that clients come to and the gateway's.
  envoy.yaml: |
END
sed -e 's/address: 127.0.0.1, port_value: 8443 /address: 0.0.0.0, port_value: 8443 /' \
  -e "s/address: 127.0.0.1, port_value: 4444 /address: $service, port_value: $port /" \
  -e 's/^\(.\)/    \1/' envoy/envoy.yaml
cat <<END
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: mtls-identity-module
binaryData:
  mtls_identity.wasm: $(base64 <"$module" | tr -d '\n')
END
