#!/usr/bin/env bash
# Makes the certificates of the demonstration. Not for production: the CA's key lies beside them, unencrypted.
#
#   envoy/certs.sh [DIR]              into DIR, or envoy/certs
#
#   ca.crt                            signs all of the following
#   server.crt   localhost, gateway.local, 127.0.0.1
#   admin.crt    CN=admin@example.com
#   user.crt     CN=user@example.com
#   service.crt  CN=mcp-service@example.com
#   stranger.crt CN=admin@example.com, but signed by a CA that nobody here trusts (stranger-ca.crt)
#
# A certificate that is there, fits its key and CA and is good for 7 more days is kept; any other is made anew.
# Environment: DAYS of validity (365), KEY=ec (P-256) or KEY=rsa (3072).
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
dir=${1:-$here/certs}
days=${DAYS:-365}
week=$((7 * 24 * 3600))

die() {
  echo "certs.sh: $*" >&2
  exit 1
}

command -v openssl >/dev/null || die "openssl is missing; install it (Debian, Ubuntu: apt install openssl)"
[[ $days =~ ^[1-9][0-9]{0,4}$ ]] || die "DAYS=$days: expected a number of days, 1 to 99999"
case ${KEY:=ec} in
  ec) key_options=(-algorithm EC -pkeyopt ec_paramgen_curve:P-256 -pkeyopt ec_param_enc:named_curve) ;;
  rsa) key_options=(-algorithm RSA -pkeyopt rsa_keygen_bits:3072) ;;
  *) die "KEY=$KEY: expected ec or rsa" ;;
esac

mkdir -p "$dir"
umask 077
dir=$(cd "$dir" && pwd)
work=$(mktemp -d "$dir/.new.XXXXXX")
trap 'rm -rf "$work"' EXIT

# Runs openssl and shows what it says only when it fails.
ssl() {
  openssl "$@" 2>"$work/log" || {
    cat "$work/log" >&2
    die "openssl $1 failed"
  }
}

# fits NAME CA: true if the certificate has a week to go, belongs to its key and is signed by this CA.
fits() {
  [[ -s $dir/$1.crt && -s $dir/$1.key && -s $dir/$2.crt ]] &&
    openssl x509 -in "$dir/$1.crt" -noout -checkend "$week" >/dev/null 2>&1 &&
    openssl verify -CAfile "$dir/$2.crt" "$dir/$1.crt" >/dev/null 2>&1 &&
    [[ $(openssl x509 -in "$dir/$1.crt" -noout -pubkey) == "$(openssl pkey -in "$dir/$1.key" -pubout)" ]]
}

# install_pair NAME: puts the new key and certificate in their place, readable by their owner and by all.
install_pair() {
  chmod 600 "$work/$1.key"
  chmod 644 "$work/$1.crt"
  mv "$work/$1.key" "$dir/$1.key"
  mv "$work/$1.crt" "$dir/$1.crt"
  echo "made $dir/$1.crt"
}

# config CN UNIT: the subject, and the extensions from stdin. No openssl.cnf of the machine is read.
config() {
  printf '%s\n' '[req]' 'prompt = no' 'distinguished_name = subject' 'string_mask = utf8only' \
    '[subject]' 'O = Example' "OU = $2" "CN = $1" '[extensions]'
  cat
}

# A positive number of 128 bits, unpredictable as CAs must make them.
serial() {
  echo "0x4$(openssl rand -hex 16 | cut -c 2-)"
}

authority() { # NAME CN
  fits "$1" "$1" && return
  config "$2" Authorities >"$work/$1.cnf" <<-END
	basicConstraints = critical, CA:TRUE, pathlen:0
	keyUsage = critical, keyCertSign, cRLSign
	subjectKeyIdentifier = hash
	END
  ssl genpkey "${key_options[@]}" -out "$work/$1.key"
  ssl req -x509 -new -sha256 -config "$work/$1.cnf" -extensions extensions -key "$work/$1.key" \
    -days $((days > 3650 ? days : 3650)) -set_serial "$(serial)" -out "$work/$1.crt"
  install_pair "$1"
}

leaf() { # NAME CA CN UNIT PURPOSE SAN
  fits "$1" "$2" && return
  config "$3" "$4" >"$work/$1.cnf" <<-END
	basicConstraints = critical, CA:FALSE
	keyUsage = critical, digitalSignature
	extendedKeyUsage = $5
	subjectAltName = $6
	subjectKeyIdentifier = hash
	authorityKeyIdentifier = keyid
	END
  ssl genpkey "${key_options[@]}" -out "$work/$1.key"
  ssl req -new -sha256 -config "$work/$1.cnf" -key "$work/$1.key" -out "$work/$1.csr"
  ssl x509 -req -sha256 -in "$work/$1.csr" -CA "$dir/$2.crt" -CAkey "$dir/$2.key" -set_serial "$(serial)" \
    -days "$days" -extfile "$work/$1.cnf" -extensions extensions -out "$work/$1.crt"
  install_pair "$1"
}

authority ca "Demonstration CA"
leaf server ca gateway.local Servers serverAuth "DNS:localhost, DNS:gateway.local, IP:127.0.0.1"
leaf admin ca admin@example.com People clientAuth email:admin@example.com
leaf user ca user@example.com People clientAuth email:user@example.com
leaf service ca mcp-service@example.com Services clientAuth URI:spiffe://example.com/mcp-service

authority stranger-ca "Stranger's CA"
leaf stranger stranger-ca admin@example.com People clientAuth email:admin@example.com
