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

wanted=tests/istio/requirements.txt
packages=.python/istio-$(sha256sum "$wanted" | cut -c 1-16)
[[ -d $packages ]] || {
  mkdir -p .python
  new=$(mktemp -d .python/.new.XXXXXX)
  python3 -m pip install --quiet --disable-pip-version-check --no-input --only-binary :all: --target "$new" \
    --requirement "$wanted"
  mv --no-target-directory "$new" "$packages"
}

rendered=$(mktemp -d)
trap 'rm -rf "$rendered"' EXIT
kubectl=$(tests/istio/kubectl.sh)
for overlay in {,traffic-extension/}{gateway,sidecar,waypoint}; do
  "$kubectl" kustomize "istio/$overlay" >"$rendered/${overlay//\//-}.yaml"
done
PYTHONPATH=$packages python3 tests/istio/validate.py "$crds" "$rendered"/*.yaml
