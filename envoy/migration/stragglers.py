#!/usr/bin/env python3
"""Who still comes without a certificate, or would be refused by what is only observed: from Envoy's access log.

    envoy/migration/stragglers.py [ACCESS_LOG]      or from standard input

Prints how many requests, why (`anonymous`, or the reasons for which they would be refused), the user if there is one,
the client's address, and what it calls itself; the most frequent first.
"""

import collections
import json
import sys


def reasons(record):
    if record["decision"] == "deny":
        return []
    anonymous = ["anonymous"] if record["decision"] == "anonymous" else []
    return anonymous + record["observed"]


def parsed(lines):
    for line in lines:
        try:
            line = json.loads(line)
            yield line, json.loads(line["mtls_identity"])
        except (KeyError, TypeError, ValueError):
            pass  # a handshake that was refused, a request that Envoy refused, or a line that is not finished


def main(arguments):
    lines = open(arguments[0], errors="replace") if arguments else sys.stdin
    found = collections.Counter(
        (",".join(reasons(record)), record["user"] or "-", line["client"], line["user_agent"] or "-")
        for line, record in parsed(lines)
        if reasons(record)
    )
    for (why, user, client, agent), times in found.most_common():
        print(times, why, user, client, json.dumps(agent), sep="\t")


main(sys.argv[1:])
