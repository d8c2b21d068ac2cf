#!/usr/bin/env bash
# The demonstration: builds the filter, starts a gateway and Envoy in front of it, and takes a short tour.
# Each step shows its curl command and what came of it, and is checked: exit 1 if it is not as it should be.
#
#   envoy/demo.sh           then keeps running for your own curl, until Ctrl-C
#   envoy/demo.sh --once    ends after the tour
#   envoy/demo.sh --gateway contextforge [--once]
#                           with ContextForge, the MCP gateway of the guide, in place of a gateway that shows what it
#                           got; fetches it and some 90 Python packages (Python 3.11 to 3.13)
#
# Environment: LISTEN_PORT (8443), GATEWAY_PORT (4444), ADMIN_PORT (9901); ENVOY_BIN, see fetch.sh.
set -euo pipefail

die() {
  echo "demo.sh: $*" >&2
  exit 1
}

once=no gateway=mirror
while [[ $# -gt 0 ]]; do
  case $1 in
    --once) once=yes ;;
    --gateway)
      [[ ${2:-} == contextforge ]] || die "--gateway: there is contextforge, and the one without this flag"
      gateway=$2
      shift
      ;;
    *) die "usage: demo.sh [--gateway contextforge] [--once]" ;;
  esac
  shift
done

cd "$(dirname "${BASH_SOURCE[0]}")/.."
for tool in cargo:"Rust, by rustup" python3:"Python 3" openssl:openssl curl:curl; do
  command -v "${tool%%:*}" >/dev/null || die "${tool%%:*} is missing; install ${tool#*:}"
done
# Everything is built where envoy.yaml looks for it, and curl talks to this machine.
unset CARGO_TARGET_DIR CARGO_BUILD_TARGET
export NO_PROXY=localhost,127.0.0.1 no_proxy=localhost,127.0.0.1

gateway_pid='' envoy_pid='' tools_pid='' run=''
# shellcheck disable=SC2329  # called by the trap
finish() {
  local status=$?
  trap - EXIT
  trap '' INT TERM
  for pid in $envoy_pid $gateway_pid $tools_pid; do
    kill "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
  done
  if [[ $status -eq 0 && -n $run ]]; then
    rm -rf "$run"
  elif [[ -n $run ]]; then
    echo "demo.sh: the logs are in $run" >&2
  fi
  exit "$status"
}
trap finish EXIT
trap 'exit 130' INT TERM

# free_ports NAME=PORT=DEFAULT…: the ports to use. One that was asked for must be free; a default may give way.
free_ports() {
  python3 - "$@" <<'END'
import socket, sys

held, ports = [], []
for wish in sys.argv[1:]:
    name, asked, default = wish.split("=")
    probe = socket.socket()
    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        probe.bind(("127.0.0.1", int(asked or default)))
        # Found busy by listening, too: some systems let two sockets bind.
        probe.listen()
    except (OSError, OverflowError, ValueError) as error:
        if asked:
            sys.exit(f"demo.sh: {name}={asked} cannot be used: {error}")
        probe = socket.socket()
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        print(f"Port {default} is busy; {name}={port} instead.", file=sys.stderr)
    held.append(probe)
    ports.append(str(probe.getsockname()[1]))
print(*ports)
END
}

# await WHAT PID LOG COMMAND…: until the command succeeds; 30 s at most, and only while the process lives.
await() {
  local what=$1 pid=$2 log=$3 deadline=$((SECONDS + 30))
  shift 3
  until "$@" >/dev/null 2>&1; do
    if ! kill -0 "$pid" 2>/dev/null || ((SECONDS > deadline)); then
      tail -n 5 "$log" >&2
      die "$what did not start"
    fi
    sleep 0.1
  done
}

## Build and start

echo "Building the filter and the gateway; the first time takes a minute or two."
./wasm-build.sh
# shellcheck disable=SC2034  # read by the tour
case $gateway in
  mirror) cargo build --quiet --locked --example gateway ;;
  contextforge) contextforge=$(envoy/contextforge/fetch.sh) ;;
esac
envoy=$(envoy/fetch.sh)
envoy/certs.sh

ports=$(free_ports "LISTEN_PORT=${LISTEN_PORT:-}=8443" "GATEWAY_PORT=${GATEWAY_PORT:-}=4444" \
  "ADMIN_PORT=${ADMIN_PORT:-}=9901")
read -r listen_port gateway_port admin_port <<<"$ports"

mkdir -p envoy/run
run=$(mktemp -d envoy/run/XXXXXX)
sed -e "s/port_value: 8443 /port_value: $listen_port /" -e "s/port_value: 4444 /port_value: $gateway_port /" \
  -e "s/port_value: 9901 /port_value: $admin_port /" envoy/envoy.yaml >"$run/envoy.yaml"

# Each says `listening on …` when it does.
case $gateway in
  mirror) exec target/debug/examples/gateway --listen "127.0.0.1:$gateway_port" ;;
  contextforge) exec envoy/contextforge/start.sh "$gateway_port" "$run" SSRF_ALLOW_LOCALHOST=true ;;
esac >"$run/gateway.log" 2>&1 &
gateway_pid=$!
await "the gateway" $gateway_pid "$run/gateway.log" grep '^listening on ' "$run/gateway.log"

"$envoy" -c "$run/envoy.yaml" --disable-hot-restart --concurrency 2 >"$run/access.log" 2>"$run/envoy.log" &
envoy_pid=$!
admin=http://127.0.0.1:$admin_port
await Envoy $envoy_pid "$run/envoy.log" curl --silent --fail --max-time 2 "$admin/ready"

## The tour

url=https://localhost:$listen_port
certs=envoy/certs
title='' status='' answer=$run/answer.json

step() {
  title=$1
  printf '\n%s\n' "$title"
}

# ask ARGUMENT…: shows the curl command, runs it, keeps the status (000: none came) and the answer.
ask() {
  local shown=curl argument
  for argument in "$@"; do
    case $argument in
      *[!a-zA-Z0-9@%+=:,./_-]*) shown+=" '$argument'" ;;
      *) shown+=" $argument" ;;
    esac
  done
  echo "  $shown"
  : >"$answer"
  status=$(curl --silent --max-time 10 --output "$answer" --write-out '%{http_code}' "$@") || true
}

# One of Envoy's counters for TLS handshakes.
refused() {
  curl --silent --max-time 5 "$admin/stats?filter=ssl.$1\$" | sed -n "s/^listener\.127.*ssl\.$1: //p"
}

expect() { # WHAT FOUND WANTED
  [[ $2 == "$3" ]] || die "not as it should be: \"$title\": $1 is \"$2\", expected \"$3\""
}

# expect_no_handshake COUNTER BEFORE
expect_no_handshake() {
  expect "the status" "$status" 000
  expect "Envoy's ssl.$1" "$(refused "$1")" $(($2 + 1))
  echo "  → no answer: Envoy refused the TLS handshake (ssl.$1)"
}

as_user=(--cacert "$certs/ca.crt" --cert "$certs/user.crt" --key "$certs/user.key")
as_admin=(--cacert "$certs/ca.crt" --cert "$certs/admin.crt" --key "$certs/admin.key")
as_stranger=(--cacert "$certs/ca.crt" --cert "$certs/stranger.crt" --key "$certs/stranger.key")

# shellcheck source=envoy/tours/mirror.sh
. "envoy/tours/$gateway.sh"

printf '\nAll as it should be.\n'
[[ $once == no ]] || exit 0

## Your turn

cat <<END

Envoy and the gateway keep running until Ctrl-C. From $PWD you can try

$(suggestions)
  curl '$admin/stats?filter=mtls_identity'
  tail -f $run/access.log
END
trap 'echo; exit 0' INT TERM
wait $envoy_pid || true
tail -n 5 "$run/envoy.log" >&2
die "Envoy ended"
