#!/usr/bin/env python3
"""Prints Envoy's whole configuration for one phase of the migration from JWT to certificates: envoy/envoy.yaml with
what the phase's file says in the place of its own. Nothing else is changed, comments included.

    envoy/migration/render.py 1|2|3|4 [--jwt-gateway HOST:PORT] [--bound-tokens=FILE] [ENVOY_YAML] >envoy.yaml
    envoy/migration/render.py 1|2|3|4 --gateway      the gateway's settings of this phase, for docker's --env-file

With --jwt-gateway requests without a certificate go to a gateway of their own, with the settings of phase 1.
With --bound-tokens Envoy verifies the JWTs itself (bound-tokens.yaml, or the FILE of this form), and a token that is
bound to a certificate (RFC 8705) passes with that certificate only.
"""

import argparse
import json
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


def change(text, pattern, replacement, places=1):
    """Where envoy.yaml has been changed so much that a place is not clear, there is no configuration."""
    changed, times = re.subn(pattern, lambda match: replacement(*match.groups("")), text, flags=re.MULTILINE)
    if times != places:
        sys.exit(f"render.py: envoy.yaml has {times} places for {pattern!r}, expected {places}")
    return changed


def indented(text, indentation):
    return "".join(f"{indentation}{line}\n" if line else "\n" for line in text.splitlines())


def dedented(text):
    return re.sub(r"^  ", "", text, flags=re.MULTILINE)


def with_jwt_gateway(envoy, address):
    """What goes to the gateway so far goes to this one; it is told apart by the cluster's name alone."""
    host, _, port = address.rpartition(":")
    envoy = change(envoy, r"^( *)cluster: gateway$", "{}cluster: gateway_jwt".format, places=2)

    def and_its_copy(cluster):
        copy = change(cluster, r"(name: gateway)$", "{}_jwt".format, places=2)
        copy = change(copy, r"{ address: [^ ]+, port_value: \d+ }", lambda: f"{{ address: {host}, port_value: {port} }}")
        return cluster + copy

    return change(envoy, r"^(  - name: gateway\n(?:(?:    .*)?\n)+)", and_its_copy)


def with_bound_tokens(envoy, phase, bound):
    """The filter that verifies JWTs before ours, and what ours asks of them."""
    envoy = change(
        envoy, r"^( *)http_filters:\n", lambda space: f"{space}http_filters:\n" + indented(bound["jwt_authn"], space)
    )
    configuration = json.loads(dedented(phase["filter"]))
    configuration.setdefault("certificate", {}).update(json.loads(dedented(bound["certificate"])))
    return envoy, phase | {"filter": indented(json.dumps(configuration, indent=2), "  ")}


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


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("phase", choices="1234")
    parser.add_argument("envoy_yaml", nargs="?", type=pathlib.Path, default=HERE.parent / "envoy.yaml")
    parser.add_argument("--jwt-gateway", metavar="HOST:PORT")
    parser.add_argument("--bound-tokens", nargs="?", type=pathlib.Path, const=HERE / "bound-tokens.yaml", metavar="FILE")
    parser.add_argument("--gateway", action="store_true")
    arguments = parser.parse_args()
    if arguments.jwt_gateway and not re.fullmatch(r"[A-Za-z0-9.-]+:\d{1,5}", arguments.jwt_gateway):
        sys.exit(f"render.py: --jwt-gateway {arguments.jwt_gateway}: expected HOST:PORT")
    (file,) = HERE.glob(f"{arguments.phase}-*.yaml")
    phase = sections(file.read_text())
    if arguments.gateway:
        settings = re.findall(r"""^ *(\w+): (["']?)(.*)\2$""", phase["gateway"], flags=re.MULTILINE)
        print("\n".join(f"{name}={value}" for name, _, value in settings))
        return
    envoy = arguments.envoy_yaml.read_text()
    if arguments.jwt_gateway:
        if phase["client_certificates"] != "optional":
            sys.exit("render.py: --jwt-gateway: only phases 2 and 3 have requests of both kinds")
        envoy = with_jwt_gateway(envoy, arguments.jwt_gateway)
    if arguments.bound_tokens:
        envoy, phase = with_bound_tokens(envoy, phase, sections(arguments.bound_tokens.read_text()))
    print(render(envoy, phase), end="")


main()
