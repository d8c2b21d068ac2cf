# shellcheck shell=bash disable=SC2154
# The tour of demo.sh through ContextForge, with an MCP server and an MCP client; sourced by it.

# An MCP server for it to register.
tools_port=$(free_ports "TOOLS_PORT=${TOOLS_PORT:-}=8000")
export PYTHONPATH=$contextforge/site PYTHONNOUSERSITE=1
python=${PYTHON:-python3}
"$python" envoy/contextforge/serve.py mcp_server:application "$tools_port" >"$run/tools.log" 2>&1 &
# shellcheck disable=SC2034  # ended by demo.sh
tools_pid=$!
await "the MCP server" $tools_pid "$run/tools.log" grep '^listening on ' "$run/tools.log"

# post PATH JSON ARGUMENT…: a script is asked for no CSRF token if it brings an Authorization header, whatever is in it.
post() {
  local path=$1 json=$2
  shift 2
  ask "$@" -H 'Authorization: Bearer none' -H 'Content-Type: application/json' -d "$json" "$url$path"
}

# field KEY…: a value of the JSON answer.
field() {
  "$python" -c 'import functools, json, sys
step = lambda value, key: value[int(key) if key.isdigit() else key]
print(functools.reduce(step, sys.argv[2:], json.load(open(sys.argv[1]))))' "$answer" "$@"
}

# call_tool USER TOOL ARGUMENTS: with an MCP client; its answer, or what refused it, is one line of JSON.
call_tool() {
  local arguments=("$url/mcp" "$certs/ca.crt" "$certs/$1.crt" "$certs/$1.key" "$2" "$3")
  echo "  mcp_client.py ${arguments[*]}"
  "$python" envoy/contextforge/mcp_client.py "${arguments[@]}" >"$answer" || die "the MCP client failed"
  echo "  → $(cat "$answer")"
}

# The last decision in the gateway's own record.
recorded() {
  "$python" -c 'import sqlite3, sys
rows = sqlite3.connect(sys.argv[1]).execute(
    "select user_email, permission, granted from permission_audit_log order by id desc limit 1")
print(*rows.fetchone())' "$run/mcp.db"
}

step "1. The administrator, by certificate, enters a user who may call tools, and registers an MCP server."
post /v1/auth/email/admin/users \
  '{"email": "user@example.com", "full_name": "User", "password": "Never-used-1, never-known"}' "${as_admin[@]}"
expect "the status" "$status" 201
post /v1/rbac/roles '{"name": "caller", "description": "May call tools", "scope": "global",
  "permissions": ["tools.read", "tools.execute"]}' "${as_admin[@]}"
expect "the status" "$status" 200
post /v1/rbac/users/user@example.com/roles "{\"role_id\": \"$(field id)\", \"scope\": \"global\"}" "${as_admin[@]}"
expect "the status" "$status" 200
post /v1/gateways "{\"name\": \"demo\", \"url\": \"http://127.0.0.1:$tools_port/mcp\", \"transport\": \"STREAMABLEHTTP\",
  \"visibility\": \"public\"}" "${as_admin[@]}"
expect "the status" "$status" 200
echo "  → 200"

step "2. The user calls a tool with an MCP client and their certificate."
call_tool user demo-add '{"a": 19, "b": 23}'
expect "the result" "$(field text)" 42
expect "the gateway's record" "$(recorded)" "user@example.com tools.execute 1"
echo "  → in the gateway's own record: $(recorded)"

step "3. The same user claims to be the administrator. The claim is removed."
ask "${as_user[@]}" -H 'X-SSL-Client-S-DN-CN: admin@example.com' "$url/v1/rbac/my/roles"
expect "the status" "$status" 200
expect "the user at the gateway" "$(field 0 user_email)" user@example.com
echo "  → 200; to the gateway this is user@example.com"

step "4. Nor may they do what an administrator does."
post /v1/gateways '{"name": "mine", "url": "http://127.0.0.1:1/mcp"}' "${as_user[@]}" \
  -H 'X-SSL-Client-S-DN-CN: admin@example.com'
expect "the status" "$status" 403
expect "the gateway's record" "$(recorded)" "user@example.com gateways.create 0"
echo "  → 403; in the gateway's own record: $(recorded)"

step "5. Who has a certificate and is no user of the gateway is refused by the gateway."
call_tool service demo-add '{"a": 19, "b": 23}'
expect "the status" "$(field status)" 401

step "6. Without a certificate nobody gets in."
before=$(refused fail_verify_no_cert)
ask --cacert "$certs/ca.crt" -H 'X-SSL-Client-S-DN-CN: admin@example.com' "$url/v1/tools"
expect_no_handshake fail_verify_no_cert "$before"

suggestions() {
  cat <<END
  curl ${as_admin[*]} $url/v1/tools
  PYTHONPATH=$PYTHONPATH $python envoy/contextforge/mcp_client.py $url/mcp \\
    $certs/ca.crt $certs/user.crt $certs/user.key demo-headers '{}'
END
}
