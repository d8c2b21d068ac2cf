#!/usr/bin/env bash
# Prints what Nginx, Caddy, HAProxy, the guide's Lua filter and this filter make of the same certificates and forged
# headers, as Markdown. All of them are the real ones. Exit 1 if the README says something else.
#
#   tests/compare/run.sh            prints the tables
#   tests/compare/run.sh --write    puts them into the README, too
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

[[ $# -eq 0 || ($# -eq 1 && $1 == --write) ]] || {
  echo "usage: run.sh [--write]" >&2
  exit 2
}
tables=${CARGO_TARGET_DIR:-target}/tmp/compare.md
log=$(mktemp)
trap 'rm -f "$log"' EXIT
rm -f "$tables"
status=0
cargo test --quiet --locked --test compare >"$log" 2>&1 || status=$?
[[ -s $tables ]] || {
  cat "$log" >&2
  exit 1
}
cat "$tables"
echo
for name in nginx caddy haproxy; do
  program=$(tests/debian.sh "$name")
  case $name in
    nginx) "$program" -v 2>&1 ;;
    caddy) echo "caddy version: $("$program" version)" ;;
    haproxy) "$program" -v | head -n 1 ;;
  esac
done
if [[ ${1:-} == --write ]]; then
  exec python3 - "$tables" <<'PYTHON'
import re, sys

tables = open(sys.argv[1]).read()
readme = open("README.md").read()
begin, end = "<!-- tests/compare/run.sh --write -->\n", "<!-- end -->\n"
between = re.compile(re.escape(begin) + ".*?" + re.escape(end), re.DOTALL)
if len(between.findall(readme)) != 1:
    sys.exit("run.sh: the README has no place for the tables")
open("README.md", "w").write(between.sub(lambda _: begin + tables + end, readme))
PYTHON
fi
[[ $status -eq 0 ]] || echo "run.sh: the README has other tables; --write puts these there" >&2
exit "$status"
