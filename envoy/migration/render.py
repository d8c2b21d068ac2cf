#!/usr/bin/env python3
"""Prints Envoy's whole configuration for one phase of the migration from JWT to certificates: envoy/envoy.yaml with
what the phase's file says in the place of its own. Nothing else is changed, comments included.

    envoy/migration/render.py 1|2|3|4 [ENVOY_YAML] >envoy.yaml
    envoy/migration/render.py 1|2|3|4 --gateway          the gateway's settings of this phase, for docker's --env-file
"""

import pathlib
import re
import sys

HERE = pathlib.Path(__file__).resolve().parent


def sections(text):
    """The top-level keys of a phase's file: what stands behind each, or below it without the indentation."""
    parts = re.split(r"^(\w+):(?: \|)?(.*)\n", text, flags=re.MULTILINE)[1:]
    found = {}
    for name, same_line, below in zip(parts[::3], parts[1::3], parts[2::3]):
        lines = [line for line in below.splitlines() if not line.startswith("#")]
        found[name] = same_line.strip() or "\n".join(lines).strip("\n")
    return found


def change(text, pattern, replacement):
    """Where envoy.yaml has been changed so much that a place is not clear, there is no configuration."""
    changed, times = re.subn(pattern, lambda match: replacement(*match.groups("")), text, flags=re.MULTILINE)
    if times != 1:
        sys.exit(f"render.py: envoy.yaml has {times} places for {pattern!r}, expected one")
    return changed


def indented(text, indentation):
    return "".join(f"{indentation}{line}\n" if line else "\n" for line in text.splitlines())


def dedented(text):
    return re.sub(r"^  ", "", text, flags=re.MULTILINE)


def render(envoy, phase):
    asked = phase["client_certificates"]
    if asked not in ("required", "optional", "not_asked"):
        sys.exit(f"render.py: client_certificates: {asked}: expected required, optional or not_asked")
    if asked != "required":
        envoy = change(envoy, r"^( *)require_client_certificate: true$", "{}require_client_certificate: false".format)
    if asked == "not_asked":
        envoy = change(envoy, r"^( *)validation_context:\n(?:\1 +.*\n)+", lambda _: "")
    envoy = change(
        envoy,
        r"^( *)value: \|\n((?:\1 +.*\n)+)",
        lambda space, _: f"{space}value: |\n" + indented(dedented(phase["filter"]), space + "  "),
    )
    if "routes" in phase:
        envoy = change(envoy, r"^( *)routes:\n", lambda space: f"{space}routes:\n" + indented(phase["routes"], space))
    return envoy


def main(arguments):
    files = sorted(HERE.glob(f"{arguments[0]}-*.yaml")) if arguments and arguments[0].isdigit() else []
    if len(files) != 1 or len(arguments) > 2:
        sys.exit(__doc__.strip())
    phase = sections(files[0].read_text())
    base = arguments[1] if len(arguments) == 2 else HERE.parent / "envoy.yaml"
    if base == "--gateway":
        settings = re.findall(r'^ *(\w+): "?(.*?)"?$', phase["gateway"], flags=re.MULTILINE)
        print("\n".join(f"{name}={value}" for name, value in settings))
    else:
        print(render(pathlib.Path(base).read_text(), phase), end="")


main(sys.argv[1:])
