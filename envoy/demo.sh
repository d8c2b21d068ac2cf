#!/usr/bin/env bash
# The demonstration: builds the filter, starts a gateway and Envoy in front of it, and takes a short tour.
# Each step shows its curl command and what came of it, and is checked: exit 1 if it is not as it should be.
#
#   envoy/demo.sh           then keeps running for your own curl, until Ctrl-C
#   envoy/demo.sh --once    ends after the tour
#
# Environment: LISTEN_PORT (8443), GATEWAY_PORT (4444), ADMIN_PORT (9901); ENVOY_BIN, see fetch.sh.
set -euo pipefail

die() {
  echo "demo.sh: $*" >&2
  exit 1
}

once=no
case ${1:-} in
  '') ;;
  --once) once=yes ;;
  *) die "usage: demo.sh [--once]" ;;
esac

cd "$(dirname "${BASH_SOURCE[0]}")/.."
for tool in cargo:"Rust, by rustup" python3:"Python 3" openssl:openssl curl:curl; do
  command -v "${tool%%:*}" >/dev/null || die "${tool%%:*} is missing; install ${tool#*:}"
done
# Everything is built where envoy.yaml looks for it, and curl talks to this machine.
unset CARGO_TARGET_DIR CARGO_BUILD_TARGET
export NO_PROXY=localhost,127.0.0.1 no_proxy=localhost,127.0.0.1

gateway_pid='' envoy_pid='' run=''
# shellcheck disable=SC2329  # called by the trap
finish() {
  local status=$?
  trap - EXIT
  trap '' INT TERM
  for pid in $envoy_pid $gateway_pid; do
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
cargo build --quiet --locked --example gateway
envoy=$(envoy/fetch.sh)
envoy/certs.sh

ports=$(free_ports "LISTEN_PORT=${LISTEN_PORT:-}=8443" "GATEWAY_PORT=${GATEWAY_PORT:-}=4444" \
  "ADMIN_PORT=${ADMIN_PORT:-}=9901")
read -r listen_port gateway_port admin_port <<<"$ports"

mkdir -p envoy/run
run=$(mktemp -d envoy/run/XXXXXX)
sed -e "s/port_value: 8443 /port_value: $listen_port /" -e "s/port_value: 4444 /port_value: $gateway_port /" \
  -e "s/port_value: 9901 /port_value: $admin_port /" envoy/envoy.yaml >"$run/envoy.yaml"

target/debug/examples/gateway --listen "127.0.0.1:$gateway_port" >"$run/gateway.log" 2>&1 &
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

# The values of a request header as the gateway got it, separated by commas.
arrived() {
  python3 -c 'import json, sys
headers = json.load(open(sys.argv[1]))["headers"]
print(",".join(value for name, value in headers if name.lower() == sys.argv[2]))' "$answer" "$1" 2>/dev/null || true
}

# One of Envoy's counters for TLS handshakes.
refused() {
  curl --silent --max-time 5 "$admin/stats?filter=ssl.$1\$" | sed -n "s/^listener\.127.*ssl\.$1: //p"
}

expect() { # WHAT FOUND WANTED
  [[ $2 == "$3" ]] || die "not as it should be: \"$title\": $1 is \"$2\", expected \"$3\""
}

expect_user() {
  expect "the status" "$status" 200
  expect "the user at the gateway" "$(arrived x-ssl-client-s-dn-cn)" "$1"
  echo "  → 200; the gateway got x-ssl-client-s-dn-cn: $1"
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

step "1. A user with a certificate arrives under the name in it."
ask "${as_user[@]}" "$url/"
expect_user user@example.com

step "2. The same user claims to be the administrator. The claim is removed."
ask "${as_user[@]}" -H 'X-SSL-Client-S-DN-CN: admin@example.com' "$url/"
expect_user user@example.com

step "3. Without a certificate nobody gets in."
before=$(refused fail_verify_no_cert)
ask --cacert "$certs/ca.crt" -H 'X-SSL-Client-S-DN-CN: admin@example.com' "$url/"
expect_no_handshake fail_verify_no_cert "$before"

step "4. Nor with a certificate that says admin@example.com, but is signed by a stranger's CA."
before=$(refused fail_verify_error)
ask "${as_stranger[@]}" "$url/"
expect_no_handshake fail_verify_error "$before"

step "5. A claim spelt with underscores, which many servers read as dashes, is refused by Envoy itself."
ask --http1.1 "${as_user[@]}" -H 'X_SSL_Client_S_DN_CN: admin@example.com' "$url/"
expect "the status" "$status" 400
echo "  → 400"

printf '\nAll as it should be.\n'
[[ $once == no ]] || exit 0

## Your turn

cat <<END

Envoy and the gateway keep running until Ctrl-C. From $PWD you can try

  curl ${as_admin[*]} $url/any/path
  curl ${as_user[*]} --no-buffer $url/sse
  curl '$admin/stats?filter=mtls_identity'
  tail -f $run/access.log
END
trap 'echo; exit 0' INT TERM
wait $envoy_pid || true
tail -n 5 "$run/envoy.log" >&2
die "Envoy ended"
