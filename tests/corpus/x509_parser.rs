//! What the crate x509-parser says of a certificate, its extensions read as well: an oracle of another maker, and how
//! certificates were read here before.

use std::net::IpAddr;

use mtls_identity::certificate::DistinguishedName;
use mtls_identity::certificate::PeerCertificate;
use mtls_identity::certificate::SubjectAltName;
use mtls_identity::certificate::Timestamp;
use sha2::{Digest, Sha256};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::{GeneralName, ParsedExtension, X509Extension};
use x509_parser::oid_registry::OID_X509_EXT_CERT_COMMENT;
use x509_parser::prelude::FromDer;
use x509_parser::time::ASN1Time;
use x509_parser::x509::X509Name;

/// For a certificate that is accepted here: what x509-parser refuses in it, or reads as something else.
pub(crate) fn disagreement(ours: &PeerCertificate) -> Option<String> {
    let theirs = match X509Certificate::from_der(ours.der()) {
        Ok(([], theirs)) => theirs,
        Ok((rest, _)) => return Some(format!("{} bytes behind", rest.len())),
        Err(error) => return Some(error.to_string()),
    };
    let mut extensions = theirs.extensions().iter();
    if let Some(unreadable) = extensions.find(|extension| is_unreadable(extension)) {
        return Some(format!("the extension {}", unreadable.oid));
    }
    let serial = theirs.raw_serial().iter().skip_while(|&&byte| byte == 0);
    let serial_of_ours = ours.serial().iter().skip_while(|&&byte| byte == 0);
    let key: [u8; 32] = Sha256::digest(theirs.public_key().raw).into();
    let fields = [
        ("subject", *ours.subject() == name(theirs.subject())),
        ("issuer", *ours.issuer() == name(theirs.issuer())),
        ("serial", serial_of_ours.eq(serial)),
        (
            "notBefore",
            ours.not_before() == moment(theirs.validity().not_before),
        ),
        (
            "notAfter",
            ours.not_after() == moment(theirs.validity().not_after),
        ),
        ("subjectPublicKeyInfo", *ours.spki_sha256() == key),
        (
            "subjectAltName",
            *ours.subject_alt_name() == subject_alt_name(&theirs),
        ),
    ];
    let different = fields.iter().find(|(_, is_equal)| !is_equal);
    different.map(|(field, _)| format!("another {field}"))
}

/// Not the comment of Netscape: text for people, which x509-parser takes outside ASCII as well, but only while its
/// length happens to look like text.
fn is_unreadable(extension: &X509Extension<'_>) -> bool {
    let is_error = matches!(
        extension.parsed_extension(),
        ParsedExtension::ParseError { .. }
    );
    is_error && extension.oid != OID_X509_EXT_CERT_COMMENT
}

fn name(theirs: &X509Name<'_>) -> DistinguishedName {
    DistinguishedName::from_der(theirs.as_raw()).unwrap()
}

fn moment(theirs: ASN1Time) -> Timestamp {
    Timestamp::from_unix(theirs.timestamp())
}

fn subject_alt_name(theirs: &X509Certificate<'_>) -> SubjectAltName {
    let mut names = SubjectAltName::default();
    let Some(extension) = theirs.subject_alternative_name().unwrap() else {
        return names;
    };
    for name in &extension.value.general_names {
        match *name {
            GeneralName::DNSName(name) => names.dns.push(name.to_owned()),
            GeneralName::RFC822Name(name) => names.email.push(name.to_owned()),
            GeneralName::URI(name) => names.uri.push(name.to_owned()),
            GeneralName::IPAddress(bytes) => names.ip.push(address(bytes)),
            GeneralName::OtherName(..)
            | GeneralName::X400Address(_)
            | GeneralName::DirectoryName(_)
            | GeneralName::EDIPartyName(_)
            | GeneralName::RegisteredID(_) => {}
            GeneralName::Invalid(..) => panic!("{name} is accepted"),
        }
    }
    names
}

fn address(bytes: &[u8]) -> IpAddr {
    let v4 = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
    v4.unwrap_or_else(|_| <[u8; 16]>::try_from(bytes).unwrap().into())
}
