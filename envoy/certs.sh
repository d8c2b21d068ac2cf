#!/usr/bin/env bash
# Makes certificates, and renews those that end soon. The CA's key lies beside them, unencrypted: keep the folder to
# yourself, and in production the CA's key elsewhere.
#
#   envoy/certs.sh [DIR]                        those of the demonstration, into DIR or envoy/certs
#   envoy/certs.sh --server NAME HOSTS [DIR]    NAME.crt for these hosts and addresses, separated by commas
#   envoy/certs.sh --user NAME USER [DIR]       NAME.crt for the client that shall be this user: CN=USER
#   envoy/certs.sh --renew [DIR]                whatever this script made in DIR and ends soon
#
# The demonstration has
#   ca.crt                            signs all of the following
#   server.crt   localhost, gateway.local, 127.0.0.1
#   admin.crt    CN=admin@example.com
#   user.crt     CN=user@example.com
#   service.crt  CN=mcp-service@example.com
#   stranger.crt CN=admin@example.com, but signed by a CA that nobody here trusts (stranger-ca.crt)
#
# Beside each NAME.crt are NAME.key, NAME.pem (both in one file, for curl, or for Envoy to exchange in one move), and
# NAME.cnf, what it was made from. A certificate that is there, fits its key, its CA and what is asked for, and is good for
# RENEW_DAYS more days is kept; any other is made anew. --renew never replaces a CA.
#
# Environment: DAYS of validity (365), RENEW_DAYS (7), KEY=ec (P-256) or KEY=rsa (3072), KEEP_KEY=yes to renew with the
# key that is there, for users that are pinned to it.
set -euo pipefail
export LC_ALL=C  # a-z are 26 letters

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

die() {
  echo "certs.sh: $*" >&2
  exit 1
}

usage() {
  die "usage: certs.sh [DIR] | --server NAME HOSTS [DIR] | --user NAME USER [DIR] | --renew [DIR]"
}

mode=demonstration name='' whom=''
case ${1:-} in
  --server | --user)
    [[ $# -ge 3 ]] || usage
    mode=${1#--} name=$2 whom=$3
    shift 3
    ;;
  --renew) mode=renew && shift ;;
  -*) usage ;;
esac
[[ $# -le 1 ]] || usage
dir=${1:-$here/certs}

command -v openssl >/dev/null || die "openssl is missing; install it (Debian, Ubuntu: apt install openssl)"
days=${DAYS:-365} renew_days=${RENEW_DAYS:-7}
[[ $days =~ ^[1-9][0-9]{0,4}$ ]] || die "DAYS=$days: expected a number of days, 1 to 99999"
[[ $renew_days =~ ^[1-9][0-9]{0,4}$ ]] || die "RENEW_DAYS=$renew_days: expected a number of days, 1 to 99999"
((days > renew_days)) || die "DAYS=$days: expected more than RENEW_DAYS=$renew_days, or each run renews everything"
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

# lasts NAME DAYS: true if the certificate is still good then.
lasts() {
  openssl x509 -in "$dir/$1.crt" -noout -checkend "$(($2 * 24 * 3600))" >/dev/null 2>&1
}

# fits NAME CA: true if the certificate is good for a while, belongs to its key, and is signed by this CA.
fits() {
  [[ -s $dir/$1.crt && -s $dir/$1.key && -s $dir/$2.crt ]] &&
    lasts "$1" "$renew_days" &&
    openssl verify -CAfile "$dir/$2.crt" "$dir/$1.crt" >/dev/null 2>&1 &&
    [[ $(openssl x509 -in "$dir/$1.crt" -noout -pubkey) == "$(openssl pkey -in "$dir/$1.key" -pubout)" ]]
}

# as_asked NAME: true if the certificate was made from what is asked for now, as far as that is known.
as_asked() {
  [[ ! -e $dir/$1.cnf ]] || cmp -s "$dir/$1.cnf" "$work/$1.cnf"
}

# install_pair NAME: puts the new key and certificate in their place, readable by their owner and by all.
install_pair() {
  chmod 600 "$work/$1.key"
  chmod 644 "$work/$1.crt" "$work/$1.cnf"
  mv "$work/$1.cnf" "$dir/$1.cnf"
  mv "$work/$1.key" "$dir/$1.key"
  mv "$work/$1.crt" "$dir/$1.crt"
  echo "made $dir/$1.crt"
}

# bundle NAME: both in one file, in one move, and only if they are not in it already.
bundle() {
  cat "$dir/$1.crt" "$dir/$1.key" >"$work/$1.pem"
  cmp -s "$work/$1.pem" "$dir/$1.pem" || mv "$work/$1.pem" "$dir/$1.pem"
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
  config "$2" Authorities >"$work/$1.cnf" <<-END
	basicConstraints = critical, CA:TRUE, pathlen:0
	keyUsage = critical, keyCertSign, cRLSign
	subjectKeyIdentifier = hash
	END
  fits "$1" "$1" && return
  ssl genpkey "${key_options[@]}" -out "$work/$1.key"
  ssl req -x509 -new -sha256 -config "$work/$1.cnf" -extensions extensions -key "$work/$1.key" \
    -days $((days + 3650)) -set_serial "$(serial)" -out "$work/$1.crt"
  install_pair "$1"
}

leaf() { # NAME CA CN UNIT PURPOSE SAN
  {
    echo "# ca: $2"
    config "$3" "$4" <<-END
	basicConstraints = critical, CA:FALSE
	keyUsage = critical, digitalSignature
	extendedKeyUsage = $5
	subjectKeyIdentifier = hash
	authorityKeyIdentifier = keyid
	END
    [[ -z $6 ]] || echo "subjectAltName = $6"
  } >"$work/$1.cnf"
  # A slip of the pen must not take a server's certificate away from it.
  [[ ! -e $dir/$1.cnf ]] || grep -qx "extendedKeyUsage = $5" "$dir/$1.cnf" || die "$1 is not for $5; take another name"
  if ! fits "$1" "$2" || ! as_asked "$1"; then
    issue "$1" "$2"
  elif [[ ! -e $dir/$1.cnf ]]; then
    mv "$work/$1.cnf" "$dir/$1.cnf"
  fi
  bundle "$1"
}

issue() { # NAME CA
  [[ -s $dir/$2.key ]] || die "$dir/$2.key is missing; without the CA's key there is no new $1.crt"
  lasts "$2" "$days" || die "$2.crt ends before $1.crt would; make a new CA in another folder, and let Envoy trust both"
  if [[ ${KEEP_KEY:-no} == yes && -s $dir/$1.key ]]; then
    cp "$dir/$1.key" "$work/$1.key"
  else
    ssl genpkey "${key_options[@]}" -out "$work/$1.key"
  fi
  ssl req -new -sha256 -config "$work/$1.cnf" -key "$work/$1.key" -out "$work/$1.csr"
  ssl x509 -req -sha256 -in "$work/$1.csr" -CA "$dir/$2.crt" -CAkey "$dir/$2.key" -set_serial "$(serial)" \
    -days "$days" -extfile "$work/$1.cnf" -extensions extensions -out "$work/$1.crt"
  install_pair "$1"
}

# Names end up in a file of openssl's, where much has a meaning, and as names of files.
check_name() {
  [[ $1 =~ ^[a-z0-9][a-z0-9._-]*$ && $1 != ca && $1 != *-ca ]] ||
    die "\"$1\" is no name for a certificate: expected a-z, 0-9, . _ -, and neither ca nor …-ca"
}

server() { # NAME HOSTS
  check_name "$1"
  [[ $2 =~ ^[a-z0-9.:*-]+(,[a-z0-9.:*-]+)*$ ]] || die "\"$2\": expected hosts or addresses, separated by commas"
  local host names=''
  for host in ${2//,/ }; do
    case $host in
      *:*) names+=", IP:$host" ;;
      *[!0-9.]*) names+=", DNS:$host" ;;
      *) names+=", IP:$host" ;;
    esac
  done
  leaf "$1" ca "${2%%,*}" Servers serverAuth "${names#, }"
}

user() { # NAME USER
  check_name "$1"
  [[ $2 =~ ^[a-z0-9@._+-]{1,64}$ ]] || die "\"$2\": expected a user in lower case, 64 characters at most"
  local email=''
  [[ $2 != *@* ]] || email=email:$2
  leaf "$1" ca "$2" People clientAuth "$email"
}

renew() {
  local made issuer
  for made in "$dir"/*.cnf; do
    [[ -e $made ]] || die "$dir has nothing that this script made"
    issuer=$(sed -n '1s/^# ca: //p' "$made")
    [[ -n $issuer ]] || continue
    made=$(basename "$made" .cnf)
    if ! fits "$made" "$issuer"; then
      cp "$dir/$made.cnf" "$work/$made.cnf"
      issue "$made" "$issuer"
      bundle "$made"
    fi
  done
}

demonstration() {
  authority ca "Demonstration CA"
  leaf server ca gateway.local Servers serverAuth "DNS:localhost, DNS:gateway.local, IP:127.0.0.1"
  leaf admin ca admin@example.com People clientAuth email:admin@example.com
  leaf user ca user@example.com People clientAuth email:user@example.com
  leaf service ca mcp-service@example.com Services clientAuth URI:spiffe://example.com/mcp-service

  authority stranger-ca "Stranger's CA"
  leaf stranger stranger-ca admin@example.com People clientAuth email:admin@example.com
}

case $mode in
  demonstration | renew) "$mode" ;;
  server | user)
    # A CA that is there is used as it is: it may be somebody else's.
    if [[ ! -s $dir/ca.crt ]]; then
      authority ca "MCP Gateway CA"
    fi
    "$mode" "$name" "$whom"
    ;;
esac
