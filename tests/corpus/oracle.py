"""Reads certificates with the package cryptography: DER in hexadecimal, one a line, on the standard input. Prints one
JSON object a line; a field that the package cannot read is null, and so is a whole certificate."""

import hashlib
import json
import sys
import warnings

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding


def attributes(name):
    """Type and value of each; no text for a value that is none."""
    values = [(one.oid.dotted_string, one.value) for rdn in name.rdns for one in rdn]
    return [[oid, value if isinstance(value, str) else None] for oid, value in values]


def subject_alt_name(certificate):
    """Names by kind; none of any kind without the extension."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        names = []
    kinds = {"dns": x509.DNSName, "email": x509.RFC822Name, "uri": x509.UniformResourceIdentifier, "ip": x509.IPAddress}
    return {key: [str(one.value) for one in names if isinstance(one, kind)] for key, kind in kinds.items()}


FIELDS = {
    "subject": lambda it: attributes(it.subject),
    "issuer": lambda it: attributes(it.issuer),
    "serial": lambda it: it.serial_number.to_bytes((it.serial_number.bit_length() + 7) // 8 or 1, "big").hex(),
    "not_before": lambda it: int(it.not_valid_before_utc.timestamp()),
    "not_after": lambda it: int(it.not_valid_after_utc.timestamp()),
    "sha256": lambda it: hashlib.sha256(it.public_bytes(Encoding.DER)).hexdigest(),
    "san": subject_alt_name,
}


def attempt(read, *arguments):
    # What the package raises is of many kinds, a panic of its Rust among them.
    try:
        return read(*arguments)
    except BaseException:  # noqa: BLE001
        return None


def report(der):
    certificate = attempt(x509.load_der_x509_certificate, der)
    if certificate is None:
        return None
    return {name: attempt(read, certificate) for name, read in FIELDS.items()}


warnings.simplefilter("ignore")
for line in sys.stdin:
    print(json.dumps(report(bytes.fromhex(line))))
