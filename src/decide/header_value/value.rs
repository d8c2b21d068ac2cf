//! The values that `headers.set` can give to a header.

use percent_encoding::{AsciiSet, CONTROLS, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};

use crate::certificate::pem;
use crate::certificate::{AttributeType, AttributeValue, DistinguishedName};
use crate::certificate::{PeerCertificate, SubjectAltName, SubjectAltNameError};
use crate::decide::header_value::text::HeaderText;
use crate::encoding::{base64, hex};
use crate::identity::Identity;
use crate::identity::Peer;
use crate::identity::{Charset, check_text};
use crate::reason::Reason;

/// What the value of a header in `headers.set` is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
pub enum HeaderValue {
    /// The canonical user.
    User,
    /// The subject in the form of RFC 4514.
    Subject,
    /// The issuer in the form of RFC 4514.
    Issuer,
    /// The organizationNames of the subject.
    Organization,
    /// The organizationalUnitNames of the subject.
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
    /// The certificate as Envoy writes it into X-Forwarded-Client-Cert: `Hash=…;Cert="…"`.
    ForwardedClientCert,
}

/// The client that a header describes. By default there is none.
#[derive(Clone, Copy, Debug, Default)]
pub struct HeaderSource<'a> {
    /// The user.
    pub identity: Option<&'a Identity>,
    /// The certificate or principal that proves it.
    pub peer: Option<&'a Peer>,
}

impl HeaderValue {
    /// The value for a source; none when its certificate has no such thing.
    ///
    /// # Errors
    /// [`Reason::InvalidIdentity`] for an organization or a unit that is no text of the charset or the encoding,
    /// [`Reason::CertificateUnreadable`] for a value of a subject or subjectAltName that cannot be read.
    pub fn of(
        self,
        source: &HeaderSource<'_>,
        form: HeaderText,
    ) -> Result<Option<Vec<u8>>, Reason> {
        // Lists and certificates have their `%XX` already.
        let is_encoded = !matches!(self, Self::User | Self::Subject | Self::Issuer);
        let text = self.text(source, form.charset)?;
        text.map(|text| form.bytes(text, is_encoded)).transpose()
    }

    fn text(self, source: &HeaderSource<'_>, charset: Charset) -> Result<Option<String>, Reason> {
        let certificate = source.peer.and_then(Peer::certificate);
        let subject = || {
            let subject = certificate.map(PeerCertificate::subject).transpose();
            subject.map_err(|_| Reason::CertificateUnreadable)
        };
        let names = |of_kind: OfKind| {
            let names = certificate.map(|it| it.subject_alt_name().and_then(of_kind));
            let names = names.transpose();
            let names = names.map_err(|_| Reason::CertificateUnreadable)?;
            Ok::<_, Reason>(names.and_then(list))
        };
        Ok(match self {
            Self::Verify => Some(verify(source).to_owned()),
            Self::User => source.identity.map(|identity| identity.user.to_string()),
            Self::Spiffe => {
                names(SubjectAltName::uri)?;
                spiffe_id(source)
            }
            Self::Subject => subject()?.and_then(distinguished_name),
            Self::Issuer => certificate
                .and_then(PeerCertificate::issuer)
                .and_then(distinguished_name),
            Self::Organization => groups(subject()?, AttributeType::ORGANIZATION, charset)?,
            Self::OrganizationalUnit => {
                groups(subject()?, AttributeType::ORGANIZATIONAL_UNIT, charset)?
            }
            Self::Serial => certificate.map(|it| it.serial().to_string()),
            Self::Fingerprint => certificate.map(|it| hex(it.sha256())),
            Self::Spki => certificate.map(|it| base64(it.spki_sha256())),
            Self::SanUri => names(SubjectAltName::uri)?,
            Self::SanDns => names(SubjectAltName::dns)?,
            Self::SanEmail => names(SubjectAltName::email)?,
            Self::NotBefore => certificate.map(|it| it.not_before().to_string()),
            Self::NotAfter => certificate.map(|it| it.not_after().to_string()),
            Self::CertificateEscaped => certificate.map(escaped),
            Self::CertificateRfc9440 => certificate.map(byte_sequence),
            Self::ForwardedClientCert => certificate.map(xfcc_element),
        })
    }
}

/// The names of one kind in a subjectAltName.
type OfKind = fn(&SubjectAltName) -> Result<&[String], SubjectAltNameError>;

fn spiffe_id(source: &HeaderSource<'_>) -> Option<String> {
    source.peer?.spiffe_id().map(|id| id.to_string())
}

fn verify(source: &HeaderSource<'_>) -> &'static str {
    match source.identity {
        Some(_) => "SUCCESS",
        None => "NONE",
    }
}

fn distinguished_name(name: &DistinguishedName) -> Option<String> {
    (!name.is_empty()).then(|| name.to_string())
}

/// The values of an attribute in the order of the DER, with commas between them. An empty one is none.
fn groups(
    subject: Option<&DistinguishedName>,
    kind: AttributeType,
    charset: Charset,
) -> Result<Option<String>, Reason> {
    let mut groups = Vec::new();
    for value in subject
        .into_iter()
        .flat_map(|subject| subject.values(kind.clone()))
    {
        let AttributeValue::Text(text) = value else {
            return Err(Reason::InvalidIdentity);
        };
        check_text(text, charset).map_err(|_| Reason::InvalidIdentity)?;
        if !text.is_empty() {
            groups.push(encoded_group(text));
        }
    }
    Ok((!groups.is_empty()).then(|| groups.join(",")))
}

/// A group with the characters encoded that separate groups. Letters outside ASCII stay as they are.
fn encoded_group(group: &str) -> String {
    let mut encoded = String::new();
    for character in group.chars() {
        match character.is_ascii() {
            true => encoded.extend(utf8_percent_encode(
                character.encode_utf8(&mut [0; 4]),
                GROUP_ESCAPED,
            )),
            false => encoded.push(character),
        }
    }
    encoded
}

/// What may not stand in an entry of a list: the comma that separates, the sign of an encoding, and what no header may
/// carry.
const LIST_ESCAPED: &AsciiSet = &CONTROLS.add(b' ').add(b',').add(b'%');

/// The same for groups, in which a space is usual.
const GROUP_ESCAPED: &AsciiSet = &LIST_ESCAPED.remove(b' ');

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

/// An element of X-Forwarded-Client-Cert, as Envoy writes it.
fn xfcc_element(certificate: &PeerCertificate) -> String {
    let hash = hex(certificate.sha256());
    format!("Hash={hash};Cert=\"{}\"", escaped(certificate))
}
