"""What a reader of Python finds in messages: read.py json|orjson|pydantic_core.

A line of the standard input is a message in hexadecimal digits; the answer is a line of JSON: [method, name, uri], or null for
a message that the reader refuses.
"""

import importlib
import json
import sys

# A reader may take more than this program can write.
sys.setrecursionlimit(10_000)


def loader(name):
    module = importlib.import_module(name)
    return module.from_json if name == "pydantic_core" else module.loads


def reading(load, message):
    try:
        value = load(message)
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, dict):
        return [None, None, None]
    params = value.get("params")
    params = params if isinstance(params, dict) else {}
    return [value.get("method"), params.get("name"), params.get("uri")]


def main():
    load = loader(sys.argv[1])
    for line in sys.stdin:
        print(json.dumps(reading(load, bytes.fromhex(line))))


main()
