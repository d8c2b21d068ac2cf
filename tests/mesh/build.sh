#!/usr/bin/env bash
# Prints the folder with the programs of a real mesh; builds what is missing. All else goes to stderr.
#
#   tests/mesh/build.sh              .mesh, or the folder MESH_PROGRAMS
#
# kube/ is etcd and the API server, istio-1.30/ and istio-1.31/ are istiod, its agent and istioctl, envoy-gateway/ is
# Envoy Gateway with what its chart installs, ratelimit/ is envoyproxy/ratelimit, spire/ SPIRE's server and agent. They are
# built from the Go modules that modules/ pins, and each folder is there whole or not at all. The first time takes some 25
# minutes on two cores and leaves 18 GB in Go's caches.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
into=${MESH_PROGRAMS:-$here/../../.mesh}

die() {
  echo "build.sh: $*" >&2
  exit 1
}

# What the tests need besides, so that nobody waits for 25 minutes to hear it.
[[ $(id -u) -eq 0 ]] || die "the mesh needs root, for its network namespaces: run this with sudo"
PATH=$PATH:/usr/sbin:/sbin
for tool in ip:iproute2 curl:curl setpriv:util-linux cc:gcc; do
  command -v "${tool%:*}" >/dev/null || die "${tool%:*} is missing: apt-get install ${tool#*:}"
done
ip netns add "mesh-probe-$$" 2>/dev/null || die "this machine gives no network namespaces (ip netns add)"
ip netns del "mesh-probe-$$"

mkdir -p "$into"
into=$(cd "$into" && pwd)

# What go.mod names as its tools, and what the image of Istio's proxy holds besides.
build() {
  local name=$1 new=$2 tags='' version='' release
  case $name in
  istio-*)
    tags=vtprotobuf,disable_pgv
    release=${name#istio-}
    [[ $release == 1.30 ]] && release=1.30.4 || release+=.0
    version="-X istio.io/istio/pkg/version.buildVersion=$release -X istio.io/istio/pkg/version.buildTag=$release"
    ;;
  kube)
    local at=k8s.io/component-base/version
    version="-X $at.gitVersion=v1.35.4 -X $at.gitMajor=1 -X $at.gitMinor=35"
    ;;
  esac
  build_module "$name" "$new" "$tags" "$version"
  (
    cd "$here/modules/$name"
    case $name in
    istio-*)
      source=$(go list -m -f '{{.Dir}}' istio.io/istio)
      cp "$source/tools/packaging/common/envoy_bootstrap.json" "$new/bootstrap.json"
      cp "$source/tests/integration/pilot/testdata/gateway-api-crd.yaml" "$new/gateway-api.yaml"
      ;;
    envoy-gateway)
      chart "$(go list -m -f '{{.Dir}}' github.com/envoyproxy/gateway)/charts/gateway-helm" "$new"
      ;;
    esac
  )
}

# build_module NAME FOLDER TAGS LDFLAGS: what the module's go.mod names as its tools. The module files are copied, because
# this folder may be read-only.
build_module() {
  local folder=$2
  cp "$here/modules/$1"/go.* "$folder"
  (cd "$folder" && go build -trimpath -tags "$3" -ldflags "-s -w $4" -o "$folder/" tool)
  rm "$folder"/go.*
}

# chart CHART FOLDER: writes what the chart installs to FOLDER/chart.yaml, with EnvoyPatchPolicies switched on. Its
# values.yaml is made only when Envoy Gateway is released.
chart() {
  local helm=$2/.helm
  mkdir "$helm"
  build_module helm "$helm" '' ''
  # shellcheck disable=SC2016 # the template's own variables
  sed -e 's|${GatewayImage}|docker.io/envoyproxy/gateway:v1.9.0|' -e 's|${GatewayImagePullPolicy}|IfNotPresent|' \
    "$1/values.tmpl.yaml" >"$helm/values.yaml"
  HOME=$helm "$helm/helm" template eg "$1" --namespace envoy-gateway-system --include-crds --values "$helm/values.yaml" \
    --set config.envoyGateway.extensionApis.enableEnvoyPatchPolicy=true >"$2/chart.yaml"
  rm -rf "$helm"
}

for name in kube istio-1.31 istio-1.30 envoy-gateway ratelimit spire; do
  [[ -e $into/$name ]] && continue
  # From 1.21 on Go fetches the version that a module asks for.
  [[ -n $(go env GOTOOLCHAIN 2>/dev/null) ]] || die "Go is missing, or older than 1.21: https://go.dev/doc/install"
  new=$(mktemp -d "$into/.new.XXXXXX")
  trap 'rm -rf "$new"' EXIT
  echo "build.sh: building $name" >&2
  # SPIRE's SQLite is C.
  cgo=0
  [[ $name == spire ]] && cgo=1
  GOFLAGS=-mod=readonly CGO_ENABLED=$cgo build "$name" "$new"
  chmod 755 "$new"
  chmod 644 "$new"/*.json "$new"/*.yaml 2>/dev/null || true
  mv --no-target-directory "$new" "$into/$name"
done
echo "$into"
