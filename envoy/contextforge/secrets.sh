#!/usr/bin/env bash
# Prints new secrets for ContextForge, one `NAME=value` a line: for `env_file`, or for `kubectl create secret generic
# … --from-env-file`. Passwords and JWTs are of no use where certificates say who somebody is; they are made so that
# nobody knows them, because ContextForge has defaults that everybody knows.
#
#   (umask 077; envoy/contextforge/secrets.sh >envoy/contextforge/secrets.env)
#   envoy/contextforge/secrets.sh --values       the same as values of the guide's Helm chart
set -euo pipefail

line='%s=Aa1-%s\n'
case ${1:-} in
  '') ;;
  --values)
    printf 'mcpContextForge:\n  secret:\n'
    line='    %s: Aa1-%s\n'
    ;;
  *)
    echo "secrets.sh: usage: secrets.sh [--values]" >&2
    exit 1
    ;;
esac

for name in JWT_SECRET_KEY AUTH_ENCRYPTION_SECRET PLATFORM_ADMIN_PASSWORD DEFAULT_USER_PASSWORD BASIC_AUTH_PASSWORD; do
  # All kinds of characters, which ContextForge asks of a password.
  # shellcheck disable=SC2059  # one of the two above
  printf "$line" "$name" "$(openssl rand -hex 32)"
done
