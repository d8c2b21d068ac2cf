"""Checks rendered manifests against schemas, unknown fields refused: validate.py CRDS RENDERED...

Istio's own objects against the CustomResourceDefinitions in CRDS; those of Kubernetes against the models of the
Python client. Needs the packages of requirements.txt; validate.sh runs it.
"""

import re
import sys

import jsonschema
import yaml
from kubernetes.client import models

# Of the Gateway API there is the waypoint alone.
WAYPOINT = {
    "type": "object",
    "required": ["gatewayClassName", "listeners"],
    "properties": {
        "gatewayClassName": {"const": "istio-waypoint"},
        "listeners": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "required": ["name", "port", "protocol"],
                "properties": {
                    "name": {"type": "string"},
                    "port": {"const": 15008},
                    "protocol": {"const": "HBONE"},
                },
            },
        },
    },
}

CORE = {
    "v1": "V1",
    "apps/v1": "V1",
    "networking.k8s.io/v1": "V1",
    "rbac.authorization.k8s.io/v1": "V1",
}


def closed(schema):
    """The same schema, in which what is not named is an error."""
    if isinstance(schema, list):
        return [closed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    result = {key: closed(value) for key, value in schema.items()}
    # `properties` may also be the name of a field; then it is no mapping of schemas.
    is_object = isinstance(schema.get("properties"), dict) and schema.get("type") == "object"
    if is_object and not schema.get("x-kubernetes-preserve-unknown-fields"):
        result.setdefault("additionalProperties", False)
    return result


def custom_schemas(path):
    """(apiVersion, kind) to the schema of its spec."""
    schemas = {("gateway.networking.k8s.io/v1", "Gateway"): closed(WAYPOINT)}
    with open(path, encoding="utf-8") as file:
        documents = list(filter(None, yaml.safe_load_all(file)))
    for spec in (item["spec"] for document in documents for item in document.get("items", [document])):
        for version in spec["versions"]:
            name = (f"{spec['group']}/{version['name']}", spec["names"]["kind"])
            schemas[name] = closed(version["schema"]["openAPIV3Schema"]["properties"]["spec"])
    return schemas


def custom_errors(schema, value):
    checker = jsonschema.Draft202012Validator(schema)
    for error in checker.iter_errors(value):
        yield f"spec.{'.'.join(map(str, error.absolute_path))}: {error.message}"


SCALARS = {"str": str, "int": int, "bool": bool, "object": (str, int, dict)}


def core_errors(kind, value, path=""):
    """What a value has that this type of the Kubernetes client does not."""
    if inner := re.fullmatch(r"list\[(.*)\]", kind):
        if not isinstance(value, list):
            yield f"{path}: no list"
            return
        for index, item in enumerate(value):
            yield from core_errors(inner[1], item, f"{path}[{index}]")
    elif inner := re.fullmatch(r"dict\(str, (.*)\)", kind):
        if not isinstance(value, dict):
            yield f"{path}: no mapping"
            return
        for key, item in value.items():
            yield from core_errors(inner[1], item, f"{path}.{key}")
    elif kind in SCALARS:
        # To Python, True is an int.
        if not isinstance(value, SCALARS[kind]) or (kind == "int" and isinstance(value, bool)):
            yield f"{path}: {value!r} is not of type {kind}"
    else:
        yield from model_errors(getattr(models, kind), value, path)


def model_errors(model, value, path):
    if not isinstance(value, dict):
        yield f"{path}: no mapping"
        return
    types = {field: model.openapi_types[name] for name, field in model.attribute_map.items()}
    for field, item in value.items():
        if field in types:
            yield from core_errors(types[field], item, f"{path}.{field}")
        else:
            yield f"{path}.{field}: unknown to {model.__name__}"
    try:
        # The constructor refuses what is required and absent.
        given = {name: value[field] for name, field in model.attribute_map.items() if field in value}
        model(**given)
    except ValueError as error:
        yield f"{path}: {error}"


def errors(schemas, manifest):
    version, kind = manifest["apiVersion"], manifest["kind"]
    if version in CORE:
        yield from core_errors(CORE[version] + kind, manifest)
    elif (version, kind) in schemas:
        yield from custom_errors(schemas[version, kind], manifest["spec"])
        yield from core_errors("V1ObjectMeta", manifest["metadata"], "metadata")
        for field in manifest.keys() - {"apiVersion", "kind", "metadata", "spec"}:
            yield f"{field}: unknown"
    else:
        yield "no schema"


def main(crds, *rendered):
    schemas = custom_schemas(crds)
    checked, found = 0, []
    for path in rendered:
        with open(path, encoding="utf-8") as file:
            for manifest in yaml.safe_load_all(file):
                name = f"{path}: {manifest['kind']} {manifest['metadata'].get('namespace')}/{manifest['metadata']['name']}"
                found += [f"{name}: {error}" for error in errors(schemas, manifest)]
                checked += 1
    print("\n".join(found) or f"{checked} manifests are as their schemas say")
    return 1 if found or not checked else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
