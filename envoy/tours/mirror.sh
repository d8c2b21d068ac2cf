# shellcheck shell=bash disable=SC2154
# The tour of demo.sh through a gateway that answers with the headers it got; sourced by it.

# The values of a request header as the gateway got it, separated by commas.
arrived() {
  python3 -c 'import json, sys
headers = json.load(open(sys.argv[1]))["headers"]
print(",".join(value for name, value in headers if name.lower() == sys.argv[2]))' "$answer" "$1" 2>/dev/null || true
}

expect_user() {
  expect "the status" "$status" 200
  expect "the user at the gateway" "$(arrived x-ssl-client-s-dn-cn)" "$1"
  echo "  → 200; the gateway got x-ssl-client-s-dn-cn: $1"
}

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

step "5. A claim spelt with underscores, which many servers read as dashes, is removed by Envoy itself."
ask --http1.1 "${as_user[@]}" -H 'X_SSL_Client_S_DN_CN: admin@example.com' "$url/"
expect_user user@example.com

suggestions() {
  cat <<END
  curl ${as_admin[*]} $url/any/path
  curl ${as_user[*]} --no-buffer $url/sse
END
}
