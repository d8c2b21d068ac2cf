#!/usr/bin/env bash
# Checks every overlay of istio/ against schemas, unknown fields refused: validate.sh CRDS
#
# CRDS is a file with Istio's CustomResourceDefinitions (`kubectl get crd -o yaml` of a cluster will do). The Python
# packages it takes are kept in .python/.
set -euo pipefail

[[ $# -eq 1 && -f $1 ]] || {
  echo "usage: validate.sh FILE, with Istio's CustomResourceDefinitions in it" >&2
  exit 1
}
crds=$(realpath "$1")
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

die() {
  echo "validate.sh: $*" >&2
  exit 1
}

# shellcheck source=envoy/packages.sh
. envoy/packages.sh

need_packages istio tests/istio/requirements.txt
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

validate() {
  PYTHONPATH=$packages "$python" tests/istio/validate.py "$crds" "$@"
}

kubectl=$(tests/istio/kubectl.sh)
for overlay in {,traffic-extension/}{gateway,sidecar,waypoint}; do
  "$kubectl" kustomize "istio/$overlay" >"$work/${overlay//\//-}.yaml"
done
validate "$work"/*.yaml

# A check that lets everything through would have said the same.
for field in failStrategy containers configPatches readinessProbe mtls podSelector; do
  sed "s/^\( *\)$field:/\1${field}s:/" "$work/sidecar.yaml" >"$work/broken"
  if said=$(validate "$work/broken") || [[ $said != *"${field}s"* ]]; then
    die "the check lets a misspelt $field pass"
  fi
done
