"""Reads the subject and the subjectAltName of certificates with OpenSSL (libcrypto, in this process) and with the package
cryptography. DER in hexadecimal, one certificate a line, on the standard input; one JSON object a line on the standard
output. What a reader cannot read is null."""

import ctypes
import ctypes.util
import json
import sys
import warnings

from cryptography import x509

libcrypto = ctypes.CDLL(ctypes.util.find_library("crypto") or "libcrypto.so.3")

Pointer, Int, Size = ctypes.c_void_p, ctypes.c_int, ctypes.c_long
for name, result, *arguments in [
    ("d2i_X509", Pointer, Pointer, Pointer, Size),
    ("X509_free", None, Pointer),
    ("X509_get_subject_name", Pointer, Pointer),
    ("X509_get_ext_d2i", Pointer, Pointer, Int, Pointer, Pointer),
    ("X509_NAME_entry_count", Int, Pointer),
    ("X509_NAME_get_entry", Pointer, Pointer, Int),
    ("X509_NAME_ENTRY_get_object", Pointer, Pointer),
    ("X509_NAME_ENTRY_get_data", Pointer, Pointer),
    ("X509_NAME_ENTRY_set", Int, Pointer),
    ("X509_NAME_print_ex", Int, Pointer, Pointer, Int, ctypes.c_ulong),
    ("OBJ_obj2txt", Int, ctypes.c_char_p, Int, Pointer, Int),
    ("ASN1_STRING_type", Int, Pointer),
    ("ASN1_STRING_length", Int, Pointer),
    ("ASN1_STRING_get0_data", Pointer, Pointer),
    ("ASN1_STRING_to_UTF8", Int, Pointer, Pointer),
    ("CRYPTO_free", None, Pointer, ctypes.c_char_p, Int),
    ("BIO_s_mem", Pointer),
    ("BIO_new", Pointer, Pointer),
    ("BIO_ctrl", Size, Pointer, Int, Size, Pointer),
    ("OPENSSL_sk_num", Int, Pointer),
    ("OPENSSL_sk_value", Pointer, Pointer, Int),
    ("GENERAL_NAME_get0_value", Pointer, Pointer, Pointer),
    ("GENERAL_NAME_get0_otherName", Int, Pointer, Pointer, Pointer),
    ("GENERAL_NAMES_free", None, Pointer),
    ("ERR_clear_error", None),
]:
    function = getattr(libcrypto, name)
    function.restype, function.argtypes = result, arguments

# openssl/x509.h and openssl/asn1.h: RFC 2253, and with it `oid` and `dump_all` of `openssl x509 -nameopt`.
RFC2253 = 1 | 2 | 4 | 0x10 | 0x100 | 0x200 | 1 << 16 | 1 << 20 | 1 << 24
DUMP_ALL = RFC2253 & ~(3 << 21) | 2 << 21 | 0x80
NID_SUBJECT_ALT_NAME = 85
BIO_CTRL_RESET, BIO_CTRL_INFO = 1, 3
KINDS = {1: "email", 2: "dns", 6: "uri", 7: "ip"}
UPN, UTF8_STRING = "1.3.6.1.4.1.311.20.2.3", 12
BIO = libcrypto.BIO_new(libcrypto.BIO_s_mem())


def contents(string):
    return ctypes.string_at(libcrypto.ASN1_STRING_get0_data(string), libcrypto.ASN1_STRING_length(string))


def utf8(string):
    """The text of a string, if OpenSSL has one."""
    buffer = ctypes.c_void_p()
    length = libcrypto.ASN1_STRING_to_UTF8(ctypes.byref(buffer), string)
    if length < 0:
        return None
    text = ctypes.string_at(buffer, length).decode(errors="replace")
    libcrypto.CRYPTO_free(buffer, b"names.py", 0)
    return text


def written(name, flags):
    libcrypto.BIO_ctrl(BIO, BIO_CTRL_RESET, 0, None)
    if libcrypto.X509_NAME_print_ex(BIO, name, 0, flags) < 0:
        return None
    start = ctypes.c_void_p()
    length = libcrypto.BIO_ctrl(BIO, BIO_CTRL_INFO, 0, ctypes.byref(start))
    return ctypes.string_at(start, length).decode("ascii") if length else ""


def dotted(identifier):
    text = ctypes.create_string_buffer(256)
    libcrypto.OBJ_obj2txt(text, 256, identifier, 1)
    return text.value.decode()


def attribute(entry):
    kind = dotted(libcrypto.X509_NAME_ENTRY_get_object(entry))
    data = libcrypto.X509_NAME_ENTRY_get_data(entry)
    relative = libcrypto.X509_NAME_ENTRY_set(entry)
    return [relative, kind, libcrypto.ASN1_STRING_type(data), utf8(data)]


class Asn1Type(ctypes.Structure):
    """ASN1_TYPE of openssl/asn1.h."""

    _fields_ = [("type", ctypes.c_int), ("value", ctypes.c_void_p)]


def general_name(name):
    kind = ctypes.c_int()
    value = libcrypto.GENERAL_NAME_get0_value(name, ctypes.byref(kind))
    if kind.value in KINDS:
        return [KINDS[kind.value], contents(value).hex()]
    identifier, other = ctypes.c_void_p(), ctypes.POINTER(Asn1Type)()
    if not libcrypto.GENERAL_NAME_get0_otherName(name, ctypes.byref(identifier), ctypes.byref(other)):
        return None
    is_upn = dotted(identifier) == UPN and other.contents.type == UTF8_STRING
    return ["upn", contents(other.contents.value).hex()] if is_upn else None


def openssl_names(certificate):
    names = libcrypto.X509_get_ext_d2i(certificate, NID_SUBJECT_ALT_NAME, None, None)
    if not names:
        return None
    all_names = [libcrypto.OPENSSL_sk_value(names, place) for place in range(libcrypto.OPENSSL_sk_num(names))]
    read = [name for name in map(general_name, all_names) if name]
    libcrypto.GENERAL_NAMES_free(names)
    return read


def openssl(der):
    start = ctypes.create_string_buffer(der, len(der))
    place = ctypes.c_void_p(ctypes.addressof(start))
    certificate = libcrypto.d2i_X509(None, ctypes.byref(place), len(der))
    libcrypto.ERR_clear_error()
    if not certificate:
        return None
    name = libcrypto.X509_get_subject_name(certificate)
    entries = [libcrypto.X509_NAME_get_entry(name, place) for place in range(libcrypto.X509_NAME_entry_count(name))]
    report = {
        "subject": [attribute(entry) for entry in entries],
        "text": written(name, RFC2253),
        "dump": written(name, DUMP_ALL),
        "names": openssl_names(certificate),
    }
    libcrypto.X509_free(certificate)
    libcrypto.ERR_clear_error()
    return report


def attempt(read, *arguments):
    # What the package raises is of many kinds, a panic of its Rust among them.
    try:
        return read(*arguments)
    except BaseException:  # noqa: BLE001
        return None


def subject(certificate):
    """Number of the RelativeDistinguishedName, type, number of the string's ASN.1 type, and text, if it is one."""
    return [
        [place, one.oid.dotted_string, one._type.value, one.value if isinstance(one.value, str) else None]
        for place, relative in enumerate(certificate.subject.rdns)
        for one in relative
    ]


TYPES = {x509.RFC822Name: "email", x509.DNSName: "dns", x509.UniformResourceIdentifier: "uri", x509.IPAddress: "ip"}


def name_of(one):
    if isinstance(one, x509.IPAddress):
        return ["ip", one.value.packed.hex()]
    if type(one) in TYPES:
        return [TYPES[type(one)], one.value.encode().hex()]
    if isinstance(one, x509.OtherName) and one.type_id.dotted_string == UPN and one.value[0] == UTF8_STRING:
        # Behind the tag and a length of one byte or of more.
        return ["upn", one.value[2 + (one.value[1] & 0x7F if one.value[1] & 0x80 else 0) :].hex()]
    return None


def names(certificate):
    extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return [read for read in map(name_of, extension) if read]


def cryptography(der):
    certificate = attempt(x509.load_der_x509_certificate, der)
    return certificate and {"subject": attempt(subject, certificate), "names": attempt(names, certificate)}


warnings.simplefilter("ignore")
for line in sys.stdin:
    der = bytes.fromhex(line)
    print(json.dumps({"openssl": openssl(der), "cryptography": cryptography(der)}))
