//! The values that `headers.set` can give to a header.

use percent_encoding::{AsciiSet, CONTROLS, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::attribute_type::AttributeType;
use crate::certificate::PeerCertificate;
use crate::denial::Reason;
use crate::encoding::{base64, hex};
use crate::identity::Identity;
use crate::name::{AttributeValue, DistinguishedName};
use crate::peer::Peer;
use crate::pem;
use crate::user::{Charset, check_text};

/// What the value of a header in `headers.set` is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(
    feature = "cli",
    derive(schemars::JsonSchema),
    schemars(rename_all = "snake_case")
)]
pub enum HeaderValue {
    /// The canonical user.
    User,
    /// The subject in the form of RFC 4514.
    Subject,
    /// The issuer in the form of RFC 4514.
    Issuer,
    /// The organizationName of the subject.
    Organization,
    /// The organizationalUnitName of the subject.
    OrganizationalUnit,
    /// The serial number in hexadecimal.
    Serial,
    /// The SHA-256 of the certificate in hexadecimal.
    Fingerprint,
    /// The SHA-256 of the SubjectPublicKeyInfo in base64.
    Spki,
    /// The URIs of subjectAltName.
    SanUri,
    /// The dNSNames of subjectAltName.
    SanDns,
    /// The rfc822Names of subjectAltName.
    SanEmail,
    /// The SPIFFE ID.
    Spiffe,
    /// The beginning of the validity (RFC 3339).
    NotBefore,
    /// The end of the validity (RFC 3339).
    NotAfter,
    /// `SUCCESS` for a user, `NONE` for a request that goes on without one.
    Verify,
    /// The certificate as Nginx writes `$ssl_client_escaped_cert`.
    CertificateEscaped,
    /// The certificate as RFC 9440 writes `Client-Cert`.
    CertificateRfc9440,
    /// An element of X-Forwarded-Client-Cert with this certificate.
    ForwardedClientCert,
}

/// Of whom a header speaks; of nobody by default.
#[derive(Clone, Copy, Debug, Default)]
pub struct Holder<'a> {
    /// Who it is.
    pub identity: Option<&'a Identity>,
    /// By what that is known.
    pub peer: Option<&'a Peer>,
}

impl HeaderValue {
    /// The value for a holder; none when its certificate has no such thing.
    ///
    /// # Errors
    /// [`Reason::AmbiguousIdentity`] for several organizations where one is asked for,
    /// [`Reason::InvalidIdentity`] for one that is no text of the charset.
    pub fn of(self, holder: &Holder<'_>, charset: Charset) -> Result<Option<String>, Reason> {
        let certificate = holder.peer.and_then(Peer::certificate);
        let subject = certificate.map(PeerCertificate::subject);
        let names = certificate.map(PeerCertificate::subject_alt_name);
        Ok(match self {
            Self::Verify => Some(verify(holder).to_owned()),
            Self::User => holder.identity.map(|identity| identity.user.to_string()),
            Self::Spiffe => spiffe_id(holder),
            Self::Subject => subject.and_then(distinguished_name),
            Self::Issuer => certificate.and_then(|it| distinguished_name(it.issuer())),
            Self::Organization => one(subject, AttributeType::ORGANIZATION, charset)?,
            Self::OrganizationalUnit => one(subject, AttributeType::ORGANIZATIONAL_UNIT, charset)?,
            Self::Serial => certificate.map(|it| hex(it.serial())),
            Self::Fingerprint => certificate.map(|it| hex(it.sha256())),
            Self::Spki => certificate.map(|it| base64(it.spki_sha256())),
            Self::SanUri => names.and_then(|names| list(&names.uri)),
            Self::SanDns => names.and_then(|names| list(&names.dns)),
            Self::SanEmail => names.and_then(|names| list(&names.email)),
            Self::NotBefore => certificate.map(|it| it.not_before().to_string()),
            Self::NotAfter => certificate.map(|it| it.not_after().to_string()),
            Self::CertificateEscaped => certificate.map(escaped),
            Self::CertificateRfc9440 => certificate.map(byte_sequence),
            Self::ForwardedClientCert => {
                certificate.map(|it| format!("Hash={};Cert=\"{}\"", hex(it.sha256()), escaped(it)))
            }
        })
    }
}

fn spiffe_id(holder: &Holder<'_>) -> Option<String> {
    holder.peer?.spiffe_id().map(|id| id.to_string())
}

fn verify(holder: &Holder<'_>) -> &'static str {
    match holder.identity {
        Some(_) => "SUCCESS",
        None => "NONE",
    }
}

fn distinguished_name(name: &DistinguishedName) -> Option<String> {
    (!name.is_empty()).then(|| name.to_string())
}

/// The one value of an attribute: who has two organizations belongs to neither for a gateway that reads one.
fn one(
    subject: Option<&DistinguishedName>,
    oid: &[u8],
    charset: Charset,
) -> Result<Option<String>, Reason> {
    let mut values = subject.into_iter().flat_map(|subject| subject.values(oid));
    let text = match (values.next(), values.next()) {
        (None, _) => return Ok(None),
        (Some(AttributeValue::Text(text)), None) => text,
        (Some(_), None) => return Err(Reason::InvalidIdentity),
        (Some(_), Some(_)) => return Err(Reason::AmbiguousIdentity),
    };
    match check_text(text, charset) {
        Ok(()) if text.is_empty() => Ok(None),
        Ok(()) => Ok(Some(text.clone())),
        Err(_) => Err(Reason::InvalidIdentity),
    }
}

/// What may not stand in an entry of a list: the comma that separates, and what no header may carry.
const LIST_ESCAPED: &AsciiSet = &CONTROLS.add(b' ').add(b',');

/// Several entries in the order of the DER, with commas between them.
fn list(entries: &[String]) -> Option<String> {
    let escaped: Vec<_> = entries
        .iter()
        .map(|entry| utf8_percent_encode(entry, LIST_ESCAPED).to_string())
        .collect();
    (!escaped.is_empty()).then(|| escaped.join(","))
}

/// RFC 3986 section 2.3: what is left as it is by Nginx's URI component escape.
const COMPONENT_ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

fn escaped(certificate: &PeerCertificate) -> String {
    utf8_percent_encode(&pem::encode(certificate.der()), COMPONENT_ESCAPED).to_string()
}

/// RFC 9440 section 2.1: a Byte Sequence of RFC 8941.
fn byte_sequence(certificate: &PeerCertificate) -> String {
    format!(":{}:", base64(certificate.der()))
}
