#!/usr/bin/env python3
"""What Envoy or the filter refused, and why: from the access log of envoy.yaml.

    envoy/refusals.py [ACCESS_LOG]      or from standard input

A line for each: time, status, reason, who, the client's address, the request; with tabs between. `-` stands for what is not
known. In the TLS handshake there is no status, and who is what the client claims to be. What the gateway itself refused is
not here.
"""

import json
import sys


def parsed(text):
    try:
        return json.loads(text or "null")
    except ValueError:
        return None


def refusal(line):
    """Status, reason, who and request of a line that is about a refusal; else nothing."""
    if "failure" in line:
        return "-", line["failure"], line["claimed_subject"], None
    record = parsed(line.get("mtls_identity")) or {}
    # A request that Envoy could not read to its end has neither.
    request = f"{line['method']} {line['path']}" if line.get("method") and line.get("path") else None
    if record.get("decision") == "deny":
        # Who named nobody has at least a subject.
        return line["status"], record["reason"], record["user"] or line["subject"], request
    # A client of gRPC gets its refusals with status 200, so only the details tell.
    if line.get("details", "via_upstream") not in ("via_upstream", None):
        return line["status"], line["details"], record.get("user") or line["subject"], request
    return None


def main(arguments):
    if arguments in (["-h"], ["--help"]):
        print(__doc__.strip())
        return
    try:
        log = open(arguments[0], errors="replace") if arguments else sys.stdin
    except OSError as error:
        sys.exit(f"refusals.py: {error}")
    lines, objects = 0, 0
    for line in map(parsed, log):
        lines += 1
        objects += isinstance(line, dict)
        found = refusal(line) if isinstance(line, dict) else None
        if found:
            status, reason, who, request = found
            cells = (line["time"], status, reason, who, line["client"], request)
            # One line and one column for each, whatever a client wrote.
            printed = ("-" if cell is None else json.dumps(cell, ensure_ascii=True).strip('"') for cell in cells)
            print(*printed, sep="\t")
    if lines and not objects:
        sys.exit("refusals.py: no line of this file is JSON as the access log of envoy.yaml writes it")


main(sys.argv[1:])
