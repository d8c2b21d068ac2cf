#!/usr/bin/env bash
# Fills corpus/ with what the fuzz targets start from: real certificates, and texts that are well formed.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
vectors=$("$here/../tests/corpus/fetch.sh")

# seed TARGET NAME: the standard input is one more input of the target.
seed() {
  mkdir -p "$here/corpus/$1"
  cat >"$here/corpus/$1/$2"
}

# The subject of a certificate in DER, by its place: the second SEQUENCE behind the validity's two times.
subject() {
  local place header length
  read -r place header length < <(openssl asn1parse -inform DER -in "$1" |
    sed -n 's/^ *\([0-9]*\):d=2 *hl=\([0-9]*\) *l= *\([0-9]*\) cons: SEQUENCE.*/\1 \2 \3/p' | sed -n 4p)
  tail -c "+$((place + 1))" "$1" | head -c "$((header + length))"
}

# An element of X-Forwarded-Client-Cert as Envoy writes it.
element() {
  local hash pem
  hash=$(openssl dgst -sha256 -r <"$1")
  pem=$(openssl x509 -inform DER -in "$1" | sed 's|+|%2B|g; s|/|%2F|g; s|=|%3D|g; s| |%20|g; s|$|%0A|' | tr -d '\n')
  printf 'By=spiffe://a/b;Hash=%s;Cert="%s";Subject="CN=a";URI=spiffe://a/c' "${hash%% *}" "$pem"
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for path in "$vectors"/x509/custom/{san_*,all_*,utf8_common_name,negative_serial,v1_cert}.pem "$vectors"/x509/*.pem; do
  name=$(basename "$path" .pem)
  openssl x509 -in "$path" -outform DER -out "$work/der" 2>/dev/null || continue
  seed certificate "$name" <"$work/der"
  subject "$work/der" | seed name "$name"
  element "$work/der" | seed forwarded "$name"
  printf ':%s:' "$(base64 -w0 <"$work/der")" | seed client_cert "$name"
done
{ element "$work/der" && printf ',' && element "$work/der"; } | seed forwarded two

printf '\037\037tag:microsoft.com,2022-09-14:sid:S-1-5-21;x="y"\nDa.example.com\n' | seed xfcc tag
printf '\077\004spiffe://a/b,By=c;Hash=0;Cert="\n' | seed xfcc json

printf 'spiffe://cluster.local/ns/mcp/sa/gateway' | seed spiffe_id mesh
printf 'spiffe://example.org' | seed spiffe_id domain
printf '%s\n' 'spiffe://a/ns/{ns}/sa/{sa}' '{sa}@{ns}.example.com' spiffe://a/ns/b/sa/c spiffe://a/ns/B/sa/c.d | seed mapping mesh
printf '%s\n' '{user}@old.example.com' '{user}@example.com' Eve@OLD.example.com eve@old.example.com | seed mapping mail
printf '%s\n' '{a}:{b}' '{b}-{a}' x:y-z x-y:z | seed mapping separator
printf '%s\n' '{a}/{rest...}' '{a}-{rest...}' x/y-z/a x-y/z/a | seed mapping rest

printf '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"drop","arguments":{}}}' | seed mcp call
printf '{"jsonrpc":"2.0","method":"resources/read","id":"a","params":{"uri":"file:///\\u0061"}}' | seed mcp read
printf '{"jsonrpc":"2.0","id":1,"result":{}}' | seed mcp response
printf '%s\n' 'admin*' 'administrator' | seed pattern prefix
printf '%s\n' '*@example.com' 'alice@example.com' | seed pattern suffix
printf '%s' 1234605616436508552 | seed serial decimal
printf '%s' -0x0abc | seed serial prefixed
printf '%s' 11:22:33:aa | seed serial colons

# CRLs of each kind of signature, with and without entries.
printf '[ca]\ndefault_ca=it\n[it]\ndatabase=%s/index\ndefault_md=default\ndefault_crl_days=30\ncrlnumber=%s/number\n[crl]\nauthorityKeyIdentifier=keyid\n' \
  "$work" "$work" >"$work/ca.cnf"
printf '01\n' >"$work/number"
for algorithm in RSA ED25519; do
  openssl genpkey -algorithm "$algorithm" -out "$work/ca.key" 2>/dev/null
  openssl req -x509 -new -key "$work/ca.key" -out "$work/ca.crt" -subj /CN=CA 2>/dev/null
  for entries in none some; do
    : >"$work/index"
    [[ $entries == none ]] || printf 'R\t350101000000Z\t260101000000Z,keyCompromise\t0A\tunknown\t/CN=a\n' >"$work/index"
    openssl ca -gencrl -config "$work/ca.cnf" -cert "$work/ca.crt" -keyfile "$work/ca.key" -crlexts crl 2>/dev/null |
      openssl crl -outform DER | seed crl "$algorithm-$entries"
  done
done

mkdir -p "$here/corpus/config_dump"
cp "$here"/../tests/fixtures/doctor/*.json "$here/corpus/config_dump/"
