# shellcheck shell=bash
# To be sourced by scripts that fetch Python packages, each into a folder of its own, whole or not at all. They have
# `die`, and set nothing of these names.
#
# Environment: PYTHON (python3).

python=${PYTHON:-python3}

# need_pip [OTHERWISE]: or ends, and says what to do.
need_pip() {
  local otherwise=${1:-}
  command -v "$python" >/dev/null || die "$python is missing; install it$otherwise"
  "$python" -m pip --version >/dev/null 2>&1 ||
    die "$python has no pip; install it (Debian, Ubuntu: apt install python3-pip)$otherwise"
}

# new_folder PLACE: makes $new in this place, which is gone when the script ends.
new_folder() {
  mkdir -p "$1"
  new=$(mktemp -d "$1/.new.XXXXXX")
  trap 'rm -rf "$new"' EXIT
}

# pip COMMAND ARGUMENT…: fetches binary packages only. If it fails, shows the end of what it said.
pip() {
  # Into a folder of its own: no environment is changed, so none has to allow it.
  PIP_REQUIRE_VIRTUALENV=0 "$python" -m pip "$1" --quiet --disable-pip-version-check --no-input \
    --only-binary :all: "${@:2}" >"$new/pip.log" 2>&1 || {
    grep -v '^ *$' "$new/pip.log" | tail -n 3 >&2
    return 1
  }
}

# need_packages NAME REQUIREMENTS: $packages is a folder with what the file lists; fetches it if need be.
need_packages() {
  packages=.python/$1-$(sha256sum "$2" | cut -c 1-16)
  [[ -d $packages ]] || (
    need_pip
    new_folder .python
    echo "$(basename "$0"): fetching the packages of $2" >&2
    pip install --no-user --target "$new" --requirement "$2" || die "pip cannot fetch the packages of $2"
    keep "$packages"
  )
}

# keep FOLDER: $new is this folder from now on. A rename does not replace what another run has put there in the
# meantime; that one is as good, if it is whole.
keep() {
  chmod 755 "$new"
  "$python" -c 'import os, sys; os.rename(*sys.argv[1:])' "$new" "$1" 2>/dev/null || true
}
